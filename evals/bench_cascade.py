"""Measure the cascade on recorded answers: quality against the strong model alone, and what was saved at list prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from evals.cascade_cases import Case, Policies
from groat.types import Language
from groat.validation.cascade import Assessment
from groat.validation.cascade_evidence import FULL, same
from groat.validation.cascade_fit import Example

RESAMPLES = 1_000
CURVE = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995)
"""Thresholds of the curve."""

Numbers = NDArray[np.float64]


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
    """The policy at one threshold."""

    threshold: float


class Report(TypedDict):
    """The result on one file and language."""

    name: str
    lang: Language
    n: int
    left_out: int
    """Rows of the file that cannot be measured: the strong model's price or tokens are unknown. Both languages together."""
    without_answers: int
    """Rows for which only the strong model could be asked: no answer of a cheaper model with a known price was recorded."""
    unpriced_models: list[str]
    policy: str
    """Who judged: the version of the shipped artifact, "fitted", or "cross-fitted" where --fit holds the same questions."""
    seen_by_artifact: int
    """Rows whose question the shipped artifact was fitted on: for these the result is in-sample."""
    quality_asked: float
    confidence: float
    quality_vs_strong: float
    quality_ci: list[float]
    saved: float
    saved_ci: list[float]
    strong_share: float
    bought_per_question: float
    best_single: Single | None
    """The cheapest single model that keeps the quality asked, else the best cheap one; None without cheap models."""
    baselines: dict[str, Point]
    curve: list[CurvePoint]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Per case: quality, dollars, whether the strong model was asked, and how many cheap answers were bought."""

    quality: Numbers
    cost: Numbers
    strong: Numbers
    bought: Numbers


class Walker:
    """Follows policies over the cases; what the answers of a case say is worked out once for all thresholds."""

    def __init__(self, cases: Sequence[Case], policies: Policies) -> None:
        """Keep the cases and who judges each."""
        self._cases = cases
        self._policies = [policies(case) for case in cases]
        self._assessed: dict[tuple[int, int], Assessment] = {}

    def promised(self, quality: float, confidence: float) -> Run:
        """Follow the policies under a promised quality."""
        return self._run(
            [
                policy.threshold(case.example.task, strong=case.example.strong.model, quality=quality, confidence=confidence)
                for case, policy in zip(self._cases, self._policies, strict=True)
            ]
        )

    def at(self, threshold: float) -> Run:
        """Follow the policies with one threshold for all."""
        return self._run([threshold] * len(self._cases))

    def _run(self, thresholds: Sequence[float | None]) -> Run:
        rows = np.array([self._walk(place, threshold) for place, threshold in enumerate(thresholds)])
        return Run(quality=rows[:, 0], cost=rows[:, 1], strong=rows[:, 2], bought=rows[:, 3])

    def _walk(self, place: int, threshold: float | None) -> tuple[float, float, float, float]:
        one, policy = self._cases[place].example, self._policies[place]
        spent = 0.0
        for count in range(len(one.bought) + 1):
            found = self._assess(place, count)
            action = policy.decide(found, threshold=threshold, offers=len(one.bought))
            if action == "accept":
                return one.qualities[found.place], spent, 0.0, float(count)
            if action == "strong":
                break
            spent += one.costs[count]
        return one.strong_quality, spent + one.strong_cost, 1.0, float(count)

    def _assess(self, place: int, count: int) -> Assessment:
        if (place, count) not in self._assessed:
            one = self._cases[place].example
            found = self._policies[place].assess(one.task, one.bought[:count], strong=one.strong)
            self._assessed[place, count] = found
        return self._assessed[place, count]


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
    strong = np.array([case.example.strong_quality for case in found])
    bill = np.array([case.example.strong_cost for case in found])
    ends = _intervals(run, strong, bill)
    return {
        "name": setting.name,
        "lang": found[0].language,
        "n": len(found),
        "left_out": setting.left_out,
        "without_answers": sum(not case.offers for case in found),
        "unpriced_models": setting.unpriced,
        "policy": setting.policy,
        "seen_by_artifact": sum(policies(case).has_seen(case.example.question) for case in found),
        "quality_asked": setting.quality,
        "confidence": setting.confidence,
        "quality_vs_strong": _ratio(run.quality, strong),
        "quality_ci": ends[0],
        "saved": _saved(run.cost, bill),
        "saved_ci": ends[1],
        "strong_share": round(float(run.strong.mean()), 4),
        "bought_per_question": round(float(run.bought.mean()), 3),
        "best_single": _best_single(found, setting.quality),
        "baselines": _baselines(found, spend=float(run.cost.sum())),
        "curve": [{"threshold": cut, **_point(walker.at(cut), strong, bill)} for cut in CURVE],
    }


def _ratio(quality: Numbers, strong: Numbers) -> float:
    return round(float(quality.sum() / strong.sum()), 4) if strong.sum() else 1.0


def _saved(cost: Numbers, bill: Numbers) -> float:
    return round(1 - float(cost.sum() / bill.sum()), 4) if bill.sum() else 0.0


def _point(run: Run, strong: Numbers, bill: Numbers) -> Point:
    return {
        "quality": _ratio(run.quality, strong),
        "saved": _saved(run.cost, bill),
        "strong_share": round(float(run.strong.mean()), 4),
    }


def _intervals(run: Run, strong: Numbers, bill: Numbers) -> tuple[list[float], list[float]]:
    picks = np.random.default_rng(5).integers(0, len(bill), (RESAMPLES, len(bill)))
    # The ratio of sums, both over the same rows: a hard sample lowers both.
    quality = run.quality[picks].sum(axis=1) / np.maximum(strong[picks].sum(axis=1), 1e-9)
    saved = 1 - run.cost[picks].sum(axis=1) / bill[picks].sum(axis=1)
    return _ends(quality), _ends(saved)


def _ends(values: Numbers) -> list[float]:
    return [round(float(end), 4) for end in np.quantile(values, (0.025, 0.975))]


def _best_single(found: Sequence[Case], quality: float) -> Single | None:
    singles: list[Single] = []
    strong = np.array([case.example.strong_quality for case in found])
    bill = np.array([case.example.strong_cost for case in found])
    for place in range(min(len(case.offers) for case in found)):
        names = {case.offers[place].model for case in found}
        if len(names) > 1 or any(one["model"] in names for one in singles):
            continue
        run = Run(
            quality=np.array([case.example.qualities[place] for case in found]),
            cost=np.array([case.example.costs[place] for case in found]),
            strong=np.zeros(len(found)),
            bought=np.ones(len(found)),
        )
        point = _point(run, strong, bill)
        singles.append({"model": names.pop(), "quality_vs_strong": point["quality"], "saved": point["saved"]})
    good = [one for one in singles if one["quality_vs_strong"] >= quality]
    if good:
        return max(good, key=lambda one: one["saved"])
    return max(singles, key=lambda one: one["quality_vs_strong"], default=None)


def _baselines(found: Sequence[Case], *, spend: float) -> dict[str, Point]:
    """Return what plain rules give on the same rows.

    ``random_at_equal_spend`` asks the cheapest model for a random share of the questions and the strong one for the rest, so
    that it spends what the policy spent; ``oracle`` knows which answers are good and takes the cheapest one that is as good.
    """
    examples = [case.example for case in found]
    strong = np.array([one.strong_quality for one in examples])
    bill = np.array([one.strong_cost for one in examples])
    cheap_quality = np.array([one.qualities[0] if one.qualities else one.strong_quality for one in examples])
    cheap_cost = np.array([one.costs[0] if one.costs else one.strong_cost for one in examples])
    none, every = np.zeros(len(found)), np.ones(len(found))
    share = min(max((bill.sum() - spend) / max(bill.sum() - cheap_cost.sum(), 1e-12), 0.0), 1.0)
    table = {
        "all_expensive": Run(quality=strong, cost=bill, strong=every, bought=none),
        "all_cheap": Run(quality=cheap_quality, cost=cheap_cost, strong=none, bought=every),
        "random_at_equal_spend": Run(
            quality=share * cheap_quality + (1 - share) * strong,
            cost=share * cheap_cost + (1 - share) * bill,
            strong=every * (1 - share),
            bought=every * share,
        ),
        "oracle": _rows([_oracle(one) for one in examples]),
        "two_agree": _rows([_two_agree(one) for one in examples]),
    }
    return {name: _point(run, strong, bill) for name, run in table.items()}


def _rows(rows: Sequence[tuple[float, float, float]]) -> Run:
    table = np.array(rows)
    return Run(quality=table[:, 0], cost=table[:, 1], strong=table[:, 2], bought=1 - table[:, 2])


def _oracle(one: Example) -> tuple[float, float, float]:
    good = [
        (cost, quality)
        for cost, quality in zip(one.costs, one.qualities, strict=True)
        if quality >= one.strong_quality and cost < one.strong_cost
    ]
    if not good:
        return one.strong_quality, one.strong_cost, 1.0
    cost, quality = min(good)
    return quality, cost, 0.0


def _two_agree(one: Example) -> tuple[float, float, float]:
    if len(one.bought) < 2:
        return one.strong_quality, one.strong_cost, 1.0
    spent = sum(one.costs[:2])
    if same(one.bought[0], one.bought[1], one.task) > FULL:
        return one.qualities[0], spent, 0.0
    return one.strong_quality, spent + one.strong_cost, 1.0
