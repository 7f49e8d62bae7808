"""Audits of the router: who is drawn, what is asked, what is recorded, and that nobody waits for it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from groat.cache.background import Background
from groat.embedding import Vector
from groat.errors import StorageError
from groat.routing.audit import Asks, Bought, Compared, Ended, Given, RouteAudits
from groat.routing.records import Found, RouteRecords
from groat.routing.router import Evidence
from groat.types import Route, Tier
from tests.fakes import asked

CHEAP = Given(model="small", answer="20 minutes", ok=True, in_tokens=90, out_tokens=5)
EXPENSIVE = Given(model="big", answer="twenty minutes", ok=True, in_tokens=200, out_tokens=9)
QUESTIONS = {"en": "How long is the link valid?", "zh": "链接有效期多长？"}


@dataclass
class World:
    """What an audit asks, and what it was asked."""

    other: Given | None = CHEAP
    same: Literal["right", "wrong", "undecided"] = "right"
    asked: list[Tier] = field(default_factory=list)
    compared: int = 0

    async def ask(self, ended: Ended, tier: Tier) -> Bought:
        self.asked.append(tier)
        return Bought(given=self.other, cost_usd="0" if self.other is None else "0.002", calls=int(self.other is not None))

    async def compare(self, ended: Ended, given: Mapping[Tier, Given]) -> Compared:
        self.compared += 1
        return Compared(same=self.same, cost_usd="0.001", calls=1)

    async def embed(self, text: str) -> Vector:
        return np.full(4, 0.5, dtype=np.float32)

    def audits(self, folder: Path, *, share: float = 1.0, keep_text: bool = False) -> RouteAudits:
        def total(one: str | None, other: str | None) -> str | None:
            return None if one is None or other is None else f"{float(one) + float(other):g}"

        asks = Asks(
            other=self.ask, compare=self.compare, embed=self.embed, embedder="e", total=total, clock=lambda: 1e6
        )  # fmt: skip
        records = RouteRecords(folder / "routing.sqlite")
        return RouteAudits(records, asks, Background(), Background(), share=share, keep_text=keep_text)


def ended(run: str = "r", *, language: str = "en", **given: Given) -> Ended:
    route: Route = {
        "tier": "expensive", "kind": "knowledge", "p_cheap_ok": 0.5, "threshold": 0.9, "reasons": [], "artifact": "v1"
    }  # fmt: skip
    tiers: dict[Tier, Given] = {tier: given[tier] for tier in ("cheap", "expensive") if tier in given}
    return Ended(
        run=run,
        asked=asked(QUESTIONS[language], history=["Hi", "Hello"]),
        route=route,
        evidence=Evidence(similarities=[0.8, 0.5], documents=2),
        given=tiers or {"expensive": EXPENSIVE},
        again=None,
    )


async def _found(world: World, folder: Path, question: Ended) -> Found:
    audits = world.audits(folder)
    audits.answered(question)
    await audits.close(within_s=10)
    (row,) = await audits.records.outcomes()
    return row.found


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_tier_that_did_not_answer_is_asked_and_both_outcomes_are_kept(language: str, tmp_path: Path) -> None:
    world = World()
    audits = world.audits(tmp_path)
    audits.answered(ended(language=language))
    await audits.close(within_s=10)
    (row,) = await audits.records.outcomes()
    assert (world.asked, world.compared) == (["cheap"], 1)
    assert (row.found, row.drawn_with, row.cost_usd, row.calls) == ("as_good", 1.0, "0.003", 2)
    assert (row.language, row.tenant, row.text) == (language, "acme", None)
    assert row.cheap is not None
    assert row.expensive is not None
    assert (row.cheap.model, row.cheap.ok, row.cheap.out_tokens) == ("small", 1.0, 5)
    assert (row.expensive.model, row.expensive.ok, row.expensive.in_tokens) == ("big", 1.0, 200)
    assert (row.similarities, row.documents, row.history_turns) == ((0.8, 0.5), 2, 2)


async def test_after_an_escalation_nobody_is_asked_since_both_answers_are_there(tmp_path: Path) -> None:
    world = World(same="wrong")
    assert await _found(world, tmp_path, ended(cheap=CHEAP, expensive=EXPENSIVE)) == "worse"
    assert world.asked == []


@pytest.mark.parametrize(
    ("cheap", "expensive", "found"),
    [
        (replace(CHEAP, ok=False), EXPENSIVE, "worse"),
        (CHEAP, replace(EXPENSIVE, ok=False), "better"),
        (replace(CHEAP, ok=False), replace(EXPENSIVE, ok=False), "neither"),
        (replace(CHEAP, ok=False, failed=True), EXPENSIVE, "failed"),
        (CHEAP, replace(EXPENSIVE, ok=False, failed=True), "failed"),
    ],
)
async def test_answers_that_failed_their_checks_are_not_compared(
    cheap: Given, expensive: Given, found: Found, tmp_path: Path
) -> None:
    world = World()
    assert await _found(world, tmp_path, ended(cheap=cheap, expensive=expensive)) == found
    assert world.compared == 0


async def test_what_cannot_be_told_gives_no_label(tmp_path: Path) -> None:
    for number, world in enumerate((World(same="undecided"), World(other=None))):
        audits = world.audits(tmp_path / str(number))
        audits.answered(ended())
        await audits.close(within_s=10)
        (row,) = await audits.records.outcomes()
        assert (row.found, row.cheap, row.expensive) == (["undecided", "budget"][number], None, None)


async def test_a_price_that_is_unknown_makes_the_cost_unknown_and_not_zero(tmp_path: Path) -> None:
    class Dear(World):
        async def ask(self, ended: Ended, tier: Tier) -> Bought:
            return Bought(given=CHEAP, cost_usd=None, calls=1)

    audits = Dear().audits(tmp_path)
    audits.answered(ended())
    await audits.close(within_s=10)
    assert (await audits.records.outcomes())[0].cost_usd is None


async def test_texts_are_kept_only_when_that_is_switched_on(tmp_path: Path) -> None:
    audits = World().audits(tmp_path, keep_text=True)
    audits.answered(ended())
    await audits.close(within_s=10)
    assert (await audits.records.outcomes())[0].text == QUESTIONS["en"]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_questions_are_drawn_with_the_share_by_their_run_alone(share: float, tmp_path: Path) -> None:
    audits = World().audits(tmp_path, share=share)
    drawn = [audits.draws(f"run-{number}") for number in range(20_000)]
    assert drawn == [audits.draws(f"run-{number}") for number in range(20_000)]
    # Five standard deviations.
    assert abs(sum(drawn) / 20_000 - share) <= 5 * (share * (1 - share) / 20_000) ** 0.5


async def test_the_probability_of_being_drawn_is_kept_with_the_outcome(tmp_path: Path) -> None:
    audits = World().audits(tmp_path, share=0.5)
    runs = [f"run-{number}" for number in range(20)]
    for run in runs:
        audits.answered(ended(run))
    await audits.close(within_s=10)
    rows = await audits.records.outcomes()
    assert {row.run for row in rows} == {run for run in runs if audits.draws(run)}
    assert {row.drawn_with for row in rows} == {0.5}


async def test_what_is_not_drawn_costs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    world = World()
    audits = world.audits(tmp_path, share=0.0)
    audits.answered(ended())
    await audits.close(within_s=10)
    assert (world.asked, list(tmp_path.iterdir())) == ([], [])


async def test_whoever_hands_a_question_over_does_not_wait_for_the_audit(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow(World):
        async def ask(self, ended: Ended, tier: Tier) -> Bought:
            begun.set()
            await go_on.wait()
            return Bought(given=CHEAP)

    audits = Slow().audits(tmp_path)
    audits.answered(ended())
    await begun.wait()
    assert not (tmp_path / "routing.sqlite").exists()
    go_on.set()
    await audits.close(within_s=10)
    assert len(await audits.records.outcomes()) == 1


async def test_too_much_work_is_dropped_and_counted(tmp_path: Path) -> None:
    class Full:
        def submit(self, work: Callable[[], Awaitable[None]]) -> bool:
            return False

        async def close(self, *, within_s: float) -> int:
            return 0

    audits = RouteAudits(RouteRecords(tmp_path / "r"), World().audits(tmp_path)._asks, Full(), Full(), share=1.0)
    audits.answered(ended())
    audits.decided("r", asked("?"), {**ended().route, "shadow": {"artifact": "v2", "tier": "cheap", "p_cheap_ok": 0.9}})
    assert audits.dropped == 2


async def test_records_that_cannot_be_written_are_told_in_the_log_without_the_question(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: RouteRecords, outcome: object) -> None:
        raise StorageError("the records are away")

    monkeypatch.setattr(RouteRecords, "add", refuse)
    audits = World().audits(tmp_path)
    with caplog.at_level(logging.WARNING):
        audits.answered(ended())
        await audits.close(within_s=10)
    assert audits.failed == 1
    assert "the records are away" in caplog.text
    assert QUESTIONS["en"] not in caplog.text


async def test_a_shadow_is_recorded_beside_what_was_decided(tmp_path: Path) -> None:
    audits = World().audits(tmp_path, share=0.0)
    question = ended()
    audits.decided("a", question.asked, question.route)
    audits.decided("b", question.asked, {**question.route, "shadow": {"artifact": "v2", "tier": "cheap", "p_cheap_ok": 0.9}})
    await audits.close(within_s=10)
    assert await audits.records.decisions() == {("v1", "expensive", "v2", "cheap"): 1}
