"""Read the question out of what the caller sent: a bare question, or the messages of a conversation."""

from collections.abc import Sequence
from typing import Literal

from langchain_core.messages import AnyMessage

from groat.errors import BadInput
from groat.follow_up import leans_on_earlier
from groat.text import MAX_QUESTION_CHARS, clean_question, detect_language
from groat.types import Asked, Language, Turn

MAX_TURNS = 6
"""How many earlier messages go to the model: three exchanges, enough for "and for the other one?"."""


def read_question(
    question: str | None,
    messages: Sequence[AnyMessage],
    *,
    previous: str | None,
    tenant: str,
    language: Literal["auto", "zh", "en"],
) -> Asked:
    """Return the question with its conversation.

    The newest message counts when a person wrote it; otherwise ``question`` is new and the messages are the conversation
    so far. A turn whose calls all failed leaves its question as the newest message: a new ``question`` goes before it.
    A follow-up is searched for together with the question before it, since alone it may mean anything. System messages are
    what the application tells the models (``Asked.instructions``): all of them, each once, wherever they stand.

    Args:
        question: bare question, None or left over from the turn before when the caller sent messages.
        messages: the conversation, oldest first; may be empty.
        previous: text of the question answered before in this conversation, None at the first.
        tenant: whose documents and answers may be used.
        language: language of the answer; "auto" takes that of the question.

    Raises:
        BadInput: no question, a question and a different newest message, a question that cannot be asked, or instructions
            longer than a question may be.
    """
    told = _instructions(messages)
    messages = [message for message in messages if not is_instruction(message)]
    fresh = question if question is not None and question != previous else None
    newest = messages[-1].text.strip() if messages and messages[-1].type == "human" else None
    if newest is not None and (fresh is None or newest != previous):
        text, earlier = newest, messages[:-1]
        if fresh is not None and fresh.strip() != newest:
            raise BadInput("both a question and a newer message were sent, and they differ; send one of them")
    elif question is not None:
        text, earlier = question, messages
    else:
        raise BadInput("no question was sent; give `question`, or `messages` that end with the user's message")
    text = clean_question(text)
    history = _turns(earlier)
    asked_language = detect_language(text, default=_language_before(history))
    asked: Asked = {
        "text": text,
        "language": asked_language,
        "answer_language": asked_language if language == "auto" else language,
        "search_text": _search_text(text, history),
        "history": history,
        "tenant": tenant,
    }
    return {**asked, "instructions": told} if told else asked


def without_context(asked: Asked) -> Asked:
    """Return the question as one that was asked alone, when it means the same alone; else as it is, with why not.

    What is left out is not sent to the models either: an answer that is shared with all who ask must not stand on what one of
    them said before.
    """
    if not asked["history"]:
        return asked
    why = leans_on_earlier(asked["text"], asked["history"])
    if why:
        return {**asked, "follow_up": why}
    return {**asked, "history": [], "search_text": asked["text"], "turns_left_out": len(asked["history"])}


def is_instruction(message: AnyMessage) -> bool:
    """Say whether a message is the application's word to the models, and no turn of the conversation."""
    return message.type == "system" or getattr(message, "role", None) in {"system", "developer"}


def _instructions(messages: Sequence[AnyMessage]) -> str:
    # On a thread an application may send the same message with every turn.
    said = dict.fromkeys(message.text.strip() for message in messages if is_instruction(message))
    told = "\n\n".join(text for text in said if text)
    if len(told) > MAX_QUESTION_CHARS:
        raise BadInput(
            f"the system messages have {len(told):,} characters and at most {MAX_QUESTION_CHARS:,} can be sent; "
            "put long material into a document and ingest it"
        )
    return told


def _turns(messages: Sequence[AnyMessage]) -> list[Turn]:
    turns: list[Turn] = []
    for message in messages:
        if message.type in {"human", "ai"} and message.text.strip():
            turns.append({"role": "user" if message.type == "human" else "assistant", "content": message.text})
    return turns[-MAX_TURNS:]


def _search_text(text: str, history: Sequence[Turn]) -> str:
    asked_before = [turn["content"] for turn in history if turn["role"] == "user"]
    return f"{asked_before[-1]}\n{text}" if asked_before else text


def _language_before(history: Sequence[Turn]) -> Language:
    return detect_language(history[-1]["content"]) if history else "en"
