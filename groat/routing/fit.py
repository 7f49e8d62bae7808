"""Train the router on recorded or labelled outcomes."""

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from groat.errors import BadInput
from groat.routing.artifact import Population, Proof, RouterArtifact
from groat.routing.estimator import Curve, Numbers
from groat.routing.familiar import Known
from groat.routing.fit_familiar import known
from groat.routing.fit_heads import heads, scores
from groat.routing.fit_linear import PENALTY, Rows
from groat.routing.heads import Heads
from groat.routing.promise import operating_points
from groat.types import Language

LEAST_ROWS = 100
"""Fewer rows are not fitted on."""
FOLDS = 5
NEAR = 0.05
"""An answer is as good as another when its quality is less by no more than this."""
_ISOTONIC_ROWS = 1_000
"""With fewer rows a logistic curve calibrates, with more a free one."""
_KNOTS = 41
_FALL = 1e-3
"""How much a curve that must fall strictly falls over its whole length at least."""


def fit(
    rows: Rows,
    *,
    embedder: str,
    date: str,
    prior: RouterArtifact | None = None,
    penalty: float = PENALTY,
    seed: int = 7,
) -> RouterArtifact:
    """Return the artifact: both heads, their calibration, what is known, and the operating points.

    Calibration, operating points and the figures of the card come from predictions for question groups that were left out;
    the coefficients that ship come from all rows.

    Args:
        rows: what to learn from.
        embedder: name of the embedder behind the vectors.
        date: the day, ISO 8601.
        prior: a router to start from, such as the shipped one; its heads are corrected by the rows, not replaced.
        penalty: on the coefficients.
        seed: of the folds.

    Raises:
        BadInput: too few rows, or outcomes of one kind only.
    """
    check_enough(rows)
    before = None if prior is None else prior.heads
    folds = fold_numbers(rows, seed)
    apart = left_out(rows, folds, prior=before, penalty=penalty)
    digest, grounded = _digest(rows), known_grounded(rows, folds)
    return RouterArtifact(
        version=f"{date}/{version_hash(digest, grounded)}",
        embedder=embedder,
        heads=heads(rows, prior=before, penalty=penalty),
        cheap=rising(apart[:, 0], rows.quality[:, 0], rows.weights),
        expensive=rising(apart[:, 1], rows.quality[:, 1], rows.weights),
        as_good=_falling(apart[:, 1] - apart[:, 0], as_good(rows), rows.weights),
        known=known(rows.surface, rows.vectors, folds),
        known_grounded=grounded,
        proofs=proofs(rows, apart[:, 1] - apart[:, 0]),
        seen=np.unique(np.array([int(question, 16) for question in rows.questions], dtype=np.uint64)),
        card={
            "date": date,
            "data_sha256": digest,
            "rows": len(rows),
            "prior": None if prior is None else prior.version,
            "scikit_learn": importlib.metadata.version("scikit-learn"),
            "numpy": np.__version__,
            "penalty": penalty,
            "left_out": _metrics(rows, apart),
        },
    )


def left_out(rows: Rows, folds: NDArray[np.int64], *, prior: Heads | None = None, penalty: float = PENALTY) -> Numbers:
    """Return both heads' values of each row from heads that did not see its fold, shape (rows, 2)."""
    apart = np.zeros((len(rows), 2))
    for fold in np.unique(folds):
        fitted = heads(rows.take(folds != fold), prior=prior, penalty=penalty)
        apart[folds == fold] = scores(fitted, rows.take(folds == fold))
    return apart


def version_hash(digest: str, grounded: Mapping[Language, Known]) -> str:
    """Return eight digits that tell artifacts apart: of their rows, and of where questions over documents are known apart."""
    return hashlib.sha256(f"{digest} {sorted(grounded)}".encode()).hexdigest()[:8]


def known_grounded(rows: Rows, folds: NDArray[np.int64]) -> dict[Language, Known]:
    """Learn what the questions over documents are like, where LEAST_ROWS of a language stand in more folds than one."""
    found: dict[Language, Known] = {}
    for language in get_args(Language):
        here = np.array([bool(row.similarities) and row.language == language for row in rows.labelled])
        if here.sum() >= LEAST_ROWS and len(np.unique(folds[here])) > 1:
            found[language] = known(rows.surface[here], rows.vectors[here], folds[here])
    return found


def p_as_good(rows: Rows, *, seed: int = 7) -> Numbers:
    """Return the chance that the cheap answer is as good for each row, from heads and a curve that did not see its question."""
    folds = fold_numbers(rows, seed)
    apart = left_out(rows, folds)
    gain, good = apart[:, 1] - apart[:, 0], as_good(rows)
    chances = np.zeros(len(rows))
    for fold in np.unique(folds):
        others = folds != fold
        curve = _falling(gain[others], good[others], rows.weights[others])
        chances[~others] = np.interp(gain[~others], curve.at, curve.value)
    return chances


def check_enough(rows: Rows) -> None:
    """Raise ``BadInput`` when the rows cannot teach anything: too few, or both models always equal."""
    gain = rows.quality[:, 1] - rows.quality[:, 0]
    if len(rows) < LEAST_ROWS:
        raise BadInput(f"{len(rows)} rows are too few to fit a router on: {LEAST_ROWS} are needed; label more questions")
    if np.ptp(gain) < 1e-9 or not as_good(rows).any() or as_good(rows).all():
        raise BadInput(
            f"the {len(rows)} rows have outcomes of one class only: there must be questions where the cheap answer is as good "
            "and questions where it is not"
        )


def as_good(rows: Rows) -> NDArray[np.bool_]:
    """Tell for each row whether the cheap answer is as good as the expensive one."""
    return np.asarray(rows.quality[:, 0] >= rows.quality[:, 1] - NEAR)


def fold_numbers(rows: Rows, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row, 0 to FOLDS - 1; rows with one question share it."""
    folds = np.zeros(len(rows), dtype=np.int64)
    splits = GroupKFold(FOLDS, shuffle=True, random_state=seed).split(folds, groups=rows.questions)
    for fold, (_, left_out) in enumerate(splits):
        folds[left_out] = fold
    return folds


def proofs(rows: Rows, gain: Numbers) -> dict[tuple[Population, Language], Proof]:
    """Return the operating points for each population and language; ``gain`` is from folds that did not see the row."""
    found: dict[tuple[Population, Language], Proof] = {}
    grounded = np.array([bool(row.similarities) for row in rows.labelled])
    languages = np.array([row.language for row in rows.labelled])
    quality, weights = rows.quality, rows.weights
    for population in get_args(Population):
        for language in get_args(Language):
            here = (grounded == (population == "grounded")) & (languages == language)
            if here.any():
                points = operating_points(gain[here], quality[here, 0], quality[here, 1], weights=weights[here])
                found[population, language] = Proof(rows=int(here.sum()), points=tuple(points))
    return found


def rising(score: Numbers, ok: Numbers, weights: Numbers) -> Curve:
    """Return the curve from a head's value to the quality that is to be expected, from rows that the head did not see."""
    at = np.unique(np.quantile(score, np.linspace(0, 1, _KNOTS)))
    if len(score) < _ISOTONIC_ROWS:
        # A share of quality counts as so much of a right answer and the rest of a wrong one.
        doubled = np.concatenate([score, score])[:, None]
        shares = np.concatenate([ok, 1 - ok]) * np.concatenate([weights, weights])
        right = np.concatenate([np.ones(len(ok)), np.zeros(len(ok))])
        if min(shares[: len(ok)].sum(), shares[len(ok) :].sum()) <= 0:
            return Curve(at=at, value=np.full(len(at), float(ok.mean())))
        model = LogisticRegression(C=100.0).fit(doubled / 0.1, right, sample_weight=shares)
        value = model.predict_proba(at[:, None] / 0.1)[:, 1]
    else:
        value = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, ok, sample_weight=weights).predict(at)
    return Curve(at=at, value=np.maximum.accumulate(value))


def _falling(gain: Numbers, good: NDArray[np.bool_], weights: Numbers) -> Curve:
    """Return the curve from the expected gain to the chance that the cheap answer is as good, strictly falling."""
    mirrored = rising(-gain, good.astype(np.float64), weights)
    fall = np.linspace(0, _FALL, len(mirrored.at))
    return Curve(at=-mirrored.at[::-1], value=((1 - _FALL) * mirrored.value + fall)[::-1].copy())


def _metrics(rows: Rows, apart: Numbers) -> dict[str, dict[str, float]]:
    """Return, by source and language, how well left-out questions were told apart."""
    labels = [(row.source, n) for n, row in enumerate(rows.labelled)]
    labels += [(f"language {row.language}", n) for n, row in enumerate(rows.labelled)]
    good, gain = as_good(rows), apart[:, 1] - apart[:, 0]
    table: dict[str, dict[str, float]] = {}
    for name in sorted({name for name, _ in labels}):
        chosen = [n for label, n in labels if label == name]
        if len(chosen) < 30 or len(set(good[chosen].tolist())) < 2:
            continue
        table[name] = {
            "rows": len(chosen),
            "auc_as_good": round(float(roc_auc_score(good[chosen], -gain[chosen])), 3),
            "as_good": round(float(good[chosen].mean()), 3),
        }
    return table


def _digest(rows: Rows) -> str:
    digest = hashlib.sha256()
    digest.update(np.round(rows.surface, 6).tobytes())
    digest.update(rows.quality.tobytes())
    digest.update(json.dumps(rows.questions.tolist()).encode())
    return digest.hexdigest()
