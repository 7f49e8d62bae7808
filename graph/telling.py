"""What the settings say about spans and metrics, put to work; beside it what of the engines is read when somebody looks."""

from collections.abc import Iterable

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from graph.services import Services
from graph.settings import Settings
from groat.tracing.metrics import instruments
from groat.tracing.names import metrics as told
from groat.tracing.opening import Tracing, Wanted, open_tracing
from groat.types import Tier

_TIERS: tuple[Tier, ...] = ("cheap", "expensive")


def open_telling(settings: Settings) -> Tracing:
    """Switch spans and metrics on for this process as the settings say.

    Raises:
        SettingsError: a redaction cannot be had.
    """
    return open_tracing(
        Wanted(
            otlp_endpoint=settings.otlp_endpoint,
            share=settings.trace_sample,
            content=settings.trace_content,
            redact=settings.trace_redact,
            buffer_bytes=int(settings.trace_buffer_mb * 1_000_000),
            metrics_port=settings.metrics_port,
            metrics_host=settings.metrics_host,
        )
    )


def kept_spans() -> InMemorySpanExporter:
    """Have the spans of this process kept in memory too, for a command that shows them; return what keeps them."""
    kept = InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider(shutdown_on_exit=False)
        trace.set_tracer_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return kept


def attend(tracing: Tracing, services: Services) -> None:
    """Have metrics tell which endpoints are left alone and what waits, and what waits for LangSmith sent with the rest."""
    if services.runs is not None:
        tracing.others.append(services.runs.outbox)
    answerer = services.answerer

    def look() -> Iterable[tuple[float, dict[str, str]]]:
        return [
            (float(answerer.breakers.was_open(endpoint)), {"model": endpoint.name, "tier": tier})
            for tier in _TIERS
            for endpoint in answerer.chain(tier)
        ]

    instruments().watch(told.BREAKER, "1", look)
    instruments().watch(told.HELD_BYTES, "By", tracing.held)
