"""One request to a model: sent once, timed, and what it used counted whether it ended well or not."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.exceptions import ModelAuthenticationError, ModelInvalidRequestError, ModelRateLimitError
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import RunnableConfig

from groat.answering.endpoint import Endpoint, Reply
from groat.answering.usage import billed_usd, prompt_tokens, usage_of
from groat.text import count_tokens
from groat.types import Usage

_QUIET: RunnableConfig = {"tags": ["nostream"]}
"""Keeps LangGraph from passing tokens on that nobody has validated yet."""
_REFUSALS = (ModelAuthenticationError, ModelInvalidRequestError, ModelRateLimitError)
_UNCONNECTED = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"})
"""Names of the errors before anything was sent, in httpx and in the libraries that took its place."""


@dataclass(frozen=True, kw_only=True)
class Direct:
    """What a caller's application asks of a model itself, such as tools: sent as it is, nothing of it is read here."""

    parameters: Mapping[str, Any]
    """Fields of the request's body."""
    on_chunk: Callable[[AIMessageChunk], None] | None = None
    """Gets the reply chunk by chunk; with None it is not streamed."""

    @property
    def tokens(self) -> int:
        """About how many tokens they add to the prompt."""
        return count_tokens(json.dumps(self.parameters, ensure_ascii=False)) if self.parameters else 0


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of a model, besides the prompt."""

    max_output: int | None = None
    """Most tokens of the reply, reasoning included; None leaves it to the model."""
    schema: Mapping[str, object] | None = None
    """JSON Schema of the reply; None for prose."""
    on_token: Callable[[str], None] | None = None
    """Gets the reply piece by piece; with None it is not streamed."""
    direct: Direct | None = None
    """With it the whole message is part of the reply, and no second request is sent beside a slow one."""

    @property
    def is_heard(self) -> bool:
        """Whether somebody gets the reply while it comes."""
        return self.on_token is not None or (self.direct is not None and self.direct.on_chunk is not None)


@dataclass(kw_only=True)
class Arriving:
    """What has arrived of a reply so far."""

    sent_at: float = field(default_factory=time.perf_counter)
    first_at: float | None = None
    pieces: list[str] = field(default_factory=list)
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the request is sent, and when it is over."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first token, and when the request is over."""

    @property
    def latency_ms(self) -> float:
        """Milliseconds since the request was sent."""
        return (time.perf_counter() - self.sent_at) * 1000

    @property
    def first_token_ms(self) -> float | None:
        """Milliseconds from sending to the first token; None when none came."""
        return None if self.first_at is None else (self.first_at - self.sent_at) * 1000


async def request(
    endpoint: Endpoint, prompt: Sequence[BaseMessage], wish: Wish, arriving: Arriving, *, run_id: uuid.UUID | None = None
) -> Reply:
    """Send the prompt once and return the reply; whatever the client raises comes through.

    Args:
        endpoint: who is asked.
        prompt: the messages.
        wish: how the reply is wanted.
        arriving: told what comes.
        run_id: of the run of LangSmith that this will be; None for any.
    """
    arguments = dict(_arguments(endpoint, wish))
    named: RunnableConfig = {"run_id": run_id}
    quiet: RunnableConfig = {**_QUIET, **named}
    if wish.is_heard:
        message = await _stream(endpoint, prompt, _listener(wish), arriving, {"config": named, **arguments})
    elif endpoint.streams:
        message = await _stream(endpoint, prompt, lambda _: None, arriving, {"config": quiet, **arguments})
    else:
        message = await endpoint.model.ainvoke(list(prompt), quiet, **arguments)
    return Reply(
        text=message.text.strip(),
        usage=usage_of(message, prompt),
        finish_reason=str(message.response_metadata.get("finish_reason") or "stop"),
        latency_ms=arriving.latency_ms,
        first_token_ms=arriving.first_token_ms,
        refused=bool(message.additional_kwargs.get("refusal")),
        log_probability=_log_probability(message),
        billed_usd=billed_usd(message),
        message_id=message.id or "",
        message=None if wish.direct is None else message,
    )


def spent(error: BaseException, prompt: Sequence[BaseMessage], arriving: Arriving) -> Usage:
    """Return what a request that did not end well has used, as far as it can be known here (``estimated``).

    A refusal with an HTTP status, and a server that was never reached, cost nothing. Whatever else the server took in, it
    will bill: the prompt, and the tokens that came. A reply that was being written unseen may have cost more.
    """
    refused = isinstance(error, _REFUSALS) or isinstance(getattr(error, "status_code", None), int)
    took_in = not refused and not any(type(cause).__name__ in _UNCONNECTED for cause in _causes(error))
    return {
        "input": prompt_tokens(prompt) if took_in else 0,
        "output": count_tokens("".join(arriving.pieces)) if took_in else 0,
        "cache_read": 0,
        "cache_write": 0,
        "reasoning": 0,
        "estimated": True,
    }


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _arguments(endpoint: Endpoint, wish: Wish) -> Iterator[tuple[str, Any]]:
    if (most := endpoint.most(wish.max_output)) is not None:
        yield "max_tokens", most
    if endpoint.log_probabilities:
        yield "logprobs", True
    # As part of the body: given by name, the client would parse the reply itself and raise over one that was cut.
    if wish.direct is not None:
        yield "extra_body", dict(wish.direct.parameters)
    elif wish.schema is not None and endpoint.structured:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(wish.schema)}}
        yield "extra_body", {"response_format": form}


def _listener(wish: Wish) -> Callable[[AIMessageChunk], None]:
    direct, on_token = wish.direct, wish.on_token

    def hear(chunk: AIMessageChunk) -> None:
        if direct is not None and direct.on_chunk is not None:
            direct.on_chunk(chunk)
        if on_token is not None and chunk.text:
            on_token(chunk.text)

    return hear


async def _stream(
    endpoint: Endpoint,
    prompt: Sequence[BaseMessage],
    hear: Callable[[AIMessageChunk], None],
    arriving: Arriving,
    arguments: Mapping[str, Any],
) -> AIMessage:
    chunks: list[AIMessageChunk] = []
    async for chunk in endpoint.model.astream(list(prompt), **arguments):
        assert isinstance(chunk, AIMessageChunk)  # what a chat model streams
        chunks.append(chunk)
        if piece := chunk.text + "".join(called.get("args") or "" for called in chunk.tool_call_chunks):
            if arriving.first_at is None:
                arriving.first_at = time.perf_counter()
                arriving.begun.set()
            arriving.pieces.append(piece)
        hear(chunk)
    if not chunks:
        raise ValueError("the stream was empty")
    whole = chunks[0].__add__(chunks[1:])  # all at once: one by one takes the square of the time
    assert isinstance(whole, AIMessageChunk)
    if not arriving.pieces and not whole.response_metadata.get("finish_reason"):
        raise ValueError("the stream held no choice")
    return whole


def _log_probability(message: AIMessage) -> float | None:
    """Return the mean over the tokens that the endpoint gave probabilities for."""
    content = (message.response_metadata.get("logprobs") or {}).get("content") or []
    values = [min(float(token["logprob"]), 0.0) for token in content]
    return sum(values) / len(values) if values else None
