"""Traces are kept whole or not at all, the bad ones always, within a bound of bytes."""

import random
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, StatusCode, TraceFlags, Tracer

from groat.tracing.exporting import OtlpSpans, WholeTraces, size_of
from groat.tracing.names import attributes as at
from groat.tracing.outbox import Outbox, Sent
from tests.otlp_server import Collector, serve_collector

WAIT_S = 20.0


class Kept:
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def __call__(self, spans: Sequence[ReadableSpan]) -> Sent:
        self.spans += spans
        return Sent.TAKEN


Open = Callable[..., tuple[Tracer, WholeTraces, Kept, Outbox[ReadableSpan]]]


@pytest.fixture
def opened() -> Iterator[Open]:
    providers: list[TracerProvider] = []

    def make(share: float, most_bytes: int = 10_000_000) -> tuple[Tracer, WholeTraces, Kept, Outbox[ReadableSpan]]:
        kept = Kept()
        outbox: Outbox[ReadableSpan] = Outbox("spans", kept, most_bytes=10_000_000)
        traces, provider = WholeTraces(outbox, share=share, most_bytes=most_bytes), TracerProvider()
        provider.add_span_processor(traces)
        providers.append(provider)
        return provider.get_tracer("test"), traces, kept, outbox

    yield make
    for provider in providers:
        provider.shutdown()


def _question(tracer: Tracer, *, bad: bool = False, children: int = 3) -> None:
    with tracer.start_as_current_span("groat", attributes={at.PURPOSE: "question"}) as root:
        for number in range(children):
            tracer.start_span(f"box {number}").end()
        if bad:
            root.set_attribute(at.KEEP, ["escalate"])


def test_a_share_of_the_good_traces_is_kept_and_all_bad_ones_each_whole(opened: Open) -> None:
    tracer, traces, kept, outbox = opened(0.2)
    for number in range(400):
        _question(tracer, bad=number % 20 == 0)
    assert outbox.flush(within_s=WAIT_S)
    sizes: dict[int, int] = {}
    for span in kept.spans:
        assert span.context is not None
        sizes[span.context.trace_id] = sizes.get(span.context.trace_id, 0) + 1
    assert set(sizes.values()) == {4}
    bad = [span for span in kept.spans if at.KEEP in (span.attributes or {})]
    assert len(bad) == 20
    assert 20 + 380 * 0.1 < len(sizes) < 20 + 380 * 0.3
    assert traces.left_out + len(sizes) == 400
    assert traces.held_bytes == 0


def test_with_no_share_at_all_only_bad_traces_are_kept(opened: Open) -> None:
    tracer, _, kept, outbox = opened(0.0)
    _question(tracer)
    _question(tracer, bad=True)
    with tracer.start_as_current_span("groat", attributes={at.PURPOSE: "question"}) as root:
        root.set_status(StatusCode.ERROR)
    with tracer.start_as_current_span("mine") as mine:
        _question(tracer)
        mine.set_status(StatusCode.ERROR)
    assert outbox.flush(within_s=WAIT_S)
    assert [span.name for span in kept.spans].count("groat") == 3


def test_a_request_that_failed_inside_a_good_question_keeps_nothing(opened: Open) -> None:
    tracer, traces, kept, outbox = opened(0.0)
    with tracer.start_as_current_span("groat", attributes={at.PURPOSE: "question"}):
        chat = tracer.start_span("chat m")
        chat.set_status(StatusCode.ERROR)
        chat.end()
    assert outbox.flush(within_s=WAIT_S)
    assert (kept.spans, traces.left_out) == ([], 1)


def test_a_trace_under_somebodys_span_waits_for_that_one(opened: Open) -> None:
    tracer, traces, kept, outbox = opened(0.0)
    with tracer.start_as_current_span("mine"):
        _question(tracer)
        _question(tracer, bad=True)
        assert traces.held_bytes > 0
        assert kept.spans == []
    assert outbox.flush(within_s=WAIT_S)
    assert len(kept.spans) == 9


def test_what_ends_after_its_root_shares_its_fate(opened: Open) -> None:
    tracer, _, kept, outbox = opened(0.0)
    for bad in (True, False):
        with tracer.start_as_current_span("groat", attributes={at.PURPOSE: "question"}) as root:
            late = tracer.start_span("late")
            if bad:
                root.set_attribute(at.KEEP, ["failed"])
        late.end()
    assert outbox.flush(within_s=WAIT_S)
    assert [span.name for span in kept.spans] == ["groat", "late"]


def test_processes_that_share_a_trace_decide_alike(opened: Open) -> None:
    random.seed(7)
    first, second = opened(0.5), opened(0.5)
    for _ in range(60):
        place = SpanContext(random.getrandbits(128), random.getrandbits(64), is_remote=True, trace_flags=TraceFlags(1))
        for tracer, *_ in (first, second):
            with trace.use_span(NonRecordingSpan(place)):
                _question(tracer, children=1)
    kept = []
    for _, _, one, outbox in (first, second):
        assert outbox.flush(within_s=WAIT_S)
        kept.append({span.context.trace_id for span in one.spans if span.context})
    assert kept[0] == kept[1]
    assert 10 < len(kept[0]) < 50


def test_traces_that_never_end_are_held_within_the_bound(opened: Open) -> None:
    tracer, traces, kept, outbox = opened(1.0, most_bytes=100_000)
    roots = [tracer.start_span("groat", attributes={at.PURPOSE: "question"}) for _ in range(200)]
    for root in roots:
        tracer.start_span("box", trace.set_span_in_context(root), attributes={at.CACHE_REASON: "x" * 500}).end()
        assert traces.held_bytes <= 100_000
    assert outbox.flush(within_s=WAIT_S)
    assert len(kept.spans) > 100
    for root in roots:
        root.end()


@pytest.mark.parametrize("text", ["a passage " * 40, "新密码至少要有十个字符" * 40], ids=["en", "zh"])
def test_the_estimated_size_of_a_span_is_near_what_it_takes(text: str) -> None:
    provider = TracerProvider()
    tracer = provider.get_tracer("test")
    held: list[ReadableSpan] = []

    class Hold(WholeTraces):
        def on_end(self, span: ReadableSpan) -> None:
            held.append(span)

    provider.add_span_processor(Hold(Outbox("spans", Kept(), most_bytes=1), share=1, most_bytes=1))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(300):
            attributes: dict[str, str | float] = {
                at.NODE_ID: f"box {number}",
                at.CACHE_SCORE: number / 7,
                at.INPUT: f"{number} {text}",
            }
            with tracer.start_as_current_span("box", attributes=attributes) as span:
                span.add_event("evidence", {"a": number / 3, "b": number / 9})
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        provider.shutdown()
    assert sum(map(size_of, held)) == pytest.approx(taken, rel=0.35)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with serve_collector() as started:
        yield started


def _spans(tracer_provider: TracerProvider, number: int) -> list[ReadableSpan]:
    kept = Kept()
    outbox: Outbox[ReadableSpan] = Outbox("spans", kept, most_bytes=1_000_000)
    tracer_provider.add_span_processor(WholeTraces(outbox, share=1, most_bytes=1_000_000))
    tracer = tracer_provider.get_tracer("test")
    for _ in range(number):
        tracer.start_span("groat").end()
    assert outbox.flush(within_s=WAIT_S)
    return kept.spans


@pytest.mark.parametrize(
    ("mood", "came"), [("well", Sent.TAKEN), ("refusing", Sent.REFUSED), ("busy", Sent.FAILED), ("broken", Sent.FAILED)]
)
def test_what_a_collector_answers_is_understood(collector: Collector, mood: str, came: Sent) -> None:
    provider = TracerProvider()
    spans = _spans(provider, 3)
    provider.shutdown()
    collector.mood = mood  # type: ignore[assignment]  # a parameter has no literal type
    send = OtlpSpans(f"{collector.url}/v1/traces", timeout_s=0.3)
    assert send(spans) is came
    assert collector.names == (["groat"] * 3 if came is Sent.TAKEN else [])
