"""What a run told the outside: its spans and metrics, kept in memory."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from groat.tracing import metrics, spans
from groat.tracing.names import attributes as at
from groat.tracing.names import spans as called


@dataclass
class Told:
    """The spans that have ended, and the metrics."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self.exporter.get_finished_spans())

    def named(self, *names: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name in names]

    @property
    def roots(self) -> list[ReadableSpan]:
        return self.named(called.REQUEST)

    @property
    def chats(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name.startswith("chat ")]

    @property
    def cost(self) -> Decimal:
        """Sum over all spans."""
        return sum((Decimal(said(span).get(at.COST, "0")) for span in self.spans), Decimal(0))

    @property
    def metrics(self) -> dict[str, list[tuple[dict[str, Any], Any]]]:
        """Points of each metric: attributes, and the value or, of a histogram, its sum."""
        found: dict[str, list[tuple[dict[str, Any], Any]]] = {}
        collected = self.reader.get_metrics_data()
        for resource in collected.resource_metrics if collected else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = found.setdefault(metric.name, [])
                    points += [
                        (dict(point.attributes or {}), getattr(point, "value", None) if hasattr(point, "value") else point.sum)
                        for point in metric.data.data_points
                    ]
        return found

    def clear(self) -> None:
        self.exporter.clear()


@contextmanager
def listening(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Have all spans and metrics of groat told here."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider, meters = TracerProvider(), MeterProvider([reader])
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer("test"))
    monkeypatch.setattr(metrics, "_instruments", metrics.Instruments(meters.get_meter("test")))
    yield Told(exporter, reader)
    provider.shutdown()
    meters.shutdown()


def said(span: ReadableSpan) -> dict[str, Any]:
    """Return the attributes of a span."""
    return dict(span.attributes or {})


def assert_whole(told: Sequence[ReadableSpan]) -> None:
    """One trace, one root, no orphan, no span twice, and each child begins and ends within the question."""
    assert len({span.context.trace_id for span in told if span.context}) == 1
    ids = [span.context.span_id for span in told if span.context]
    assert len(set(ids)) == len(ids) == len(told)
    assert [span.name for span in told if span.parent is None] == [called.REQUEST]
    assert {span.parent.span_id for span in told if span.parent} <= set(ids)
    root = next(span for span in told if span.parent is None)
    assert all((root.start_time or 0) <= (span.start_time or 0) for span in told)
    assert all((span.end_time or 0) <= (root.end_time or 0) for span in told)


def boxes(told: Sequence[ReadableSpan]) -> list[str]:
    """Return the boxes in the order in which they began."""
    found = [span for span in told if at.NODE_ID in said(span)]
    return [span.name for span in sorted(found, key=lambda span: span.start_time or 0)]


def by_trace(told: Sequence[ReadableSpan]) -> Mapping[int, list[ReadableSpan]]:
    """Return the spans of each trace."""
    found: dict[int, list[ReadableSpan]] = {}
    for span in told:
        assert span.context is not None  # every ended span has one
        found.setdefault(span.context.trace_id, []).append(span)
    return found
