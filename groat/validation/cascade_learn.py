"""Learn from graded answers which one is right, and how long answers get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from groat.validation.cascade_evidence import FACTS, MAX_BOUGHT
from groat.validation.cascade_model import GroupModel, Linear, Weighed
from groat.validation.cascade_table import Bools, Numbers, State, Table, agreement_columns, spoken_first, states, voices

FOLDS = 5

STRENGTHS = (0.15, 0.6, 2.5)
"""Inverse regularisation that is tried for the odds that an answer is right."""

_FACTS_RIDGE = 75.0
_AGREEMENT_SCALE = 2.0
"""Agreements are standardised to this size: regularisation shrinks less what is known to matter most."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """The estimators, fitted on everything and once more without each fold."""

    background: Linear
    right: Linear
    spread: tuple[float, ...]
    echo: tuple[float, ...]
    strength: float
    """Inverse regularisation with the least loss on questions that were not fitted on."""
    log_loss: float
    """That loss, in nats per answer."""
    apart: Sequence[tuple[Linear, Linear]]
    """By fold, ``background`` and ``right`` without it."""

    def weighed(
        self, shell: GroupModel, found: Table, quality: Numbers, folds: NDArray[np.int64]
    ) -> tuple[Mapping[State, Weighed], Mapping[State, Numbers]]:
        """Return by state what the answers say, each question judged by estimators that did not see it; and the calibration."""
        table: dict[State, Weighed] = {}
        calibration: dict[State, Numbers] = {}
        for state in states(found.lengths.shape[1], MAX_BOUGHT):
            table[state] = self._unseen(shell, found, folds, state, None)
            if state:
                evidence = table[state].evidence
                graded = quality[np.arange(len(found)), table[state].place.astype(int)]
                apart = [_calibration(evidence[folds != fold], graded[folds != fold]) for fold in range(FOLDS)]
                calibration[state] = _calibration(evidence, graded)
                table[state] = self._unseen(shell, found, folds, state, apart)
        return table, calibration

    def _unseen(
        self,
        shell: GroupModel,
        found: Table,
        folds: NDArray[np.int64],
        state: State,
        calibrations: Sequence[Numbers] | None,
    ) -> Weighed:
        each: list[tuple[Bools, Weighed]] = []
        for fold, (background, right) in enumerate(self.apart):
            calibration = {state: calibrations[fold]} if calibrations else {}
            model = replace(shell, background=background, right=right, calibration=calibration)
            each.append((folds == fold, model.weigh(found.rows(folds == fold), state)))
        return Weighed(
            state=state,
            p_right=_put([(here, one.p_right) for here, one in each]),
            place=_put([(here, one.place) for here, one in each]),
            evidence=_put([(here, one.evidence) for here, one in each]),
            inputs=_put([(here, one.inputs) for here, one in each]),
            out_tokens=_put([(here, one.out_tokens) for here, one in each]),
        )


def learn(found: Table, quality: Numbers, folds: NDArray[np.int64]) -> Learned:
    """Fit the estimators.

    Args:
        found: the questions with every answer.
        quality: of each answer, 0..1, shape (rows, models).
        folds: of each question, 0 to ``FOLDS`` - 1.
    """
    targets = np.column_stack([1 - quality.mean(axis=1), 1 - quality[:, -1], found.lengths])
    background = _ridge(found.facts, targets)
    backgrounds = [_ridge(found.facts[folds != fold], targets[folds != fold]) for fold in range(FOLDS)]
    unseen = _put([(folds == fold, one(found.facts[folds == fold])) for fold, one in enumerate(backgrounds)])
    heard = _heard(found, quality, unseen[:, 0], found.lengths - unseen[:, 2:])
    tried: dict[float, tuple[float, list[Linear]]] = {}
    for strength in STRENGTHS:
        rights = [_logistic(heard, folds[heard.row] != fold, strength) for fold in range(FOLDS)]
        losses = [_entropy(one, heard, folds[heard.row] == fold) for fold, one in enumerate(rights)]
        tried[strength] = (float(np.mean(losses)), rights)
    strength = min(tried, key=lambda one: tried[one][0])
    spread = np.exp(found.lengths).mean(axis=0) / np.exp(unseen[:, 2:]).mean(axis=0)
    return Learned(
        background=background,
        right=_logistic(heard, np.ones(len(heard.row), dtype=bool), strength),
        spread=tuple(float(f"{one:.5g}") for one in spread.tolist()),
        echo=_echo(found.lengths - unseen[:, 2:]),
        strength=strength,
        log_loss=tried[strength][0],
        apart=list(zip(backgrounds, tried[strength][1], strict=True)),
    )


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """All distinct answers in all states, as inputs and quality; ``row`` says of which question."""

    inputs: Numbers
    quality: Numbers
    row: NDArray[np.int64]
    weight: float
    agreements: slice
    """Columns of ``inputs`` that say who agrees with whom."""


def _heard(found: Table, quality: Numbers, hardness: Numbers, surprise: Numbers) -> _Heard:
    inputs, qualities, row = [], [], []
    known = [state for state in states(quality.shape[1], MAX_BOUGHT) if state]
    for state in known:
        for place in state:
            first = np.flatnonzero(spoken_first(found, state, place))
            inputs.append(voices(found, state, place, hardness, surprise)[first])
            qualities.append(quality[first, place])
            row.append(first)
    return _Heard(
        inputs=np.concatenate(inputs),
        quality=np.concatenate(qualities),
        row=np.concatenate(row),
        weight=1 / len(known),
        agreements=agreement_columns(quality.shape[1]),
    )


def _logistic(heard: _Heard, chosen: Bools, strength: float) -> Linear:
    """Fit on the chosen rows; an answer that is right in part counts as right with that weight and as wrong with the rest."""
    inputs, quality = heard.inputs[chosen], heard.quality[chosen]
    mean, scale = _standard(inputs)
    scale[heard.agreements] /= _AGREEMENT_SCALE
    if quality.max() == 0 or quality.min() == 1:
        odds = np.log((quality.sum() + 1) / (len(quality) - quality.sum() + 1))
        return Linear(mean=mean, scale=scale, weights=np.zeros((len(mean), 1)), intercept=np.array([odds]))
    design, target, weight = _graded((inputs - mean) / scale, quality)
    model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-3)
    model.fit(design, target, sample_weight=heard.weight * weight)
    return Linear(mean=mean, scale=scale, weights=model.coef_.T, intercept=model.intercept_)


def _graded(inputs: Numbers, quality: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return inputs, right or wrong, and weights: an answer that is right in part stands there twice."""
    right, wrong = quality > 0, quality < 1
    return (
        np.concatenate([inputs[right], inputs[wrong]]),
        np.concatenate([np.ones(right.sum()), np.zeros(wrong.sum())]),
        np.concatenate([quality[right], 1 - quality[wrong]]),
    )


def _calibration(evidence: Numbers, quality: Numbers) -> Numbers:
    """Return the weights of ``GroupModel.calibration``: Platt's method with more than one input; never against the odds."""
    if quality.max() == 0 or quality.min() == 1:
        return np.array([1.0, *np.zeros(evidence.shape[1])])
    inputs, target, weight = _graded(evidence, quality)
    model = LogisticRegression(C=1.0, solver="newton-cholesky").fit(inputs, target, sample_weight=weight)
    return np.array([max(model.coef_[0, 0], 0.0), *model.coef_[0, 1:], model.intercept_[0]])


def _echo(surprise: Numbers) -> tuple[float, ...]:
    """Return by number of answers bought how much of their mean surprise another answer shares (least squares)."""
    found = [0.0]
    for size in range(1, MAX_BOUGHT + 1):
        over = under = 0.0
        for state in combinations(range(surprise.shape[1]), min(size, surprise.shape[1] - 1)):
            mean = surprise[:, list(state)].mean(axis=1)
            for other in set(range(surprise.shape[1])) - set(state):
                over, under = over + float(mean @ surprise[:, other]), under + float(mean @ mean)
        found.append(float(f"{over / max(under, 1e-9):.4g}"))
    return tuple(found)


def _entropy(right: Linear, heard: _Heard, chosen: Bools) -> float:
    p = np.clip(1 / (1 + np.exp(-right(heard.inputs[chosen])[:, 0])), 1e-6, 1 - 1e-6)
    quality = heard.quality[chosen]
    return float(-(quality * np.log(p) + (1 - quality) * np.log(1 - p)).mean())


def _ridge(inputs: Numbers, targets: Numbers) -> Linear:
    mean, scale = _standard(inputs)
    mean[FACTS:], scale[FACTS:] = 0.0, 1.0  # words come in their own scale
    model = Ridge(alpha=_FACTS_RIDGE).fit((inputs - mean) / scale, targets)
    return Linear(mean=mean, scale=scale, weights=model.coef_.T, intercept=model.intercept_)


def _standard(inputs: Numbers) -> tuple[Numbers, Numbers]:
    deviation = inputs.std(axis=0)
    return inputs.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0)


def _put(parts: Sequence[tuple[Bools, Numbers]]) -> Numbers:
    """Return the parts of an array, each at its rows."""
    first_rows, first = parts[0]
    found = np.zeros((len(first_rows), *first.shape[1:]))
    for here, values in parts:
        found[here] = values
    return found
