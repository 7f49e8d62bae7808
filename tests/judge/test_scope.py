"""What the judge has no opinion on, and why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.judge.scope import MOST_CHARS, out_of_range

NEITHER = "the text is neither Chinese nor English"


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000", "\u00a0"])
def test_an_empty_text_is_out_of_range(text: str) -> None:
    assert out_of_range(text) == "the text is empty"


@pytest.mark.parametrize(
    "text", ["???", "？！……", "-- / --", "42", "２０２６", "3.14 + 2", "🙂", "👩‍👩‍👧‍👦🇨🇳", "\0", "\ud83d", "₿€¥"]
)
def test_a_text_without_letters_is_out_of_range(text: str) -> None:
    assert out_of_range(text) == "the text has no words"


@pytest.mark.parametrize("sign", ["a", "长", "1", "word "])
def test_a_very_long_text_is_out_of_range(sign: str) -> None:
    assert out_of_range(sign * 10_000) == f"the text is longer than {MOST_CHARS:,} characters"


@pytest.mark.parametrize("sign", ["a", "长"])
def test_a_text_of_just_the_most_characters_is_in_range(sign: str) -> None:
    assert out_of_range(sign * MOST_CHARS) is None
    assert out_of_range(sign * (MOST_CHARS + 1)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "ランプはどうやって返品しますか",
        "駅前の店は何時まで開いていますか",
        "Как вернуть лампу?",
        "كيف أعيد المصباح؟",
        "전등을 어떻게 반품하나요?",
        "จะคืนโคมไฟได้อย่างไร",
        "איך מחזירים מנורה",
        "लैंप कैसे लौटाएँ",
        "Πώς επιστρέφω μια λάμπα;",
    ],
)
def test_another_script_is_out_of_range(text: str) -> None:
    assert out_of_range(text) == NEITHER


@pytest.mark.parametrize(
    "text",
    [
        "Wie kann ich eine Lampe zurückgeben?",
        "Wo finde ich die Rechnung vom letzten Monat?",
        "Comment puis-je rendre une lampe dans le magasin ?",
        "Où se trouve la facture du mois dernier pour les clients ?",
        "¿Cómo puedo devolver una lámpara en la tienda?",
        "¿Dónde está la factura del mes pasado y por qué es tan alta?",
        "Come posso restituire una lampada con lo scontrino?",
        "Onde posso devolver uma lâmpada e como?",
        "Hoe kan ik een lamp van de winkel terugsturen?",
    ],
)
def test_a_sentence_in_another_latin_language_is_out_of_range(text: str) -> None:
    assert out_of_range(text) == NEITHER


@pytest.mark.parametrize(
    "text",
    [
        "怎么退掉一盏台灯？",
        "發票遺失了可以補開嗎",
        "退款",
        "how do I return a lamp?",
        "refund",
        "Nobody may enter without goggles.",
        "Leaf App 怎么登录，提示 error 503",
        "把 C++ 升级到 17 要改 CMakeLists.txt 吗",
        "What does 押金 mean on my bill?",
        "git rebase --onto main topic~3 topic",
        "SELECT name FROM users WHERE id = 42;",
        "for i in range(10): print(i)",
        "TypeError: 'NoneType' object is not iterable",
        "iPhone 15 Pro Max",
        "Louis Vuitton",
        "Hermès 的包怎么退",
        "La Roche-Posay",
        "Is the Volkswagen ID.4 cheaper than the Citroën ë-C4?",
        "Can I bring a van from Los Angeles to El Paso?",
        "price per unit?",
        "Where is the Café de la Paix?",
        "naïve résumé",
        "β 和 α 有什么区别",
        "ＡＢＣ 全角",
    ],
)
def test_chinese_english_both_code_and_brands_are_in_range(text: str) -> None:
    assert out_of_range(text) is None


@given(st.text())
def test_any_text_has_a_reason_in_words_or_none(text: str) -> None:
    reason = out_of_range(text)
    assert reason is None or reason.startswith("the text ")


@given(st.text("0９٣?！… \0\n🙂€\ud83d\u200d\u0301"))
def test_signs_digits_and_halves_of_characters_never_have_an_opinion(text: str) -> None:
    assert out_of_range(text) is not None
