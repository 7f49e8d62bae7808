"""Moves the calibration of shipped weights towards a few rows of one's own."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from groat.judge.artifact import TONGUES, Scaling, Tongue
from training.rows import Row

_AS_GOOD_AS = 100
"""The shipped calibration counts like so many rows."""
_MANY = 400
"""Rows from which on the slope is fitted as well."""
_FARTHEST = 30.0
_HALVINGS = 60


def moved(shipped: Mapping[Tongue, Scaling], logits: NDArray[np.float64], rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return slope and intercept by language: those shipped, drawn towards the rows the more there are.

    Few rows move the intercept alone.

    Args:
        shipped: the calibration of one head.
        logits: of the new weights, shape (rows,).
        rows: of that head, not fitted on.
    """
    scalings: dict[str, dict[str, float]] = {}
    for tongue in TONGUES:
        own = np.array([row.lang == tongue for row in rows], dtype=bool)
        labels = np.array([row.label > 0.5 for row in rows], dtype=bool)[own]
        old = shipped[tongue]
        fitted = _fitted(old, logits[own], labels) if own.any() else old
        share = own.sum() / (own.sum() + _AS_GOOD_AS)
        scalings[tongue] = {
            "slope": round(float(old.slope + share * (fitted.slope - old.slope)), 4),
            "intercept": round(float(old.intercept + share * (fitted.intercept - old.intercept)), 4),
        }
    return scalings


def _fitted(old: Scaling, logits: NDArray[np.float64], labels: NDArray[np.bool_]) -> Scaling:
    if len(labels) >= _MANY and labels.any() and not labels.all():
        model = LogisticRegression().fit(logits[:, None], labels)
        return Scaling(slope=max(0.0, float(model.coef_[0, 0])), intercept=float(model.intercept_[0]))
    # Rows of one label must not move it without end; two rows more, one of each, see to that.
    wanted = (labels.sum() + 1) / (len(labels) + 2)
    low, high = -_FARTHEST, _FARTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        told = float(np.mean(1 / (1 + np.exp(-np.clip(old.slope * logits + middle, -40, 40)))))
        low, high = (middle, high) if told < wanted else (low, middle)
    return Scaling(slope=old.slope, intercept=(low + high) / 2)
