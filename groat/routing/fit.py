"""Train the router on recorded or labelled outcomes."""

import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.preprocessing import StandardScaler

from groat.embedding import Matrix
from groat.routing.features import VERSION

LOSSES = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
"""Promised losses of quality for which a threshold is kept."""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Questions with the outcomes of both models; all of one length."""

    surface: NDArray[np.float64]
    """Shape (rows, features)."""
    vectors: Matrix
    weak_ok: NDArray[np.float64]
    """Quality of the cheap model's answer, 0..1."""
    strong_ok: NDArray[np.float64]
    groups: Sequence[str]
    """Rows of one group ask the same; they are never split between training and test."""
    sources: Sequence[str]
    languages: Sequence[str]
    weights: NDArray[np.float64]
    """What each row counts, in training and in the operating points."""


def fit(rows: Rows, *, embedder: str, date: str, seed: int = 7) -> dict[str, Any]:
    """Return the artifact as JSON-ready data: a regularised logistic regression on surface features and vector.

    A third of the groups is held out; the metrics and the operating points come from it, the coefficients from the rest.
    The target is whether the cheap answer is as good as the expensive one within .05 of quality.

    Raises:
        ValueError: fewer than 200 rows, or only one class.
    """
    target = (rows.weak_ok >= rows.strong_ok - 0.05).astype(int)
    if len(target) < 200 or len(set(target.tolist())) < 2:
        raise ValueError(
            f"{len(target)} rows with {len(set(target.tolist()))} classes are too few: 200 rows with both are needed"
        )
    train, test = next(GroupShuffleSplit(1, test_size=1 / 3, random_state=seed).split(target, groups=list(rows.groups)))
    scaler = StandardScaler().fit(rows.surface[train])
    # Unit vectors have components of about 0.05: scaled by 4 they are regularised about as strongly as the scaled features.
    inputs = np.hstack([scaler.transform(rows.surface), rows.vectors.astype(np.float64) * _VECTOR_SCALE])
    model = LogisticRegression(C=0.3, max_iter=2000).fit(inputs[train], target[train], sample_weight=rows.weights[train])
    probabilities = model.predict_proba(inputs)[:, 1]
    surface_count = rows.surface.shape[1]
    return {
        "version": f"{date}/{_digest(rows)[:8]}",
        "features": VERSION,
        "embedder": embedder,
        "mean": _rounded(scaler.mean_),
        "scale": _rounded(scaler.scale_),
        "surface_weights": _rounded(model.coef_[0][:surface_count]),
        "vector_weights": _rounded(model.coef_[0][surface_count:] * _VECTOR_SCALE),
        "intercept": float(model.intercept_[0]),
        "thresholds": operating_points(
            probabilities[test], rows.weak_ok[test], rows.strong_ok[test], weights=rows.weights[test]
        ),
        "card": {
            "date": date,
            "data_sha256": _digest(rows),
            "rows": {"train": len(train), "test": len(test)},
            "scikit_learn": importlib.metadata.version("scikit-learn"),
            "target": "cheap answer as good as the expensive one within .05",
            "held_out": _metrics(rows, probabilities, target, test),
        },
    }


_VECTOR_SCALE = 4.0


def operating_points(
    probabilities: NDArray[np.float64],
    weak_ok: NDArray[np.float64],
    strong_ok: NDArray[np.float64],
    *,
    weights: NDArray[np.float64],
) -> list[list[float]]:
    """Return [promised loss, threshold] pairs: the lowest threshold whose loss is within the promise with 95 % confidence.

    The loss is the weighted mean of what the cheap answers lack, over the mean quality of the expensive ones; its upper
    end comes from the normal approximation of the mean. Losses that no threshold reaches are left out.
    """
    lost = np.clip(strong_ok - weak_ok, -1, 1)
    share = weights / weights.sum()
    quality = float(share @ strong_ok)
    points: list[list[float]] = []
    candidates = np.unique(np.round(probabilities, 3))
    for promise in LOSSES:
        for cut in candidates:
            each = np.where(probabilities >= cut, lost, 0.0)
            mean = float(share @ each)
            error = float(np.sqrt(np.sum(share**2 * (each - mean) ** 2)))
            if (mean + 1.645 * error) / quality <= promise:
                points.append([promise, float(cut)])
                break
    return points


def _metrics(
    rows: Rows, probabilities: NDArray[np.float64], target: NDArray[np.int_], test: NDArray[np.int_]
) -> dict[str, dict[str, float]]:
    table: dict[str, dict[str, float]] = {}
    names = [(f"{rows.sources[n]}", n) for n in test] + [(f"language {rows.languages[n]}", n) for n in test]
    for name in sorted({name for name, _ in names}):
        chosen = [n for label, n in names if label == name]
        if len(chosen) < 30 or len(set(target[chosen].tolist())) < 2:
            continue
        table[name] = {
            "rows": len(chosen),
            "auc": round(float(roc_auc_score(target[chosen], probabilities[chosen])), 3),
            "brier": round(float(brier_score_loss(target[chosen], probabilities[chosen])), 3),
            "cheap_as_good": round(float(target[chosen].mean()), 3),
        }
    return table


def _digest(rows: Rows) -> str:
    digest = hashlib.sha256()
    digest.update(np.round(rows.surface, 6).tobytes())
    digest.update(rows.weak_ok.tobytes())
    digest.update(rows.strong_ok.tobytes())
    digest.update(json.dumps(list(rows.groups)).encode())
    return digest.hexdigest()


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
