"""A few words lifted out of a document need no full stop; the beginning of a sentence without its end may have been cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.validation.excerpts import MOST_WORDS, is_excerpt

EN = "A password reset link is valid for 20 minutes. Refunds arrive within 5 working days. It was designed by Anna Lee in 1932."
ZH = "重置密码的链接二十分钟内有效。退款会在五个工作日内到账，由财务部处理。设计者是李安娜。"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("valid for 20 minutes", EN),
        ("within 5 working days", EN),
        ("20 Minutes", EN),
        ("Anna Lee", EN),
        ("1932", EN),
        ("二十分钟内有效", ZH),
        ("五个工作日内到账", ZH),
        ("财务部", ZH),
        ("李安娜", ZH),
    ],
)
def test_what_stands_in_the_middle_of_a_sentence_or_runs_to_its_end_was_chosen(answer: str, text: str) -> None:
    assert is_excerpt(answer, [text])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("A password reset link is valid", EN),
        ("Refunds arrive within 5", EN),
        ("重置密码的链接二十分钟", ZH),
        ("退款会在五个工作日内到账", ZH),
        ("valid for 30 minutes", EN),
        ("三十分钟内有效", ZH),
        ("", EN),
    ],
)
def test_the_beginning_of_a_sentence_and_what_stands_in_no_document_are_none(answer: str, text: str) -> None:
    assert not is_excerpt(answer, [text])


@pytest.mark.parametrize(
    ("name", "text"),
    [("Johnson City", "Johnson City lies in Tennessee."), ("A.P.J. Abdul Kalam", "A.P.J. Abdul Kalam was born.")],
)
def test_a_name_may_begin_the_sentence_that_it_was_taken_from(name: str, text: str) -> None:
    assert is_excerpt(name, [text])


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_may_be_asked_about(answer: str, text: str) -> None:
    assert isinstance(is_excerpt(answer, [text]), bool)


@pytest.mark.parametrize(("word", "end"), [("word ", "here"), ("词语", "完")])
def test_a_long_excerpt_should_end_like_a_sentence(word: str, end: str) -> None:
    long = word * (2 * MOST_WORDS) + end
    assert not is_excerpt(long, [f"It says: {long}."])
