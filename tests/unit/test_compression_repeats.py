"""A sentence that says what a kept one says is not sent twice, and nothing else is taken for one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.compression.context import Context
from groat.compression.repeats import Said
from groat.compression.selection import select
from groat.text.quantities import quantities
from tests.fakes import passage


def _same(one: str, other: str, under: str = "", other_under: str = "") -> bool:
    forth, back = Said(), Said()
    forth.add(one, under)
    back.add(other, other_under)
    assert forth.has(other, other_under) == back.has(one, under)
    return forth.has(other, other_under)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A link is valid for 20 minutes.", "However, the link is valid for twenty minutes!"),
        ("The fee is 5 %.", "the fee is 5%"),
        ("Entry costs 1,000 yuan.", "Entry costs 1000 yuan."),
        ("Parcels travel by train.", "- Parcels  travel by train"),
        ("链接两小时内有效。", "此外，链接 2 小时内有效"),
        ("费用为百分之五。", "费用为5％！"),
        ("押金一千元。", "押金1000元"),
        ("重置密码的链接二十分钟内有效。", "重置密码链接20分钟内有效"),
    ],
)
def test_the_same_words_are_recognised_in_another_dress(one: str, other: str) -> None:
    assert _same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A link is valid for 20 minutes.", "A link is valid for 30 minutes."),
        ("A link is valid for 20 minutes.", "A link is valid for 20 hours."),
        ("The fee is 5 %.", "The fee is 5."),
        ("A link is valid.", "A link is not valid."),
        ("Trains run from Graz to Vienna.", "Trains run from Vienna to Graz."),
        ("Plus has 5 plugs and 6 lamps.", "Plus has 6 plugs and 5 lamps."),
        ("Refunds are free.", "Refunds are free only for members."),
        ("Open before noon.", "Open after noon."),
        ("Anna pays Otto.", "Otto pays Anna."),
        ("链接两小时内有效。", "链接两天内有效。"),
        ("可以退款。", "不可以退款。"),
        ("押金一千元。", "押金一万元。"),
        ("从格拉茨开往维也纳。", "从维也纳开往格拉茨。"),
        ("下单后付款。", "下单前付款。"),
        ("It is valid for 20 minutes.", "It is valid for 20 minutes."),
        ("它只能打开一次。", "它只能打开一次。"),
    ],
)
def test_another_figure_name_order_or_negation_is_another_sentence(one: str, other: str) -> None:
    assert not _same(one, other)


@pytest.mark.parametrize("sentence", ["Price: 5 euros", "价格：5 元"])
def test_under_another_title_a_sentence_is_about_another_thing(sentence: str) -> None:
    assert _same(sentence, sentence, "Basic", "Basic")
    assert not _same(sentence, sentence, "Basic", "Plus")


PIECES = st.sampled_from(
    [
        "Graz",
        "Wien",
        "link",
        "valid",
        "not",
        "never",
        "20",
        "twenty",
        "2 hours",
        "120 minutes",
        "5 %",
        "the",
        "A",
        "链接",
        "有效",
        "不",
        "没有",
        "两小时",
        "2 小时",
        "百分之五",
        "5％",
        "一千元",
        "的",
        "，",
        "格拉茨",
    ]
)
SENTENCES = st.lists(PIECES, min_size=1, max_size=7).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(SENTENCES, SENTENCES)
def test_what_is_taken_for_the_same_agrees_in_figures_negations_and_names(one: str, other: str) -> None:
    if _same(one, other):
        assert sorted((q.value * q.size, q.unit) for q in quantities(one)) == sorted(
            (q.value * q.size, q.unit) for q in quantities(other)
        )
        # Counted as words: what denials() takes for a question tag depends on the article before it.
        for word in ("not", "never", "不", "没有", "Graz", "Wien", "格拉茨"):
            assert one.split().count(word) == other.split().count(word)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_its_own_repeat_or_never_one(text: str) -> None:
    said = Said()
    said.add(text, "")
    said.has(text, "")
    assert not Said().has(text, "")


@pytest.mark.parametrize(
    ("sentence", "twin"),
    [
        ("A link is valid for 20 minutes.", "The link is valid for twenty minutes."),
        ("链接两小时内有效。", "链接 2 小时内有效。"),
    ],
)
def test_the_repeat_is_left_out_and_its_room_goes_to_what_is_new(sentence: str, twin: str) -> None:
    context = Context.take_apart("?", "en", [passage(sentence), passage(f"{twin} Parcels travel by train.", document="d1")])
    assert select(context, [0, 1, 2], budget=100) == [{0}, {1}]
    assert select(context, [1, 0, 2], budget=100) == [set(), {0, 1}]
