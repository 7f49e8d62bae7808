"""How good an order of questions is: what the expensive model's quality costs when the first in the order go to it.

Definitions of Ong et al. 2024, "RouteLLM": the performance gap recovered (PGR) is the part of the distance between the cheap
and the expensive model's quality that a router keeps; APGR is its mean over all shares of expensive calls, CPT(x) the least
share that recovers x of the gap.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

QUALITIES = ("0.95", "0.98", "0.99", "1.0")
"""Shares of the expensive model's quality at which the saving is told."""
RESAMPLES = 1_000

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What both models did on the same questions; all of one length."""

    cheap_ok: Numbers
    expensive_ok: Numbers
    cheap_usd: Numbers
    expensive_usd: Numbers

    @property
    def gain(self) -> Numbers:
        """What the expensive model adds, -1..1."""
        return self.expensive_ok - self.cheap_ok

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Outcomes":
        """Return some of the rows."""
        return Outcomes(
            cheap_ok=self.cheap_ok[rows],
            expensive_ok=self.expensive_ok[rows],
            cheap_usd=self.cheap_usd[rows],
            expensive_usd=self.expensive_usd[rows],
        )


class Figures(TypedDict):
    """One router on one set of rows; None where the expensive model is not better, so that there is no gap to recover."""

    apgr: float | None
    cpt50: float | None
    """Share of expensive calls, 0..1, that recovers half of the gap."""
    cpt80: float | None
    saved_at_quality: dict[str, float]
    """Largest share of the all-expensive bill that can be saved at that share of the expensive model's quality; hindsight
    chooses the point, as everywhere where curves are compared. Negative where the cheap model is the dearer one."""


class Interval(TypedDict):
    """Bootstrap intervals of 95 % over the rows."""

    apgr: list[float] | None
    cpt50: list[float] | None
    cpt80: list[float] | None
    saved_at_quality: dict[str, list[float]]


class CurvePoint(TypedDict):
    """What one share of expensive calls gives."""

    share: float
    quality_vs_expensive: float
    saved: float


def figures(score: Numbers, outcomes: Outcomes) -> Figures:
    """Return the figures of the order by ``score``, highest first to the expensive model."""
    return _figures(_ordered(score, outcomes), np.ones(len(score)))


def intervals(score: Numbers, outcomes: Outcomes, rng: np.random.Generator, resamples: int = RESAMPLES) -> Interval:
    """Return intervals by drawing the rows again with replacement, the order being kept."""
    ordered, count = _ordered(score, outcomes), len(score)
    drawn = [_figures(ordered, rng.multinomial(count, np.full(count, 1 / count)).astype(np.float64)) for _ in range(resamples)]

    def ends(name: str) -> list[float] | None:
        values = [one[name] for one in drawn if one[name] is not None]  # type: ignore[literal-required]  # named below
        return [round(float(end), 4) for end in np.quantile(values, (0.025, 0.975))] if len(values) > 0.9 * resamples else None

    saved = {
        name: [round(float(end), 4) for end in np.quantile([one["saved_at_quality"][name] for one in drawn], (0.025, 0.975))]
        for name in QUALITIES
    }
    return {"apgr": ends("apgr"), "cpt50": ends("cpt50"), "cpt80": ends("cpt80"), "saved_at_quality": saved}


def random_figures(outcomes: Outcomes) -> Figures:
    """Return what sending a random share to the expensive model gives, in expectation."""
    cheap, expensive = float(outcomes.cheap_ok.mean()), float(outcomes.expensive_ok.mean())
    price = 1 - float(outcomes.cheap_usd.sum() / outcomes.expensive_usd.sum())
    saved = {}
    for name in QUALITIES:
        missing = float(name) * expensive - cheap
        share = 0.0 if missing <= 0 else missing / (expensive - cheap) if expensive > cheap else 1.0
        saved[name] = round(max((1 - share) * price, 0.0 if share else price), 4)
    some = expensive > cheap
    return {
        "apgr": 0.5 if some else None,
        "cpt50": 0.5 if some else None,
        "cpt80": 0.8 if some else None,
        "saved_at_quality": saved,
    }


def oracle_score(outcomes: Outcomes) -> Numbers:
    """Return the best order there is: by what is really gained, and among equals the cheaper first."""
    dollars = outcomes.expensive_usd - outcomes.cheap_usd
    return outcomes.gain - 1e-6 * dollars / max(float(np.abs(dollars).max()), 1e-12)


def curve(score: Numbers, outcomes: Outcomes, points: int = 41) -> list[CurvePoint]:
    """Return quality and saving at evenly spread shares of expensive calls."""
    ordered = _ordered(score, outcomes)
    quality, saved = _quality_and_saved(ordered, np.ones(len(score)))
    at = np.unique(np.round(np.linspace(0, len(score), points)).astype(int))
    expensive = max(float(outcomes.expensive_ok.mean()), 1e-12)
    return [
        {
            "share": round(int(k) / len(score), 4),
            "quality_vs_expensive": round(float(quality[k]) / expensive, 4),
            "saved": round(float(saved[k]), 4),
        }
        for k in at
    ]


def _ordered(score: Numbers, outcomes: Outcomes) -> Outcomes:
    return outcomes.take(np.argsort(-score, kind="stable"))


def _figures(ordered: Outcomes, counts: Numbers) -> Figures:
    gained = np.concatenate([[0.0], np.cumsum(counts * ordered.gain)])
    share = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    gap = float(gained[-1])
    if gap > 1e-9:
        recovered = gained / gap
        apgr = round(float(np.sum((recovered[1:] + recovered[:-1]) / 2 * np.diff(share))), 4)
        cpt50, cpt80 = (round(float(share[int(np.argmax(recovered >= part - 1e-12))]), 4) for part in (0.5, 0.8))
    quality, saved = _quality_and_saved(ordered, counts)
    best = float(counts @ ordered.expensive_ok / counts.sum())
    reached = {name: round(float(saved[quality >= float(name) * best - 1e-12].max()), 4) for name in QUALITIES}
    if gap <= 1e-9:
        return {"apgr": None, "cpt50": None, "cpt80": None, "saved_at_quality": reached}
    return {"apgr": apgr, "cpt50": cpt50, "cpt80": cpt80, "saved_at_quality": reached}


def _quality_and_saved(ordered: Outcomes, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Return the mean quality and the part of the all-expensive bill saved, by how many of the order go to the expensive."""
    gained = np.concatenate([[0.0], np.cumsum(counts * ordered.gain)])
    quality = (float(counts @ ordered.cheap_ok) + gained) / counts.sum()
    spent = np.concatenate([[0.0], np.cumsum(counts * (ordered.expensive_usd - ordered.cheap_usd))])
    bill = float(counts @ ordered.expensive_usd)
    return quality, 1 - (float(counts @ ordered.cheap_usd) + spent) / bill
