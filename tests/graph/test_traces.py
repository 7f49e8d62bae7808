"""One question is one trace, whoever runs the graph and however; what its spans cost is what was paid."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from graph.context import Context
from graph.state import Output
from groat.answering import Adviser, Endpoint, Patience
from groat.cache import AnswerCache, RedisStore
from groat.cache.flight import Flights
from groat.cache.flight_redis import RedisLeases
from groat.errors import UnknownTenant
from groat.tracing import spans
from groat.tracing.names import attributes as at
from tests.fakes import ScriptedChat
from tests.faults import SLOW_S
from tests.graph.conftest import GOOD, QUESTION, UNCITED, WRONG, MakeWorld, World, cache_calibration
from tests.graph.test_bill import GOOD_REPLY, Scripts
from tests.graph.test_sureness import Fixed
from tests.model_server import ModelServer, serve_model
from tests.redis_server import serve_redis
from tests.served import ServedWorld, billed, open_world, price
from tests.traces import Told, assert_whole, boxes, by_trace, listening, said

ZH = "新密码至少要有多少个字符？"
GOOD_ZH = "新密码至少要有 10 个字符。[zh-reset]"
ACME = Context(tenant="acme")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    with listening(monkeypatch) as found:
        yield found


@pytest.fixture
async def served(tmp_path: Path) -> ServedWorld:
    return await open_world(tmp_path)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(GOOD_REPLY, hang_s=SLOW_S) as started:
        yield started


async def _invoke(world: World, question: str) -> None:
    await world.graph().ainvoke({"question": question}, context=ACME)


async def _stream(world: World, question: str) -> None:
    async for _ in world.graph().astream({"question": question}, context=ACME, stream_mode=["custom", "messages", "updates"]):
        assert not trace.get_current_span().is_recording()


async def _events(world: World, question: str) -> None:
    async for _ in world.graph().astream_events({"question": question}, context=ACME, version="v2"):
        pass


async def _thread(world: World, question: str) -> None:
    graph = world.graph(InMemorySaver())
    await graph.ainvoke({"question": question}, {"configurable": {"thread_id": "acme/private"}}, context=ACME)


@pytest.mark.parametrize("way", [_invoke, _stream, _events, _thread])
@pytest.mark.parametrize(("question", "answer"), [(QUESTION, GOOD), (ZH, GOOD_ZH)], ids=["en", "zh"])
async def test_one_question_is_one_trace_in_every_way_of_running(
    make_world: MakeWorld, told: Told, way: Any, question: str, answer: str
) -> None:
    world = make_world([WRONG], [answer])
    await way(world, question)
    assert_whole(told.spans)
    way_there = ["check_cache", "retrieve", "route", "compress", "answer_cheap", "validate", "compress", "answer_cheap"]
    way_there += ["validate", "compress", "answer_expensive", "validate", "remember"]
    assert boxes(told.spans) == way_there
    assert [span.name for span in told.chats] == ["chat small", "chat small", "chat big"]
    (root,) = told.roots
    assert said(root)[at.PATH] == tuple(way_there)
    assert (said(root)[at.OUTCOME], said(root)[at.ESCALATED], said(root)[at.LANGUAGE]) == (
        "expensive", True, "zh" if question == ZH else "en"
    )  # fmt: skip
    assert said(root)[at.KEEP] == ("decompress", "escalate")
    assert "acme" not in "".join(span.to_json() for span in told.spans)


async def test_a_batch_is_a_trace_for_each_question(make_world: MakeWorld, told: Told) -> None:
    questions = [{"question": f"{QUESTION} {number}"} for number in range(4)]
    world = make_world([GOOD])
    found = await world.graph().abatch(cast(Any, questions), {"max_concurrency": 3}, context=ACME)
    assert len(by_trace(told.spans)) == len(told.roots) == 4
    for spans_of_one in by_trace(told.spans).values():
        assert_whole(spans_of_one)
    assert {said(root)[at.RUN] for root in told.roots} == {output["run"] for output in found}


async def test_a_question_is_below_the_span_of_who_asks(world: World, told: Told) -> None:
    with spans.tracer().start_as_current_span("mine") as mine:
        await world.ask()
        assert trace.get_current_span() is mine
    (root,) = told.roots
    assert root.parent == mine.get_span_context()
    assert len(by_trace(told.spans)) == 1


async def test_a_hit_is_a_trace_of_two_boxes_at_most_and_costs_nothing(world: World, told: Told) -> None:
    await world.ask()
    told.clear()
    await world.ask()
    assert_whole(told.spans)
    assert boxes(told.spans) == ["check_cache"]
    (root,) = told.roots
    assert (said(root)[at.OUTCOME], said(root)[at.TOTAL_COST], told.cost) == ("hit_exact", "0", Decimal(0))
    assert at.KEEP not in said(root)


async def test_a_caller_that_stops_reading_ends_the_trace_as_given_up(world: World, told: Told) -> None:
    stream = world.graph().astream({"question": QUESTION}, context=ACME, stream_mode="custom")
    async with aclosing(cast(Any, stream)) as parts:
        async for _ in parts:
            break
    (root,) = told.roots
    assert (said(root)[at.OUTCOME], root.status.status_code) == ("cancelled", StatusCode.ERROR)
    assert_whole(told.spans)


async def test_a_question_that_is_given_up_has_its_request_in_the_trace_with_its_cost(
    served: ServedWorld, server: ModelServer, told: Told
) -> None:
    server.answer_with(lambda body, number: "hang")
    here = served.with_models(server, timeout_s=SLOW_S)
    asking = asyncio.create_task(here.ask())
    while not server.requests:  # noqa: ASYNC110  # the other side is a thread
        await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.settled()
    assert_whole(told.spans)
    (chat,) = told.chats
    assert (said(chat)[at.CALL_OUTCOME], said(told.roots[0])[at.OUTCOME]) == ("cancelled", "cancelled")
    assert told.cost == await here.cost() == price(billed(server))


async def test_a_question_that_cannot_be_asked_is_a_trace_marked_by_the_kind_of_its_error(world: World, told: Told) -> None:
    with pytest.raises(UnknownTenant):
        await world.ask(tenant="nobody-known")
    assert_whole(told.spans)
    (root,) = told.roots
    assert (said(root)[at.OUTCOME], said(root)[at.ERROR_TYPE], root.status.description) == ("error", "UnknownTenant", None)
    assert "nobody" not in "".join(span.to_json() for span in told.spans)


async def test_what_goes_on_from_a_checkpoint_stays_in_its_trace(make_world: MakeWorld, told: Told) -> None:
    world = make_world([GOOD])
    graph = world.graph(InMemorySaver())
    thread: RunnableConfig = {"configurable": {"thread_id": "t"}}
    await graph.ainvoke({"question": QUESTION}, thread, context=ACME, interrupt_before=["route"])
    await graph.ainvoke(None, thread, context=ACME)
    assert len(by_trace(told.spans)) == 1
    first, second = sorted(told.roots, key=lambda root: root.start_time or 0)
    assert second.parent is not None
    assert first.context is not None
    assert second.parent.span_id == first.context.span_id
    assert (said(first)[at.RESUMED], said(second)[at.RESUMED]) == (False, True)
    assert boxes(told.spans) == ["check_cache", "retrieve", "route", "compress", "answer_cheap", "validate", "remember"]
    assert said(second)[at.OUTCOME] == "cheap"
    # Under the span of another caller it is linked in place of that.
    await graph.ainvoke({"question": f"{QUESTION} Really?"}, thread, context=ACME, interrupt_before=["route"])
    with spans.tracer().start_as_current_span("mine"):
        await graph.ainvoke(None, thread, context=ACME)
    assert len(told.roots[-1].links) == 1


@pytest.mark.parametrize("stream", ["hold", "live"])
@pytest.mark.parametrize(
    ("small", "big"),
    [
        ([GOOD], [GOOD]),
        (["broken", GOOD], [GOOD]),
        (["rate_limited", "drop"], [GOOD]),
        (["unauthorized"], ["bad_json"]),
        ([WRONG], [GOOD]),
        ([UNCITED, WRONG, UNCITED], [UNCITED]),
    ],
    ids=["plain", "retry", "failure", "dead", "escalation", "all the way"],
)
async def test_the_spans_cost_what_the_ledger_and_the_servers_bill_say(
    served: ServedWorld, server: ModelServer, told: Told, small: list[str], big: list[str], stream: str
) -> None:
    server.answer_with(Scripts(small, big))
    here = served.with_models(server)
    outputs = [await here.ask(stream=stream), await here.ask(stream=stream)]
    await server.settled()
    assert len(told.chats) == len(server.bill)
    assert told.cost == await here.cost() == price(billed(server))
    totals = [Decimal(said(root)[at.TOTAL_COST]) for root in told.roots]
    assert totals == [Decimal(output["cost_usd"] or "NaN") for output in outputs]
    seen = [(said(span)[at.REQUEST_MODEL], said(span)[at.INPUT_TOKENS], said(span)[at.OUTPUT_TOKENS]) for span in told.chats]
    assert sorted(seen) == [row[:3] for row in billed(server)]
    for spans_of_one in by_trace(told.spans).values():
        assert_whole(spans_of_one)
    assert sum(value for _, value in told.metrics["groat.cost"]) == pytest.approx(float(told.cost))


@pytest.mark.parametrize("stream", ["hold", "live"])
async def test_a_hedge_and_the_request_it_beat_are_two_spans_of_one_box(
    served: ServedWorld, server: ModelServer, told: Told, stream: str
) -> None:
    server.answer_with(lambda body, number: replace(GOOD_REPLY, delay_s=SLOW_S if number == 0 else 0.0))
    here = served.with_models(server, patience=Patience(tries=1, hedge_after_s=0.1))
    await here.ask(stream=stream)
    await server.settled()
    assert_whole(told.spans)
    chats = sorted(told.chats, key=lambda span: span.start_time or 0)
    assert [(said(span)[at.CALL_OUTCOME], said(span)[at.CALL_HEDGE]) for span in chats] == [("cancelled", False), ("ok", True)]
    box = told.named("answer_cheap")[0].context
    assert box is not None
    assert [span.parent.span_id for span in chats if span.parent] == [box.span_id] * 2
    assert told.cost == await here.cost() == price(billed(server))


async def test_many_questions_at_once_do_not_mix_their_traces(served: ServedWorld, server: ModelServer, told: Told) -> None:
    server.answer_with(lambda body, number: "broken" if number % 5 == 2 else replace(GOOD_REPLY, delay_s=0.01))
    here = served.with_models(server, patience=Patience(tries=3, backoff_s=0.002))
    questions = [f"{QUESTION} {number}" for number in range(8)] + [f"{ZH} {number}" for number in range(8)]
    outputs: list[Output] = await asyncio.gather(*(here.ask(question, use_cache=False) for question in questions))
    assert len(told.roots) == len(outputs) == len(by_trace(told.spans))
    requests = {output["run"]: sum(len(attempt["calls"]) for attempt in output["attempts"]) for output in outputs}
    for spans_of_one in by_trace(told.spans).values():
        assert_whole(spans_of_one)
        root = next(span for span in spans_of_one if span.parent is None)
        chats = [span for span in spans_of_one if span.name.startswith("chat ")]
        assert len(chats) == requests[said(root)[at.RUN]]
    assert told.cost == await here.cost() == price(billed(server))


@pytest.mark.parametrize("role", ["judge", "answer"])
async def test_opinions_are_requests_below_validation_with_their_own_cost(make_world: MakeWorld, told: Told, role: str) -> None:
    opinion = ScriptedChat(replies=["10" if role == "judge" else GOOD])
    world = make_world([GOOD])
    second = Endpoint(model=opinion, name="second", priced_as="gpt-5-nano", key_setting="K")
    adviser = Adviser(endpoint=second, role="judge" if role == "judge" else "answer")
    world.services = replace(world.services, acceptance=Fixed(0.4), advisers=(adviser,))
    output = await world.ask()
    assert_whole(told.spans)
    (asked_for,) = [chat for chat in told.chats if chat.name == "chat second"]
    (validate,) = told.named("validate")
    assert asked_for.parent is not None
    assert validate.context is not None
    assert asked_for.parent.span_id == validate.context.span_id
    assert said(asked_for)[at.COST_PURPOSE] == ("judge" if role == "judge" else "second_opinion")
    assert said(validate)[at.VERDICT_OPINIONS] == 1
    assert told.cost == Decimal(output["cost_usd"] or "NaN") == (await world.ledger()).cost_usd > 0


async def test_calls_of_a_redis_are_spans_of_their_own(make_world: MakeWorld, told: Told, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    with serve_redis(folder) as redis:
        store, leases = RedisStore(redis.url, patience_s=5.0), RedisLeases(redis.url, patience_s=5.0)
        world = make_world([GOOD])
        answers = AnswerCache(store, cache_calibration(0.8))
        world.services = replace(world.services, answers=answers, flights=Flights(leases, wait_s=5.0))
        for _ in range(2):
            assert (await world.ask())["verified"]
        await leases.aclose()
        await store.aclose()
    for spans_of_one in by_trace(told.spans).values():
        assert_whole(spans_of_one)
    calls = {span.name for span in told.spans if said(span).get(at.DB_SYSTEM) == "redis"}
    assert calls == {"cache exact", "cache nearest", "cache put", "cache mark_used", "leases take", "leases release"}
    assert said(told.roots[-1])[at.OUTCOME] == "hit_exact"
