"""What a LangChain prompt asks, and what must be equal before an answer given to it serves again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import regex
from langchain_core.messages import AIMessage, HumanMessage

from groat.cache.identity import conversation_key
from groat.conversation import read_question
from groat.errors import BadInput
from groat.text import detect_language
from groat.types import Asked, Identity, Language, Turn

FORM: Final = "langchain/1"
"""Raise this when identities or kept values change: what was kept before is then never served."""

AnswerLanguage = Literal["auto", "zh", "en"]
"""Language of the answers; "auto" is that of each question."""

# Of such an object only the name or the address is known, and another one may have the same.
_OPAQUE = regex.compile(r"<class '|<[^<>]* at 0x[0-9a-fA-F]+")
# A conversation written out for a model that takes text, or material with lines: assembled, not asked.
_ASSEMBLED = regex.compile(r"\n|^(?:System|Human|AI|Tool|Function|Chat): ")

_Kind = Literal["human", "ai", "system", "other"]
_KINDS: Final[Mapping[str, _Kind]] = {
    "human": "human", "HumanMessageChunk": "human", "ai": "ai", "AIMessageChunk": "ai",
    "system": "system", "SystemMessageChunk": "system",
}  # fmt: skip
_NOT_SENT: Final = {"id", "response_metadata", "usage_metadata"}
"""What LangChain notes about a message; the model never sees it, and it differs when the message itself came from a cache."""


@dataclass(frozen=True)
class Request:
    """One way to look a prompt up, and to keep its answer."""

    identity: Identity
    asked: Asked


@dataclass(frozen=True)
class Reading:
    """A prompt, read."""

    whole: Request
    """Only the equal prompt has this one: every message equal, whatever its content is."""
    question: Request | None
    """The question that the prompt asks, which may be asked in other words; None when none was made out."""

    @property
    def requests(self) -> Sequence[Request]:
        """How to look the prompt up, one after the other."""
        return [self.whole] if self.question is None else [self.whole, self.question]


@dataclass(frozen=True)
class _Message:
    kind: _Kind
    text: str | None
    """None when the content is not text alone."""
    sent: dict[str, Any]
    """What the model sees of it."""


def read_prompt(prompt: str, llm_string: str, *, tenant: str, language: AnswerLanguage) -> Reading:
    """Read what LangChain hands to a cache, as data: nothing in it is ever made an object of its class.

    Of a chat model's prompt the question is the text of the last message, when a person wrote it. Everything else (system
    messages, names, earlier turns, the model with its settings and tools) must be equal before an answer serves again. A plain
    model's prompt is the question itself, unless it has several lines or begins with a speaker's name: then it was put together
    from parts that nobody can tell apart here.

    Raises:
        BadInput: the prompt or the model's settings hold a Python object that cannot be compared.
    """
    if _OPAQUE.search(llm_string):
        raise BadInput(
            "the settings of the model hold a Python object of which a cache sees only the name, so its answers are not kept; "
            "give schemas as JSON, or use method='function_calling'"
        )
    messages = _messages(prompt)
    if messages is None:
        return _read_text(prompt, llm_string, tenant, language)
    *earlier, last = messages
    asked = None
    if last.kind == "human" and last.text is not None and all(m.text is not None or m.sent.get("tool_calls") for m in earlier):
        asked = _asked(last.text, earlier, tenant, language)
    question = None
    if asked is not None:
        frame = _canonical([*(message.sent for message in earlier), _without_text(last.sent)])
        question = _request(asked, f"{FORM} question {frame}", llm_string)
    return Reading(_whole(_canonical([m.sent for m in messages]), messages, llm_string, tenant, language), question)


def _read_text(prompt: str, llm_string: str, tenant: str, language: AnswerLanguage) -> Reading:
    person = _Message("human", prompt, {})
    asked = None if _ASSEMBLED.search(prompt) else _asked(prompt, [], tenant, language)
    question = None if asked is None else _request(asked, f"{FORM} text", llm_string)
    return Reading(_whole(prompt, [person], llm_string, tenant, language), question)


def _asked(text: str, earlier: Sequence[_Message], tenant: str, language: AnswerLanguage) -> Asked | None:
    """Return the question as the graph would read it; None when it cannot be asked there."""
    # Calls of tools and what they returned are turns too: a question after them may be about them.
    turns = [(m.kind, m.text or _canonical(m.sent)) for m in earlier if m.kind != "system"]
    said = [HumanMessage(turn) if kind == "human" else AIMessage(turn) for kind, turn in turns]
    try:
        return read_question(None, [*said, HumanMessage(text)], previous=None, tenant=tenant, language=language)
    except BadInput:
        return None


def _whole(prompt: str, messages: Sequence[_Message], llm_string: str, tenant: str, language: AnswerLanguage) -> Request:
    """Return the request that stands on everything before the answer, so that nothing like it serves."""
    spoken = [_storable(message.text or _texts(message.sent)) for message in messages if message.kind == "human"]
    text = spoken.pop() if spoken else ""
    history: list[Turn] = [{"role": "user", "content": turn} for turn in spoken]
    history.append({"role": "assistant", "content": prompt})
    own = detect_language(text)
    asked: Asked = {
        "text": text,
        "language": own,
        "answer_language": _answer_language(own, language),
        "search_text": text,
        "history": history,
        "tenant": tenant,
    }
    return _request(asked, f"{FORM} whole", llm_string)


def _request(asked: Asked, form: str, llm_string: str) -> Request:
    identity: Identity = {
        "tenant": asked["tenant"],
        "answer_language": asked["answer_language"],
        "prompt_version": form,  # every system message is in it
        "system_prompt": "",
        "model_policy": llm_string,  # the tools are in it
        "tools": "",
        "knowledge": "",
        "conversation": conversation_key(asked["history"]),
    }
    return Request(identity, asked)


def _answer_language(own: Language, wanted: AnswerLanguage) -> Language:
    return own if wanted == "auto" else wanted


def _messages(prompt: str) -> list[_Message] | None:
    """Return the messages of a chat model's prompt; None for any other text.

    Raises:
        BadInput: a message holds an object that LangChain could not write down.
    """
    try:
        dumped = json.loads(prompt)
    except (ValueError, RecursionError):
        return None
    if not isinstance(dumped, list) or not dumped or not all(_is_message(one) for one in dumped):
        return None
    if _holds_unwritten(dumped):
        raise BadInput("a message holds a Python object that cannot be compared, so the answer is not kept; send plain data")
    return [_message(one["kwargs"]) for one in dumped]


def _is_message(value: object) -> bool:
    return isinstance(value, dict) and value.get("lc") == 1 and (
        value.get("type") == "not_implemented" or (isinstance(value.get("kwargs"), dict) and "content" in value["kwargs"])
    )  # fmt: skip


def _holds_unwritten(value: object) -> bool:
    """Say whether ``repr`` stands in for a value somewhere: it may leave out what differs."""
    if isinstance(value, dict):
        unwritten = value.get("lc") == 1 and value.get("type") == "not_implemented"
        return unwritten or any(_holds_unwritten(one) for one in value.values())
    return isinstance(value, list) and any(_holds_unwritten(one) for one in value)


def _message(fields: Mapping[str, Any]) -> _Message:
    sent = {name: value for name, value in fields.items() if name not in _NOT_SENT}
    return _Message(_KINDS.get(str(fields.get("type")), "other"), _text(fields["content"]), sent)


def _text(content: object) -> str | None:
    """Return the text of a content that is nothing but one text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict) and content[0].get("type") == "text":
        text = content[0].get("text")
        return text if isinstance(text, str) else None
    return None


def _texts(sent: Mapping[str, Any]) -> str:
    """Return the texts in a mixed content, for the rules on what may be kept."""
    content = sent["content"] if isinstance(sent.get("content"), list) else []
    parts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)]
    return "\n".join(part for part in parts if isinstance(part, str))


def _without_text(sent: Mapping[str, Any]) -> dict[str, Any]:
    content = sent["content"]
    return {**sent, "content": "" if isinstance(content, str) else [{**content[0], "text": ""}]}


def _storable(text: str) -> str:
    # Half a character cannot be written to a database; the identity holds the text as it came.
    return text.encode("utf-8", "replace").decode("utf-8")


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
