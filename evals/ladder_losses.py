"""Which box loses what: quality that a step has less than all expensive, and money for calls after the first."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, get_args

from typing_extensions import TypedDict

from evals.ladder_outcomes import Outcome
from groat.costs.amounts import exact_sum

Loser = Literal["wrong hit", "bad answer kept", "compression", "cheap answer accepted", "expensive answer"]
LOSERS: tuple[Loser, ...] = get_args(Loser)
"""A hit on another question's answer; a hit on an answer that was bad from the start; documents that had lost the answer; a
cheap answer that router and validation let pass; an expensive one that is worse than the first (a fix, or none in the end)."""


class Losses(TypedDict):
    """What a step loses, and where."""

    quality: dict[str, float]
    """Share of all expensive's quality, by ``Loser``. What a step gains elsewhere is not taken off."""
    again_usd: float | None
    """Dollars for calls after the first one of a request: fixes, full contexts, escalations. None when a price is unknown."""
    again_calls: int


def losses(outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> Losses:
    """Return what each box loses in one step.

    Args:
        outcomes: what became of each request.
        base: the same requests, in the same order, with the expensive model for all.
    """
    whole = sum(one["ok"] for one in base) or 1.0
    lost: dict[Loser, float] = dict.fromkeys(LOSERS, 0.0)
    by_id: Mapping[str, Outcome] = {one["id"]: one for one in outcomes}
    for one, best in zip(outcomes, base, strict=True):
        if (missing := best["ok"] - one["ok"]) > 0:
            lost[_loser(one, by_id)] += missing
    again = [call["cost_usd"] for one in outcomes for call in one["calls"][1:]]
    unknown = any(cost is None for cost in again)
    return {
        "quality": {name: round(share / whole, 5) for name, share in lost.items()},
        "again_usd": None if unknown else round(float(exact_sum(Decimal(cost or 0) for cost in again)), 6),
        "again_calls": len(again),
    }


def _loser(one: Outcome, by_id: Mapping[str, Outcome]) -> Loser:
    if one["wrong"]:
        return "wrong hit"
    if one["hit"]:
        return "compression" if by_id[one["origin"]]["lost"] else "bad answer kept"
    if one["lost"]:
        return "compression"
    return "cheap answer accepted" if one["tier"] == "cheap" else "expensive answer"
