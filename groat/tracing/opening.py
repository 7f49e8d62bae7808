"""Switch on what is set: spans and metrics over OTLP, metrics for Prometheus, texts."""

import atexit
import importlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from wsgiref.simple_server import WSGIServer

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from prometheus_client import CollectorRegistry, make_asgi_app, start_http_server

from groat import __version__
from groat.errors import SettingsError
from groat.tracing.content import CONTENT, Redact
from groat.tracing.exporting import OtlpSpans, WholeTraces
from groat.tracing.outbox import Outbox

_LOG = logging.getLogger(__name__)
_EXIT_S: Final = 2.0
"""Longest wait for backends when the process ends."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be told, and where."""

    otlp_endpoint: str = ""
    """Base address of a collector, such as http://127.0.0.1:4318; empty for none. Headers, certificates, compression and
    timeouts are what the standard variables ``OTEL_EXPORTER_OTLP_*`` say."""
    share: float = 1.0
    """Of the traces that went well, 0 to 1; the others are kept whatever it is."""
    content: bool = False
    """Traces hold questions, passages and answers, redacted."""
    redact: str = ""
    """A further redaction as module:function; empty for none."""
    buffer_bytes: int = 16_000_000
    """Most that all spans together take while they wait."""
    metrics_port: int | None = None
    """Where Prometheus may ask; 0 collects for ``Tracing.metrics_app`` alone, None for nobody."""
    metrics_host: str = "127.0.0.1"


@dataclass(kw_only=True)
class Tracing:
    """What was switched on. Nothing of it ever fails a question."""

    spans: Outbox[ReadableSpan] | None = None
    traces: WholeTraces | None = None
    meters: MeterProvider | None = None
    registry: CollectorRegistry | None = None
    """What Prometheus is told; None when nobody asks."""
    others: list[Outbox[Any]] = field(default_factory=list)
    """Further outboxes that are flushed and closed with it."""
    closers: list[Callable[[float], object]] = field(default_factory=list)
    """Called with the seconds that are left; each ends one thing."""

    @property
    def metrics_app(self) -> Callable[..., Any] | None:
        """The ASGI application that Prometheus asks, for a server to mount; None when no metrics are collected for it."""
        return None if self.registry is None else make_asgi_app(self.registry)

    def flush(self, *, within_s: float = _EXIT_S) -> bool:
        """Send what there is; return whether all of it was taken or dropped in time."""
        if self.traces is not None:
            self.traces.decide_all()
        return all([outbox.flush(within_s=within_s) for outbox in self._outboxes()])

    def close(self, *, within_s: float = _EXIT_S) -> None:
        """Send what there is, and stop; what is left then is dropped."""
        atexit.unregister(self.close)
        if self.traces is not None:
            self.traces.decide_all()
        for outbox in self._outboxes():
            outbox.close(within_s=within_s)
        while self.closers:
            self.closers.pop()(within_s)

    def held(self) -> list[tuple[float, dict[str, str]]]:
        """Return the bytes that wait to be sent, by kind, as a metric tells them."""
        found = [(float(outbox.held_bytes), {"kind": outbox.kind}) for outbox in self.others]
        if self.spans is not None and self.traces is not None:
            found.append((float(self.spans.held_bytes + self.traces.held_bytes), {"kind": self.spans.kind}))
        return found

    def _outboxes(self) -> list[Outbox[Any]]:
        return [*([self.spans] if self.spans is not None else []), *self.others]


def open_tracing(wanted: Wanted) -> Tracing:
    """Switch on what is wanted, for the whole process, and return it.

    A provider of spans or metrics that somebody set before stays: groat's spans and metrics then go where that one says.

    Raises:
        SettingsError: the further redaction cannot be had.
    """
    tracing = Tracing()
    if wanted.content:
        CONTENT.allow(*([redaction(wanted.redact)] if wanted.redact else []))
    resource = Resource.create({"service.name": "groat", "service.version": __version__, "openinference.project.name": "groat"})
    exports = bool(wanted.otlp_endpoint)
    if exports:
        _open_spans(tracing, wanted, resource)
    if exports or wanted.metrics_port is not None:
        _open_metrics(tracing, wanted, resource, exports=exports)
    atexit.register(tracing.close)
    return tracing


def redaction(name: str) -> Redact:
    """Return the function that a name such as module:function stands for.

    Raises:
        SettingsError: there is no such function.
    """
    module, _, function = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)
    except Exception as error:  # a foreign module may raise anything; all of it means that this setting cannot be used
        raise SettingsError(
            f"the redaction {name!r} cannot be loaded ({type(error).__name__}); correct GROAT_TRACE_REDACT, written as "
            "module:function"
        ) from error
    if not callable(found):
        raise SettingsError(f"GROAT_TRACE_REDACT names {name!r}, which is no function of a text")
    return found  # type: ignore[no-any-return]  # what it returns is seen when it is called


def _open_spans(tracing: Tracing, wanted: Wanted, resource: Resource) -> None:
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        _LOG.info("a provider of spans is set already; spans go where it says")
        return
    half = wanted.buffer_bytes // 2
    send = OtlpSpans(f"{wanted.otlp_endpoint.rstrip('/')}/v1/traces")
    tracing.spans = Outbox("spans", send, most_bytes=half)
    tracing.traces = WholeTraces(tracing.spans, share=wanted.share, most_bytes=half)
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(tracing.traces)
    trace.set_tracer_provider(provider)


def _open_metrics(tracing: Tracing, wanted: Wanted, resource: Resource, *, exports: bool) -> None:
    readers: list[MetricReader] = []
    if exports:
        endpoint = f"{wanted.otlp_endpoint.rstrip('/')}/v1/metrics"
        readers.append(PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=endpoint)))
        logging.getLogger("opentelemetry.exporter.otlp.proto.http.metric_exporter").setLevel(logging.CRITICAL)
    if wanted.metrics_port is not None:
        tracing.registry = CollectorRegistry()
        readers.append(PrometheusMetricReader(scope_info_enabled=False, registry=tracing.registry))
    tracing.meters = meters = MeterProvider(
        readers, resource=resource, shutdown_on_exit=False, exemplar_filter=AlwaysOffExemplarFilter()
    )
    metrics.set_meter_provider(meters)
    tracing.closers.append(lambda within_s: meters.shutdown(timeout_millis=within_s * 1000))
    if wanted.metrics_port:
        _listen(tracing, wanted.metrics_host, wanted.metrics_port)


def _listen(tracing: Tracing, host: str, port: int) -> None:
    assert tracing.registry is not None  # made before
    try:
        server, thread = start_http_server(port, addr=host, registry=tracing.registry)
    except OSError as error:
        # A second process of the same settings answers questions all the same.
        _LOG.warning("metrics cannot be served on port %d (%s); set GROAT_METRICS_PORT to another", port, error.strerror)
        return
    tracing.closers.append(lambda within_s: _stop(server, thread, within_s))


def _stop(server: WSGIServer, thread: threading.Thread, within_s: float) -> None:
    server.shutdown()
    server.server_close()
    thread.join(within_s)
