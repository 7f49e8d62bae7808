"""Replay the cascade over recorded answers, and choose how sure it must be to keep a promise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from groat.validation.cascade import Linear, Numbers, prospects

QUALITIES = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0)
"""Promises that a threshold is kept for."""

CONFIDENCES = {0.5: 0.0, 0.6: 0.2533, 0.8: 0.8416, 0.9: 1.2816, 0.95: 1.6449}
"""How sure a promise is, one-sided, and the standard errors between it and what was measured."""

GRID = tuple(round(1 - 0.5 * 0.85**step, 5) for step in range(36))
"""Thresholds that are tried, from loose (.5) to strict (.998)."""

_NEIGHBOURS = 2
_MIN_PART = 100
"""Fewer rows of a group than this do not vote on the thresholds for everything else."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The questions for which so many answers can be bought."""

    inputs: Numbers
    quality: Numbers
    """Quality of the current answer; before any was bought, of the first."""
    dearness: Numbers
    price: Numbers
    """Dollars of the last answer bought."""


@dataclass(frozen=True, kw_only=True)
class Stages:
    """All questions, by number of answers bought."""

    stages: tuple[Stage, ...]
    has: tuple[NDArray[np.bool_], ...]
    """Which questions have so many answers: ``stages[k]`` has a row for each of them, in order."""
    strong_quality: Numbers
    strong_cost: Numbers
    folds: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What following the policy gives, per question."""

    quality: Numbers
    cost: Numbers
    strong: NDArray[np.bool_]
    """The strong model was asked."""


def fit_worth(stages: Stages, log_odds: Sequence[Numbers], cut: float) -> list[Linear]:
    """Return, by number of answers bought, what buying the next one saves in the end, in typical strong calls.

    Backward over the stages, since what a purchase is worth depends on what is done afterwards.

    Args:
        stages: the questions.
        log_odds: by number of answers bought, the log-odds that the current one is as good, from folds that did not see it.
        cut: the least probability accepted.
    """
    typical = float(stages.strong_cost.mean())
    worth: list[Linear] = []
    for count in reversed(range(len(stages.stages) - 1)):
        after = follow(stages, log_odds, worth, cut, start=count + 1)
        go_on = stages.has[count + 1]
        rows = go_on[stages.has[count]]
        gain = (stages.strong_cost[go_on] - after.cost[go_on] - stages.stages[count + 1].price) / typical
        worth.insert(0, _ridge(prospects(log_odds[count][rows], stages.stages[count].dearness[rows]), gain))
    return worth


def operating_points(stages: Stages, outcomes: Mapping[float, Outcome], parts: NDArray[np.str_]) -> list[list[float]]:
    """Return [confidence, quality promised, least probability accepted] triples.

    Of the thresholds whose quality is at least the promise with the confidence, the one that saves most; by the normal
    approximation of the paired difference, with one more loss than was seen. A promise that none keeps is left out.

    Args:
        stages: the questions.
        outcomes: by threshold, what following the policy gave.
        parts: the part of each question; the promise must hold in each part with enough rows.
    """
    names = [name for name in np.unique(parts) if (parts == name).sum() >= _MIN_PART]
    points: list[list[float]] = []
    for confidence, errors in CONFIDENCES.items():
        lowest = {
            cut: min(_lower_end(one.quality[parts == name], stages.strong_quality[parts == name], errors) for name in names)
            for cut, one in outcomes.items()
        }
        smooth = dict(zip(lowest, _smoothed(list(lowest.values())), strict=True))
        for promise in QUALITIES:
            kept = [cut for cut, end in smooth.items() if end >= promise]
            if kept:
                points.append([confidence, promise, min(kept, key=lambda cut: (float(outcomes[cut].cost.sum()), -cut))])
    return points


def follow(stages: Stages, log_odds: Sequence[Numbers], worth: Sequence[Linear], cut: float, *, start: int = 0) -> Outcome:
    """Follow the policy for the questions that have ``start`` answers; ``worth`` holds the last stages' models."""
    quality, cost = stages.strong_quality.copy(), stages.strong_cost.copy()
    strong = np.ones(len(cost), dtype=bool)
    spent = np.zeros(len(cost))
    alive = stages.has[start].copy()
    last = len(stages.stages) - 1
    for count in range(start, last + 1):
        has, stage = stages.has[count], stages.stages[count]
        here = np.flatnonzero(has)
        live = alive[here]
        if count:
            p_as_good = 1 / (1 + np.exp(-log_odds[count]))
            taken = live & (p_as_good >= cut)
            quality[here[taken]], cost[here[taken]], strong[here[taken]] = stage.quality[taken], 0.0, False
            live = live & ~taken
        if count == last:
            break
        model = worth[count - last + len(worth)] if count - last + len(worth) >= 0 else None
        more = live & stages.has[count + 1][here]
        if model is not None:
            more &= model(prospects(log_odds[count], stage.dearness)) > 0
        alive = np.zeros(len(cost), dtype=bool)
        alive[here[more]] = True
        following = np.flatnonzero(stages.has[count + 1])
        spent[following] += np.where(alive[following], stages.stages[count + 1].price, 0.0)
    return Outcome(quality=quality, cost=cost + spent, strong=strong)


def _smoothed(values: Sequence[float]) -> list[float]:
    """Return the means of each value and its neighbours: one lucky threshold among many would otherwise be chosen."""
    padded = np.pad(np.array(values), _NEIGHBOURS, mode="edge")
    width = 2 * _NEIGHBOURS + 1
    return [float(padded[place : place + width].mean()) for place in range(len(values))]


def _lower_end(quality: Numbers, strong: Numbers, errors: float) -> float:
    """Return the lower confidence end of the mean quality over the strong model's."""
    difference = np.append(quality - strong, -1.0)
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    return 1 + (float((quality - strong).mean()) - errors * error) / max(float(strong.mean()), 1e-9)


def _ridge(inputs: Numbers, target: Numbers) -> Linear:
    mean, scale = inputs.mean(axis=0), np.where(inputs.std(axis=0) > 1e-9, inputs.std(axis=0), 1.0)
    model = Ridge(alpha=10.0).fit((inputs - mean) / scale, target)
    return Linear(mean=mean, scale=scale, weights=model.coef_, intercept=float(model.intercept_))
