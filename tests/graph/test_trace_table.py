"""Everything that is told stands in the table, everything in the table is told, and the documents show the table."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from starlette.responses import PlainTextResponse

from graph.context import Context
from graph.telling import attend
from groat.answering import Answerer, Patience
from groat.tracing.content import CONTENT
from groat.tracing.decisions import watched
from groat.tracing.names import attributes as at
from groat.tracing.names import metrics, spans  # noqa: F401  # their rows are in the table once they are imported
from groat.tracing.names.table import ATTRIBUTES, EVENTS, METRICS, SPANS, Row, markdown
from groat.tracing.opening import Tracing
from groat.tracing.outbox import Outbox, Sent
from groat.tracing.spans import say
from groat.types import Lookup, Route, Verdict
from serve.web.seen import Spanned
from tests.fakes import asked
from tests.graph.conftest import GOOD, QUESTION, WRONG, MakeWorld
from tests.model_server import Says, serve_model
from tests.served import PATIENCE, ServedWorld, open_world
from tests.traces import Told, listening, said

ACME = Context(tenant="acme")
DOCS = Path(__file__).parents[2] / "docs"
LOOKUP: Lookup = {
    "outcome": "hit",
    "tier": "semantic",
    "reason": "similar",
    "candidate": {
        "entry_id": "e", "question": "q", "similarity": 0.9, "differences": ["number"], "score": 3.1, "least_score": 2.0,
        "bound": 0.01, "judged": 0.8, "evidence": {"cosine": 0.9},
    },
    "threshold": 2.0,
    "calibration": "v",
    "waited": {"run": "r", "ms": 3.0, "kept": True},
    "alarms": ["no_hits/zh"],
}  # fmt: skip
ROUTE: Route = {
    "tier": "cheap", "kind": "knowledge", "p_cheap_ok": 0.9, "threshold": 0.8, "reasons": ["cue: why"], "artifact": "v",
    "gain": 0.1, "budget_bound": True,
}  # fmt: skip
VERDICT: Verdict = {
    "ok": False,
    "step": "escalate",
    "checks": [{"name": "support", "passed": False, "score": 0.2, "reason": "words"}],
    "reason": "r",
    "acceptance": {
        "p_ok": 0.4, "threshold": 0.8, "promise": "evidence", "evidence": {"route_p": 0.9}, "artifact": "v",
        "opinion": {"model": "m", "text": "t", "agreement": 0.5}, "opinions": [{"model": "m", "text": "t", "agreement": 0.5}],
    },
}  # fmt: skip


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    with listening(monkeypatch) as found:
        yield found
    CONTENT.forbid()


async def _everything(make_world: MakeWorld, folder: Path) -> ServedWorld:
    """Go every way through the graph, and tell what few questions have."""
    usage = {
        "prompt_tokens": 2_000, "completion_tokens": 30, "total_tokens": 2_030,
        "prompt_tokens_details": {"cached_tokens": 1_024, "cache_write_tokens": 12},
        "completion_tokens_details": {"reasoning_tokens": 7},
    }  # fmt: skip
    here = await open_world(folder)
    with serve_model("rate_limited", Says(text=WRONG, usage=usage), Says(text=WRONG), Says(text=GOOD, usage=usage)) as server:
        here = here.with_models(server, patience=replace(PATIENCE, tries=3))
        endpoints = {tier: replace(one, max_output=400) for tier, one in here.services.answerer.endpoints.items()}
        here = replace(here, services=replace(here.services, answerer=Answerer(endpoints, patience=Patience(backoff_s=0.001))))
        await here.ask(stream="live")
        await here.ask()
        CONTENT.allow()
        thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
        graph = make_world([ValueError("x")], [GOOD], priced_as=("no-such-model", "gpt-5.2")).graph(InMemorySaver())
        await graph.ainvoke({"question": QUESTION}, thread, context=ACME)
        await here.ask("Where is my order WL-48213?")
        CONTENT.forbid()
    transport = httpx.ASGITransport(Spanned(PlainTextResponse(""), []))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.get("/v1/models")
    with watched("check_cache") as saw:
        saw({"run": "r", "lookup": LOOKUP, "asked": {**asked("q"), "follow_up": "pronoun", "turns_left_out": 2}})
    with watched("route") as saw:
        saw({"route": ROUTE})
    with watched("validate") as saw:
        saw({"verdicts": [VERDICT]})
    with watched("answer_cheap"):
        say({at.ATTEMPT_REUSED: True})
    return here


def _missing(names: set[str], rows: list[Row]) -> set[str]:
    patterns = [re.compile(re.escape(row.name).replace(r"\.\*", r"\..+").replace(r"\{", "{")) for row in rows]
    return {name for name in names if not any(pattern.fullmatch(name) for pattern in patterns)}


def _never(names: set[str], rows: list[Row]) -> set[str]:
    return {
        row.name for row in rows if not any(re.fullmatch(re.escape(row.name).replace(r"\.\*", r"\..+"), one) for one in names)
    }


async def test_what_is_told_is_the_table_no_more_and_no_less(make_world: MakeWorld, told: Told, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    here = await _everything(make_world, folder)
    full: Outbox[int] = Outbox("spans", lambda items: Sent.TAKEN, most_bytes=1)
    full.put([1], 2)
    attend(Tracing(others=[full]), here.services)
    names = {name for span in told.spans for name in said(span)}
    assert _missing(names, ATTRIBUTES) == set()
    assert _never(names, ATTRIBUTES) == set()
    events = {event.name for span in told.spans for event in span.events}
    assert events == {row.name for row in EVENTS}
    assert set(told.metrics) == {row.name for row in METRICS}
    called = {_form(span.name) for span in told.spans}
    assert called == {row.name for row in SPANS}


def _form(name: str) -> str:
    """Return the name of the table that a span's name is made of."""
    first, _, rest = name.partition(" ")
    if first == "GET":
        return spans.HTTP
    if not rest or name == spans.RETRIEVAL:
        return name
    return {"chat": spans.CHAT, "embeddings": spans.EMBEDDINGS}.get(first, spans.STORE)


def test_each_name_stands_once_and_says_what_it_means() -> None:
    for rows in (SPANS, ATTRIBUTES, EVENTS, METRICS):
        names = [row.name for row in rows]
        assert sorted(set(names)) == sorted(names)
        assert all(row.meaning and row.on for row in rows)


def test_every_span_has_the_kind_of_its_row() -> None:
    assert {row.name: row.on for row in SPANS if row.name in spans.BOX_KINDS} == dict(spans.BOX_KINDS)


def test_the_documents_show_the_table() -> None:
    assert markdown() in (DOCS / "tracing.md").read_text(encoding="utf-8"), "run python -m evals.trace_table"


@pytest.mark.parametrize("question", ["secret question 一二三"])
async def test_texts_are_in_spans_only_while_content_is_on(make_world: MakeWorld, told: Told, question: str) -> None:
    world = make_world()
    await world.ask(question)
    assert question not in "".join(span.to_json(indent=None) for span in told.spans)
    CONTENT.allow()
    await world.ask(f"{question} 13812345678")
    told_of: list[dict[str, Any]] = [said(root) for root in told.roots]
    assert [attributes.get(at.INPUT) for attributes in told_of] == [None, f"{question} [phone]"]
