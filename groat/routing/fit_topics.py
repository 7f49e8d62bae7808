"""Learn the subjects from rows that name theirs."""

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from groat.routing.topics import Numbers, Topics

_LEAST_ROWS = 10
"""A subject with fewer rows is none."""
_LEAST_TOPICS = 3
_SHRINKAGE = 0.1
_PULL = 20.0
"""Rows of the mean that each subject's mean starts with."""


def topics(vectors: Numbers, named: NDArray[np.str_], quality: Numbers, weights: Numbers) -> Topics:
    """Return the subjects, or none when the rows name too few.

    Args:
        vectors: shape (rows, dimensions).
        named: the subject of each row, empty for none.
        quality: what each head is to estimate, shape (rows, heads).
        weights: what each row counts.
    """
    found, counts = np.unique(named[named != ""], return_counts=True)
    kept = found[counts >= _LEAST_ROWS]
    if len(kept) < _LEAST_TOPICS:
        return Topics(
            names=(),
            weights=np.zeros((vectors.shape[1], 0)),
            intercept=np.zeros(0),
            values=np.zeros((0, quality.shape[1])),
        )
    known = np.isin(named, kept)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=_SHRINKAGE).fit(vectors[known], named[known])
    mean = np.average(quality, axis=0, weights=weights)
    values = []
    for name in model.classes_:
        here = named == name
        total = weights[here].sum() + _PULL
        values.append((weights[here] @ quality[here] + _PULL * mean) / total - mean)
    return Topics(
        names=tuple(str(name) for name in model.classes_),
        weights=np.asarray(model.coef_.T, dtype=np.float64),
        intercept=np.asarray(model.intercept_, dtype=np.float64),
        values=np.array(values),
    )
