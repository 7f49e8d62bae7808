"""Small real implementations that stand in for slow or paid parts."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, SkipValidation

from groat.answering import prompt_tokens
from groat.embedding import Matrix, Vector
from groat.text import count_tokens, detect_language, sentence_spans, words
from groat.types import Asked, Attempt, Identity, Passage, Tier, Usage

_DIMENSION = 256


class WordEmbedder:
    """Bags of words as vectors: texts that share words are close; the same on every machine and run.

    Attributes:
        embedded: every text of a document that a vector was computed for, in order.
        queried: every question that a vector was computed for, in order.
    """

    def __init__(self, name: str = "words/256") -> None:
        self.name = name
        self.embedded: list[str] = []
        self.queried: list[str] = []

    async def query(self, text: str) -> Vector:
        self.queried.append(text)
        return _vector(text)

    async def passages(self, texts: Sequence[str]) -> Matrix:
        self.embedded.extend(texts)
        return np.stack([_vector(text) for text in texts]) if texts else np.zeros((0, _DIMENSION), dtype=np.float32)


def _vector(text: str) -> Vector:
    vector = np.zeros(_DIMENSION, dtype=np.float32)
    vector[0] = 0.1  # a text without words has a direction too
    for word in words(text):
        place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
        vector[1 + place % (_DIMENSION - 1)] += 1.0
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


class FixedClock:
    """A clock that moves only when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class KnownVectors:
    """Vectors that a test chose, by text; every other text gets a direction of its own.

    Attributes:
        asked: every text a vector was asked for, in order.
    """

    name = "known/8"

    def __init__(self, near: dict[str, float] | None = None) -> None:
        """``near`` maps a text to its cosine with the common direction."""
        self._near = near or {}
        self.asked: list[str] = []

    async def query(self, text: str) -> Vector:
        self.asked.append(text)
        cosine = self._near.get(text)
        vector = np.zeros(8, dtype=np.float32)
        if cosine is None:
            vector[2 + len(text) % 6] = 1.0
        else:
            vector[0], vector[1] = cosine, (1 - cosine**2) ** 0.5
        return vector


def asked(text: str, *, history: Sequence[str] = (), tenant: str = "acme", search_text: str | None = None) -> Asked:
    """Return a question; ``history`` alternates user and assistant, oldest first."""
    language = detect_language(text)
    return {
        "text": text,
        "language": language,
        "answer_language": language,
        "search_text": text if search_text is None else search_text,
        "history": [{"role": "assistant" if place % 2 else "user", "content": turn} for place, turn in enumerate(history)],
        "tenant": tenant,
    }


def identity(question: Asked, *, prompt_version: str = "p1", model_policy: str = "auto", conversation: str = "") -> Identity:
    """Return the identity that a question is cached under."""
    return {
        "tenant": question["tenant"],
        "answer_language": question["answer_language"],
        "prompt_version": prompt_version,
        "system_prompt": "",
        "model_policy": model_policy,
        "tools": "",
        "knowledge": "",
        "conversation": conversation,
    }


class ScriptedChat(BaseChatModel):
    """A chat model that gives, one by one, the replies it was made with, cut at the limit; an exception is raised.

    The last reply serves all further calls. Replies that are text report the usage that an endpoint would; a message is
    given as it is.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    replies: SkipValidation[list[str | AIMessage | Exception]]
    prompts: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _next(self, messages: list[BaseMessage], max_tokens: int | None = None) -> AIMessage:
        self.prompts.append(messages)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, AIMessage):
            return reply
        cut = max_tokens is not None and count_tokens(reply) > max_tokens
        while max_tokens is not None and count_tokens(reply) > max_tokens:
            reply = reply[:-20]
        given, written = prompt_tokens(messages), count_tokens(reply)
        return AIMessage(
            reply,
            usage_metadata={"input_tokens": given, "output_tokens": written, "total_tokens": given + written},
            response_metadata={"finish_reason": "length" if cut else "stop"},
        )

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: object = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(messages, kwargs.get("max_tokens")))])

    async def _astream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        message = self._next(messages, kwargs.get("max_tokens"))
        for piece in _halves(message.text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager is not None:
                await run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=message.usage_metadata,
                response_metadata=message.response_metadata,
                chunk_position="last",
            )
        )


def _halves(text: str) -> Iterator[str]:
    yield text[: len(text) // 2]
    yield text[len(text) // 2 :]


def passage(
    text: str, *, document: str = "doc", title: str = "", heading: str = "", similarity: float | None = None
) -> Passage:
    """Return a passage with its sentences."""
    return {
        "id": f"{document}#0",
        "document_id": document,
        "version": "v1",
        "title": title,
        "heading": heading,
        "text": text,
        "language": detect_language(text),
        "sentences": sentence_spans(text),
        "score": 0.5,
        "similarity": similarity,
    }


def attempt(text: str, *, tier: Tier = "cheap", abstained: bool = False, repaired: bool = False) -> Attempt:
    """Return an attempt whose call returned."""
    return {
        "box": "answer_cheap" if tier == "cheap" else "answer_expensive",
        "tier": tier,
        "model": "m",
        "text": text,
        "abstained": abstained,
        "finish_reason": "stop",
        "begun_ms": 0.0,
        "latency_ms": 1.0,
        "first_token_ms": None,
        "calls": [],
        "level": "full",
        "repaired": repaired,
    }


def usage(given: int, written: int, *, cache_read: int = 0) -> Usage:
    """Return reported tokens."""
    return {
        "input": given,
        "output": written,
        "cache_read": cache_read,
        "cache_write": 0,
        "reasoning": 0,
        "estimated": False,
    }
