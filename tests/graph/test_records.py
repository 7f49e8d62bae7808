"""What a run leaves behind and shows of itself."""

import json
from typing import Any, Literal, cast

import pytest
from langchain_core.load import dumpd
from langchain_core.messages import BaseMessage

from graph.context import Context
from groat.costs import total
from groat.tracing import names
from tests.graph.conftest import GOOD, QUESTION, UNCITED, WRONG, MakeWorld, World, dollars


async def test_a_question_is_embedded_once_whoever_asks_for_its_vector(world: World) -> None:
    output = await world.ask()
    assert output["path"][-1] == "remember"
    assert world.words.queried == [QUESTION]
    await world.ask()
    assert world.words.queried == [QUESTION]


async def test_an_embedding_is_charged_once_with_and_without_the_cache(make_world: MakeWorld) -> None:
    for use_cache in (True, False):
        output = await make_world().ask(use_cache=use_cache)
        assert [charge["kind"] for charge in output["charges"]] == ["embedding", "chat"]


async def test_every_charge_is_in_the_ledger_once(make_world: MakeWorld) -> None:
    world = make_world([UNCITED], [WRONG, GOOD])
    output = await world.ask()
    kept = await world.ledger()
    assert kept.charges == len(output["charges"]) == len({charge["key"] for charge in output["charges"]})
    assert kept.cost_usd == total(output["charges"]) == dollars(output["cost_usd"])
    await world.services.books.record(output["charges"], run=output["run"], tenant="acme")
    assert (await world.ledger()).charges == kept.charges


async def test_the_baseline_is_one_expensive_call_with_everything_found(make_world: MakeWorld) -> None:
    shortened = await make_world().ask(use_cache=False)
    whole = await make_world(share=None).ask(use_cache=False)
    assert shortened["baseline_cost_usd"] == whole["baseline_cost_usd"]
    assert dollars(whole["cost_usd"]) < dollars(whole["baseline_cost_usd"])
    expensive = await make_world(share=None, p_cheap_ok=0.1).ask(use_cache=False)
    assert expensive["cost_usd"] is not None
    assert dollars(expensive["cost_usd"]) == dollars(expensive["baseline_cost_usd"])


async def test_the_whole_record_is_plain_json(make_world: MakeWorld) -> None:
    output = dict(await make_world([WRONG], [WRONG]).ask())
    messages = output.pop("messages")
    assert json.loads(json.dumps(output, allow_nan=False))["answer"] == WRONG
    json.dumps(dumpd(messages))


async def test_the_outside_sees_neither_passages_nor_identity(world: World) -> None:
    output = await world.ask()
    private = {"identity", "passages"}
    assert private.isdisjoint(output)
    assert private.isdisjoint(world.graph().get_output_jsonschema()["properties"])
    assert set(world.graph().get_input_jsonschema()["properties"]) == {"question", "messages"}


async def test_the_knobs_have_descriptions_for_a_form(world: World) -> None:
    schema = world.graph().get_context_jsonschema()
    assert schema is not None
    knobs = schema["properties"]
    assert set(knobs) == {"tenant", "tier", "use_cache", "max_quality_loss", "max_cost_usd", "language"} | {
        "deadline_s",
        "stream",
        "response_schema",
        "tools",
        "collection",
    }
    assert all(knob["description"] for knob in knobs.values())


async def _events(world: World, **knobs: Any) -> list[dict[str, Any]]:
    context = Context(**{"tenant": "acme", **knobs})
    stream = world.graph().astream({"question": QUESTION}, context=context, stream_mode="custom")
    return [cast(dict[str, Any], event) async for event in stream]


async def test_every_box_says_on_the_custom_stream_what_it_did(make_world: MakeWorld) -> None:
    world = make_world([WRONG, GOOD])
    assert [event[names.EVENT] for event in await _events(world)] == [
        names.CACHE_DECIDED,
        names.RETRIEVED,
        names.ROUTED,
        names.COMPRESSED,
        names.ATTEMPTED,
        names.JUDGED,
        names.COMPRESSED,
        names.ATTEMPTED,
        names.JUDGED,
        names.REMEMBERED,
    ]
    assert [event[names.EVENT] for event in await _events(world)] == [names.CACHE_DECIDED]
    assert (await _events(world, use_cache=False))[-1] == {names.EVENT: names.NOT_REMEMBERED, "reason": "off"}


async def test_events_hold_no_text_of_questions_answers_or_documents(world: World) -> None:
    seen = json.dumps(await _events(world))
    assert "valid for 20 minutes" not in seen
    assert QUESTION not in seen


async def _messages(world: World, stream: Literal["hold", "live"]) -> list[tuple[str, BaseMessage]]:
    context = Context(tenant="acme", stream=stream)
    parts = world.graph().astream({"question": QUESTION}, context=context, stream_mode="messages")
    found = [cast(tuple[BaseMessage, dict[str, Any]], part) async for part in parts]
    return [(metadata["langgraph_node"], message) for message, metadata in found if message.type != "human"]


async def test_a_live_answer_streams_token_by_token_and_only_once(world: World) -> None:
    parts = await _messages(world, "live")
    assert {box for box, _ in parts} == {"answer_cheap"}
    assert "".join(message.text for _, message in parts) == GOOD
    assert len([message for _, message in parts if message.text]) > 1


async def test_a_held_answer_is_streamed_when_it_is_accepted(make_world: MakeWorld) -> None:
    parts = await _messages(make_world([WRONG, GOOD]), "hold")
    assert [(box, message.text) for box, message in parts] == [("validate", GOOD)]


async def test_a_streamed_answer_costs_what_an_unstreamed_one_does(make_world: MakeWorld) -> None:
    plain = await make_world().ask(use_cache=False)
    last: Any = None
    context = Context(tenant="acme", use_cache=False)
    async for mode, part in (
        make_world().graph().astream({"question": QUESTION}, context=context, stream_mode=["values", "messages"])
    ):
        last = part if mode == "values" else last
    assert last["cost_usd"] == plain["cost_usd"]


async def test_a_live_answer_can_be_read_before_it_is_accepted_and_a_held_one_when_it_is(make_world: MakeWorld) -> None:
    for stream in ("live", "hold"):
        output = await make_world([WRONG, GOOD]).ask(stream=stream, use_cache=False)
        first, attempts = output["first_token_ms"], output["attempts"]
        assert first is not None
        if stream == "live":
            assert attempts[0]["first_token_ms"] is not None
            assert first == pytest.approx(attempts[0]["begun_ms"] + attempts[0]["first_token_ms"])
        else:
            assert all(attempt["first_token_ms"] is None for attempt in attempts)
            assert first >= attempts[1]["begun_ms"] + attempts[1]["latency_ms"]


async def test_a_live_answer_that_is_replaced_says_so(make_world: MakeWorld) -> None:
    told = await _events(make_world([WRONG, GOOD]), stream="live")
    pieces = [(event["attempt"], event["text"]) for event in told if event[names.EVENT] == names.TOKEN]
    assert ["".join(text for attempt, text in pieces if attempt == number) for number in (0, 1)] == [WRONG, GOOD]
    assert [event["attempt"] for event in told if event[names.EVENT] == names.REPLACED] == [0]


async def test_streaming_changes_neither_the_path_nor_the_bill(make_world: MakeWorld) -> None:
    held, live = [await make_world([UNCITED, WRONG], [GOOD]).ask(stream=stream, use_cache=False) for stream in ("hold", "live")]
    assert held["path"] == live["path"]
    assert [charge["usage"] for charge in held["charges"]] == [charge["usage"] for charge in live["charges"]]
    assert held["cost_usd"] == live["cost_usd"]
