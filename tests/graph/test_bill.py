"""The ledger equals the servers' own bill to the last token, whatever happens to a question."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from graph.context import Context
from graph.state import Output
from groat.answering import Answerer, Patience
from groat.costs import Budget, Budgets, Policy
from tests.faults import SLOW_S
from tests.graph.conftest import GOOD, QUESTION, UNCITED, WRONG
from tests.model_server import COUNTED, Body, ModelServer, Outcome, Says, serve_model
from tests.served import PATIENCE, ServedWorld, billed, open_world, price

OTHERS = [
    "How many working days does a refund take?",
    "What happens after five wrong codes?",
    "Are gift cards refunded?",
    "How many characters must a new password have?",
    "新密码至少要有多少个字符？",
    "Who pays when parcels are sent back?",
]


class Scripts:
    """What each model says, in turn; the last outcome repeats."""

    def __init__(self, small: Sequence[Outcome | str], big: Sequence[Outcome | str] = (GOOD,)) -> None:
        self._left = {"small": list(small), "big": list(big)}

    def __call__(self, body: Body, number: int) -> Outcome:
        left = self._left[body["model"]]
        outcome = left.pop(0) if len(left) > 1 else left[0]
        known = {"broken", "rate_limited", "unauthorized", "drop", "hang", "bad_json"}
        return (
            Says(text=outcome, usage=COUNTED) if isinstance(outcome, str) and outcome not in known else cast(Outcome, outcome)
        )


@pytest.fixture
async def world(tmp_path: Path) -> ServedWorld:
    return await open_world(tmp_path)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(GOOD_REPLY, hang_s=SLOW_S) as started:
        yield started


GOOD_REPLY = Says(text=GOOD, usage=COUNTED)


async def assert_paid(world: ServedWorld, server: ModelServer, outputs: Sequence[Output], requests: int) -> None:
    """One row for each request with its tokens, and three times the same sum."""
    await server.settled()
    assert len(server.bill) == requests
    assert world.paid() == billed(server)
    spent = sum((Decimal(output["cost_usd"] or "NaN") for output in outputs), Decimal(0))
    assert spent == await world.cost() == price(billed(server))
    calls = [charge for output in outputs for charge in output["charges"] if charge["kind"] == "chat"]
    assert len({charge["key"] for charge in calls}) == len(calls) == requests


@pytest.mark.parametrize("stream", ["hold", "live"])
@pytest.mark.parametrize(
    ("small", "big", "requests", "steps"),
    [
        ([GOOD], [GOOD], 1, ["accept"]),
        (["broken", GOOD], [GOOD], 2, ["accept"]),
        (["rate_limited", "drop"], [GOOD], 3, ["escalate", "accept"]),
        (["unauthorized"], ["bad_json"], 3, ["escalate", "exhausted"]),
        ([UNCITED, GOOD], [GOOD], 2, ["fix", "accept"]),
        ([WRONG, GOOD], [GOOD], 2, ["decompress", "accept"]),
        ([WRONG], [GOOD], 3, ["decompress", "escalate", "accept"]),
        ([UNCITED, WRONG, UNCITED], [UNCITED], 5, ["fix", "decompress", "escalate", "fix", "exhausted"]),
        (["[no answer]"], ["[no answer]"], 3, ["decompress", "escalate", "exhausted"]),
    ],
    ids=["plain", "retry", "failure", "dead", "fix", "decompress", "escalation", "all the way", "no answer"],
)
async def test_every_way_through_the_graph_is_paid_to_the_token(
    world: ServedWorld, server: ModelServer, small: list[str], big: list[str], requests: int, steps: list[str], stream: str
) -> None:
    server.answer_with(Scripts(small, big))
    here = world.with_models(server)
    output = await here.ask(stream=stream)
    assert [verdict["step"] for verdict in output["verdicts"]] == steps
    await assert_paid(here, server, [output], requests)


async def test_a_held_answer_that_broke_off_is_paid_to_the_token_when_replies_are_streamed_on_the_wire(
    world: ServedWorld, server: ModelServer
) -> None:
    server.answer_with(lambda body, number: replace(GOOD_REPLY, cut_after=6) if number == 0 else GOOD_REPLY)
    here = world.with_models(server)
    endpoints = {tier: replace(one, streams=True) for tier, one in here.services.answerer.endpoints.items()}
    here = replace(here, services=replace(here.services, answerer=Answerer(endpoints, patience=PATIENCE)))
    output = await here.ask(stream="hold")
    assert [call["outcome"] for call in output["attempts"][0]["calls"]] == ["connection", "ok"]
    assert output["attempts"][0]["first_token_ms"] is None
    await assert_paid(here, server, [output], 2)


async def test_a_hit_makes_no_request_and_costs_nothing(world: ServedWorld, server: ModelServer) -> None:
    here = world.with_models(server)
    outputs = [await here.ask() for _ in range(3)]
    assert [output["lookup"]["outcome"] for output in outputs] == ["miss", "hit", "hit"]
    await assert_paid(here, server, outputs, 1)


async def test_cached_tokens_of_the_prompt_are_paid_at_their_own_price(world: ServedWorld, server: ModelServer) -> None:
    usage = {"prompt_tokens": 2_000, "completion_tokens": 30, "prompt_tokens_details": {"cached_tokens": 1_024}}
    server.answer_with(lambda body, number: Says(text=GOOD, usage={**usage, "total_tokens": 2_030}))
    here = world.with_models(server)
    outputs = [await here.ask(stream=stream, use_cache=False) for stream in ("hold", "live")]
    assert here.paid() == [("small", 2_000, 30, 1_024)] * 2
    await assert_paid(here, server, outputs, 2)


@pytest.mark.parametrize("stream", ["hold", "live"])
async def test_a_hedge_that_won_and_the_request_it_beat_are_both_paid(
    world: ServedWorld, server: ModelServer, stream: str
) -> None:
    server.answer_with(lambda body, number: replace(GOOD_REPLY, delay_s=SLOW_S if number == 0 else 0.0))
    here = world.with_models(server, patience=Patience(tries=1, hedge_after_s=0.1))
    output = await here.ask(stream=stream)
    assert [(call["outcome"], call["hedge"]) for call in output["attempts"][0]["calls"]] == [("cancelled", False), ("ok", True)]
    assert (output["answer"], output["verified"]) == (GOOD, True)
    await assert_paid(here, server, [output], 2)


async def test_a_stream_that_broke_off_is_paid_for_the_words_that_came(world: ServedWorld, server: ModelServer) -> None:
    server.answer_with(lambda body, number: replace(GOOD_REPLY, cut_after=6) if number == 0 else GOOD_REPLY)
    here = world.with_models(server)
    output = await here.ask(stream="live")
    assert [call["outcome"] for call in output["attempts"][0]["calls"]] == ["connection", "ok"]
    assert min(written for _, _, written, _ in here.paid()) > 0
    await assert_paid(here, server, [output], 2)


async def test_questions_asked_at_once_share_one_ledger(world: ServedWorld, server: ModelServer) -> None:
    def answering(body: Body, number: int) -> Outcome:
        return "broken" if number % 5 == 2 else replace(GOOD_REPLY, delay_s=0.02)

    server.answer_with(answering)
    here = world.with_models(server, patience=Patience(tries=3, backoff_s=0.002))
    questions = [{"question": question} for question in [QUESTION, *OTHERS] * 3]
    found = await here.graph.abatch(questions, {"max_concurrency": 7}, context=Context(tenant="acme", use_cache=False))  # type: ignore[arg-type]  # a question alone is an input
    outputs = [cast(Output, output) for output in found]
    assert len({output["run"] for output in outputs}) == len(questions)
    assert [output["asked"]["text"] for output in outputs] == [question["question"] for question in questions]
    await assert_paid(here, server, outputs, len(server.bill))
    assert len(server.bill) > len(questions)


async def test_a_question_that_is_given_up_leaves_its_request_in_the_ledger(world: ServedWorld, server: ModelServer) -> None:
    server.answer_with(lambda body, number: "hang")
    here = world.with_models(server, timeout_s=SLOW_S)
    asking = asyncio.create_task(here.ask())
    while not server.requests:  # noqa: ASYNC110  # the other side is a thread
        await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.settled()
    assert here.paid() == billed(server) == [("small", here.paid()[0][1], 0, 0)]
    assert await here.cost() == price(billed(server))


async def test_a_question_whose_budget_is_nothing_makes_no_request(world: ServedWorld, server: ModelServer) -> None:
    here = world.with_models(server)
    output = await here.ask(max_cost_usd=0.0)
    assert "raise max_cost_usd" in output["error"]
    await assert_paid(here, server, [output], 0)


async def test_a_questions_budget_ends_its_retries(world: ServedWorld, server: ModelServer) -> None:
    server.answer_with(lambda body, number: "drop")
    here = world.with_models(server, patience=Patience(tries=9, backoff_s=0.001))
    output = await here.ask(max_cost_usd=0.0006)
    assert 1 <= len(server.bill) < 9
    assert Decimal(output["cost_usd"] or "NaN") <= Decimal("0.0006")
    assert output["error"] == "the budget of this question does not reach another call of 'small'; raise max_cost_usd"
    await assert_paid(here, server, [output], len(server.bill))


@pytest.mark.parametrize("policy", ["refuse", "degrade", "warn"])
async def test_a_budget_of_the_day_refuses_degrades_or_warns_and_the_bill_is_right(
    world: ServedWorld, server: ModelServer, policy: Policy
) -> None:
    here = world.with_models(server, patience=PATIENCE)
    budgets = Budgets(here.services.books.ledger, default=Budget(usd_per_day=Decimal("0.0012"), policy=policy))
    here = replace(here, services=replace(here.services, budgets=budgets))
    outputs = await asyncio.gather(*(here.ask(question, use_cache=False) for question in OTHERS))
    refused = [output["error"] for output in outputs if output["error"]]
    assert all("does not fit the budget of the tenant 'acme'" in error for error in refused)
    assert bool(refused) is (policy == "refuse")
    await assert_paid(here, server, outputs, len(server.bill))
    if policy == "refuse":
        assert server.bill
        assert await here.cost() <= Decimal("0.0012")
