"""Bounds, budgets, failures and who may see what."""

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.exceptions import ModelAuthenticationError, ModelConnectionError, ModelRateLimitError
from langchain_core.messages import AIMessage

from graph.context import Context
from groat.cache import AnswerCache, SqliteStore
from groat.costs import Books, SqliteLedger
from groat.errors import BadInput, UnknownTenant
from groat.tracing import names
from groat.types import BOUNDS
from tests.graph.conftest import GOOD, QUESTION, UNCITED, WRONG, MakeWorld, Reply, World, dollars

MOST_ATTEMPTS = (1 + BOUNDS["escalations"]) * (1 + BOUNDS["fixes_per_tier"]) + BOUNDS["decompressions"]


async def test_whatever_the_models_answer_the_question_ends_within_the_bounds(make_world: MakeWorld) -> None:
    bad: list[Reply] = [WRONG, UNCITED, "[no answer]", "", ModelConnectionError("away"), ModelAuthenticationError("no")]
    for cheap, expensive in itertools.product(bad, bad):
        world = make_world([cheap], [expensive])
        output = await world.ask()
        assert len(output["attempts"]) <= MOST_ATTEMPTS
        assert world.calls == sum(len(attempt["calls"]) for attempt in output["attempts"]) <= 2 * MOST_ATTEMPTS
        assert (output["verified"], output["verdicts"][-1]["step"]) == (False, "exhausted")
        assert len(output["verdicts"]) == len(output["attempts"])
        assert bool(output["answer"]) != bool(output["error"])
    assert await world.services.answers.count() == 0


async def test_the_bound_can_be_reached_and_is_not_passed(make_world: MakeWorld) -> None:
    world = make_world([UNCITED, WRONG, UNCITED], [UNCITED])
    output = await world.ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["fix", "decompress", "escalate", "fix", "exhausted"]
    assert world.calls == MOST_ATTEMPTS


async def test_a_dead_model_gives_a_sentence_and_no_entry(make_world: MakeWorld) -> None:
    world = make_world([ModelAuthenticationError("sk-secret " + QUESTION)], [ModelRateLimitError("sk-secret")])
    output = await world.ask()
    assert (output["answer"], output["verified"], output["sources"]) == ("", False, [])
    assert (
        output["error"] == "the expensive model 'big' is over its rate limit or quota; wait, or raise the limit at the provider"
    )
    assert output["cost_usd"] is not None
    assert dollars(output["cost_usd"]) == 0
    assert [charge["outcome"] for charge in output["charges"] if charge["kind"] == "chat"] == [
        "auth",
        "rate_limit",
        "rate_limit",
    ]
    assert await world.services.answers.count() == 0


async def test_a_dead_cheap_model_is_replaced_by_the_expensive_one(make_world: MakeWorld) -> None:
    output = await make_world([ModelAuthenticationError("no")]).ask()
    assert (output["answer"], output["verified"], output["error"]) == (GOOD, True, "")


async def test_a_budget_of_nothing_calls_nobody_and_says_so(world: World) -> None:
    output = await world.ask(max_cost_usd=0.0)
    assert world.calls == 0
    assert output["answer"] == ""
    assert output["error"] == "the budget of this question does not reach a call of the cheap model; raise max_cost_usd"


@pytest.mark.parametrize("budget", [0.0001, 0.0005, 0.001, 0.002, 0.01])
async def test_a_budget_is_never_exceeded(make_world: MakeWorld, budget: float) -> None:
    output = await make_world([WRONG], [WRONG]).ask(max_cost_usd=budget)
    assert dollars(output["cost_usd"]) <= budget
    if budget < 0.001:
        assert output["attempts"][-1].get("failure") == "budget"
        assert "the call failed: budget" in output["verdicts"][-1]["reason"]


@pytest.mark.parametrize("budget", [0.0006, 0.001, 0.002])
async def test_an_answer_that_would_not_end_is_cut_at_the_budget(make_world: MakeWorld, budget: float) -> None:
    endless = "The reset link is valid for 20 minutes. " * 120
    output = await make_world([endless], [endless]).ask(max_cost_usd=budget)
    assert 0.9 * budget < dollars(output["cost_usd"]) <= budget
    assert (output["verified"], output["attempts"][0]["finish_reason"]) == (False, "length")


async def test_a_budget_too_small_for_the_expensive_model_routes_to_the_cheap_one(make_world: MakeWorld) -> None:
    output = await make_world(p_cheap_ok=0.1).ask(max_cost_usd=0.0005)
    assert output["route"] is not None
    assert (output["route"]["tier"], output["route"]["reasons"]) == ("cheap", ["the budget does not reach the expensive model"])
    assert output["verified"] is True


async def test_an_unknown_price_fits_no_budget(make_world: MakeWorld) -> None:
    unpriced = ("model-without-price", "other-without-price")
    refused = await make_world(priced_as=unpriced).ask(max_cost_usd=100.0)
    assert "budget" in refused["error"]
    answered = await make_world(priced_as=unpriced).ask()
    assert (answered["answer"], answered["cost_usd"], answered["baseline_cost_usd"]) == (GOOD, None, None)


async def test_an_unknown_tenant_fails_closed(world: World) -> None:
    with pytest.raises(UnknownTenant, match="'nobody' is not known; ingest documents"):
        await world.ask(tenant="nobody")
    assert (world.calls, world.words.queried) == (0, [])


async def test_another_tenants_answer_is_never_served(make_world: MakeWorld) -> None:
    world = make_world([GOOD, "[no answer]"], ["[no answer]"])
    await world.ask()
    other = await world.ask(tenant="other")
    assert other["lookup"]["outcome"] == "miss"
    assert (other["sources"], other["shortened"]) == ([], None)
    assert "20 minutes" not in world.cheap.prompts[1][-1].text


async def test_not_even_an_answer_without_documents_is_shared_between_tenants(make_world: MakeWorld) -> None:
    world = make_world(["Hello, people of acme.", "Hello."])
    await world.ask("Hello!")
    other = await world.ask("Hello!", tenant="other")
    assert (other["lookup"]["outcome"], other["answer"]) == ("miss", "Hello.")


@pytest.mark.parametrize("question", ["Where is my refund?", "我的退款到哪儿了"])
async def test_a_personal_question_is_never_kept(make_world: MakeWorld, question: str) -> None:
    answer = "A refund arrives within 5 working days. [en-refund]"
    world = make_world([answer], [answer])
    for _ in range(2):
        output = await world.ask(question, language="en")
        assert (output["lookup"]["outcome"], output["lookup"]["reason"]) == ("off", "personal")
    assert await world.services.answers.count() == 0


@pytest.mark.parametrize("question", ["", "   \n", "x" * 20_001, "a\x00b", "a\x1bb"])
async def test_what_cannot_be_asked_is_refused_before_anything_is_called(world: World, question: str) -> None:
    with pytest.raises(BadInput):
        await world.ask(question)
    assert world.calls == 0


async def test_a_damaged_cache_does_not_stop_the_answer(world: World) -> None:
    (world.folder / "cache.sqlite").write_bytes(b"this is no database" * 100)
    output = await world.ask()
    assert (output["answer"], output["verified"]) == (GOOD, True)
    assert output["lookup"]["outcome"] == "error"
    assert "cache.sqlite" in output["lookup"]["reason"]


@pytest.mark.parametrize("use_cache", [True, False])
async def test_a_ledger_that_fails_does_not_stop_the_answer_and_is_seen(world: World, tmp_path: Path, use_cache: bool) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    old = world.services.books
    books = Books(old.prices, SqliteLedger(tmp_path / "file" / "ledger.sqlite"), baseline_model=old.baseline_model)
    blocked = replace(world, services=replace(world.services, books=books))
    events, answer = [], ""
    context = Context(tenant="acme", use_cache=use_cache)
    async for mode, part in blocked.graph().astream({"question": QUESTION}, context=context, stream_mode=["custom", "values"]):
        if mode == "custom":
            events.append(cast(dict[str, Any], part))
        else:
            answer = cast(dict[str, Any], part).get("answer", "")
    assert answer == GOOD
    failed = [event[names.EVENT] for event in events if event.get("ledger_failed")]
    assert failed == [names.CACHE_DECIDED if use_cache else names.ROUTED, names.ATTEMPTED]


async def test_a_changed_document_takes_its_answers_with_it(world: World, documents: Path, tmp_path: Path) -> None:
    await world.ask()
    changed = tmp_path / "en-reset.md"
    changed.write_text(
        "---\nid: en-reset\n---\n# Password reset\n\nA reset link is valid for 20 minutes only.\n", encoding="utf-8"
    )
    await world.services.knowledge.forget_document("en-reset")  # type: ignore[attr-defined]
    await world.services.knowledge.ingest([changed], tenant="acme")  # type: ignore[attr-defined]
    again = await world.ask()
    assert (again["lookup"]["outcome"], again["lookup"]["reason"]) == ("miss", "stale")


async def test_a_cache_without_thresholds_hits_equal_questions_only(world: World) -> None:
    exact = replace(world.services, answers=AnswerCache(SqliteStore(world.folder / "exact.sqlite"), None))
    bare = replace(world, services=exact)
    await bare.ask()
    assert (await bare.ask())["lookup"]["tier"] == "exact"
    assert (await bare.ask("How long is the password reset link valid for?"))["lookup"]["reason"] == "no_calibration"


async def test_a_cut_answer_is_not_accepted(make_world: MakeWorld) -> None:
    cut = AIMessage(GOOD, response_metadata={"finish_reason": "length"})
    output = await make_world([cut, GOOD]).ask()
    assert [verdict["step"] for verdict in output["verdicts"]] == ["fix", "accept"]


async def test_an_answer_that_a_budget_made_cheap_serves_nobody_without_that_budget(make_world: MakeWorld) -> None:
    world = make_world(p_cheap_ok=0.1)
    bounded = await world.ask(max_cost_usd=0.0005)
    assert (bounded["path"][-1], [attempt["tier"] for attempt in bounded["attempts"]]) == ("remember", ["cheap"])
    free = await world.ask()
    assert (free["lookup"]["outcome"], [attempt["tier"] for attempt in free["attempts"]]) == ("miss", ["expensive"])
    assert (await world.ask(max_cost_usd=0.0005))["lookup"]["outcome"] == "hit"
