"""The figures of each step of the ladder: cost, quality against all expensive, hits, latency; by category and by language."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from evals.ladder_losses import Losses, losses
from evals.ladder_outcomes import Outcome

RESAMPLES = 1_000
_AT_ONCE = 50


class Tokens(TypedDict):
    """Tokens of one model's calls."""

    input: int
    output: int
    calls: int


class Part(TypedDict):
    """Figures of some requests in one arm."""

    n: int
    assumed: int
    """Requests whose outcomes no model gave."""
    cost_usd: float | None
    """None when the price of a model is unknown."""
    saved: float | None
    """Against all expensive, on the same requests."""
    quality: float
    """As a share of all expensive on the same requests."""
    quality_ci: tuple[float, float]
    """95 %: paired bootstrap over groups of requests that share one right answer."""
    hits: int
    hit_rate: float
    wrong_hits: int
    wrong_share: float
    """Of the hits."""
    lost: int
    """Fresh answers whose documents no longer held the answer."""
    unverified: int
    """Fresh answers that validation did not accept, and that were given all the same."""
    expensive_share: float
    """Share of the requests for which the expensive model was asked."""


class Step(Part):
    """One step of the ladder."""

    name: str
    p50_ms: float
    p95_ms: float
    mean_ms: float
    first_token_ms: float
    """Median; the answer is held until it is accepted."""
    live_first_token_ms: float
    """Median, with tokens passed on at once."""
    own_p50_ms: float
    """Median of the graph's own time, as measured; 0 for steps without a graph."""
    tokens_in: int
    tokens_out: int
    tokens: dict[str, Tokens]
    by_category: dict[str, Part]
    by_lang: dict[str, Part]
    losses: Losses
    note: str
    """What must be known to read it; empty for nothing."""


def step(name: str, outcomes: Sequence[Outcome], base: Sequence[Outcome], *, note: str = "") -> Step:
    """Return the figures of one step.

    Args:
        name: of the step.
        outcomes: what became of each request.
        base: the same requests, in the same order, with the expensive model for all.
        note: what must be known to read it.
    """
    latency = np.array([one["latency_ms"] for one in outcomes])
    return {
        "name": name,
        **_part(outcomes, base),
        "p50_ms": _at(latency, 50),
        "p95_ms": _at(latency, 95),
        "mean_ms": round(float(latency.mean()), 1),
        "first_token_ms": _at([one["first_token_ms"] for one in outcomes], 50),
        "live_first_token_ms": _at([one["live_ms"] for one in outcomes], 50),
        "own_p50_ms": _at([one["own_ms"] for one in outcomes], 50),
        "tokens_in": sum(call["input"] for one in outcomes for call in one["calls"]),
        "tokens_out": sum(call["output"] for one in outcomes for call in one["calls"]),
        "tokens": _tokens(outcomes),
        "by_category": _split(outcomes, base, lambda one: one["category"]),
        "by_lang": _split(outcomes, base, lambda one: one["lang"]),
        "losses": losses(outcomes, base),
        "note": note,
    }


def cost_of(outcomes: Sequence[Outcome]) -> float | None:
    """Return the dollars of all calls; None when one has no known price."""
    costs = [call["cost_usd"] for one in outcomes for call in one["calls"]]
    return None if any(cost is None for cost in costs) else round(sum(float(cost or 0) for cost in costs), 6)


def _part(outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> Part:
    cost, full = cost_of(outcomes), cost_of(base)
    ok, best = (np.array([one["ok"] for one in day]) for day in (outcomes, base))
    hits, wrong = sum(bool(one["hit"]) for one in outcomes), sum(one["wrong"] for one in outcomes)
    count = len(outcomes)
    return {
        "n": count,
        "assumed": sum(one["assumed"] for one in outcomes),
        "cost_usd": cost,
        "saved": None if cost is None or not full else round(1 - cost / full, 4),
        "quality": _ratio(float(ok.sum()), float(best.sum())),
        "quality_ci": interval(ok, best, [one["answer"] for one in outcomes]),
        "hits": hits,
        "hit_rate": round(hits / count, 4),
        "wrong_hits": wrong,
        "wrong_share": round(wrong / hits, 4) if hits else 0.0,
        "lost": sum(one["lost"] for one in outcomes),
        "unverified": sum(not one["verified"] for one in outcomes),
        "expensive_share": round(sum(any(call["tier"] == "expensive" for call in one["calls"]) for one in outcomes) / count, 4),
    }


def interval(ok: NDArray[np.float64], best: NDArray[np.float64], groups: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % interval of the ratio of two sums over the same requests, resampled by group; seeded.

    Requests that share an answer are right or wrong together, so they are drawn together.
    """
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    tops, bottoms = np.bincount(place, weights=ok), np.bincount(place, weights=best)
    rng, ratios = np.random.default_rng(5), []
    for _ in range(RESAMPLES // _AT_ONCE):
        picks = rng.integers(0, len(tops), (_AT_ONCE, len(tops)))
        ratios.append(tops[picks].sum(axis=1) / np.maximum(bottoms[picks].sum(axis=1), 1e-9))
    low, high = np.quantile(np.concatenate(ratios), (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)


def _split(outcomes: Sequence[Outcome], base: Sequence[Outcome], key: Callable[[Outcome], str]) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for name in sorted({key(one) for one in base}):
        places = [place for place, one in enumerate(base) if key(one) == name]
        found[name] = _part([outcomes[place] for place in places], [base[place] for place in places])
    return found


def _tokens(outcomes: Sequence[Outcome]) -> dict[str, Tokens]:
    found: dict[str, Tokens] = {tier: {"input": 0, "output": 0, "calls": 0} for tier in ("cheap", "expensive")}
    for one in outcomes:
        for call in one["calls"]:
            counted = found[call["tier"]]
            counted["input"] += call["input"]
            counted["output"] += call["output"]
            counted["calls"] += 1
    return found


def _at(values: Sequence[float] | NDArray[np.float64], percent: float) -> float:
    return round(float(np.percentile(np.asarray(values), percent)), 1)


def _ratio(top: float, bottom: float) -> float:
    return round(top / bottom, 4) if bottom else 1.0
