"""How often a promise is broken: choose the rate on one half of the rows, look at the other half, many times."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from groat.validation.cascade_fit import Example, Measured, measured
from groat.validation.cascade_operating import operating_points

LOSSES = (0.02, 0.05)
CONFIDENCES = (0.5, 0.95, 0.975)

Points = Sequence[tuple[float, float, float]]


class Resplit(TypedDict):
    """What became of one promise over all resplits."""

    loss: float
    """Largest share of the strong model's quality that may be lost."""
    confidence: float
    broken: float
    """Share of the resplits in which the half that the rate was not chosen on lost more."""
    saved: float
    """Mean share of the bill that was saved there."""
    best_saved: float
    """The same for the rate that hindsight knows to keep the promise there and to save most."""


def resplits(examples: Sequence[Example], times: int) -> list[Resplit]:
    """Return for each promise how often it was broken; the estimators are cross-fitted once, the rates chosen anew each time.

    Args:
        examples: the rows of one file and language.
        times: how many random halves are drawn.
    """
    groups = measured(examples)
    rng = np.random.default_rng(23)
    halves = [[rng.permutation(len(one.examples)) for one in groups] for _ in range(times)]
    chosen = [
        [operating_points(one.board, one.outcomes, half[::2]) for one, half in zip(groups, split, strict=True)]
        for split in halves
    ]
    return [_resplit(groups, halves, chosen, loss=loss, confidence=confidence) for loss in LOSSES for confidence in CONFIDENCES]


def _resplit(
    groups: Sequence[Measured],
    halves: Sequence[Sequence[NDArray[np.int64]]],
    chosen: Sequence[Sequence[Points]],
    *,
    loss: float,
    confidence: float,
) -> Resplit:
    broken, saved, best = [], [], []
    for split, points in zip(halves, chosen, strict=True):
        totals, hindsight = np.zeros(4), 0.0
        for one, half, known in zip(groups, split, points, strict=True):
            test = half[1::2]
            rate = next((rate for sure, promise, rate in known if (sure, promise) == (confidence, round(1 - loss, 6))), None)
            totals += _totals(one, test, rate)
            each = [_totals(one, test, tried) for tried in (None, *one.outcomes)]
            hindsight += min(cost for quality, strong, cost, _ in each if quality >= (1 - loss) * strong - 1e-9)
        quality, strong, cost, bill = totals
        broken.append(quality < (1 - loss) * strong - 1e-9)
        saved.append(1 - cost / bill)
        best.append(1 - hindsight / bill)
    return {
        "loss": loss,
        "confidence": confidence,
        "broken": round(float(np.mean(broken)), 4),
        "saved": round(float(np.mean(saved)), 4),
        "best_saved": round(float(np.mean(best)), 4),
    }


def _totals(one: Measured, rows: NDArray[np.int64], rate: float | None) -> NDArray[np.float64]:
    """Return quality, the strong model's quality, cost, and the strong model's cost."""
    board = one.board
    strong, bill = board.quality[rows, -1].sum(), board.cost[rows, -1].sum()
    if rate is None:
        return np.array([strong, strong, bill, bill])
    return np.array([one.outcomes[rate].quality[rows].sum(), strong, one.outcomes[rate].cost[rows].sum(), bill])
