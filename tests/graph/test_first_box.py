"""The box that begins a question is asked before LangGraph's loop where nobody sees the steps, and nobody sees a difference."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from graph.context import Context
from graph.first_box import FirstBox
from groat.costs.schema import connect
from groat.tracing import spans
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World

ZH, GOOD_ZH = "新密码至少要有多少个字符？", "新密码至少要有 10 个字符。[zh-reset]"
EITHER = pytest.mark.parametrize(("question", "answer"), [(QUESTION, GOOD), (ZH, GOOD_ZH)], ids=["en", "zh"])
ACME = Context(tenant="acme")


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_TRACER", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


@pytest.fixture
def asked_ahead(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose first box was asked before the graph."""
    runs: list[str] = []
    ahead = FirstBox.ahead

    async def noted(self: FirstBox, state: Any, context: Context, run_id: str, begun: Any) -> None:
        runs.append(run_id)
        await ahead(self, state, context, run_id, begun)

    monkeypatch.setattr(FirstBox, "ahead", noted)
    return runs


async def by_steps(world: World, question: str) -> dict[str, Any]:
    """Return what comes out when every step is looked at."""
    graph = world.graph()
    seen = graph.astream({"question": question}, context=ACME, stream_mode="values", output_keys=graph.output_channels)
    return cast(dict[str, Any], [part async for part in seen][-1])


def without_ids(output: Any) -> dict[str, Any]:
    said = [(message.type, message.text) for message in output["messages"]]
    return {name: value for name, value in output.items() if name not in {"run", "first_token_ms", "messages"}} | {"said": said}


@EITHER
async def test_a_hit_asked_ahead_gives_and_leaves_what_the_graph_does(
    make_world: MakeWorld, exported: InMemorySpanExporter, asked_ahead: list[str], question: str, answer: str
) -> None:
    world = make_world([answer], [answer])
    for _ in range(2):  # the second time it is served, and marked as used, which is done once a minute
        await world.ask(question)
    exported.clear()
    asked_ahead.clear()
    through_graph = await by_steps(world, question)
    steps = [span.name for span in exported.get_finished_spans()]
    assert asked_ahead == []
    exported.clear()
    ahead = await world.ask(question)
    assert len(asked_ahead) == 1
    assert without_ids(ahead) == without_ids(through_graph)
    assert ahead["path"] == ["check_cache"]
    assert [span.name for span in exported.get_finished_spans()] == steps
    with closing(connect(world.folder / "ledger.sqlite")) as db:
        rows = db.execute("SELECT run, outcome, verified, cost_usd, path FROM questions WHERE outcome = 'hit_exact'").fetchall()
    assert {row[0] for row in rows} >= {through_graph["run"], ahead["run"]}
    assert len({row[1:] for row in rows}) == 1


@EITHER
async def test_a_miss_asked_ahead_is_looked_up_once_and_taken_over_by_the_graph(
    make_world: MakeWorld, exported: InMemorySpanExporter, asked_ahead: list[str], question: str, answer: str
) -> None:
    world = make_world([answer], [answer])
    output = await world.ask(question)
    assert len(asked_ahead) == 1
    assert (output["answer"], output["path"][0], len(output["messages"])) == (answer, "check_cache", 2)
    assert [span.name for span in exported.get_finished_spans()].count("check_cache") == 1
    assert sum(number for (_, name), number in world.services.answers.counts.totals().items() if name.startswith("miss")) == 1


async def test_who_listens_to_the_steps_gets_them_all(world: World, asked_ahead: list[str]) -> None:
    started: list[str] = []

    class Listens(BaseCallbackHandler):
        def on_chain_start(self, *_: Any, **more: Any) -> None:
            started.append(str(more.get("name")))

    await world.graph().ainvoke({"question": QUESTION}, config={"callbacks": [Listens()]}, context=ACME)
    assert asked_ahead == []
    assert "check_cache" in started


async def test_a_question_that_the_graph_does_not_take_over_lets_go_who_wait_for_it(world: World) -> None:
    with pytest.raises(ValueError, match="recursion_limit"):
        await world.graph().ainvoke({"question": QUESTION}, config={"recursion_limit": 0}, context=ACME)
    # Nobody leads any more: an equal question is answered, and waits for nobody.
    output = await world.ask()
    assert output["answer"] == GOOD
    assert "waited" not in output["lookup"]
