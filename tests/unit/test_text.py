"""Plain facts about a text, in Chinese and English."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.errors import BadInput
from groat.text import (
    MAX_QUESTION_CHARS,
    cjk_share,
    clean_question,
    content_words,
    count_tokens,
    detect_language,
    figures,
    fold,
    sentence_spans,
    words,
)

TEXTS = st.text(
    st.one_of(st.sampled_from("。！？；.!? \n|-*1a瓦怎么“”（）()…,，"), st.characters(exclude_categories=["Cs"])), max_size=80
)


@pytest.mark.parametrize("text", ["怎么修改密码?", " Why?\n", "a\tb", "👍🏽 ok", "٣"])
def test_a_question_keeps_its_text_without_outer_space(text: str) -> None:
    assert clean_question(text) == text.strip()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the question is empty"),
        (" \n\t ", "the question is empty"),
        ("\u200b\ufeff", "the question is empty"),
        ("a\x07b", "control character U\\+0007 at position 1"),
        ("\ud800", "control character U\\+D800 at position 0"),
        ("x" * (MAX_QUESTION_CHARS + 1), "20,001 characters and at most 20,000"),
        (None, "must be text, not NoneType"),
        (7, "must be text, not int"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_to_do(text: object, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        clean_question(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("怎么修改密码？", "怎么修改密码?"),
        ("  How DO I?? ", "how do i"),
        ("ＡＢＣ１２", "abc12"),
        ("修改 密码", "修改密码"),
        ("a  b\nc", "A B C"),
        ("re\u200bset", "reset"),
    ],
)
def test_spellings_of_one_text_fold_to_one(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_keeps_what_makes_a_difference() -> None:
    assert fold("5.6") != fold("56")
    assert fold("???") == "???"


@settings(max_examples=100)
@given(TEXTS)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("怎么登录", "zh"),
        ("Leaf App 怎么登录", "zh"),
        ("How do I log in?", "en"),
        ("What does 谢谢 mean in English, and when is it used?", "en"),
        ("1234", "en"),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_a_text_without_letters_has_the_default_language() -> None:
    assert detect_language("42!", default="zh") == "zh"
    assert cjk_share("42!") == 0.0
    assert cjk_share("修改") == 1.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It costs 1,000 dollars", {"1000"}),
        ("一千元", {"1000"}),
        ("5 % or 百分之五", {"5"}),
        ("20.50", {"20.5"}),
        ("at 9:30", {"9:30"}),
        ("两个月内", {"2"}),
        ("三十五天", {"35"}),
        ("1.5万次", {"15000"}),
        ("１２个", {"12"}),
        ("twenty days, one plan", {"20"}),
        ("no figures, 一些", set()),
    ],
)
def test_figures_have_one_spelling(text: str, found: set[str]) -> None:
    assert figures(text) == found


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It works. Does it? Yes!", ["It works.", "Does it?", "Yes!"]),
        ("可以。真的吗？真的！", ["可以。", "真的吗？", "真的！"]),
        ("先退货；再退款。", ["先退货；", "再退款。"]),
        ("他说：“可以。”然后走了。", ["他说：“可以。”", "然后走了。"]),
        ("Version 2.5 costs $3.20 a month.", ["Version 2.5 costs $3.20 a month."]),
        ("1. Open the app.\n2. Tap it.", ["1. Open the app.", "2. Tap it."]),
        ("| a. b. | c |\n| 1 | 2 |", ["| a. b. | c |", "| 1 | 2 |"]),
        ("打开 App。Tap “Reset”.", ["打开 App。", "Tap “Reset”."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, sentences: list[str]) -> None:
    assert [text[start:end] for start, end in sentence_spans(text)] == sentences


@settings(max_examples=200)
@given(TEXTS)
def test_sentences_hold_every_character_once_and_in_order(text: str) -> None:
    spans = sentence_spans(text)
    assert all(start < end for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    inside = {place for start, end in spans for place in range(start, end)}
    assert all(text[place].isspace() for place in range(len(text)) if place not in inside)
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)


def test_words_are_whole_in_english_and_pairs_in_chinese() -> None:
    assert words("Leaf Plugs, e-mail 2.5!") == ["leaf", "plug", "e-mail", "2.5"]
    assert words("修改密码") == ["修改", "改密", "密码"]
    assert words("点App里") == ["点", "app", "里"]
    assert words("batteries boss status") == ["battery", "boss", "status"]


def test_content_words_leave_function_words_out() -> None:
    assert content_words("How do I change the password?") == ["change", "password"]
    assert content_words("请问") == []


def test_tokens_are_those_of_the_current_models() -> None:
    assert (count_tokens(""), count_tokens("hello world"), count_tokens("<|endoftext|>") > 1) == (0, 2, True)
