"""What the outside sees of the cache: state, stream, spans, counts, alarms; never a text."""

import json
from collections.abc import Collection, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from graph.context import Context
from groat.cache import AnswerCache, MemoryStore, NewAnswer
from groat.cache.opening import open_rule
from groat.embedding.bundled import BundledEmbedder
from groat.errors import UnknownTenant
from groat.tracing import spans
from groat.tracing.decisions import describe_lookup
from groat.tracing.names import attributes as at
from tests.fakes import asked, identity
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World

PARAPHRASE = "How long is the password reset link valid for?"
ZH = "忘记登录密码怎么找回？"


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


@pytest.mark.parametrize(
    ("kept", "question"), [(QUESTION, PARAPHRASE), ("怎么修改登录密码", "登录密码怎样可以改掉")], ids=["en", "zh"]
)
async def test_a_hit_by_likeness_is_in_a_span_with_candidate_score_and_evidence(
    exported: InMemorySpanExporter, kept: str, question: str
) -> None:
    embedder = BundledEmbedder()
    answers = AnswerCache(MemoryStore(), open_rule(embedder.name, max_wrong=1.0))
    answer: NewAnswer = {"answer": GOOD, "sources": [], "documents": [], "tier": "cheap", "baseline_cost_usd": None}
    await answers.remember(identity(asked(kept)), asked(kept), answer, embed=embedder.query)

    async def current_versions(ids: Collection[str]) -> dict[str, str]:
        return {}

    lookup, _ = await answers.lookup(
        identity(asked(question)), asked(question), embed=embedder.query, current_versions=current_versions
    )
    candidate = lookup["candidate"]
    assert candidate is not None
    with spans.box_span("check_cache") as span:
        describe_lookup(span, {**lookup, "waited": {"run": "r", "ms": 1.5, "kept": True}}, asked(question))
    told = exported.get_finished_spans()[-1]
    assert told.name == "check_cache"
    assert said(told) == {
        at.KIND: "RETRIEVER",
        at.NODE_ID: "check_cache",
        at.CACHE_OUTCOME: "hit",
        at.CACHE_TIER: "semantic",
        at.CACHE_REASON: "similar",
        at.CACHE_RULE: lookup["calibration"],
        at.CACHE_THRESHOLD: lookup["threshold"],
        at.CACHE_LANGUAGE: asked(question)["language"],
        at.CACHE_WAITED_MS: 1.5,
        at.CACHE_WAITED_KEPT: True,
        at.CACHE_CANDIDATE: candidate["entry_id"],
        at.CACHE_SIMILARITY: candidate["similarity"],
        at.CACHE_DIFFERENCES: (),
        at.CACHE_SCORE: candidate["score"],
        at.CACHE_LEAST_SCORE: candidate["least_score"],
        at.CACHE_BOUND: candidate["bound"],
    }
    (event,) = told.events
    assert event.name == at.CACHE_EVIDENCE
    assert dict(event.attributes or {}) == {
        f"{at.CACHE_EVIDENCE}.{name}": value for name, value in candidate["evidence"].items()
    }


async def test_a_follow_up_and_what_was_left_out_are_in_the_span(world: World, exported: InMemorySpanExporter) -> None:
    earlier: list[AnyMessage] = [HumanMessage("When does a refund arrive?"), AIMessage("Soon.")]
    for text in ("And the link?", QUESTION):
        await world.graph().ainvoke({"messages": [*earlier, HumanMessage(text)]}, context=Context(tenant="acme"))
    first, second = (said(span) for span in exported.get_finished_spans() if span.name == "check_cache")
    assert (first[at.CACHE_REASON], first[at.CACHE_FOLLOW_UP]) == ("follow_up", "connective")
    assert second[at.CACHE_TURNS_LEFT_OUT] == 2


@pytest.mark.parametrize("question", [QUESTION, ZH])
async def test_no_text_and_no_tenant_is_in_a_span(world: World, exported: InMemorySpanExporter, question: str) -> None:
    for text in (question, question, f"{question} x"):
        await world.ask(text)
    told = "".join(span.to_json() for span in exported.get_finished_spans())
    assert exported.get_finished_spans()
    assert "acme" not in told
    assert not any(text in told for text in (question, GOOD, json.dumps(question)[1:-1]))


async def test_a_box_that_fails_marks_its_span_by_the_kind_alone(exported: InMemorySpanExporter) -> None:
    with pytest.raises(UnknownTenant), spans.box_span("check_cache"):
        raise UnknownTenant("the tenant 'acme' is not known")
    (span,) = exported.get_finished_spans()
    assert (said(span), span.status.status_code) == (
        {at.KIND: "RETRIEVER", at.NODE_ID: "check_cache", at.ERROR_TYPE: "UnknownTenant"}, StatusCode.ERROR
    )  # fmt: skip
    assert (span.events, span.status.description) == ((), None)


async def test_without_an_sdk_nothing_is_recorded_and_questions_are_answered(world: World) -> None:
    assert not trace.get_current_span().is_recording()
    assert (await world.ask())["answer"] == GOOD


async def test_each_question_is_counted_once_with_what_came_of_its_answer(make_world: MakeWorld) -> None:
    world = make_world([GOOD])
    for question in (QUESTION, QUESTION, "Where is my order WL-48213?"):
        await world.ask(question)
    await world.ask("How long is a parcel kept at the shop?", use_cache=False)
    totals = world.services.answers.counts.totals()
    assert {name: number for (language, name), number in totals.items() if language == "en" and "not_kept" not in name} == {
        "miss.empty": 1, "kept": 1, "hit.exact": 1, "off.personal": 1, "off.off": 1
    }  # fmt: skip
    assert sum(number for (_, name), number in totals.items() if name.startswith("not_kept.")) == 2


async def test_an_alarm_is_in_the_state_on_the_stream_and_in_the_span(world: World, exported: InMemorySpanExporter) -> None:
    await world.ask()
    counts = world.services.answers.counts
    counts._watch.remember({"en": {"hit.exact": 500, "miss.below_threshold": 500}})
    for _ in range(100):
        counts.looked_up(
            {"outcome": "miss", "tier": None, "reason": "empty", "candidate": None, "threshold": None, "calibration": "v"},
            language="en",
        )
    events = []
    question: Any = {"question": "And where do refunds go to?"}
    async for event in world.graph().astream(question, context=Context(tenant="acme"), stream_mode="custom"):
        events.append(event)
    assert "no_exact_hits/en" in events[0]["alarms"]
    assert (
        "no_exact_hits/en"
        in said([span for span in exported.get_finished_spans() if span.name == "check_cache"][-1])[at.CACHE_ALARMS]
    )
    hit = await world.ask()
    assert "no_hits/en" not in hit["lookup"].get("alarms", [])
