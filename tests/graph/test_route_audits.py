"""Audits of the router through the whole graph: what is asked, who pays, and what the outside sees."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from graph.context import Context
from graph.route_auditing import open_route_audits
from graph.settings import Settings
from groat.costs import Budget, Budgets, Ledger
from groat.costs.amounts import utc_day
from groat.routing import Router
from groat.routing.live import LiveRouter
from groat.routing.look import learnable
from groat.routing.records import Outcome
from groat.routing.versions import RouterVersions
from tests.graph.conftest import GOOD, QUESTION, WRONG, MakeWorld, World
from tests.routing import artifact_of

OTHER = "After five wrong codes the account is closed for one hour. [en-reset]"
ZH, ZH_GOOD = "怎么修改密码", "在“设置”里点“账号安全”即可修改密码。[zh-reset]"


def audited(world: World, **settings: object) -> World:
    """Let every question be audited."""
    chosen = Settings.model_validate({"data_dir": world.folder, "route_audit_share": 1.0, **settings})
    world.services = replace(world.services, route_audits=open_route_audits(chosen, world.services))
    return world


async def outcomes(world: World) -> list[Outcome]:
    """Wait for the audits and return what they found."""
    audits = world.services.route_audits
    assert audits is not None
    await audits.close(within_s=60)
    return await audits.records.outcomes()


@pytest.mark.parametrize(("question", "answer"), [(QUESTION, GOOD), (ZH, ZH_GOOD)], ids=["en", "zh"])
@pytest.mark.parametrize("p_cheap_ok", [0.9, 0.1], ids=["cheap served", "expensive served"])
async def test_the_other_tier_answers_too_and_both_count_as_right_when_they_say_the_same(
    make_world: MakeWorld, question: str, answer: str, p_cheap_ok: float
) -> None:
    world = audited(make_world([answer], [answer], p_cheap_ok=p_cheap_ok))
    output = await world.ask(question)
    served = "cheap" if p_cheap_ok > 0.5 else "expensive"
    assert (output["answer"], output["attempts"][-1]["tier"], len(output["attempts"])) == (answer, served, 1)
    (row,) = await outcomes(world)
    assert (row.found, row.language, row.drawn_with, row.calls) == ("as_good", "zh" if question == ZH else "en", 1.0, 1)
    assert (len(world.cheap.prompts), len(world.expensive.prompts)) == (1, 1)
    assert row.cheap is not None
    assert row.expensive is not None
    assert (row.cheap.model, row.expensive.model) == ("small", "big")
    assert row.cheap.in_tokens is not None
    assert row.cheap.in_tokens > 20
    (labelled,), _, left_out = learnable([row], embedder="words/256")
    assert (labelled.gain, labelled.weight, left_out) == (0.0, 1.0, {})


async def test_the_audit_stands_in_the_ledger_under_its_own_heading_and_not_in_the_question(make_world: MakeWorld) -> None:
    world = audited(make_world())
    output = await world.ask()
    (row,) = await outcomes(world)
    report = await world.services.books.ledger.day(utc_day(time.time()))
    assert {line.model: (line.purpose, spent.calls) for line, spent in report.by_line.items() if line.purpose != "vectors"} == {
        "small": ("answer", 1), "big": ("audit", 1), "words/256": ("audit", 1)
    }  # fmt: skip
    assert output["cost_usd"] is not None
    assert report.total.cost_usd - report.audits.cost_usd == Decimal(output["cost_usd"])
    assert row.cost_usd is not None
    assert Decimal(row.cost_usd) == report.audits.cost_usd > 0
    assert report.questions.questions == 1


async def test_answers_that_do_not_say_the_same_count_against_the_cheap_one(make_world: MakeWorld) -> None:
    world = audited(make_world([OTHER], [GOOD]))
    await world.ask()
    (row,) = await outcomes(world)
    assert row.found == "worse"


async def test_an_escalation_is_an_audit_that_costs_nothing(make_world: MakeWorld) -> None:
    world = audited(make_world([WRONG], [GOOD]))
    output = await world.ask()
    assert [attempt["tier"] for attempt in output["attempts"]][-1] == "expensive"
    calls = world.calls
    (row,) = await outcomes(world)
    assert (row.found, row.cost_usd, row.calls, world.calls) == ("worse", "0", 0, calls)


async def test_a_model_that_is_away_says_nothing_about_its_quality(make_world: MakeWorld) -> None:
    world = audited(make_world([GOOD], [KeyError("away")]))
    assert (await world.ask())["answer"] == GOOD
    (row,) = await outcomes(world)
    assert (row.found, row.cheap) == ("failed", None)


async def test_a_spent_budget_is_not_overdrawn_for_audits(make_world: MakeWorld) -> None:
    def budgets(ledger: Ledger) -> Budgets:
        return Budgets(ledger, default=Budget(usd_per_day=Decimal("0.000001"), policy="warn"))

    world = audited(make_world(budgets=budgets))
    await world.ask()
    (row,) = await outcomes(world)
    assert (row.found, world.calls) == ("budget", 1)


async def test_only_what_the_router_decided_on_is_audited(make_world: MakeWorld) -> None:
    world = audited(make_world())
    await world.ask(tier="cheap")
    await world.ask("Thanks a lot!")
    await world.ask("How long is the link valid, as data?", response_schema={"type": "object"})
    assert await outcomes(world) == []


async def test_a_hit_is_no_fresh_question(make_world: MakeWorld) -> None:
    world = audited(make_world())
    await world.ask()
    assert (await world.ask())["path"] == ["check_cache"]
    assert len(await outcomes(world)) == 1


async def test_an_audit_keeps_nothing_in_the_cache_and_shows_nothing_on_the_stream(make_world: MakeWorld) -> None:
    world = audited(make_world(p_cheap_ok=0.1))
    graph, boxes = world.graph(), []
    async for mode, event in graph.astream(
        {"question": QUESTION}, context=Context(tenant="acme"), stream_mode=["custom", "updates"]
    ):
        boxes += list(event) if mode == "updates" else []
    assert boxes == ["check_cache", "retrieve", "route", "compress", "answer_expensive", "validate", "remember"]
    assert len(await outcomes(world)) == 1
    assert await world.services.answers.count() == 1


async def test_one_model_in_both_tiers_is_not_audited(make_world: MakeWorld) -> None:
    world = make_world()
    same = world.services.answerer.endpoints["cheap"]
    world.services.answerer.endpoints["expensive"] = same
    world = audited(world)
    await world.ask()
    assert await outcomes(world) == []


async def test_what_answers_offline_is_not_audited(make_world: MakeWorld) -> None:
    world = make_world()
    for tier in ("cheap", "expensive"):
        offline = replace(world.services.answerer.endpoints[tier], offline=True)
        world.services.answerer.endpoints[tier] = offline
    await audited(world).ask()
    assert await outcomes(world) == []


async def test_the_turns_before_are_asked_with(make_world: MakeWorld) -> None:
    world = audited(make_world())
    graph = world.graph()
    messages: list[AnyMessage] = [
        HumanMessage("Tell me of the reset link."), AIMessage("It is sent by mail."), HumanMessage("How long is it valid?")
    ]  # fmt: skip
    await graph.ainvoke({"messages": messages}, context=Context(tenant="acme"))
    (row,) = await outcomes(world)
    assert row.history_turns == 2
    texts = [[message.text for message in prompts[-1]] for prompts in (world.cheap.prompts, world.expensive.prompts)]
    assert any("It is sent by mail." in text for text in texts[0])
    assert any("It is sent by mail." in text for text in texts[1])


@pytest.mark.parametrize("question", [QUESTION, ZH], ids=["en", "zh"])
async def test_a_shadow_is_recorded_for_every_question_and_never_followed(make_world: MakeWorld, question: str) -> None:
    world = make_world()
    args = {"dimensions": 256, "embedder": "words/256", "points": ((0.0, 0.0),)}
    router = Router(
        artifact_of(-0.8, version="now", **args), embedder="words/256", shadow=artifact_of(0.8, version="next", **args)  # type: ignore[arg-type]
    )  # fmt: skip
    world.services = replace(world.services, router=router)
    output = await audited(world, route_audit_share=0.0).ask(question)
    assert output["attempts"][0]["tier"] == "cheap"
    assert await outcomes(world) == []
    audits = world.services.route_audits
    assert audits is not None
    assert await audits.records.decisions() == {("now", "cheap", "next", "expensive"): 1}


async def test_a_running_graph_follows_a_promotion_and_its_rollback(make_world: MakeWorld) -> None:
    world = make_world()
    versions = RouterVersions(
        world.folder / "routers",
        shipped=lambda: artifact_of(-0.8, dimensions=256, embedder="words/256", version="old", points=((0.0, 0.0),)),
    )
    versions.add(artifact_of(0.8, dimensions=256, embedder="words/256", version="new", points=((0.0, 0.0),)))
    world.services = replace(world.services, router=LiveRouter(versions, embedder="words/256", every_s=0.0))
    graph, tiers = world.graph(), []
    for change in ("none", "promotion", "rollback"):
        if change == "promotion":
            versions.promote("new", embedder="words/256")
        elif change == "rollback":
            versions.rollback(embedder="words/256")
        output = await graph.ainvoke({"question": QUESTION}, context=Context(tenant="acme", use_cache=False))
        tiers.append((output["route"]["artifact"], output["attempts"][0]["tier"]))
    assert tiers == [("old", "cheap"), ("new", "expensive"), ("old", "cheap")]
