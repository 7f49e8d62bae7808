"""Measure the cascade on recorded answers: quality against the strong model alone, and what was saved at list prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NotRequired, TypedDict

import numpy as np

from evals.cascade_cases import Case, Policies
from evals.cascade_resplits import Resplit
from evals.cascade_walk import Numbers, Run, Walker, plain_rules, singles
from groat.types import Language
from groat.validation.cascade_operating import CURVE

RESAMPLES = 1_000


class Point(TypedDict):
    """One policy's quality and saving."""

    quality: float
    """Share of the strong model's quality."""
    saved: float
    """Share of the all-expensive bill."""
    strong_share: float


class Single(TypedDict):
    """One model for everything."""

    model: str
    quality_vs_strong: float
    saved: float


class CurvePoint(Point):
    """The policy at one rate."""

    rate: float
    """Least gain in quality for which one typical strong call is spent."""


class Area(TypedDict):
    """Area under the curve of the gap that was closed: 0 is the cheapest model alone, 1 the strong one; random gives 0.5.

    What the policy reaches at no more than a share is counted, with straight lines between the points. None without a gap.
    """

    by_strong_share: float | None
    """Over the share of questions that the strong model was asked."""
    by_cost: float | None
    """Over the share of the difference in cost that was spent."""


class Report(TypedDict):
    """The result on one file and language."""

    name: str
    lang: Language
    n: int
    left_out: int
    """Rows of the file that cannot be measured: the strong model's price or tokens are unknown. Both languages together."""
    without_answers: int
    """Rows for which only the strong model could be asked: no answer of another model with a known price was recorded."""
    unpriced_models: list[str]
    policy: str
    """Who judged: the version of the shipped artifact, "fitted", or "cross-fitted" where --fit holds the same questions."""
    seen_by_artifact: int
    """Rows whose question the shipped artifact was fitted on: for these the result is in-sample."""
    quality_asked: float
    confidence: float
    refused: dict[str, int]
    """Why questions went to the strong model at once because nothing could be promised, and how many."""
    quality_vs_strong: float
    quality_ci: list[float]
    saved: float
    saved_ci: list[float]
    strong_share: float
    bought_per_question: float
    best_single: Single | None
    """The cheapest other model that keeps the quality asked alone, else the best one; None without other models."""
    baselines: dict[str, Point]
    curve: list[CurvePoint]
    area: Area
    resplits: NotRequired[list[Resplit]]


class Unmeasured(TypedDict):
    """A file of which no row can be measured."""

    name: str
    n: int
    left_out: int
    unpriced_models: list[str]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured, and who judges."""

    name: str
    policy: str
    quality: float
    confidence: float
    left_out: int
    unpriced: list[str]


def report(found: Sequence[Case], policies: Policies, setting: Setting) -> Report:
    """Measure the policies on the cases of one file and language; a paired bootstrap gives the intervals (95 %)."""
    walker = Walker(found, policies)
    run = walker.promised(setting.quality, setting.confidence)
    examples = [case.example for case in found]
    rules = plain_rules(examples, spend=float(run.cost.sum()))
    strong, cheap = rules["all_expensive"], rules["all_cheap"]
    ends = _intervals(run, strong)
    runs = {rate: walker.at(rate) for rate in CURVE}
    return {
        "name": setting.name,
        "lang": found[0].language,
        "n": len(found),
        "left_out": setting.left_out,
        "without_answers": sum(len(one.models) == 1 for one in examples),
        "unpriced_models": setting.unpriced,
        "policy": setting.policy,
        "seen_by_artifact": sum(policies(case).has_seen(case.example.question) for case in found),
        "quality_asked": setting.quality,
        "confidence": setting.confidence,
        "refused": dict(walker.refused(setting.quality, setting.confidence).most_common()),
        "quality_vs_strong": _ratio(run, strong),
        "quality_ci": ends[0],
        "saved": _saved(run, strong),
        "saved_ci": ends[1],
        "strong_share": round(float(run.strong.mean()), 4),
        "bought_per_question": round(float(run.bought.mean()), 3),
        "best_single": _best_single({name: _point(one, strong) for name, one in singles(examples).items()}, setting.quality),
        "baselines": {name: _point(one, strong) for name, one in rules.items()},
        "curve": [{"rate": rate, **_point(one, strong)} for rate, one in runs.items()],
        "area": {
            "by_strong_share": area(
                [(float(one.strong.mean()), float(one.quality.mean())) for one in runs.values()], cheap, strong
            ),
            "by_cost": area([(_spent(one, cheap, strong), float(one.quality.mean())) for one in runs.values()], cheap, strong),
        },
    }


def area(points: Sequence[tuple[float, float]], cheap: Run, strong: Run) -> float | None:
    """Return the area under the share of the gap in quality that is closed; see ``Area``.

    Args:
        points: what was spent, 0..1, and the mean quality reached.
        cheap: the cheapest model alone, which is 0.
        strong: the strong model alone, which is 1.
    """
    low, gap = float(cheap.quality.mean()), float(strong.quality.mean() - cheap.quality.mean())
    if gap <= 0:
        return None
    closed = sorted(
        [(0.0, 0.0), *((max(spent, 0.0), (quality - low) / gap) for spent, quality in points if spent <= 1), (1.0, 1.0)]
    )
    spent = np.array([point[0] for point in closed])
    best = np.maximum.accumulate([point[1] for point in closed])
    return round(float(np.sum((best[1:] + best[:-1]) / 2 * np.diff(spent))), 4)


def _spent(run: Run, cheap: Run, strong: Run) -> float:
    return float((run.cost.sum() - cheap.cost.sum()) / max(strong.cost.sum() - cheap.cost.sum(), 1e-12))


def _ratio(run: Run, strong: Run) -> float:
    return round(float(run.quality.sum() / strong.quality.sum()), 4) if strong.quality.sum() else 1.0


def _saved(run: Run, strong: Run) -> float:
    return round(1 - float(run.cost.sum() / strong.cost.sum()), 4) if strong.cost.sum() else 0.0


def _point(run: Run, strong: Run) -> Point:
    return {
        "quality": _ratio(run, strong),
        "saved": _saved(run, strong),
        "strong_share": round(float(run.strong.mean()), 4),
    }


def _intervals(run: Run, strong: Run) -> tuple[list[float], list[float]]:
    picks = np.random.default_rng(5).integers(0, len(run.cost), (RESAMPLES, len(run.cost)))
    # The ratio of sums, both over the same rows: a hard sample lowers both.
    quality = run.quality[picks].sum(axis=1) / np.maximum(strong.quality[picks].sum(axis=1), 1e-9)
    saved = 1 - run.cost[picks].sum(axis=1) / strong.cost[picks].sum(axis=1)
    return _ends(quality), _ends(saved)


def _ends(values: Numbers) -> list[float]:
    return [round(float(end), 4) for end in np.quantile(values, (0.025, 0.975))]


def _best_single(points: dict[str, Point], quality: float) -> Single | None:
    found: list[Single] = [
        {"model": name, "quality_vs_strong": one["quality"], "saved": one["saved"]} for name, one in points.items()
    ]
    good = [one for one in found if one["quality_vs_strong"] >= quality]
    if good:
        return max(good, key=lambda one: one["saved"])
    return max(found, key=lambda one: one["quality_vs_strong"], default=None)
