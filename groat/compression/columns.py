"""Columns of numbers, one a sentence: scaled, ranked, and held against neighbours and passages."""

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]


def scaled(column: Column) -> Column:
    """Return the column divided by its largest value; as it is when none is above 0."""
    top = float(column.max(initial=0.0))
    return column / top if top > 0 else column


def beside(column: Column, owner: NDArray[np.intp], step: int) -> Column:
    """Return the value of the sentence before (-1) or after (1) within the passage; 0 where there is none."""
    moved = np.zeros_like(column)
    if len(column) < 2:
        return moved
    same = owner[1:] == owner[:-1]
    if step < 0:
        moved[1:] = np.where(same, column[:-1], 0.0)
    else:
        moved[:-1] = np.where(same, column[1:], 0.0)
    return moved


def ranks(scores: Column) -> Column:
    """Return ranks from 0, best first; equal scores share their mean rank, so that ties do not favour what comes first."""
    _, inverse, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(means[inverse], dtype=np.float64)


def standard(column: Column) -> Column:
    """Return the column with mean 0 and standard deviation 1; 0 when all values are equal."""
    spread = float(column.std())
    return np.asarray((column - column.mean()) / (spread if spread > 0 else 1.0), dtype=np.float64)


def best_of_passages(column: Column, owner: NDArray[np.intp], passages: int) -> Column:
    """Return the largest value of each passage; the smallest of all for a passage without sentences."""
    best = np.full(passages, column.min(initial=0.0))
    np.maximum.at(best, owner, column)
    return best
