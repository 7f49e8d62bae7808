"""The span of one request to a model: ended when its record is written, also when nobody waits any more."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from langchain_core.messages import BaseMessage
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from groat.answering.endpoint import Endpoint, Sent
from groat.answering.wire import Wish
from groat.tracing.content import CONTENT
from groat.tracing.metrics import instruments
from groat.tracing.names import attributes as at
from groat.tracing.names import spans
from groat.tracing.requests import for_run
from groat.tracing.spans import Value, fail, known, tracer
from groat.types import Tier

_OPERATION: Final = "chat"
_MOST_MESSAGES: Final = 30
"""Newest messages of a prompt that a span holds: the SDK keeps 128 attributes of a span, and drops the first ones."""
_ROLES: Final = {"system": "system", "human": "user", "ai": "assistant"}


class Seen:
    """What is seen of one request.

    Args:
        span: of the request.
    """

    def __init__(self, span: Span = INVALID_SPAN) -> None:
        """Keep the span."""
        self.run_id = uuid.uuid4()
        """Id of the run of LangSmith that the request is."""
        self._span = span
        self._is_recorded = False

    @contextmanager
    def ending(self, sent: Sent) -> Iterator[None]:
        """Say what came of the request, and end its span once what follows is done."""
        self._is_recorded = True
        try:
            _count(sent)
            if self._span.is_recording():
                self._span.set_attributes(known(_outcome(sent)))
                if sent.outcome != "ok":
                    fail(self._span, sent.outcome)
            yield
        finally:
            self._span.end()

    def left(self) -> None:
        """End the span of a request that nobody records."""
        if not self._is_recorded:
            self._span.end()


@contextmanager
def seen(
    endpoint: Endpoint, tier: Tier, prompt: Sequence[BaseMessage], wish: Wish, number: int, *, hedge: bool
) -> Iterator[Seen]:
    """Be in the span of a request. Whoever records the request ends it: a request that was given up outlives its sender.

    Args:
        endpoint: who is asked.
        tier: whose work it is.
        prompt: the messages.
        wish: how the reply is wanted.
        number: place among the requests of one try, from 0.
        hedge: it is sent because another one is slow.
    """
    span = tracer().start_span(
        spans.CHAT.format(model=endpoint.name),
        kind=SpanKind.CLIENT,
        attributes={
            at.KIND: "LLM",
            at.OPERATION: _OPERATION,
            at.REQUEST_MODEL: endpoint.name,
            at.LLM_MODEL: endpoint.name,
            at.PROVIDER: "groat" if endpoint.offline else "openai",
            at.CALL_NUMBER: number,
            at.CALL_HEDGE: hedge,
            at.CALL_TIER: tier,
        },
    )
    if span.is_recording():
        span.set_attributes(known(_asked(endpoint, prompt, wish)))
    what_is_seen = Seen(span)
    span.set_attribute(at.LANGSMITH_RUN, str(what_is_seen.run_id))
    token = otel.attach(trace.set_span_in_context(span, for_run(str(what_is_seen.run_id))))
    try:
        yield what_is_seen
    finally:
        otel.detach(token)
        what_is_seen.left()


def _asked(endpoint: Endpoint, prompt: Sequence[BaseMessage], wish: Wish) -> dict[str, Value | None]:
    host, port = _place(endpoint.address)
    told: dict[str, Value | None] = {
        at.REQUEST_STREAM: wish.is_heard or endpoint.streams,
        at.MAX_TOKENS: endpoint.most(wish.max_output),
        at.ADDRESS: host,
        at.PORT: port,
    }
    for place, message in enumerate(prompt[-_MOST_MESSAGES:] if CONTENT.is_on else ()):
        told[at.MESSAGE_ROLE.format(n=place)] = _ROLES.get(message.type, message.type)
        told[at.MESSAGE_CONTENT.format(n=place)] = CONTENT.shown(message.text)
    return told


def _outcome(sent: Sent) -> dict[str, Value | None]:
    usage, reply = sent.usage, sent.reply
    return {
        at.CALL_OUTCOME: sent.outcome,
        at.CALL_WAITED_MS: round(sent.waited_ms, 2),
        at.STATUS: sent.error.status if sent.error else None,
        at.FINISH: [reply.finish_reason] if reply else None,
        at.OUTPUT: CONTENT.shown(reply.text) if reply else None,
        at.FIRST_CHUNK: None if sent.first_token_ms is None else sent.first_token_ms / 1000,
        at.INPUT_TOKENS: usage["input"],
        at.OUTPUT_TOKENS: usage["output"],
        at.CACHE_READ: usage["cache_read"] or None,
        at.CACHE_WRITE: usage["cache_write"] or None,
        at.REASONING: usage["reasoning"] or None,
        at.ESTIMATED: usage["estimated"],
        at.LLM_PROMPT: usage["input"],
        at.LLM_COMPLETION: usage["output"],
        at.LLM_TOTAL: usage["input"] + usage["output"],
        at.LLM_CACHE_READ: usage["cache_read"] or None,
    }


def _count(sent: Sent) -> None:
    told = {"gen_ai.operation.name": _OPERATION, "gen_ai.request.model": sent.endpoint.name}
    failed = {} if sent.outcome == "ok" else {at.ERROR_TYPE: sent.outcome}
    instruments().call_s.record(sent.latency_ms / 1000, {**told, **failed})
    if sent.first_token_ms is not None:
        instruments().first_chunk_s.record(sent.first_token_ms / 1000, told)


@lru_cache(maxsize=64)
def _place(address: str) -> tuple[str | None, int | None]:
    parts = urlsplit(address)
    return parts.hostname, parts.port
