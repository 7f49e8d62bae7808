"""Budgets of a day, in the whole graph."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from groat.costs import Budget, Budgets, Ledger, Policy
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, dollars


def _budget(dollars_a_day: str, policy: Policy) -> Callable[[Ledger], Budgets]:
    return lambda ledger: Budgets(ledger, default=Budget(usd_per_day=Decimal(dollars_a_day), policy=policy))


async def test_a_spent_budget_refuses_with_a_sentence_and_calls_nobody(make_world: MakeWorld) -> None:
    world = make_world(budgets=_budget("0", "refuse"))
    output = await world.ask()
    assert (output["answer"], world.calls) == ("", 0)
    assert "budget" in output["error"]
    assert "00:00 UTC" in output["error"]


async def test_a_budget_that_warns_lets_the_call_through(make_world: MakeWorld) -> None:
    output = await make_world(budgets=_budget("0", "warn")).ask()
    assert (output["answer"], output["verified"]) == (GOOD, True)


async def test_a_spent_budget_that_degrades_asks_the_cheap_model_instead(make_world: MakeWorld) -> None:
    world = make_world(budgets=_budget("0", "degrade"), p_cheap_ok=0.1)
    output = await world.ask()
    assert (output["answer"], output["verified"]) == (GOOD, True)
    assert [attempt["tier"] for attempt in output["attempts"]] == ["cheap"]
    assert output["path"][-1] == "remember"
    assert await world.services.answers.count() == 0  # a degraded answer serves nobody with a larger budget


async def test_a_budget_that_runs_out_at_the_expensive_call_falls_back_to_the_cheap_model(make_world: MakeWorld) -> None:
    # Not spent, so the router may choose; but an expensive call does not fit.
    world = make_world(budgets=_budget("0.0005", "degrade"), p_cheap_ok=0.1)
    output = await world.ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["degrade", "accept"]
    assert [attempt["tier"] for attempt in output["attempts"]] == ["expensive", "cheap"]
    assert (output["answer"], world.expensive.prompts) == (GOOD, [])
    assert await world.services.answers.count() == 0


@pytest.mark.parametrize("policy", ["refuse", "degrade"])
async def test_an_unknown_price_fits_no_budget(make_world: MakeWorld, policy: Policy) -> None:
    world = make_world(budgets=_budget("5", policy), priced_as=("nobody-knows", "nobody-knows"))
    output = await world.ask()
    assert (output["answer"], world.calls) == ("", 0)
    assert "price" in output["error"]


async def test_questions_at_once_never_spend_more_than_the_budget(make_world: MakeWorld) -> None:
    price = dollars((await make_world().ask(use_cache=False))["charges"][-1]["cost_usd"])
    world = make_world(budgets=_budget(f"{price * 12:f}", "refuse"))
    outputs = await asyncio.gather(*(world.ask(f"{QUESTION} ({number})", use_cache=False) for number in range(20)))
    answered = [output for output in outputs if output["answer"]]
    assert 0 < len(answered) < 20
    assert (await world.ledger()).cost_usd <= price * 12
