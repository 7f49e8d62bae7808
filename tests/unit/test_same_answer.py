"""Two answers to two questions that look alike: the same, not the same, or not sure."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.types import Language
from groat.validation import same_answer

PROSE = ("You can pay by card or by invoice.", "Payment is possible with a card, or on an invoice.")
中文 = ("可以用银行卡或者发票付款。", "付款方式有银行卡和发票两种。")


@pytest.mark.parametrize(
    ("kept", "fresh", "language", "expected"),
    [
        ("42", "The answer is 42.", "en", "right"),
        ("42", "43", "en", "wrong"),
        ("Yes.", "No.", "en", "wrong"),
        ("可以。", "不可以。", "zh", "wrong"),
        ("20 分钟", "二十分钟", "zh", "right"),
        ("B", "(b)", "en", "right"),
        ("It is valid for 20 minutes. [en-reset]", "it is valid for 20 minutes [en-two]", "en", "right"),
        ("It is valid for 20 minutes after it was sent.", "It is valid for 30 minutes after it was sent.", "en", "wrong"),
        ("链接发出后20分钟内有效。", "链接发出后30分钟内有效。", "zh", "wrong"),
        ("", "Anything.", "en", "undecided"),
        ("[doc]", "Anything.", "en", "undecided"),
    ],
)  # fmt: skip
def test_values_and_figures_decide_without_a_judge(kept: str, fresh: str, language: Language, expected: str) -> None:
    assert same_answer(kept, fresh, language=language) == expected
    assert same_answer(fresh, kept, language=language) == expected


@pytest.mark.parametrize(("pair", "language"), [(PROSE, "en"), (中文, "zh")], ids=["en", "zh"])
def test_prose_is_the_same_where_each_supports_the_other(pair: tuple[str, str], language: Language) -> None:
    told = [same_answer(*pair, language=language, support=each) for each in ((0.9, 0.8), (0.9, 0.3), (0.05, 0.02), None)]
    assert told == ["right", "undecided", "wrong", "undecided"]


def test_without_a_judge_nearly_equal_words_are_the_same_unless_something_differs() -> None:
    one, other = "Turn on smart charging under Devices, Charging.", "Turn off smart charging under Devices, Charging."
    assert same_answer(one, one.replace(",", " and"), language="en") == "right"
    assert same_answer(one, other, language="en", differences=["opposite"]) == "undecided"


def test_figures_that_clash_and_a_judge_that_sees_no_difference_leave_it_open() -> None:
    one, other = "A transfer costs 2 dollars in each month.", "A transfer costs 3 dollars in each month."
    assert same_answer(one, other, language="en", support=(0.9, 0.9)) == "undecided"
    assert same_answer(one, other, language="en", support=(0.3, 0.6)) == "wrong"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60), st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_any_two_texts_can_be_compared_and_the_order_does_not_matter(
    one: str, other: str, support: tuple[float, float] | None
) -> None:
    back = None if support is None else (support[1], support[0])
    assert same_answer(one, other, language="zh", support=support) == same_answer(other, one, language="zh", support=back)
    assert same_answer(one, one, language="en") in ("right", "undecided")
