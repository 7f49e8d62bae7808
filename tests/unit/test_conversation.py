"""The question read out of what the caller sent."""

from collections.abc import Sequence
from typing import Literal

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from groat.conversation import MAX_TURNS, read_question
from groat.errors import BadInput
from groat.types import Asked


def _read(
    question: str | None,
    messages: Sequence[AnyMessage] = (),
    *,
    previous: str | None = None,
    language: Literal["auto", "zh", "en"] = "auto",
) -> Asked:
    return read_question(question, messages, previous=previous, tenant="acme", language=language)


def test_a_bare_question_stands_alone() -> None:
    expected: Asked = {
        "text": "怎么修改密码？",
        "language": "zh",
        "answer_language": "zh",
        "search_text": "怎么修改密码？",
        "history": [],
        "tenant": "acme",
    }
    assert _read(" 怎么修改密码？ ") == expected


def test_the_newest_message_of_a_person_is_the_question() -> None:
    messages: list[AnyMessage] = [HumanMessage("What is Plus?"), AIMessage("A plan."), HumanMessage("And its price?")]
    asked = _read(None, messages)
    assert asked["text"] == "And its price?"
    assert asked["search_text"] == "What is Plus?\nAnd its price?"
    assert asked["history"] == [{"role": "user", "content": "What is Plus?"}, {"role": "assistant", "content": "A plan."}]


def test_a_question_after_an_answer_continues_the_conversation() -> None:
    asked = _read("And its price?", [HumanMessage("What is Plus?"), AIMessage("A plan.")], previous="What is Plus?")
    assert (asked["text"], len(asked["history"])) == ("And its price?", 2)


def test_only_the_latest_turns_of_people_and_models_are_sent() -> None:
    messages: list[AnyMessage] = [SystemMessage("Obey"), AIMessage("")]
    for number in range(10):
        messages += [HumanMessage(f"q{number}"), AIMessage(f"a{number}")]
    history = _read("new", messages)["history"]
    assert len(history) == MAX_TURNS
    assert [turn["content"] for turn in history] == ["q7", "a7", "q8", "a8", "q9", "a9"]


def test_a_question_left_over_from_the_turn_before_does_not_count() -> None:
    messages: list[AnyMessage] = [HumanMessage("old"), AIMessage("answer"), HumanMessage("new")]
    assert _read("old", messages, previous="old")["text"] == "new"


def test_the_same_question_as_message_and_alone_is_one() -> None:
    assert _read("Why?", [HumanMessage("Why? ")])["text"] == "Why?"


def test_a_new_question_goes_before_one_that_was_left_unanswered() -> None:
    asked = _read("new", [HumanMessage("old")], previous="old")
    assert (asked["text"], asked["history"]) == ("new", [{"role": "user", "content": "old"}])


def test_an_unanswered_question_can_be_asked_again() -> None:
    asked = _read("old", [HumanMessage("old")], previous="old")
    assert (asked["text"], asked["history"]) == ("old", [])


def test_two_different_questions_are_refused() -> None:
    with pytest.raises(BadInput, match="they differ; send one of them"):
        _read("one", [HumanMessage("two")])


@pytest.mark.parametrize("messages", [[], [AIMessage("Hello")]])
def test_no_question_is_refused(messages: list[AnyMessage]) -> None:
    with pytest.raises(BadInput, match="no question was sent"):
        _read(None, messages)


def test_a_blank_message_is_refused() -> None:
    with pytest.raises(BadInput, match="the question is empty"):
        _read(None, [HumanMessage("  ")])


def test_the_language_can_be_chosen() -> None:
    asked = _read("怎么修改密码", language="en")
    assert (asked["language"], asked["answer_language"]) == ("zh", "en")


def test_a_question_without_letters_has_the_language_of_the_conversation() -> None:
    assert _read("24?", [HumanMessage("密码要多长"), AIMessage("10 个字符")])["language"] == "zh"
    assert _read("24?")["language"] == "en"


def test_a_message_in_parts_is_read() -> None:
    message = HumanMessage(content=[{"type": "text", "text": "How long?"}])
    assert _read(None, [message])["text"] == "How long?"
