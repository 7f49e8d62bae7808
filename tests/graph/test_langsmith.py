"""What LangSmith is told of a question: one tree, linked with the spans, with decisions to filter by and what was paid."""

import asyncio
import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.langchain import LangChainTracer
from langgraph.checkpoint.memory import InMemorySaver
from langsmith import Client, evaluate, utils

from graph.context import Context
from groat.costs import PriceTable
from groat.tracing.content import CONTENT
from groat.tracing.langsmith_runs import Runs
from groat.tracing.names import attributes as at
from tests.graph.conftest import GOOD, QUESTION, UNCITED, WRONG, MakeWorld, World
from tests.graph.test_bill import GOOD_REPLY, Scripts
from tests.langsmith_server import DATASET, LangSmith, metadata, serve_langsmith
from tests.model_server import ModelServer, serve_model
from tests.served import ServedWorld, open_world
from tests.traces import Told, listening, said

WAIT_S = 20.0
ZH = "新密码至少要有多少个字符？"
ACME = Context(tenant="acme")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    with listening(monkeypatch) as found:
        yield found


def _forget_variables() -> None:
    """Have LangSmith's client read its variables anew."""
    cast(Any, utils.get_env_var).cache_clear()


@pytest.fixture
def langsmith(monkeypatch: pytest.MonkeyPatch) -> Iterator[LangSmith]:
    with serve_langsmith([{"inputs": {"question": QUESTION}, "outputs": {"answer": GOOD}}]) as double:
        for name, value in {"TRACING": "true", "ENDPOINT": double.url, "API_KEY": "k", "PROJECT": "support"}.items():
            monkeypatch.setenv(f"LANGSMITH_{name}", value)
        _forget_variables()
        yield double
    _forget_variables()


@pytest.fixture
def content() -> Iterator[None]:
    CONTENT.allow()
    yield
    CONTENT.forbid()


def _runs(**how: Any) -> Runs:
    return Runs(PriceTable().cost, **how)


def _seen(world: World, runs: Runs) -> World:
    return replace(world, services=replace(world.services, runs=runs))


def _all_text(langsmith: LangSmith) -> str:
    return json.dumps([*langsmith.runs.values()], ensure_ascii=False)


async def test_a_question_is_one_tree_linked_with_its_spans(make_world: MakeWorld, langsmith: LangSmith, told: Told) -> None:
    runs = _runs()
    world = _seen(make_world([WRONG], [GOOD]), runs)
    output = await world.ask()
    assert runs.outbox.flush(within_s=WAIT_S)
    (root,) = langsmith.roots
    tree = langsmith.below(root)
    assert len(tree) == len(langsmith.runs)
    ids = {run["id"] for run in tree}
    assert all(run["parent_run_id"] in ids for run in tree if run is not root)
    assert (root["name"], root["session_name"], bool(root["end_time"])) == ("groat", "support", True)
    names = [run["name"] for run in tree]
    assert [name for name in names if name in set(output["path"])] == output["path"]
    (span,) = told.roots
    assert said(span)[at.LANGSMITH_RUN] == root["id"]
    assert span.context is not None
    assert metadata(root)["otel_trace_id"] == f"{span.context.trace_id:032x}"
    models = [run["id"] for run in tree if run["run_type"] == "llm"]
    assert models == [said(chat)[at.LANGSMITH_RUN] for chat in told.chats]


@pytest.mark.parametrize("question", [QUESTION, ZH], ids=["en", "zh"])
async def test_a_reviewer_can_filter_by_what_was_decided(make_world: MakeWorld, langsmith: LangSmith, question: str) -> None:
    runs = _runs()
    world = _seen(make_world([UNCITED], [UNCITED]), runs)
    await world.ask(question)
    await _seen(make_world(), runs).ask("Are gift cards refunded?")
    assert runs.outbox.flush(within_s=WAIT_S)
    client = Client(auto_batch_tracing=False, info={})
    # The successor of ``list_runs`` asks for the newest servers.
    warnings.simplefilter("ignore", DeprecationWarning)
    wanted = 'and(has(tags, "route=cheap"), has(tags, "verdict=failed"))'
    (found,) = client.list_runs(project_id=DATASET, filter=wanted, is_root=True)
    told = found.extra["metadata"] if found.extra else {}
    assert {name: told[name] for name in ("route", "verdict", "outcome", "escalated", "language")} == {
        "route": "cheap", "verdict": "failed", "outcome": "unverified", "escalated": "yes",
        "language": "zh" if question == ZH else "en",
    }  # fmt: skip
    assert told["steps"][-1] == "exhausted"
    assert {"revision", "prompt", "router", "cache", "compression", "acceptance", "embedder", "prices"} <= set(told)


@pytest.mark.parametrize(("question", "answer"), [(QUESTION, GOOD), (ZH, "至少要有 10 个字符。[zh-reset]")], ids=["en", "zh"])
async def test_no_text_and_no_tenant_leaves_while_content_is_off(
    make_world: MakeWorld, langsmith: LangSmith, question: str, answer: str
) -> None:
    runs = _runs()
    world = _seen(make_world([answer]), runs)
    graph = world.graph(InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "4:acme/private"}}
    await graph.ainvoke({"question": question}, thread, context=ACME)
    async for _ in graph.astream({"question": f"{question} ?"}, thread, context=Context(tenant="acme", stream="live")):
        pass
    assert runs.outbox.flush(within_s=WAIT_S)
    text = _all_text(langsmith)
    assert len(langsmith.roots) == 2
    assert not any(word in text for word in (question, answer, "acme", "20 minutes", "10 个字符"))
    assert len({metadata(root)["thread_id"] for root in langsmith.roots}) == 1


async def test_texts_are_redacted_when_content_is_on_and_the_answer_is_not_touched(
    make_world: MakeWorld, langsmith: LangSmith, content: None
) -> None:
    question = "我的手机号是13812345678，怎么修改密码？"
    answer = "在“设置”里点“账号安全”即可修改密码。[zh-reset]"
    runs = _runs()
    output = await _seen(make_world([answer]), runs).ask(question)
    assert runs.outbox.flush(within_s=WAIT_S)
    assert output["asked"]["text"] == question
    (root,) = langsmith.roots
    assert root["inputs"]["question"] == "我的手机号是[phone]，怎么修改密码？"
    assert root["outputs"]["answer"] == answer
    assert "13812345678" not in _all_text(langsmith)
    assert any(run["outputs"] for run in langsmith.runs.values() if run["run_type"] == "llm")


@pytest.fixture
async def served(tmp_path: Path) -> ServedWorld:
    return await open_world(tmp_path)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(GOOD_REPLY) as started:
        yield started


@pytest.mark.parametrize("stream", ["hold", "live"])
async def test_what_runs_cost_is_what_the_ledger_says_and_a_hit_costs_nothing(
    served: ServedWorld, server: ModelServer, langsmith: LangSmith, stream: str
) -> None:
    server.answer_with(Scripts(["drop", WRONG], [GOOD]))
    here = served.with_models(server)
    runs = _runs()
    here = replace(here, services=replace(here.services, runs=runs))
    for _ in range(2):
        await here.ask(stream=stream)
    assert runs.outbox.flush(within_s=WAIT_S)
    missed, hit = sorted(langsmith.roots, key=lambda root: root["start_time"])
    usages = [metadata(run)["usage_metadata"] for run in langsmith.runs.values() if run["run_type"] == "llm"]
    assert len(usages) == len(server.bill)
    assert sum(usage["total_cost"] for usage in usages) == pytest.approx(float(await here.cost()))
    assert all(usage["input_cost"] + usage["output_cost"] == pytest.approx(usage["total_cost"]) for usage in usages)
    assert [run["run_type"] for run in langsmith.below(hit)].count("llm") == 0
    assert (metadata(hit)["cost_usd"], metadata(hit)["outcome"]) == ("0", "hit_exact")
    assert Decimal(metadata(missed)["cost_usd"]) == await here.cost()


async def test_the_verdict_is_feedback_on_the_run_once(make_world: MakeWorld, langsmith: LangSmith) -> None:
    runs = _runs()
    world = _seen(make_world([GOOD]), runs)
    for _ in range(2):
        await world.ask()
    assert runs.outbox.flush(within_s=WAIT_S)
    (given,) = langsmith.feedback
    missed = next(root for root in langsmith.roots if metadata(root)["outcome"] == "cheap")
    assert (given["run_id"], given["trace_id"], given["key"], given["score"], given["value"]) == (
        missed["id"], missed["id"], "validation", 1.0, "accept"
    )  # fmt: skip


async def test_of_good_questions_a_share_is_sent_and_bad_ones_always(
    make_world: MakeWorld, langsmith: LangSmith, told: Told
) -> None:
    runs = _runs(share=0.0)
    await _seen(make_world([GOOD]), runs).ask()
    await _seen(make_world([WRONG], [GOOD]), runs).ask("How long is the link for a password valid, and where?", use_cache=False)
    assert runs.outbox.flush(within_s=WAIT_S)
    assert [metadata(root)["escalated"] for root in langsmith.roots] == ["yes"]
    assert runs.left_out == 1


async def test_an_error_is_told_by_its_kind_alone(world: World, langsmith: LangSmith) -> None:
    runs = _runs()
    with pytest.raises(Exception, match="nobody-known"):
        await _seen(world, runs).ask(tenant="nobody-known")
    assert runs.outbox.flush(within_s=WAIT_S)
    (root,) = langsmith.roots
    assert (root["error"], metadata(root)["outcome"]) == ("UnknownTenant", "error")
    assert "nobody" not in _all_text(langsmith)


async def test_a_tracer_that_the_caller_brings_stays(world: World, langsmith: LangSmith) -> None:
    runs = _runs()
    mine = LangChainTracer(client=Client(auto_batch_tracing=False, info={}))
    graph = _seen(world, runs).graph()
    await graph.ainvoke(cast(Any, {"question": QUESTION}), {"callbacks": [mine]}, context=ACME)
    assert (runs.outbox.sent, mine.latest_run is not None) == (0, True)


async def test_without_langsmith_nothing_is_held(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _forget_variables()
    runs = _runs()
    await _seen(world, runs).ask()
    assert (runs.outbox.sent, runs.outbox.held_bytes, runs._client) == (0, 0, None)


async def test_a_langsmith_that_fails_costs_no_answer_and_gets_the_runs_when_it_is_back(
    make_world: MakeWorld, langsmith: LangSmith, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = _runs()
    world = _seen(make_world(), runs)
    langsmith.mood = "broken"
    assert (await world.ask())["answer"] == GOOD
    while not any("multipart" in path for path in langsmith.asked):  # noqa: ASYNC110  # the other side is a thread
        await asyncio.sleep(0.01)
    assert langsmith.runs == {}
    langsmith.mood = "well"
    assert runs.outbox.flush(within_s=WAIT_S)
    assert len(langsmith.roots) == 1
    assert dict(runs.outbox.dropped) == {}


def test_the_evaluation_of_langsmith_runs_the_graph_below_its_experiment(
    world: World, langsmith: LangSmith, tmp_path: Path
) -> None:
    runs = _runs()
    graph = _seen(world, runs).graph()

    def target(inputs: dict[str, Any]) -> dict[str, Any]:
        output = asyncio.run(graph.ainvoke(cast(Any, {"question": inputs["question"]}), context=ACME))
        return {"answer": output["answer"]}

    def right(outputs: dict[str, Any], reference_outputs: dict[str, Any]) -> bool:
        return bool(outputs["answer"] == reference_outputs["answer"])

    client = Client()
    results = evaluate(target, data="own", evaluators=[cast(Any, right)], client=client, max_concurrency=0)
    scores = [one["evaluation_results"]["results"][0].score for one in results]
    client.flush()
    assert runs.outbox.flush(within_s=WAIT_S)
    client.cleanup()
    assert scores == [True]
    groat = next(run for run in langsmith.runs.values() if run["name"] == "groat")
    above = langsmith.runs[groat["parent_run_id"]]
    assert (above["name"], groat["trace_id"], groat["session_name"]) == ("Target", above["trace_id"], above["session_name"])
    assert metadata(groat)["outcome"] == "cheap"


async def test_runs_that_cannot_be_made_or_handed_over_cost_no_answer(
    world: World, langsmith: LangSmith, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the key sk-1")

    for name in ("hand_over", "tracer"):
        monkeypatch.setattr(Runs, name, fail)
        output = await _seen(world, _runs()).ask(use_cache=False)
        assert output["answer"] == GOOD
    assert len(caplog.records) == 2
    assert "sk-1" not in caplog.text


async def test_without_a_thread_that_can_be_read_langgraph_says_so_itself(world: World) -> None:
    with pytest.raises(Exception, match="thread_id"):
        await world.graph(InMemorySaver()).ainvoke(None, context=ACME)
