"""Bad answers are asked again with one thing changed, and what they came from is named, at its own cost."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from graph.blaming import blame
from graph.replaying import Replayer
from groat.blame.investigate import Verdict
from groat.blame.records import Wanted
from groat.blame.reference import Reference
from groat.blame.snapshot import Blamed, Snapshot
from groat.costs.amounts import utc_day
from groat.errors import BadInput
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World
from tests.graph.test_recording import kept, recorded

ZH, ZH_GOOD = "新密码至少要有几个字符", "新密码至少要有 10 个字符。[zh-reset]"
OTHER = "After five wrong codes the account is closed for one hour. [en-reset]"
ZH_OTHER = "忘记密码时请点击登录页的链接。[zh-reset]"
REFERENCES: dict[str, Reference] = {
    "en": {"answer": "A password reset link is valid for 20 minutes.", "groups": [["20 minutes"]], "documents": ["en-reset"]},
    "zh": {"answer": "新密码至少要有 10 个字符。", "groups": [["10 个字符"]], "documents": ["zh-reset"]},
}
TEXTS = {"en": (QUESTION, GOOD, OTHER), "zh": (ZH, ZH_GOOD, ZH_OTHER)}


async def answered(world: World, language: str, **knobs: Any) -> Snapshot:
    recorder = recorded(world)
    await world.ask(TEXTS[language][0], **knobs)
    return (await kept(recorder))[-1]


async def blamed(world: World, run: Snapshot, language: str = "en", **wanted: Any) -> tuple[Verdict, Blamed]:
    given = {"reference": REFERENCES[language], "mark": "user", **wanted}
    return await blame(run, world.services, Replayer(world.services), **given)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_model_that_answers_rightly_when_asked_again_slipped(make_world: MakeWorld, language: str) -> None:
    _, good, other = TEXTS[language]
    world = make_world([other, good], [good], share=None)
    verdict, found = await blamed(world, await answered(world, language), language)
    assert (verdict.origin, found.missed_by) == ("model_cheap", "checks")
    assert verdict.replays[0].right is True
    assert found.calls <= 3
    assert verdict.confidence >= 0.95


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_question_that_only_the_expensive_model_can_answer_was_sent_to_the_wrong_one(
    make_world: MakeWorld, language: str
) -> None:
    _, good, other = TEXTS[language]
    world = make_world([other], [good], share=None)
    verdict, found = await blamed(world, await answered(world, language), language)
    assert verdict.origin == "router"
    assert {replay.lever: replay.right for replay in verdict.replays}["expensive"] is True
    assert found.body["evidence"]["decision"]["route"]["tier"] == "cheap"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_right_answer_is_no_fault(make_world: MakeWorld, language: str) -> None:
    world = make_world([TEXTS[language][1]])
    verdict, found = await blamed(world, await answered(world, language), language)
    assert (verdict.origin, found.missed_by) == ("no_fault", "none")


async def test_replays_stand_under_their_own_heading_and_change_nothing(make_world: MakeWorld) -> None:
    world = make_world([OTHER], [GOOD], share=None)
    recorder = recorded(world)
    await world.ask()
    (run,) = await kept(recorder)
    entries, counts = await world.services.answers.count(), dict(world.services.answers.counts.totals())
    verdict, found = await blamed(world, run)
    await recorder.close(within_s=30)
    report = await world.services.books.ledger.day(utc_day(run.at))
    lines = {line.purpose: spent for line, spent in report.by_line.items() if line.purpose in ("answer", "blame") and line.tier}
    assert lines["answer"].calls == 1
    replayed = [spent for line, spent in report.by_line.items() if line.purpose == "blame" and line.tier]
    assert sum(spent.calls for spent in replayed) == verdict.calls == found.calls
    assert sum((spent.cost_usd for spent in replayed), Decimal(0)) == Decimal(found.cost_usd or "nan")
    assert report.questions.questions == 1
    assert await world.services.answers.count() == entries
    assert dict(world.services.answers.counts.totals()) == counts
    assert len((await recorder.runs.find(Wanted())).runs) == 1
    assert "remember" in run.path


async def test_a_spent_budget_ends_it_without_a_guess(make_world: MakeWorld) -> None:
    world = make_world([OTHER], [GOOD], share=None)
    run = await answered(world, "en")
    calls = world.calls
    verdict, _ = await blamed(world, run, max_cost_usd=Decimal(0))
    assert (verdict.origin, verdict.stopped, world.calls) == ("unclear", "budget", calls)


async def test_a_run_without_its_texts_cannot_be_asked_again(make_world: MakeWorld) -> None:
    world = make_world([OTHER])
    run = await answered(world, "en")
    with pytest.raises(BadInput, match="GROAT_KEEP_RUN_TEXTS"):
        await blamed(world, replace(run, texts=False))
