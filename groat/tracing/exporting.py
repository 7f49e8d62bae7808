"""Which traces are kept, decided when a trace is over, and their way to an OTLP endpoint."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import requests
from opentelemetry import context as otel
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import StatusCode
from opentelemetry.util.types import Attributes

from groat.tracing.names import attributes as at
from groat.tracing.names.spans import REQUEST
from groat.tracing.outbox import Outbox, Sent
from groat.tracing.requests import fraction_of

_REFUSALS: Final = frozenset({400, 413, 415, 422})
"""HTTP statuses of a batch that will never be taken; wrong keys and paths can be put right while spans wait."""
_REMEMBERED: Final = 10_000
"""Traces whose fate is remembered, for spans that end after their root."""
_SPAN_BYTES: Final = 2_600
"""Of a span without attributes, events and links, measured with tracemalloc (CPython 3.11, SDK 1.45)."""
_EVENT_BYTES: Final = 650
_ENTRY_BYTES: Final = 160


@dataclass
class _Trace:
    spans: list[ReadableSpan] = field(default_factory=list)
    size: int = 0
    is_bad: bool = False


class WholeTraces(SpanProcessor):
    """Holds the spans of a trace until its root in this process ends, then keeps all of them or none.

    Kept are all traces that did not go as hoped (``groat.keep``, or an error at their root), and the given share of the others,
    by their ids, so that every process keeps the same ones. When too much is held, the traces that began first are decided
    before they are over, by what is known of them.

    Args:
        outbox: where kept traces go.
        share: of the traces that went well, 0 to 1.
        most_bytes: estimated size of all that is held.
    """

    def __init__(self, outbox: Outbox[ReadableSpan], *, share: float, most_bytes: int) -> None:
        """Hold nothing yet."""
        self._outbox, self._share, self.most_bytes = outbox, share, most_bytes
        self._lock = threading.Lock()
        self._open: OrderedDict[int, _Trace] = OrderedDict()
        self._kept: OrderedDict[int, bool] = OrderedDict()
        self.held_bytes = 0
        self.most_held_bytes = 0
        self.left_out = 0
        """Traces that were not kept because they went well."""

    def on_end(self, span: ReadableSpan) -> None:
        """Hold the span, and decide when it is a root."""
        placed = span.context
        if placed is None or not placed.trace_flags.sampled:
            return
        size = size_of(span)
        with self._lock:
            if (kept := self._kept.get(placed.trace_id)) is not None:
                if kept:
                    self._outbox.put([span], size)
                return
            trace = self._open.setdefault(placed.trace_id, _Trace())
            trace.spans.append(span)
            trace.size += size
            trace.is_bad = trace.is_bad or _is_bad(span)
            self.held_bytes += size
            self.most_held_bytes = max(self.most_held_bytes, self.held_bytes)
            if span.parent is None or span.parent.is_remote:
                self._decide(placed.trace_id)
            while self.held_bytes > self.most_bytes and self._open:
                self._decide(next(iter(self._open)))

    def _decide(self, trace_id: int) -> None:
        trace = self._open.pop(trace_id)
        self.held_bytes -= trace.size
        kept = trace.is_bad or fraction_of(trace_id) < self._share
        self._kept[trace_id] = kept
        if len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)
        if kept:
            self._outbox.put(trace.spans, trace.size)
        else:
            self.left_out += 1

    def decide_all(self) -> None:
        """Decide on what is held, whether it is over or not."""
        with self._lock:
            while self._open:
                self._decide(next(iter(self._open)))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is decided."""
        return self._outbox.flush(within_s=timeout_millis / 1000)


def _is_bad(span: ReadableSpan) -> bool:
    if span.name == REQUEST:
        return span.status.status_code is StatusCode.ERROR or at.KEEP in (span.attributes or {})
    # A caller's own root that failed; a request that failed and was tried again with success is not bad.
    return span.parent is None and span.status.status_code is StatusCode.ERROR


def size_of(span: ReadableSpan) -> int:
    """Return about how many bytes of memory a span takes; within a third of what tracemalloc measures."""
    size = _SPAN_BYTES + _size_of(span.attributes)
    for event in span.events:
        size += _EVENT_BYTES + _size_of(event.attributes)
    return size


def _size_of(attributes: Attributes) -> int:
    if not attributes:
        return 0
    size = _ENTRY_BYTES * len(attributes)
    for value in attributes.values():
        if type(value) is str:
            size += len(value) if value.isascii() else 2 * len(value)
        elif type(value) is tuple:
            size += _ENTRY_BYTES * len(value)
    return size


class OtlpSpans:
    """Sends spans to an OTLP endpoint over HTTP.

    Args:
        endpoint: full address of the endpoint for traces.
        timeout_s: longest time that one batch takes, in seconds; None: what ``OTEL_EXPORTER_OTLP_TIMEOUT`` says, else 10.
    """

    def __init__(self, endpoint: str, *, timeout_s: float | None = None) -> None:
        """Connect to nobody yet."""
        # Its every try would be a line; the outbox says once that spans wait.
        logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.CRITICAL)
        session = requests.Session()
        session.hooks["response"].append(self._heard)
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=timeout_s, session=session)
        self._status: int | None = None

    def __call__(self, spans: Sequence[ReadableSpan]) -> Sent:
        """Send a batch once."""
        self._status = None
        # The client that sends is not to be seen in traces of its own.
        token = otel.attach(otel.set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                return Sent.TAKEN
        finally:
            otel.detach(token)
        return Sent.REFUSED if self._status in _REFUSALS else Sent.FAILED

    def _heard(self, response: requests.Response, *args: object, **kwargs: object) -> None:
        self._status = response.status_code
