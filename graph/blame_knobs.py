"""Turns a knob and asks the bad cases again: how many are gone, and what the turn costs on good ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from typing_extensions import TypedDict

from graph.blame_judging import judge_for
from graph.replaying import Replayer, Script
from graph.services import Services
from groat.blame.records import Kept
from groat.blame.reference import Reference, read_reference
from groat.blame.snapshot import Origin, Snapshot
from groat.costs import total_text
from groat.errors import GroatError

MOST_CASES: Final = 60
"""Bad cases that are asked again for one knob."""
MOST_GOOD: Final = 20
"""Good runs that are asked again to see what a turn costs."""


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One turn of one knob."""

    name: str
    """The knob of a run, or the setting of the process."""
    old: float
    new: float
    origins: tuple[Origin, ...]
    """What it may help against."""


class Turned(TypedDict):
    """What came of a turn."""

    knob: str
    old: float
    new: float
    origins: list[Origin]
    cases: int
    """Bad cases that were asked again with the knob turned."""
    gone: int
    """Those of them that are answered rightly then, and not when they are asked again without the turn."""
    gone_anyway: int
    """Those that are right when they are asked again as they were: chance, or a repair that was made since."""
    good_runs: int
    """Good runs that were asked again to see what it costs."""
    lost: int
    """Those of them that came out wrong with the turn, where that can be told."""
    cost_change: float | None
    """Change of the cost of good runs, as a share of it; None when none was asked or a price is unknown."""
    stopped: str
    """"budget" when it ended early, else empty."""


def knobs_for(services: Services, cases: Sequence[Kept], *, max_wrong: float) -> list[Knob]:
    """Return the turns that may help against what was found, for the origins that were found.

    Args:
        services: what answers now.
        cases: bad runs with a verdict.
        max_wrong: share of wrong hits that is promised now.
    """
    loss = max((float(one.snapshot.knobs.get("max_quality_loss", 0.01)) for one in cases), default=0.01)
    stricter: list[Knob] = [
        Knob(name="max_quality_loss", old=loss, new=loss / 2, origins=("router", "compression", "model_cheap")),
        Knob(name="max_quality_loss", old=loss, new=loss / 10, origins=("router", "compression", "model_cheap")),
        Knob(name="max_quality_loss", old=loss, new=min(2 * loss, 1.0), origins=("validation",)),
        Knob(name="GROAT_CONTEXT_TOKENS", old=services.context_tokens, new=2 * services.context_tokens, origins=("retrieval",)),
        Knob(name="GROAT_RETRIEVE_K", old=services.retrieve_k, new=2 * services.retrieve_k, origins=("retrieval",)),
        Knob(name="GROAT_MAX_WRONG", old=max_wrong, new=max_wrong / 5, origins=("wrong_hit", "stale")),
    ]
    found = {one.blamed.origin for one in cases if one.blamed is not None}
    return [knob for knob in stricter if found & set(knob.origins)]


class KnobTurner:
    """Asks cases again with a knob turned, within a budget.

    Args:
        services: what answers; a turn is made on a copy.
        max_cost_usd: most that all turns together may cost, in dollars; None for no limit.
    """

    def __init__(self, services: Services, *, max_cost_usd: Decimal | None = None) -> None:
        """Ask nobody yet."""
        self._services = services
        self._as_it_is = Replayer(services)
        self._most = max_cost_usd
        self.spent_usd = Decimal(0)
        """What was spent so far, as far as prices are known."""
        self._before: dict[str, tuple[bool, str | None]] = {}

    async def turn(self, knob: Knob, bad: Sequence[Kept], good: Sequence[Kept]) -> Turned:
        """Return what a turn does to the bad cases it may help and to a sample of good runs."""
        turned = Replayer(_turned(self._services, knob))
        cases = [one for one in bad if one.blamed is not None and one.blamed.origin in knob.origins][:MOST_CASES]
        found: Turned = {
            "knob": knob.name, "old": knob.old, "new": knob.new, "origins": list(knob.origins), "cases": 0, "gone": 0,
            "gone_anyway": 0, "good_runs": 0, "lost": 0, "cost_change": None, "stopped": "",
        }  # fmt: skip
        for case in cases:
            if self._is_spent():
                return {**found, "stopped": "budget"}
            before, after = await self._as_before(case), await self._ask(turned, case, knob)
            if before is None or after is None:
                continue
            found["cases"] += 1
            found["gone"] += after[0] and not before[0]
            found["gone_anyway"] += before[0]
        amounts: list[tuple[str | None, str | None]] = []
        for case in good[:MOST_GOOD]:
            if self._is_spent():
                found["stopped"] = "budget"
                break
            before, after = await self._as_before(case), await self._ask(turned, case, knob)
            if before is None or after is None:
                continue
            found["good_runs"] += 1
            found["lost"] += before[0] and not after[0]
            # A kept answer that is served no more is paid for again.
            was = case.snapshot.cost_usd if case.snapshot.is_hit else before[1]
            amounts.append((was, after[1]))
        found["cost_change"] = _change(amounts)
        return found

    async def _as_before(self, case: Kept) -> tuple[bool, str | None] | None:
        run = case.snapshot
        if run.run not in self._before:
            asked = await self._ask(self._as_it_is, case, None)
            if asked is None:
                return None
            self._before[run.run] = asked
        return self._before[run.run]

    async def _ask(self, replayer: Replayer, case: Kept, knob: Knob | None) -> tuple[bool, str | None] | None:
        """Return whether a case is answered rightly, and what that cost; None when it cannot be asked or told."""
        run, reference = case.snapshot, reference_of(case)
        knobs: dict[str, Any] = dict(run.knobs)
        if knob is not None and knob.name in knobs:
            knobs[knob.name] = knob.new
        if run.is_hit and (knob is None or not self._closes(knob, run)):
            # The kept answer is served as it was: bad in a bad case.
            return case.blamed is None, run.cost_usd
        try:
            again = await replayer.run(run.asked, knobs, Script(), tier=run.knobs["tier"])
        except GroatError:
            return None
        cost = total_text(again.charges)
        self.spent_usd += Decimal(cost or 0)
        judge = judge_for(self._services, reference or _as_reference(run, case), f"{run.run}:{time.time_ns()}")
        right = await judge.right(run.asked, again.answer, again.passages)
        return None if right is None else (right and again.verified, cost)

    def _closes(self, knob: Knob, run: Snapshot) -> bool:
        """Tell whether a hit is none with the knob turned."""
        candidate = run.lookup["candidate"]
        if knob.name != "GROAT_MAX_WRONG" or run.lookup["tier"] != "semantic" or candidate is None:
            return False
        least = self._services.answers.rule.threshold(run.asked, max_wrong=knob.new)
        return least is None or candidate.get("score", candidate["similarity"]) < least

    def _is_spent(self) -> bool:
        return self._most is not None and self.spent_usd >= self._most


def reference_of(case: Kept) -> Reference | None:
    """Return what the newest mark that says so knows of the right answer."""
    for mark in reversed(case.marks):
        if mark.reference is not None:
            return read_reference(mark.reference)
    return None


def _as_reference(run: Snapshot, case: Kept) -> Reference | None:
    """Return the answer of a good run as a reference for itself; None for a bad one."""
    return {"answer": run.answer} if case.blamed is None and run.verified else None


def _turned(services: Services, knob: Knob) -> Services:
    changes: Mapping[str, Any] = {
        "GROAT_CONTEXT_TOKENS": {"context_tokens": int(knob.new)},
        "GROAT_RETRIEVE_K": {"retrieve_k": int(knob.new)},
    }.get(knob.name, {})
    return replace(services, **changes) if changes else services


def _change(amounts: Sequence[tuple[str | None, str | None]]) -> float | None:
    if not amounts or any(None in pair for pair in amounts):
        return None
    old = sum((Decimal(was) for was, _ in amounts if was is not None), Decimal(0))
    new = sum((Decimal(now) for _, now in amounts if now is not None), Decimal(0))
    return round(float(new / old - 1), 4) if old else None
