"""Two ways to turn the logits of a regression into probabilities that come true."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from groat.validation.acceptance import Regression, calibrated
from groat.validation.acceptance_cases import Floats

_EDGE = 0.002
"""No estimate is nearer to 0 or 1 than this."""


@dataclass(frozen=True, kw_only=True)
class Calibrator:
    """A line through the logits, and a curve over that line; a curve of no points is the logistic function."""

    slope: float
    shift: float
    curve: Floats

    def apply(self, logits: Floats) -> Floats:
        """Return the probabilities."""
        return calibrated(self.slope * logits + self.shift, self.curve)

    def on(self, regression: Regression) -> Regression:
        """Return the regression with this calibration in place of its own."""
        return Regression(
            mean=regression.mean,
            scale=regression.scale,
            weights=regression.weights * self.slope,
            intercept=regression.intercept * self.slope + self.shift,
            curve=self.curve,
        )


def platt(logits: Floats, as_good: NDArray[np.int_], weights: Floats) -> Calibrator:
    """Fit a logistic function of the logits (Platt 1999); a flat one where higher logits do not come true more often."""
    model = LogisticRegression(C=1e6).fit(logits[:, None], as_good, sample_weight=weights / weights.mean())
    slope, shift = float(model.coef_[0, 0]), float(model.intercept_[0])
    if slope <= 0:
        share = float(np.clip(np.average(as_good, weights=weights), _EDGE, 1 - _EDGE))
        slope, shift = 0.0, float(np.log(share / (1 - share)))
    return Calibrator(slope=slope, shift=shift, curve=np.zeros((2, 0)))


def isotonic(logits: Floats, as_good: NDArray[np.int_], weights: Floats) -> Calibrator:
    """Fit a rising curve, straight between the centres of the steps of isotonic regression.

    Steps would give all answers of one step the same estimate, and thresholds could not part them (Oron, Flournoy 2017,
    "Centered isotonic regression").
    """
    steps = IsotonicRegression(y_min=_EDGE, y_max=1 - _EDGE).fit_transform(logits, as_good, sample_weight=weights)
    heights, member = np.unique(steps, return_inverse=True)
    mass = np.bincount(member, weights=weights)
    centres = np.bincount(member, weights=weights * logits) / mass
    return Calibrator(slope=1.0, shift=0.0, curve=np.array([centres, heights]))


WAYS: Mapping[str, Callable[[Floats, NDArray[np.int_], Floats], Calibrator]] = {"platt": platt, "isotonic": isotonic}
"""The ways by name."""
