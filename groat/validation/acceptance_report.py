"""What an acceptance model is worth on answers that it has not seen."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss, roc_auc_score

from groat.types import Language
from groat.validation.acceptance_cases import Cases, Floats
from groat.validation.acceptance_evidence import NAMES

Points: TypeAlias = Mapping[Language, Sequence[Sequence[float]]]
_SHOWN = (0.01, 0.02, 0.05, 0.1)
"""Promises that the report tells the outcome of."""
_LEAST = 30
"""Fewer cases than this say nothing."""


def report(
    *,
    p_first: Floats,
    p_second: Floats,
    points: Points,
    cases: Cases,
) -> dict[str, Any]:
    """Return the figures of held-out cases as a whole, by source and by language.

    Args:
        p_first: estimates without an opinion.
        p_second: estimates with one where there is one.
        points: [promise, threshold] pairs by language, chosen without these cases.
        cases: the held-out cases.
    """
    labels = {"all": np.ones(len(p_first), dtype=bool)}
    labels |= {name: np.array([source == name for source in cases.sources]) for name in sorted(set(cases.sources))}
    labels |= {
        f"language {name}": np.array([lang == name for lang in cases.languages]) for name in sorted(set(cases.languages))
    }
    table: dict[str, Any] = {}
    for name, mask in labels.items():
        if (mask & cases.passed).sum() < _LEAST:
            continue
        figures = _quality(p_first, p_second, mask & cases.passed, cases)
        table[name] = figures | {"accepted": _accepted(p_first, p_second, points, mask, cases)}
    return table


def _quality(
    p_first: Floats,
    p_second: Floats,
    mask: NDArray[np.bool_],
    cases: Cases,
) -> dict[str, Any]:
    with_opinion = mask & cases.bought
    router = cases.first[:, NAMES.index("route_logit")]
    known = mask & (cases.first[:, NAMES.index("route_known")] > 0)
    groups = len({group for group, shown in zip(cases.groups, mask, strict=True) if shown})
    return {
        "groups": groups,
        "as_good": round(float(np.average(cases.as_good[mask], weights=cases.weights[mask])), 3),
        "auc_router": _auc(router, known, cases),
        "auc_alone": _auc(p_first, mask, cases),
        "auc_with_opinion": _auc(p_second, with_opinion, cases),
        "brier_alone": _brier(p_first, mask, cases),
        "brier_with_opinion": _brier(p_second, with_opinion, cases),
        "ece_alone": _calibration_error(p_first, mask, cases),
        "ece_with_opinion": _calibration_error(p_second, with_opinion, cases),
    }


def _accepted(
    p_first: Floats,
    p_second: Floats,
    points: Points,
    mask: NDArray[np.bool_],
    cases: Cases,
) -> dict[str, dict[str, float]]:
    """Return for some promises the share of all cheap answers that is accepted, and the quality that this loses."""
    told: dict[str, dict[str, float]] = {}
    weights = cases.weights[mask]
    quality = float(weights @ cases.strong_ok[mask])
    lost = np.clip(cases.strong_ok - cases.weak_ok, -1, 1)[mask]
    best = np.maximum(p_first, p_second)
    for promise in _SHOWN:
        # Above 1: where no threshold keeps the promise, nothing is accepted.
        cuts = {language: next((cut for kept, cut in pairs if kept == promise), 2.0) for language, pairs in points.items()}
        least = np.array([cuts[language] for language in cases.languages])
        alone = ((p_first >= least) & cases.passed)[mask]
        either = ((best >= least) & cases.passed)[mask]
        told[f"{promise:g}"] = {
            "share_alone": round(float(weights @ alone / weights.sum()), 4),
            "share": round(float(weights @ either / weights.sum()), 4),
            "loss": round(float(weights @ (either * lost) / quality), 4) if quality else 0.0,
        }
    return told


def _auc(p: Floats, mask: NDArray[np.bool_], cases: Cases) -> float | None:
    if mask.sum() < _LEAST or len(set(cases.as_good[mask].tolist())) < 2:
        return None
    return round(float(roc_auc_score(cases.as_good[mask], p[mask], sample_weight=cases.weights[mask])), 3)


def _brier(p: Floats, mask: NDArray[np.bool_], cases: Cases) -> float | None:
    if mask.sum() < _LEAST:
        return None
    return round(float(brier_score_loss(cases.as_good[mask], p[mask], sample_weight=cases.weights[mask], pos_label=1)), 4)


def _calibration_error(p: Floats, mask: NDArray[np.bool_], cases: Cases) -> float | None:
    """Return the expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    if mask.sum() < _LEAST:
        return None
    bins = np.minimum((p[mask] * 10).astype(int), 9)
    weights = cases.weights[mask]
    gaps = np.bincount(bins, weights=weights * (p[mask] - cases.as_good[mask]), minlength=10)
    return round(float(np.abs(gaps).sum() / weights.sum()), 4)
