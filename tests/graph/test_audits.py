"""Audits through the whole graph: what is asked again, who pays, and what the outside sees."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from graph.auditing import open_audits
from graph.context import Context
from graph.settings import Settings
from groat.answering import Adviser, Endpoint
from groat.cache import AnswerCache, SqliteStore
from groat.cache.accept import AcceptRule
from groat.cache.online import OnlineBound
from groat.cache.tallies import MemoryTallies
from groat.cache.verifier import Mode, Trees, Verifier
from groat.costs import Budget, Budgets, Ledger
from groat.costs.amounts import utc_day
from tests.fakes import ScriptedChat
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World, cache_calibration
from tests.unit.test_cache_accept import SURE, Says
from tests.unit.test_cache_audit import GRAY, STEPS
from tests.unit.test_cache_verifier import artifact

REWORDED = "How long is the password reset link valid for?"
OTHER = "After five wrong codes the account is closed for one hour. [en-reset]"
ZH, ZH_REWORDED, ZH_GOOD = "怎么修改密码", "密码怎么修改", "在“设置”里点“账号安全”即可修改密码。[zh-reset]"


def audited(world: World, *, share: float = 1.0, judge: Says | None = None) -> World:
    """Let every hit by likeness be audited, over the world's own cache; with a judge, under a rule that asks it."""
    store = SqliteStore(world.folder / "cache.sqlite")
    bound = OnlineBound(MemoryTallies(), "v")
    trees: dict[Mode, Trees] = {"judged": STEPS, "plain": STEPS}
    fitted = artifact(embedder="words/256", trees=trees, points={"en/judged": SURE, "zh/judged": SURE})
    rule = AcceptRule(cache_calibration(0.8), Verifier(fitted) if judge else None, judge, own=bound)
    services = replace(world.services, answers=AnswerCache(store, rule))
    settings = Settings(data_dir=world.folder, audit_share=share)
    world.services = replace(services, audits=open_audits(settings, services, store))
    return world


async def counted(world: World) -> dict[tuple[str, str], int]:
    """Wait for the audits and return what they found."""
    audits = world.services.audits
    assert audits is not None
    await audits.close(within_s=60)
    found: dict[tuple[str, str], int] = {}
    for cell, count in audits.bound.counts().items():
        found[cell.kind, cell.outcome] = found.get((cell.kind, cell.outcome), 0) + count
    return found


@pytest.mark.parametrize(
    ("question", "reworded", "answer"), [(QUESTION, REWORDED, GOOD), (ZH, ZH_REWORDED, ZH_GOOD)], ids=["en", "zh"]
)
async def test_a_hit_is_asked_again_without_the_cache_and_paid_for_under_its_own_heading(
    make_world: MakeWorld, question: str, reworded: str, answer: str
) -> None:
    world = audited(make_world([answer]))
    await world.ask(question)
    hit = await world.ask(reworded)
    assert (hit["lookup"]["reason"], hit["cost_usd"], hit["path"]) == ("similar", "0", ["check_cache"])
    assert await counted(world) == {("audit", "right"): 1}
    assert world.calls == 2
    assert reworded in world.cheap.prompts[1][-1].text
    report = await world.services.books.ledger.day(utc_day(time.time()))
    assert {line.purpose: spent.calls for line, spent in report.by_line.items() if line.model == "small"} == {
        "answer": 1,
        "audit": 1,
    }
    assert report.audits.cost_usd > 0
    assert report.total.cost_usd == report.audits.cost_usd + report.questions.cost_usd
    assert (report.questions.questions, report.cache.questions) == (2, 1)
    assert await world.services.answers.count() == 1


async def test_a_wrong_entry_is_kept_for_its_own_question_and_the_fresh_answer_for_the_other(make_world: MakeWorld) -> None:
    world = audited(make_world([GOOD, OTHER]))
    await world.ask()
    assert (await world.ask(REWORDED))["answer"] == GOOD
    assert await counted(world) == {("audit", "wrong"): 1}
    assert (await world.ask())["answer"] == GOOD
    again = await world.ask(REWORDED)
    assert (again["answer"], again["lookup"]["reason"]) == (OTHER, "exact")


async def test_what_the_models_fail_to_answer_decides_nothing_and_the_request_never_notices(make_world: MakeWorld) -> None:
    world = audited(make_world([GOOD, KeyError("away")], [KeyError("away")]))
    await world.ask()
    hit = await world.ask(REWORDED)
    assert (hit["answer"], hit["error"]) == (GOOD, "")
    assert await counted(world) == {("audit", "undecided"): 1}
    assert (await world.ask(REWORDED))["answer"] == GOOD


@pytest.mark.parametrize(
    ("question", "reworded", "answer"),
    [
        (QUESTION, "How long is a password reset link really valid?", GOOD),
        ("在手机上怎么修改账号的登录密码", "在手机上怎么才能修改账号的登录密码", ZH_GOOD),
    ],
    ids=["en", "zh"],
)
async def test_a_near_miss_that_got_the_same_answer_is_an_alias_from_then_on(
    make_world: MakeWorld, question: str, reworded: str, answer: str
) -> None:
    world = audited(make_world([answer]), share=0.0, judge=Says({question: GRAY}))
    await world.ask(question)
    miss = await world.ask(reworded)
    assert (miss["lookup"]["outcome"], miss["path"][-1], world.calls) == ("miss", "remember", 2)
    assert await counted(world) == {("gray", "right"): 1}
    assert await world.services.answers.count() == 1
    again = await world.ask(reworded)
    assert (again["lookup"]["reason"], again["answer"], world.calls) == ("alias", answer, 2)
    assert (await world.services.books.ledger.day(utc_day(time.time()))).audits.calls == 0
    await world.services.answers.invalidate([source["id"] for source in again["sources"]], tenant="acme")
    assert (await world.ask(reworded))["lookup"]["outcome"] == "miss"


async def test_a_near_miss_that_got_another_answer_stays_an_entry_of_its_own(make_world: MakeWorld) -> None:
    world = audited(make_world([GOOD, OTHER]), judge=Says({QUESTION: GRAY}))
    await world.ask()
    await world.ask("How long is a password reset link really valid?")
    assert await counted(world) == {("gray", "wrong"): 1}
    assert await world.services.answers.count() == 2


async def test_without_a_share_no_hit_is_asked_again(make_world: MakeWorld) -> None:
    world = audited(make_world(), share=0.0)
    await world.ask()
    await world.ask(REWORDED)
    assert await counted(world) == {}
    assert world.calls == 1


async def test_a_spent_budget_is_not_overdrawn_for_audits(make_world: MakeWorld) -> None:
    def budgets(ledger: Ledger) -> Budgets:
        return Budgets(ledger, default=Budget(usd_per_day=Decimal("0.000001"), policy="warn"))

    world = audited(make_world(budgets=budgets))
    await world.ask()
    assert (await world.ask(REWORDED))["lookup"]["reason"] == "similar"
    assert await counted(world) == {("event", "skipped_budget"): 1}
    assert world.calls == 1


@pytest.mark.parametrize(("mark", "expected"), [("10", "right"), ("1", "wrong"), ("5", "wrong"), ("fine", "wrong")])
async def test_a_judge_that_is_set_marks_the_kept_answer_before_the_texts_decide(
    make_world: MakeWorld, mark: str, expected: str
) -> None:
    judge = ScriptedChat(replies=[mark])
    world = make_world([GOOD, OTHER])
    endpoint = Endpoint(model=judge, name="second", priced_as="gpt-5-nano", key_setting="K")
    world.services = replace(world.services, advisers=(Adviser(endpoint=endpoint, role="judge"),))
    world = audited(world)
    await world.ask()
    await world.ask(REWORDED)
    assert await counted(world) == {("audit", expected): 1}
    (prompt,) = judge.prompts
    assert f"<answer>{GOOD}</answer>" in prompt[-1].text
    assert f"<question>{REWORDED}</question>" in prompt[-1].text
    report = await world.services.books.ledger.day(utc_day(time.time()))
    assert {line.purpose for line in report.by_line if line.model == "second"} == {"audit"}


async def test_audits_follow_the_knobs_of_the_question(make_world: MakeWorld) -> None:
    world = audited(make_world([OTHER], [GOOD]))
    await world.ask(tier="expensive")
    await world.ask(REWORDED, tier="expensive")
    assert await counted(world) == {("audit", "right"): 1}
    assert (len(world.cheap.prompts), len(world.expensive.prompts)) == (0, 2)


async def test_no_event_of_an_audit_reaches_the_stream_of_the_question(make_world: MakeWorld) -> None:
    world = audited(make_world())
    await world.ask()
    graph, events = world.graph(), []
    async for event in graph.astream({"question": REWORDED}, context=Context(tenant="acme"), stream_mode="custom"):
        events.append(event)
    assert await counted(world) == {("audit", "right"): 1}
    assert len(events) == 1
