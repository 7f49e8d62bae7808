import random
from collections import Counter

import pytest

from training.perturb import all_edits, perturbed_rows, reworded
from training.rows import Row

EN = "How do I return a lamp within 14 days?"
PAIRS = [
    Row(EN, "Can I return the lamp within 14 days?", 1.0, "same", "en", "shop", "pair", "shop:1", False),
    Row(
        "How do I open an account in Berlin?",
        "What is needed to open an account in Berlin?",
        1,
        "same",
        "en",
        "shop",
        "pair",
        "shop:2",
        False,
    ),
    Row("台灯14天内怎么退货？", "14天内台灯如何退货", 1.0, "same", "zh", "shop", "pair", "shop:3", False),
    Row("从杭州到苏州怎么走", "杭州到苏州的路线", 0.0, "same", "zh", "shop", "pair", "shop:4", False),
]
TEXTS = [
    ("when does the Monday ferry leave Dublin", "en", "ferry:1", True),
    ("周一去厦门的船几点开", "zh", "ferry:2", True),
    ("为什么打不开会员页面", "zh", "ferry:3", True),
]


def _changed(text: str, lang: str, kind: str, seed: int = 0) -> list[str]:
    edits = all_edits(text, lang, random.Random(seed))
    return [changed for edit in edits if edit.kind == kind and (changed := edit.apply(text)) is not None]


def _rows(count: int = 200, seed: int = 3) -> list[Row]:
    return list(perturbed_rows(PAIRS, TEXTS, count, seed))


def test_rows_keep_the_group_and_licence_of_their_origin_and_name_its_source() -> None:
    known = {row.group: row.open_licence for row in PAIRS} | {group: is_open for _, _, group, is_open in TEXTS}
    rows = _rows()
    assert {row.source for row in rows} == {"perturbed:shop", "perturbed:ferry"}
    assert all(known[row.group] == row.open_licence for row in rows)


def test_no_two_rows_are_the_same_pair() -> None:
    rows = _rows()
    assert len({frozenset((row.a, row.b)) for row in rows}) == len(rows)


def test_each_kind_has_as_many_rows_that_mean_the_same_as_rows_that_do_not() -> None:
    counts = Counter((row.lang, row.kind, row.label) for row in _rows())
    assert all(abs(counts[lang, kind, 0.0] - counts[lang, kind, 1.0]) <= 2 for lang, kind, _ in counts)


def test_chinese_and_english_get_the_same_number_of_rows_while_both_last() -> None:
    counts = Counter(row.lang for row in _rows(60))
    assert counts == {"en": 30, "zh": 30}


def test_the_same_seed_gives_the_same_rows_and_another_seed_gives_others() -> None:
    assert _rows(seed=5) == _rows(seed=5)
    assert _rows(seed=5) != _rows(seed=6)


def test_a_change_made_to_both_wordings_gives_a_row_that_means_the_same() -> None:
    alike = [row for row in _rows() if row.kind == "number" and row.label == 1 and "14" not in row.a + row.b]
    assert any("return a lamp" in row.a + row.b and "return the lamp" in row.a + row.b for row in alike)


def test_a_pair_that_does_not_mean_the_same_gives_no_row_between_its_two_texts() -> None:
    assert not any("的路线" in row.a + row.b for row in _rows())


@pytest.mark.parametrize(
    ("text", "lang", "kind", "changed"),
    [
        ("how do I unlock my phone", "en", "antonym", "how do I lock my phone"),
        ("如何绑定邮箱", "zh", "antonym", "如何解绑邮箱"),
        ("why can't I log out", "en", "negation", "why can I log out"),
        ("为什么打不开门", "zh", "negation", "为什么打得开门"),
        ("trains from Rome to Paris", "en", "direction", "trains from Paris to Rome"),
        ("从杭州到苏州怎么走", "zh", "direction", "从苏州到杭州怎么走"),
        ("does she love him?", "en", "role", "does he love her?"),
        ("为什么我喜欢他", "zh", "role", "为什么他喜欢我"),
    ],
)
def test_a_change_turns_the_sense(text: str, lang: str, kind: str, changed: str) -> None:
    assert changed in _changed(text, lang, kind)


@pytest.mark.parametrize(
    ("text", "lang", "kind"),
    [
        ("tell us about it please", "en", "place"),
        ("find me cat pictures", "en", "brand"),
        ("how tall is the tower", "en", "antonym"),
        ("中国移动客服", "zh", "place"),
        ("你可以帮我一下吗？小米粥怎么煮", "zh", "brand"),
        ("can't I log out?", "en", "negation"),
        ("这个不能用吗", "zh", "negation"),
        ("怎么办", "zh", "question"),
    ],
)
def test_a_longer_word_or_an_idiom_is_left_alone(text: str, lang: str, kind: str) -> None:
    assert _changed(text, lang, kind) == []


@pytest.mark.parametrize("text", ["difference between tea and coffee", "which is better, tea or coffee?", "茶和咖啡有什么区别"])
def test_the_order_of_two_compared_things_does_not_change_the_sense(text: str) -> None:
    lang = "en" if text.isascii() else "zh"
    edits = [edit for edit in all_edits(text, lang, random.Random(1)) if edit.kind == "direction"]
    assert [edit.keeps for edit in edits] == [True]


def test_a_number_in_a_product_name_counts_as_its_version() -> None:
    assert _changed("does the lamp fit iphone 7", "en", "version")
    assert not _changed("does the lamp fit iphone 7", "en", "number")


def test_a_percentage_stays_within_a_hundred() -> None:
    for seed in range(20):
        (changed,) = _changed("is a deposit of 40% usual", "en", "percentage", seed)
        assert 0 < int(changed.split("%")[0].split()[-1]) < 100


@pytest.mark.parametrize("number", ["13", "250", "1,000,000,001", "1,234,567,890,123", "999999"])
def test_a_number_of_any_size_becomes_another_number(number: str) -> None:
    for seed in range(20):
        (changed,) = _changed(f"how many grains are {number}", "en", "number", seed)
        assert changed != f"how many grains are {number}"


def test_an_edit_does_not_touch_a_text_without_what_it_changes() -> None:
    (edit,) = [edit for edit in all_edits(EN, "en", random.Random(1)) if edit.kind == "number"]
    assert edit.apply("How do I return a lamp?") is None


def test_a_reworded_question_differs_in_letters_and_keeps_its_figures() -> None:
    for text, lang in ((EN, "en"), ("台灯14天内怎么退货？", "zh")):
        for seed in range(30):
            other = reworded(text, lang, random.Random(seed))
            assert other != text
            assert "14" in other
