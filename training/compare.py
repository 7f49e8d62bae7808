"""Two judges on the same rows: which ranks them better, and how sure that is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000
_MOST = 2000
"""Rows of one label that are resampled; memory grows with the product of both labels."""
_SURE = 0.95


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Areas under the ROC curve of the same rows, before and after."""

    n: int
    old: float
    new: float
    low: float
    """Lower bound of the gain; with 95 % the true gain lies above."""
    high: float
    """Upper bound of the gain; with 95 % the true gain lies below."""

    @property
    def gain(self) -> float:
        """New minus old."""
        return self.new - self.old


def compare(
    labels: NDArray[np.bool_], old: NDArray[np.float64], new: NDArray[np.float64], chance: np.random.Generator
) -> Compared:
    """Compare two scores of the same rows by paired bootstrap over the rows of each label.

    Args:
        labels: shape (rows,), both labels present.
        old: scores, shape (rows,).
        new: scores, shape (rows,).
        chance: draws the resamples.
    """
    yes, no = (_some(np.flatnonzero(labels == label), chance) for label in (True, False))
    before, after = (_wins(scores[yes], scores[no]) for scores in (old, new))
    drawn_yes, drawn_no = (chance.multinomial(len(one), [1 / len(one)] * len(one), _RESAMPLES) for one in (yes, no))
    gains = (drawn_yes @ (after - before) * drawn_no).sum(1) / (len(yes) * len(no))
    low, high = np.quantile(gains, [1 - _SURE, _SURE])
    means = [round(float(wins.mean()), 4) for wins in (before, after)]
    return Compared(n=len(yes) + len(no), old=means[0], new=means[1], low=round(float(low), 4), high=round(float(high), 4))


def _some(places: NDArray[np.int64], chance: np.random.Generator) -> NDArray[np.int64]:
    return places if len(places) <= _MOST else chance.choice(places, _MOST, replace=False)


def _wins(yes: NDArray[np.float64], no: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return 1 where the row with label 1 scores above that with label 0, a half where they tie, shape (yes, no)."""
    above, tied = yes[:, None] > no[None, :], yes[:, None] == no[None, :]
    return np.asarray(above + 0.5 * tied, dtype=np.float32)
