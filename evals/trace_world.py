"""A graph whose models answer at once, so that what tracing adds can be seen, and the tracing that is put around it."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import numpy as np
from langsmith.run_helpers import tracing_context
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from evals.bench_seam import InstantChat
from graph.context import Context
from graph.services import Services, open_services
from graph.settings import Settings
from graph.state import Output
from groat.answering import Answerer, Endpoint
from groat.costs import PriceTable
from groat.embedding import Embedder, Matrix, Vector
from groat.knowledge import KnowledgeBase
from groat.tracing import metrics as told
from groat.tracing import spans as seen
from groat.tracing.exporting import OtlpSpans, WholeTraces
from groat.tracing.langsmith_runs import Runs
from groat.tracing.outbox import Outbox

TENANT: Final = "default"
DOCUMENTS: Final = {
    "reset.md": "# Reset\n\nA reset link is valid for 20 minutes, works once. " + "Open it on the phone that asked. " * 40,
    "refund.md": "# Refunds\n\nA refund arrives within 5 working days. " + "It goes to the card that paid for it. " * 40,
    "zh.md": "# 修改密码\n\n在“设置”里点“账号安全”即可修改密码。" + "新密码至少要有 10 个字符。" * 20,
}
QUESTIONS: Final = (
    "How long is a reset link valid?", "When does a refund arrive?", "Where does a refund go to?", "Which phone opens it?",
    "怎么修改密码？", "新密码至少要有多少个字符？", "修改密码之后会怎样？", "在哪里可以修改密码？",
)  # fmt: skip
_DIMENSIONS: Final = 64


class HashedWords:
    """Vectors of hashed words: cheap, and of no other use."""

    name = "hashed-words"

    async def query(self, text: str) -> Vector:
        """Return the vector of a text."""
        row = np.full(_DIMENSIONS, 1e-3, dtype=np.float32)
        for word in text.lower().split():
            row[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % _DIMENSIONS] += 1.0
        return cast(Vector, row / np.linalg.norm(row))

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of texts."""
        return np.vstack([await self.query(text) for text in texts])


async def open_world(folder: Path, runs: Runs, *, embedder: Embedder | None = None) -> Services:
    """Return services over three documents, with models that answer at once, and vectors of words without an embedder."""
    documents = folder / "documents"
    documents.mkdir()
    for name, text in DOCUMENTS.items():
        (documents / name).write_text(f"---\nid: {name.removesuffix('.md')}\n---\n{text}", encoding="utf-8")
    services = open_services(
        Settings(data_dir=folder / "data", judge="off", route_audit_share=0.0),
        embeddings=HashedWords() if embedder is None else embedder,
    )
    assert isinstance(services.knowledge, KnowledgeBase)  # the settings name no other
    await services.knowledge.ingest([documents], tenant=TENANT)
    model = Endpoint(model=InstantChat(), name="instant", priced_as="gpt-5-mini", key_setting="none", address="here")
    return replace(
        services,
        answerer=Answerer({"cheap": model, "expensive": model}),
        acceptance=None,
        runs=runs,
        route_audits=None,
        audits=None,
    )


async def ask(graph: object, number: int) -> Output:
    """Ask one of the questions; each is answered anew."""
    question = {"question": f"{QUESTIONS[number % len(QUESTIONS)]} {number}"}
    context = Context(tenant=TENANT, use_cache=False)
    return cast(Output, await graph.ainvoke(question, context=context))  # type: ignore[attr-defined]  # a compiled graph


class Tracings:
    """Spans and metrics over OTLP, and runs of LangSmith, switched on and off within one process.

    Args:
        endpoint: of both backends.
        most_bytes: that may wait for each.
        timeout_s: of one batch.
    """

    def __init__(self, endpoint: str, *, most_bytes: int = 16_000_000, timeout_s: float = 10.0) -> None:
        """Connect to nobody yet."""
        half = most_bytes // 2
        self.spans: Outbox[ReadableSpan] = Outbox(
            "spans", OtlpSpans(f"{endpoint}/v1/traces", timeout_s=timeout_s), most_bytes=half
        )
        self.traces = WholeTraces(self.spans, share=1.0, most_bytes=half)
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(self.traces)
        self._meters = MeterProvider(
            [InMemoryMetricReader()], shutdown_on_exit=False, exemplar_filter=AlwaysOffExemplarFilter()
        )
        self._off = trace.NoOpTracer(), metrics.NoOpMeterProvider().get_meter("off")
        self._on = self._provider.get_tracer("groat"), self._meters.get_meter("groat")
        self.runs = Runs(PriceTable().cost, most_bytes=most_bytes, address=endpoint)

    @contextmanager
    def on(self, *, spans: bool, langsmith: bool) -> Iterator[None]:
        """Have that much of it on."""
        tracer, meter = self._on if spans else self._off
        seen.use(tracer)
        told.use(meter)
        try:
            with tracing_context(enabled=langsmith):
                yield
        finally:
            seen.use(self._off[0])
            told.use(self._off[1])

    @property
    def held_bytes(self) -> int:
        """What waits for both backends."""
        return self.spans.held_bytes + self.traces.held_bytes + self.runs.outbox.held_bytes

    def flush(self, *, within_s: float) -> bool:
        """Send what there is; return whether that was done in time."""
        return self.spans.flush(within_s=within_s) and self.runs.outbox.flush(within_s=within_s)
