"""Which of two routers is better on recorded outcomes, and whether that can be told."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from typing_extensions import TypedDict

from evals.route_judging import outcomes
from evals.route_metrics import Outcomes
from groat.costs.prices import PriceTable
from groat.errors import BadInput
from groat.routing.artifact import RouterArtifact
from groat.routing.estimator import Numbers
from groat.routing.learning import Decided, Looked, decide, kind_of, resamples, saw

LEAST = 30
"""Questions below which nothing is said."""
_RESAMPLES = 2_000

Verdict = Literal["a", "b", "trade", "unclear"]
"""Which is better; "trade": one is better and the other cheaper; "unclear": it cannot be told."""


class Side(TypedDict):
    """One router."""

    version: str
    strong_share: float
    """Share that goes to the expensive model."""
    quality: float
    """Mean quality, 0..1."""
    loss: float
    """What is lost of the expensive model's quality, as a share of it."""
    loss_ci: list[float]
    usd_per_1000: float
    """Of a thousand questions, at list prices."""


class Comparison(TypedDict):
    """Two routers on the same questions; intervals are of 95 %, by a paired bootstrap over the questions."""

    n: int
    seen: int
    """Questions left out, since one of the two was fitted on them."""
    by_lang: dict[str, int]
    promised: float
    a: Side
    b: Side
    quality: list[float]
    """What B adds to the quality of A: mean, lower and upper end."""
    usd_per_1000: list[float]
    """What B costs more than A: mean, lower and upper end."""
    expensive_usd_per_1000: float
    """What the expensive model alone would cost."""
    verdict: Verdict
    says: str
    assumed: list[str]
    """What had to be assumed about prices and tokens."""


def compare(
    a: RouterArtifact,
    b: RouterArtifact,
    looked: Looked,
    *,
    max_quality_loss: float,
    prices: PriceTable,
    shipped: RouterArtifact | None = None,
) -> Comparison:
    """Let both decide on questions that neither was fitted on.

    Args:
        a: one router.
        b: the other.
        looked: questions with both models' outcomes.
        max_quality_loss: the promise in force.
        prices: list prices.
        shipped: decides on the kinds of questions that a router was fitted on too few of, as in service; None for nobody.

    Raises:
        BadInput: too few questions are left.
    """
    kinds = {kind_of(row) for row in looked.rows.labelled}
    # Where the shipped one decides in their place, what it was fitted on would flatter them just so.
    deciding = {one.version: one for one in (a, b, *(one.or_else(shipped, *kind) for one in (a, b) for kind in kinds))}
    seen = np.any([saw(one, looked) for one in deciding.values()], axis=0)
    rest = looked.take(~seen)
    questions, at = np.unique(rest.rows.questions, return_inverse=True)
    if len(questions) < LEAST:
        raise BadInput(
            f"{len(questions)} questions are left that neither router was fitted on ({int(seen.sum())} were), and {LEAST} are "
            "needed; compare them on others"
        )
    known, assumed = outcomes(rest.rows.labelled, prices)
    decided = [decide(router, rest, max_quality_loss, shipped=shipped) for router in (a, b)]
    weights = rest.rows.weights
    draws = resamples(len(questions), _RESAMPLES)
    summed = _Sums(at=at, weights=weights, draws=draws)
    quality = [np.where(one.strong, known.expensive_ok, known.cheap_ok) for one in decided]
    cost = [np.where(one.strong, known.expensive_usd, known.cheap_usd) for one in decided]
    better, dearer = summed.mean(quality[1] - quality[0]), summed.mean((cost[1] - cost[0]) * 1_000)
    verdict = _verdict(better, dearer, margin=max_quality_loss * float(np.average(known.expensive_ok, weights=weights)))
    languages = [row.language for row in rest.rows.labelled]
    return {
        "n": len(rest),
        "seen": int(seen.sum()),
        "by_lang": {language: languages.count(language) for language in sorted(set(languages))},
        "promised": max_quality_loss,
        "a": _side(a, decided[0], known, summed),
        "b": _side(b, decided[1], known, summed),
        "quality": [round(one, 5) for one in better],
        "usd_per_1000": [round(one, 5) for one in dearer],
        "expensive_usd_per_1000": round(float(np.average(known.expensive_usd, weights=weights)) * 1_000, 4),
        "verdict": verdict,
        "says": _SAYS[verdict],
        "assumed": assumed,
    }


_SAYS: dict[Verdict, str] = {
    "a": "A is better: dearer or worse in nothing that can be told, and better or cheaper in something",
    "b": "B is better: dearer or worse in nothing that can be told, and better or cheaper in something",
    "trade": "neither is better: one gives more quality, the other costs less",
    "unclear": "it cannot be told which is better: both intervals hold zero; compare them on more questions",
}


def _verdict(better: Sequence[float], dearer: Sequence[float], *, margin: float) -> Verdict:
    """Return which is better. Saving counts where less than the promised quality can be lost by it, and the other way round."""
    up, down = better[1] > 0, better[2] < 0
    saves, costs = dearer[2] < 0, dearer[1] > 0
    if (up and costs) or (down and saves):
        return "trade"
    if up or (saves and better[1] >= -margin):
        return "b"
    if down or (costs and better[2] <= margin):
        return "a"
    return "unclear"


class _Sums:
    """Weighted means over questions, in all resamples."""

    def __init__(self, *, at: np.ndarray[tuple[int, ...], np.dtype[np.intp]], weights: Numbers, draws: Numbers) -> None:
        self._at, self._weights, self._draws = at, weights, draws
        self._counted = draws @ np.bincount(at, weights)

    def mean(self, values: Numbers) -> list[float]:
        """Return the mean with both ends of its interval."""
        drawn = (self._draws @ np.bincount(self._at, values * self._weights)) / self._counted
        low, high = np.quantile(drawn, [0.025, 0.975])
        return [float(np.average(values, weights=self._weights)), float(low), float(high)]

    def share(self, part: Numbers, whole: Numbers) -> list[float]:
        """Return the share of ``part`` in ``whole`` with both ends of its interval."""
        parts, wholes = (self._draws @ np.bincount(self._at, one * self._weights) for one in (part, whole))
        low, high = np.quantile(parts / np.maximum(wholes, 1e-12), [0.025, 0.975])
        return [float(part @ self._weights / max(float(whole @ self._weights), 1e-12)), float(low), float(high)]


def _side(router: RouterArtifact, decided: Decided, known: Outcomes, summed: _Sums) -> Side:
    lost = np.where(decided.strong, 0.0, known.gain)
    loss, *ends = summed.share(lost, known.expensive_ok)
    quality = summed.mean(np.where(decided.strong, known.expensive_ok, known.cheap_ok))[0]
    return {
        "version": router.version,
        "strong_share": round(summed.mean(decided.strong.astype(np.float64))[0], 4),
        "quality": round(quality, 4),
        "loss": round(loss, 4),
        "loss_ci": [round(end, 4) for end in ends],
        "usd_per_1000": round(summed.mean(np.where(decided.strong, known.expensive_usd, known.cheap_usd))[0] * 1_000, 4),
    }
