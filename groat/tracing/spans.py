"""Spans through the API of OpenTelemetry: without an SDK they cost next to nothing and go nowhere.

No span holds the text of a question, an answer or a document unless ``groat.tracing.content`` is on, nor the name of a tenant.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from groat.tracing import names
from groat.tracing.names import attributes as at
from groat.tracing.names import spans
from groat.types import Box

Value = str | bool | int | float | Sequence[str]

_TRACER = trace.get_tracer(names.TRACER)
_T = TypeVar("_T")
_P = ParamSpec("_P")


def tracer() -> trace.Tracer:
    """Return the tracer that makes all spans of groat."""
    return _TRACER


class in_span:  # it is used as the function it could be, at a third of the cost of a generator
    """Be in a span. What is raised marks it by its kind alone: messages may quote anything.

    Args:
        name: of the span.
        kind: of OpenInference.
        attributes: known at its start.
        span_kind: CLIENT for what leaves this process.
    """

    __slots__ = ("_attributes", "_kind", "_name", "_span", "_span_kind", "_token")

    def __init__(self, name: str, kind: str, attributes: Mapping[str, Value], span_kind: SpanKind = SpanKind.INTERNAL) -> None:
        """Begin nothing yet."""
        self._name, self._kind, self._attributes, self._span_kind = name, kind, attributes, span_kind

    def __enter__(self) -> Span:
        self._span = _TRACER.start_span(self._name, kind=self._span_kind, attributes={at.KIND: self._kind, **self._attributes})
        self._token = otel.attach(trace.set_span_in_context(self._span))
        return self._span

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        otel.detach(self._token)
        if kind is not None:
            fail(self._span, kind.__name__)
        self._span.end()


def box_span(box: Box) -> in_span:
    """Return the span that is named after a box, to be in."""
    return in_span(box, spans.BOX_KINDS[box], {at.NODE_ID: box})


def fail(span: Span, kind: str) -> None:
    """Mark the span as failed by an error or failure of this kind."""
    span.set_attribute(at.ERROR_TYPE, kind)
    span.set_status(Status(StatusCode.ERROR))


def known(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    """Return the attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def say(attributes: Mapping[str, Value | None]) -> None:
    """Set attributes of the current span, where it records."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes(known(attributes))


def call_spans(
    store: str, system: str, *operations: str, last: Mapping[str, str] | None = None
) -> Callable[[type[_T]], type[_T]]:
    """Return a class decorator that puts each call of these coroutine methods in a span.

    Args:
        store: what the span is named after, before the operation.
        system: what keeps the data: sqlite, redis or memory.
        operations: names of the methods.
        last: other names of operations, by method.
    """

    def decorate(kind: type[_T]) -> type[_T]:
        for operation in operations:
            told = (last or {}).get(operation, operation)
            name = spans.store_span(store, told)
            attributes: dict[str, Value] = {at.DB_SYSTEM: system, at.DB_OPERATION: told}
            setattr(kind, operation, _in_call(getattr(kind, operation), name, attributes))
        return kind

    return decorate


def _in_call(call: Callable[_P, Awaitable[_T]], name: str, attributes: Mapping[str, Value]) -> Callable[_P, Awaitable[_T]]:
    @functools.wraps(call)
    async def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with in_span(name, "TOOL", attributes, SpanKind.CLIENT):
            return await call(*args, **kwargs)

    return run


def embedding_span(model: str, texts: int) -> in_span:
    """Return the span of one call of the embedder, to be in."""
    attributes: dict[str, Value] = {
        at.OPERATION: "embeddings", at.REQUEST_MODEL: model, at.EMBEDDING_MODEL: model, at.EMBEDDING_TEXTS: texts
    }  # fmt: skip
    return in_span(spans.EMBEDDINGS.format(model=model), "EMBEDDING", attributes, SpanKind.CLIENT)


def retrieval_span(k: int) -> in_span:
    """Return the span of one search of the knowledge base, to be in."""
    return in_span(spans.RETRIEVAL, "RETRIEVER", {at.OPERATION: "retrieval", at.TOP_K: k})


def attributes_of(span: Span) -> Mapping[str, Any]:
    """Return what is set on a span that records; nothing without an SDK, whose spans alone can be read."""
    return cast(Mapping[str, Any], getattr(span, "attributes", None) or {})


def use(made_by: trace.Tracer) -> trace.Tracer:
    """Have all spans made by another tracer, for measurements that compare; return the one before."""
    global _TRACER
    before, _TRACER = _TRACER, made_by
    return before
