"""How sure one may be of a cheap answer whose checks all passed: accept it, buy a second opinion, or escalate."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groat.errors import ArtifactError
from groat.types import Language
from groat.validation.acceptance_evidence import AGREEMENT, BOUGHT, HAN, NAMES, VERSION, evidence_of, row

__all__ = ["AcceptanceModel", "Judgement", "Population", "Regression", "evidence_of", "worth"]

Population = Literal["open", "grounded"]
"""Questions without documents, and questions with them."""


def scaled(rows: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return evidence in standard deviations, at most four: what lies far outside must not carry an estimate away."""
    return np.clip((rows - mean) / scale, -4, 4)


def products(scaled_rows: NDArray[np.float64], agreement: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what an item of evidence means more, or less, as two answers agree; linear in the agreement.

    Args:
        scaled_rows: scaled evidence, shape (rows, names).
        agreement: 0..1, shape (rows,).
    """
    others = scaled_rows.copy()
    others[:, AGREEMENT] = 0.0
    return others * agreement[:, None]


@dataclass(frozen=True, kw_only=True)
class Regression:
    """A logistic regression on scaled inputs, and the curve that calibrates it."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    """For each item of evidence, and with an opinion then for each of ``products``."""
    intercept: float
    curve: NDArray[np.float64]
    """Logits and what they are calibrated to, both rising, shape (2, points); no points: the logistic function itself."""

    def p_ok(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a probability for each row of evidence."""
        return calibrated(self.logits(rows), self.curve)

    def logits(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logit for each row of evidence, before calibration by the curve.

        With an opinion it never falls as the agreement rises: where the data say so, they are too few.
        """
        count = len(self.mean)
        if len(self.weights) == count:
            return np.asarray(scaled(rows, self.mean, self.scale) @ self.weights + self.intercept, dtype=np.float64)
        apart = rows.copy()
        apart[:, AGREEMENT] = 0.0
        return np.maximum(self._with_opinion(rows), self._with_opinion(apart))

    def _with_opinion(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        count = len(self.mean)
        own = scaled(rows, self.mean, self.scale)
        more = products(own, rows[:, AGREEMENT])
        return np.asarray(own @ self.weights[:count] + more @ self.weights[count:] + self.intercept, dtype=np.float64)


def calibrated(logits: NDArray[np.float64], curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities for logits; see ``Regression.curve``."""
    if not curve.size:
        return 1 / (1 + np.exp(-np.clip(logits, -30, 30)))
    return np.asarray(np.interp(logits, curve[0], curve[1]), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What was learned about one population."""

    alone: Regression
    """For an answer on its own."""
    agreed: Regression
    """For an answer that a second opinion was bought for."""
    thresholds: Mapping[Language, tuple[tuple[float, float], ...]]
    """(promised loss, least p_ok) from strict to loose; promises that nothing keeps are left out. By the question's language: a
    promise that English keeps for both is none to those who ask in Chinese."""
    edges: NDArray[np.float64]
    """Bounds of the bins of p_ok without an opinion, shape (bins - 1,)."""
    after: NDArray[np.float64]
    """Quantiles, evenly spread from 0 to 1, of p_ok with an opinion for each bin; shape (bins, quantiles)."""


class AcceptanceModel:
    """Estimates whether a cheap answer is as good as the expensive model's. Plain numpy; about 0.05 ms a call."""

    def __init__(self, populations: Mapping[Population, Judgement], *, version: str) -> None:
        """Keep what was learned."""
        self._populations = dict(populations)
        self.version = version

    @classmethod
    def load(cls, path: Path | None = None) -> "AcceptanceModel":
        """Read the artifact that the package carries, or one of your own.

        Raises:
            ArtifactError: it is damaged, or was made for other evidence.
        """
        try:
            source = path or resources.files("groat.validation").joinpath("acceptance.json")
            raw = json.loads(source.read_text(encoding="utf-8"))
            if raw["features"] != VERSION or raw["names"] != list(NAMES):
                raise ArtifactError(
                    f"the acceptance model was trained on evidence {raw['features']!r} and this is {VERSION!r}; fit it again"
                )
            populations: dict[Population, Judgement] = {
                "open": _judgement(raw["populations"]["open"]),
                "grounded": _judgement(raw["populations"]["grounded"]),
            }
            return cls(populations, version=str(raw["version"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError("the acceptance model cannot be read; reinstall groat or fit it again") from error

    def judge(self, evidence: Mapping[str, float], *, grounded: bool, max_quality_loss: float) -> tuple[float, float | None]:
        """Return p_ok, 0..1, and the least p_ok that is accepted; see ``threshold``.

        Args:
            evidence: from ``evidence_of``.
            grounded: whether the answer stands on documents.
            max_quality_loss: largest mean loss of quality, 0..1, against the expensive model that the caller accepts.
        """
        learned = self._learned(grounded)
        rows = row(evidence)[None, :]
        regression = learned.agreed if rows[0, BOUGHT] else learned.alone
        language: Language = "zh" if evidence["asked_han"] >= HAN else "en"
        p_ok = float(regression.p_ok(rows)[0])
        return p_ok, self.threshold(language, grounded=grounded, max_quality_loss=max_quality_loss)

    def threshold(self, language: Language, *, grounded: bool, max_quality_loss: float) -> float | None:
        """Return the least p_ok that is accepted; None when no threshold keeps the promise: a cheap call is wasted then.

        The strictest measured promise that is not looser than asked for is taken; nothing is interpolated.
        The threshold holds for accepting before and after a second opinion alike.
        """
        # 1e-12: 0.05 asked for as 0.1 - 0.05 or the like is still 0.05.
        points = self._learned(grounded).thresholds[language]
        return min((cut for promise, cut in points if promise <= max_quality_loss + 1e-12), default=None)

    def chance(self, p_now: float, threshold: float | None, *, grounded: bool) -> float:
        """Return how likely a second opinion carries an answer to the threshold, 0..1; 0 without a threshold.

        Read off the data that the model was fitted on: how ``p_ok`` came out after the opinion for answers that stood in the
        same bin before it.
        """
        if threshold is None:
            return 0.0
        learned = self._learned(grounded)
        quantiles = learned.after[int(np.searchsorted(learned.edges, p_now))]
        below = np.interp(threshold, quantiles, np.linspace(0, 1, len(quantiles)), left=0.0, right=1.0)
        return float(1 - below)

    def _learned(self, grounded: bool) -> Judgement:
        return self._populations["grounded" if grounded else "open"]


def worth(
    p_now: float, price_opinion: float | Decimal | None, price_expensive: float | Decimal | None, *, chance: float
) -> bool:
    """Tell whether a second opinion saves more than it costs: the expensive call it may spare, times the chance of that.

    Both prices must be in the same unit. An unknown price, or one that is no amount of money, is not worth it: nobody can
    tell what would be saved. Neither is an opinion on an answer that cannot be right (``p_now`` of 0).
    """
    if price_opinion is None or price_expensive is None or not p_now > 0:
        return False
    costs, saves = float(price_opinion), float(price_expensive)
    if not (0 <= costs < math.inf and 0 < saves < math.inf):
        return False
    return min(max(chance, 0.0), 1.0) * saves > costs


def _judgement(raw: Mapping[str, object]) -> Judgement:
    """Read one population, ``TypeError``, ``KeyError`` or ``ValueError`` when it is damaged."""
    thresholds = raw["thresholds"]
    if not isinstance(thresholds, Mapping):
        raise TypeError("the thresholds are no object")
    edges, after = _numbers(raw["edges"]), _numbers(raw["after"])
    if after.ndim != 2 or len(after) != len(edges) + 1:
        raise ValueError("bins and quantiles do not fit each other")
    return Judgement(
        alone=_regression(raw["alone"], len(NAMES)),
        agreed=_regression(raw["agreed"], 2 * len(NAMES)),
        thresholds={"en": _points(thresholds["en"]), "zh": _points(thresholds["zh"])},
        edges=edges,
        after=after,
    )


def _points(raw: object) -> tuple[tuple[float, float], ...]:
    return tuple((float(promise), float(cut)) for promise, cut in _numbers(raw).reshape(-1, 2))


def _regression(raw: object, count: int) -> Regression:
    if not isinstance(raw, Mapping):
        raise TypeError("a regression is no object")
    mean, scale, weights = (_numbers(raw[name]) for name in ("mean", "scale", "weights"))
    if not len(mean) == len(scale) == len(NAMES) or len(weights) != count or not (scale > 0).all():
        raise ValueError("the coefficients are not as many as the evidence")
    curve = _numbers(raw["curve"]).reshape(2, -1)
    if (np.diff(curve) < 0).any() or (curve[1] < 0).any() or (curve[1] > 1).any():
        raise ValueError("the curve does not rise from 0 to 1")
    return Regression(mean=mean, scale=scale, weights=weights, intercept=float(raw["intercept"]), curve=curve)


def _numbers(raw: object) -> NDArray[np.float64]:
    numbers = np.asarray(raw, dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError("a number is not finite")
    return numbers
