"""How well scores tell pairs that one answer serves from pairs that only look alike."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
"""Shape (pairs,): whether one answer serves both questions."""
Numbers = NDArray[np.float64]
"""Shape (pairs,): the higher, the surer that it does; 0 is never served, whatever the threshold."""
Interval = tuple[float, float]

PRECISIONS = (0.95, 0.98, 0.99)
TRAPS = (0.02, 0.05)
CUTS = (0.5, 0.7, 0.9)
_BINS = 10
_ROUNDING = 1e-9


def auc(same: Flags, scores: Numbers) -> float | None:
    """Return the chance that a same pair scores above another one, ties counted half; None with one class only."""
    return _known(_Ranks(same, scores).auc(np.ones(len(same))))


def auc_intervals(
    same: Flags, scores: Mapping[str, Numbers], rng: np.random.Generator, *, resamples: int = 1_000
) -> dict[str, Interval | None]:
    """Return the bootstrap intervals (95 %) of the AUC of each score, None with one class only.

    Pairs are drawn with replacement, the same ones for all scores. ``NAME - OTHER`` holds the interval of the first score's
    lead over each other one: where it lies above 0, the first is better. Draws of one class only are left out.
    """
    ranks = {name: _Ranks(same, each) for name, each in scores.items()}
    drawn: dict[str, list[float]] = {name: [] for name in ranks}
    for _ in range(resamples if 0 < same.sum() < len(same) else 0):
        weights = np.bincount(rng.integers(0, len(same), len(same)), minlength=len(same))
        for name, each in ranks.items():
            drawn[name].append(each.auc(weights))
    values = {name: np.array(each) for name, each in drawn.items()}
    first, *others = values
    leads = {f"{first} - {other}": values[first] - values[other] for other in others}
    return {name: _ends(each[np.isfinite(each)]) for name, each in {**values, **leads}.items()}


def recall_at_precision(same: Flags, scores: Numbers, precision: float) -> float | None:
    """Return the largest recall at a threshold whose precision is at least that: 0.0 if none, None without same pairs."""
    right, wrong = _above(same, scores)
    good = right >= precision * (right + wrong) - _ROUNDING
    return _share(right[good].max(initial=0), same.sum())


def served_at_traps(same: Flags, scores: Numbers, share: float) -> float | None:
    """Return the share of same pairs above the threshold that lets through at most that share of the others.

    None unless there are pairs of both classes.
    """
    right, wrong = _above(same, scores)
    traps = int((~same).sum())
    return _share(right[wrong <= share * traps + _ROUNDING].max(initial=0), same.sum()) if traps else None


def share_from(cut: float, scores: Numbers) -> float | None:
    """Return the share of scores that are at least ``cut``, None without scores."""
    return _share((scores >= cut).sum(), len(scores))


def calibration_error(same: Flags, p: Numbers) -> float | None:
    """Return the mean gap, 0 to 1, between probability and share of same pairs in ten bins of equal width; None without pairs.

    Source: Naeini et al. 2015, expected calibration error.
    """
    if not len(p):
        return None
    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=p - same, minlength=_BINS)
    return round(float(np.abs(gaps).sum() / len(p)), 4)


class _Ranks:
    """Scores in order, so that the AUC of any weights takes no sorting."""

    def __init__(self, same: Flags, scores: Numbers) -> None:
        self._same = same
        levels, self._level = np.unique(scores, return_inverse=True)
        self._levels = len(levels)

    def auc(self, weights: Sequence[float] | NDArray[np.generic]) -> float:
        """Return the AUC of rows with these weights, nan when a class weighs nothing."""
        given = np.asarray(weights, dtype=np.float64)
        right = np.bincount(self._level, weights=given * self._same, minlength=self._levels)
        wrong = np.bincount(self._level, weights=given * ~self._same, minlength=self._levels)
        below = np.cumsum(wrong) - wrong
        every = right.sum() * wrong.sum()
        return float((right * (below + wrong / 2)).sum() / every) if every else float("nan")


def _above(same: Flags, scores: Numbers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each score above 0 as the threshold, how many same pairs and how many others reach it."""
    levels, place = np.unique(scores, return_inverse=True)
    right = np.bincount(place, weights=same, minlength=len(levels))
    wrong = np.bincount(place, weights=~same, minlength=len(levels))
    reached = [np.cumsum(each[::-1])[::-1][levels > 0].astype(np.int64) for each in (right, wrong)]
    return reached[0], reached[1]


def _share(count: float, of: int) -> float | None:
    return round(float(count / of), 4) if of else None


def _known(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _ends(values: Numbers) -> Interval | None:
    if not len(values):
        return None
    low, high = np.quantile(values, (0.025, 0.975))
    return round(float(low), 4), round(float(high), 4)
