"""Choose how much quality may be risked: the operating points that keep a promise, by a finite-sample bound."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LOSSES = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Promised losses of quality, as shares of the expensive model's, for which a point is looked for."""
RISK = 0.1
"""Largest probability, over the draw of the rows, that a point breaks its promise."""
LEAST_ROWS = 100
"""Fewer rows prove nothing that is worth having."""
_STEPS = 100
_ORDER = 20_251
"""Seed of the order in which the rows are bet on; fixed before they are seen."""

Numbers = NDArray[np.float64]
Points = list[tuple[float, float]]
"""(promised loss, largest expected gain that goes to the cheap model), from strict to loose."""


def operating_points(
    gain: Numbers,
    cheap_ok: Numbers,
    expensive_ok: Numbers,
    *,
    weights: Numbers | None = None,
    losses: Sequence[float] = LOSSES,
    risk: float = RISK,
) -> Points:
    """Return, for each promised loss, how large a gain may be forgone; promises that cannot be proven are left out.

    Learn-then-Test (Angelopoulos et al. 2021): from none to all, ever more questions go to the cheap model, those with the
    least expected gain first, and each step is tested against the hypothesis that it breaks the promise. The first step that
    cannot be rejected ends the walk, so that no correction for many tests is due. The test is by betting (Waudby-Smith and
    Ramdas 2023), valid for any number of rows, on the paired difference of both models: the mean over all questions of what
    the cheap answers lack must stay below the promised share of the expensive model's mean quality.

    Args:
        gain: expected gain of each row, from an estimator that did not see it.
        cheap_ok: quality of the cheap answers, 0..1.
        expensive_ok: quality of the expensive answers, 0..1.
        weights: what each row counts: one over the probability of having been drawn; 1 for all without it.
        losses: promises to look for.
        risk: largest probability that a promise is broken.
    """
    counted = np.ones(len(gain)) if weights is None else weights / weights.mean()
    if len(gain) < LEAST_ROWS:
        return []
    order = np.random.default_rng(_ORDER).permutation(len(gain))
    gain, lost, expensive_ok, counted = gain[order], (expensive_ok - cheap_ok)[order], expensive_ok[order], counted[order]
    cuts = np.unique(np.quantile(gain, np.linspace(0, 1, _STEPS + 1), method="lower"))
    points: Points = []
    reached = 0
    for loss in sorted(losses):
        # A looser promise permits whatever a stricter one does, so its walk goes on where that one's ended.
        for place in range(reached, len(cuts)):
            excess = np.where(gain <= cuts[place], lost, 0.0) - loss * expensive_ok
            if not proven(excess * counted, bound=(1 + loss) * float(counted.max()), risk=risk):
                break
            reached = place + 1
        if reached:
            points.append((loss, float(cuts[reached - 1])))
    return points


def proven(values: Numbers, *, bound: float, risk: float) -> bool:
    """Tell whether the mean of independent values within ``bound`` of zero is below zero, with probability of error ``risk``.

    A gambler bets against the hypothesis that the mean is zero or more, with stakes that depend on earlier values only; under
    it the capital grows beyond 1 / risk with probability ``risk`` at most.
    """
    count = len(values)
    scaled = (1 - values / bound) / 2
    # Stakes of the predictable plug-in: what would be best for a normal variable with the mean and variance seen so far.
    before = np.arange(1, count + 1)
    mean = (0.5 + np.concatenate([[0.0], np.cumsum(scaled[:-1])])) / before
    spread = (0.25 + np.concatenate([[0.0], np.cumsum((scaled[:-1] - mean[:-1]) ** 2)])) / before
    stake = np.sqrt(2 * np.log(1 / risk) / (np.maximum(spread, 1e-8) * count))
    capital = np.cumsum(np.log1p(np.clip(stake, 0, 1.5) * (scaled - 0.5)))
    return bool(capital.max() >= np.log(1 / risk))
