"""Train the acceptance model on answers with known outcomes."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

from groat.types import Language
from groat.validation.acceptance import Population, Regression, products, scaled
from groat.validation.acceptance_calibration import WAYS
from groat.validation.acceptance_cases import NEAR, Cases, Floats
from groat.validation.acceptance_evidence import AGREEMENT, BOUGHT, NAMES, VERSION
from groat.validation.acceptance_report import report

PROMISES = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Losses of quality for which a threshold is looked for."""
_FOLDS = 5
_BINS = 8
_QUANTILES = 21
_CONFIDENCE = 1.645
"""Standard errors of a one-sided bound that holds in 95 of 100 cases."""
_STRENGTH = 0.3
"""Inverse of the penalty on the coefficients, on scaled inputs."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """Both regressions, and what they say of the cases that they were fitted on, each judged by folds without its group."""

    alone: Regression
    agreed: Regression
    p_first: Floats
    p_second: Floats
    """Equal to ``p_first`` for cases without an opinion."""
    calibration: dict[str, dict[str, float]]
    """Brier score of each way to calibrate, for both regressions, on groups left out."""


def fit(populations: Mapping[Population, Cases], *, date: str, seed: int = 7) -> dict[str, Any]:
    """Return the artifact as JSON-ready data.

    For each population two logistic regressions: for an answer alone, and for one with a second opinion, where each item of
    evidence counts differently as the two agree or not. Probabilities are calibrated on predictions for groups left out, by
    the better of Platt's way and isotonic regression. The figures of the card come from a third of the groups, held out from
    a model fitted on the rest; the coefficients that ship come from all groups, their thresholds from predictions for groups
    left out.

    Raises:
        ValueError: fewer than 200 cases, or only one class.
    """
    return {
        "version": f"{date}/{_digest(populations)[:8]}",
        "features": VERSION,
        "names": list(NAMES),
        "populations": {name: _shipped(cases, seed) for name, cases in populations.items()},
        "card": {
            "date": date,
            "data_sha256": _digest(populations),
            "scikit_learn": importlib.metadata.version("scikit-learn"),
            "numpy": importlib.metadata.version("numpy"),
            "target": f"cheap answer as good as the expensive one within {NEAR}",
            "held_out": {name: held_out(cases, seed) for name, cases in populations.items()},
        },
    }


def held_out(cases: Cases, seed: int) -> dict[str, Any]:
    """Fit on two thirds of the groups and return what holds on the last."""
    split = GroupShuffleSplit(1, test_size=1 / 3, random_state=seed)
    train, test = next(split.split(cases.first, groups=list(cases.groups)))
    fitted = learn(cases.take(train), seed)
    unseen = cases.take(test)
    points = by_language(fitted, cases.take(train))
    p_first = fitted.alone.p_ok(unseen.first)
    p_second = np.where(unseen.bought, fitted.agreed.p_ok(unseen.second), p_first) if unseen.bought.any() else p_first
    return report(
        p_first=p_first,
        p_second=p_second,
        points=points,
        cases=unseen,
    )


def _shipped(cases: Cases, seed: int) -> dict[str, Any]:
    fitted = learn(cases, seed)
    edges, after = _after(fitted, cases)
    return {
        "alone": _plain(fitted.alone),
        "agreed": _plain(fitted.agreed),
        "thresholds": by_language(fitted, cases),
        "edges": _rounded(edges),
        "after": [_rounded(quantiles) for quantiles in after],
        "groups": len(set(cases.groups)),
        "brier_by_calibration": fitted.calibration,
    }


def learn(cases: Cases, seed: int) -> Fitted:
    """Fit and calibrate both regressions on the cases whose checks passed.

    Raises:
        ValueError: fewer than 200 such cases, or only one class.
    """
    usable = cases.passed
    if usable.sum() < 200 or len(set(cases.as_good[usable].tolist())) < 2:
        raise ValueError(f"{usable.sum()} answers that passed their checks are too few, or all alike: 200 of both kinds needed")
    alone, p_first, of_alone = _calibrated(cases.first, usable, cases, seed)
    agreed, p_agreed, of_agreed = _calibrated(cases.second, usable & cases.bought, cases, seed)
    return Fitted(
        alone=alone,
        agreed=agreed,
        p_first=p_first,
        p_second=np.where(cases.bought, p_agreed, p_first),
        calibration={"alone": of_alone, "agreed": of_agreed},
    )


def _calibrated(
    rows: Floats, usable: NDArray[np.bool_], cases: Cases, seed: int
) -> tuple[Regression, Floats, dict[str, float]]:
    """Return a calibrated regression, what it says of cases whose groups were left out, and the error of each calibration."""
    raw = np.zeros(len(rows))
    folds = list(GroupKFold(_FOLDS, shuffle=True, random_state=seed).split(rows, groups=list(cases.groups)))
    for train, test in folds:
        raw[test] = _regression(rows[train], usable[train], cases.take(train)).logits(rows[test])
    whole = _regression(rows, usable, cases)
    target, weights = cases.as_good, cases.weights
    errors = dict.fromkeys(WAYS, 0.0)
    for train, test in folds:
        fitted, judged = train[usable[train]], test[usable[test]]
        for name, way in WAYS.items():
            p = way(raw[fitted], target[fitted], weights[fitted]).apply(raw[judged])
            errors[name] += float(weights[judged] @ (p - target[judged]) ** 2)
    ways = {name: way(raw[usable], target[usable], weights[usable]) for name, way in WAYS.items()}
    # Two numbers cannot fit their noise as a whole curve can: it must be better, and not as good.
    best = ways["isotonic" if errors["isotonic"] < 0.995 * errors["platt"] else "platt"]
    total = float(weights[usable].sum())
    return best.on(whole), best.apply(raw), {name: round(error / total, 4) for name, error in errors.items()}


def _regression(rows: Floats, usable: NDArray[np.bool_], cases: Cases) -> Regression:
    given = rows[usable]
    weights = cases.weights[usable] / cases.weights[usable].mean()
    mean = np.average(given, axis=0, weights=weights)
    scale = np.sqrt(np.average((given - mean) ** 2, axis=0, weights=weights))
    # Evidence that never varied here, a token probability for instance, gets no say.
    scale = np.where(scale < 1e-6, 1.0, scale)
    inputs = scaled(given, mean, scale)
    if given[:, BOUGHT].any():
        inputs = np.hstack([inputs, products(inputs, given[:, AGREEMENT])])
    model = LogisticRegression(C=_STRENGTH, max_iter=3000).fit(inputs, cases.as_good[usable], sample_weight=weights)
    return Regression(
        mean=mean,
        scale=scale,
        weights=model.coef_[0],
        intercept=float(model.intercept_[0]),
        curve=np.zeros((2, 0)),
    )


def by_language(fitted: Fitted, cases: Cases) -> dict[Language, list[list[float]]]:
    """Return the operating points of each language; none for one without cases."""
    points: dict[Language, list[list[float]]] = {"en": [], "zh": []}
    for language in points:
        mine = np.flatnonzero([other == language for other in cases.languages])
        if len(mine):
            points[language] = operating_points(fitted.p_first[mine], fitted.p_second[mine], cases.take(mine))
    return points


def operating_points(p_first: Floats, p_second: Floats, cases: Cases) -> list[list[float]]:
    """Return [promised loss, threshold] pairs, strict to loose; promises that nothing keeps are left out.

    An answer counts as accepted when its checks passed and it reaches the threshold before or after the opinion: what a
    question can meet. The loss is what the accepted answers lack, over the mean quality of the expensive ones. Thresholds are
    tried from strict to loose and the first whose upper bound breaks the promise ends the search (fixed-sequence testing:
    Angelopoulos et al. 2021, "Learn then Test"), so that trying many costs no confidence. The bound is the normal one over
    groups, with one lost question added: where nothing was lost yet, that is no proof that nothing will be.
    """
    best = np.where(cases.passed, np.maximum(p_first, p_second), 0.0)
    tried = np.unique(np.round(np.quantile(best[best > 0], np.linspace(0.0, 1.0, 400)), 4))[::-1]
    _, member = np.unique(np.asarray(cases.groups), return_inverse=True)
    bounds = [loss_bound(best >= cut, cases, member) for cut in tried]
    points: list[list[float]] = []
    for promise in PROMISES:
        kept = 0
        while kept < len(tried) and bounds[kept] <= promise:
            kept += 1
        if kept:
            points.append([promise, float(tried[kept - 1])])
    return points


def loss_bound(accepted: NDArray[np.bool_], cases: Cases, member: NDArray[np.intp]) -> float:
    """Return the upper end, with 95 % confidence, of the share of quality that the accepted answers lose.

    ``member`` holds the number of each case's group.
    """
    lost = np.where(accepted, np.clip(cases.strong_ok - cases.weak_ok, -1, 1), 0.0)
    weight = np.bincount(member, weights=cases.weights)
    each = np.bincount(member, weights=cases.weights * lost)
    mean = each.sum() / weight.sum()
    spread = np.sqrt(np.sum((each - weight * mean) ** 2) + 1.0)
    quality = float(cases.weights @ cases.strong_ok)
    return float((each.sum() + _CONFIDENCE * spread) / quality)


def _after(fitted: Fitted, cases: Cases) -> tuple[Floats, Floats]:
    """Return bins of p_ok before an opinion, and the quantiles of p_ok after it in each."""
    seen = cases.passed & cases.bought
    before, after = fitted.p_first[seen], fitted.p_second[seen]
    # Edges that are values themselves, below the largest: no bin is empty, however many estimates are equal.
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower"))
    edges = edges[edges < before.max()]
    places = np.searchsorted(edges, before)
    levels = np.linspace(0, 1, _QUANTILES)
    return edges, np.array([np.quantile(after[places == n], levels) for n in range(len(edges) + 1)])


def _digest(populations: Mapping[Population, Cases]) -> str:
    digest = hashlib.sha256()
    for name, cases in sorted(populations.items()):
        digest.update(name.encode())
        for array in (cases.first, cases.second, cases.weak_ok, cases.strong_ok, cases.weights):
            digest.update(np.round(array, 6).tobytes())
        digest.update(json.dumps(list(cases.groups)).encode())
    return digest.hexdigest()


def _plain(regression: Regression) -> dict[str, Any]:
    return {
        "mean": _rounded(regression.mean),
        "scale": _rounded(regression.scale),
        "weights": _rounded(regression.weights),
        "intercept": float(f"{regression.intercept:.6g}"),
        "curve": [_rounded(line) for line in regression.curve],
    }


def _rounded(values: Floats) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
