import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.validation.agreement import agree, agreement
from groat.validation.final_answers import Quantity, final_answer, options, quantity

SAME = [
    ("1,000", "1000.0"), ("1000", "one thousand"), ("一千", "1000"), ("$18", "18 dollars"), ("18", "$18"), ("50%", "0.5"),
    ("50", "50 %"), ("百分之五十", "0.5"), ("1/2", "0.5"), (r"\frac{1}{2}", "0.5"), ("三分之二", "2/3"), ("1.5万", "15000"),
    (r"4.8 \times 10^{6}", "4,800,000"), ("twenty-one apples", "21"), ("12 元", "12"), ("３５", "35"), ("-7", "−7.0"),
    (r"Adding both, we get \boxed{42}.", "42"), ("First 3, then 4.\nThe answer is 7.", "7.0"),
    ("推理如下……\n答案是 12 元", "12"),
    ('{"reasoning": "3 + 4", "answer": "7"}', "7"), ("She earns 9 * 2 = $18 every day.", "18"),
    ("A", "(A)"), ("A.", "选A"), ("答案：A", "A"), ("A, C", "CA"), ('["A", "C"]', "1. A 2. C"), ("A. Paris", "A"),
    ("[1, 2]", "[1,2]"), ('{"a": 1}', "{'a': 1.0}"), ("yes", "Yes, it is."), ("是", "对"), ("错误", "不对"),
    ("2024-01-05", "January 5, 2024"), ("2024年1月5日", "5 Jan 2024"), ("Paris", "paris."),
    ("Paris is the capital", "The capital is Paris"),
]  # fmt: skip
DIFFERENT = [
    ("18", "19"), ("18 km", "18 miles"), ("$18", "18 euro"), ("50%", "5"), ("A", "B"), ("AC", "A"), ("1. A 2. C", "1. A"),
    ("yes", "no"), ("是", "否"), ("可以退款", "不可以退款"), ("30 天内可退款", "7 天内可退款"),
    ("It is open", "It is not open"),
    ("2024-01-05", "2024-01-06"), ("[1, 2]", "[2, 1]"), ("True", "1"), ("(1, 2)", "[1, 2]"), ("It is not 18.", "18"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SAME)
def test_two_spellings_of_one_answer_agree(first: str, second: str) -> None:
    assert agreement(first, second, language="en") == 1.0


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_two_answers_that_say_different_things_do_not_agree(first: str, second: str) -> None:
    assert agreement(first, second, language="en") == 0.0


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_no_answer_agrees_with_nothing(nothing: str | None) -> None:
    assert [agreement(nothing, other, language="zh") for other in (nothing, "18", "None")] == [0.0, 0.0, 0.0]


def test_blanks_that_are_filled_alike_count_by_share() -> None:
    assert agreement("1. A 2. C 3. B 4. D", "1. A 2. C 3. B 4. A", language="zh") == 0.75


def test_a_values_letter_case_and_spaces_count_only_where_answers_are_exact() -> None:
    pairs = [("aBc", "abc"), ("1  ", "1 "), ("'x'", "x"), ('["a"]', "['a']"), ("A", "(A)")]
    assert [agree(one, other, language="en", exact=True) for one, other in pairs] == [False, False, True, True, False]
    assert agree("aBc", "abc", language="en")


def test_texts_are_compared_by_meaning_where_that_can_be_told() -> None:
    asked: list[tuple[str, str]] = []

    def close(one: str, other: str) -> float:
        asked.append((one, other))
        return 0.8

    assert agreement("pay by card", "card payment", language="en", similarity=close) == 0.8
    assert agreement("card payment", "pay by card", language="en", similarity=close) == 0.8
    assert asked == [("card payment", "pay by card")] * 2


def test_other_figures_are_never_the_same_meaning() -> None:
    assert agreement("it takes 3 days", "it takes 5 days", language="en", similarity=lambda one, other: 1.0) == 0.0


TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from([text for pair in SAME + DIFFERENT for text in pair]),
    st.from_regex(r"\\?[a-z]{0,5}[{(\[]?[-+$]?[0-9]{0,3}[./,:]?[0-9]{0,3}[%)}\]]?", fullmatch=True),
)


@settings(max_examples=150, deadline=None)
@given(first=TEXTS, second=TEXTS, exact=st.booleans())
def test_agreement_is_symmetric_and_a_share(first: str, second: str, exact: bool) -> None:
    found = agreement(first, second, language="zh", exact=exact)
    assert 0.0 <= found <= 1.0
    assert found == agreement(second, first, language="zh", exact=exact)


@settings(max_examples=100, deadline=None)
@given(text=TEXTS, exact=st.booleans())
def test_an_answer_agrees_with_itself_unless_it_is_blank(text: str, exact: bool) -> None:
    assert agreement(text, text, language="en", exact=exact) == float(bool(text.strip()))


@settings(max_examples=60, deadline=None)
@given(value=st.integers(-(10**9), 10**9))
def test_a_number_agrees_with_its_other_spellings_alone(value: int) -> None:
    assert agree(str(value), f"{value:,}.0", language="en")
    assert agree(f"The answer is {value}.", str(value), language="en")
    assert not agree(str(value), str(value + 1 + abs(value) // 10), language="en")


def test_the_end_of_a_reasoned_text_is_found() -> None:
    texts = [r"so \boxed{\frac{1}{2}}", "x = 3\nThe final answer is: **12**. Done.", "因此选 B。", "one line", "first\nlast"]
    assert [final_answer(text) for text in texts] == [r"\frac{1}{2}", "12", "B", "one line", "last"]


def test_a_sentence_is_no_number_and_a_word_is_no_option() -> None:
    assert (quantity("18 of them were eaten by 3 dogs"), options("DAD"), options("Cat")) == (None, None, None)
    assert quantity("3.5 hours") == Quantity(7 / 2, "hour")  # type: ignore[arg-type]  # equal to the fraction
