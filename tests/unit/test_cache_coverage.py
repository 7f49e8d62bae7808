"""What a question names that a kept question and its answer do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.cache.coverage import uncovered

ANSWER = "A Leaf Battery stores 5 kWh. Returns are free within 30 days, on weekdays and on Saturday, on Plus."
ANSWER_ZH = "电池可存5度电。30天内可免费退货，周六也可以，智享版除外。支持 iPhone。"


@pytest.mark.parametrize(
    ("asked", "kept", "answer", "missing"),
    [
        ("Is it free after 45 days?", "Is it free?", ANSWER, ["45"]),
        ("Can I return it in 30 weeks?", "Can I return it?", ANSWER, ["30"]),
        ("Does it store 5 kW?", "How much does it store?", ANSWER, ["5 w"]),
        ("Can I return it on Sunday?", "Can I return it?", ANSWER, ["sunday"]),
        ("Can I return a Kite Plug?", "Can I return it?", ANSWER, ["kite", "plug"]),
        ("Does the X200 store more?", "Does it store more?", ANSWER, ["x200"]),
        ('What does "Fault 7" mean?', "What does the light mean?", ANSWER, ["fault 7"]),
        ("45天后还能退吗", "还能退吗", ANSWER_ZH, ["45"]),
        ("周日能退吗", "能退吗", ANSWER_ZH, ["周日"]),
        ("经典版能退吗", "能退吗", ANSWER_ZH, ["经典版"]),
        ("Android能用吗", "手机能用吗", ANSWER_ZH, ["android"]),
        ("“故障七”是什么", "这是什么", ANSWER_ZH, ["故障七"]),
        ("X200能退吗", "能退吗", ANSWER_ZH, ["x200"]),
    ],
)
def test_what_neither_names_is_found(asked: str, kept: str, answer: str, missing: list[str]) -> None:
    found = uncovered(asked, kept, answer)
    assert [name for name in missing if any(one.startswith(name) for one in found)] == missing


@pytest.mark.parametrize(
    ("asked", "kept", "answer"),
    [
        ("Is it free within 30 days?", "Is it free?", ANSWER),
        ("Is it free within thirty days?", "Is it free?", ANSWER),
        ("Can I return it on Saturdays?", "Can I return it?", ANSWER),
        ("Can I return a Leaf Battery?", "Can I return it?", ANSWER),
        ("Are two Leaf Batteries free?", "Are 2 batteries free?", ANSWER),
        ("Which Indian cards work?", "Which cards of India work?", ANSWER),
        ("How Do I Return My New Kite Plug Today?", "How do I return it today?", ANSWER),
        ("Kite plugs, can I return them?", "Can I return them?", ANSWER),
        ("30天内能退吗", "能退吗", ANSWER_ZH),
        ("三十天内能退吗", "能退吗", ANSWER_ZH),
        ("星期六能退吗", "能退吗", ANSWER_ZH),
        ("智享版能退吗", "能退吗", ANSWER_ZH),
        ("iphone能用吗", "手机能用吗", ANSWER_ZH),
        ("App里能退吗", "能退吗", ANSWER_ZH),
        ("我想问一下能退吗", "能退吗", ANSWER_ZH),
        ("iPhone and Saturday, 30 days?", "30天内能退吗", ANSWER_ZH),
    ],
)
def test_what_the_kept_question_or_its_answer_names_is_covered(asked: str, kept: str, answer: str) -> None:
    assert uncovered(asked, kept, answer) == []


@given(st.text(max_size=120), st.text(max_size=60))
def test_any_text_covers_itself(text: str, answer: str) -> None:
    assert uncovered(text, text, answer) == []
