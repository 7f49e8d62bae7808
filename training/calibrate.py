"""Turns logits into probabilities, per head and language."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from groat.judge.artifact import HEADS, TONGUES
from training.rows import Row

_FEWEST = 100
"""Rows with fewer than this are scaled like all rows of their head."""
_MILD = 10.0

Scalings = dict[str, dict[str, dict[str, float]]]
"""Head -> language -> slope and intercept."""


def fit_scalings(logits: NDArray[np.float64], rows: Sequence[Row]) -> Scalings:
    """Return slope and intercept of Platt's scaling for every head and language.

    Each source weighs the same, so that none with many rows decides what a logit means.

    Args:
        logits: of each row's own head, shape (rows,).
        rows: that the judge was not trained on.
    """
    scalings: Scalings = {}
    for head in HEADS:
        own = np.array([row.head == head for row in rows])
        scalings[head] = {}
        for tongue in TONGUES:
            chosen = own & np.array([row.lang == tongue for row in rows])
            labels = {row.label for row, one in zip(rows, chosen, strict=True) if one}
            if chosen.sum() < _FEWEST or len(labels) < 2:
                chosen = own
            scalings[head][tongue] = _scaling(logits[chosen], [row for row, one in zip(rows, chosen, strict=True) if one])
    return scalings


def _scaling(logits: NDArray[np.float64], rows: Sequence[Row]) -> dict[str, float]:
    labels = np.array([row.label > 0.5 for row in rows])
    if len(set(labels.tolist())) < 2:
        return {"slope": 1.0, "intercept": 0.0}
    sources = [row.source for row in rows]
    weights = np.array([1 / sources.count(source) for source in sources])
    model = LogisticRegression(C=_MILD).fit(logits[:, None], labels, sample_weight=weights * len(rows) / weights.sum())
    # A slope below zero would turn the judge around; then its word is worth nothing, and a flat line says so.
    return {"slope": round(max(0.0, float(model.coef_[0, 0])), 4), "intercept": round(float(model.intercept_[0]), 4)}
