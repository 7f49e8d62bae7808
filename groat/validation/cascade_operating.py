"""Work out backwards what each purchase is worth, replay the policy, and choose the rate that keeps a promise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from groat.validation.cascade_model import Linear, Weighed, earlier_sample
from groat.validation.cascade_table import Numbers, State

QUALITIES = (0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0)
"""Promises that a rate is kept for."""

CONFIDENCES = {0.5: 0.0, 0.6: 0.2533, 0.8: 0.8416, 0.9: 1.2816, 0.95: 1.6449, 0.975: 1.96}
"""How sure a promise is, one-sided, and the standard errors between it and what was measured."""

RATES = tuple(float(f"{1.2 * 0.94**step:.3g}") for step in range(73))
"""Rates that are tried, from 1.2 (hardly anything is worth a second call) to 0.014 (hardly any price is too high)."""

CURVE = RATES[::6]
"""Rates that an artifact holds besides those that keep a promise."""

_NEAR = 0.4
"""How far apart two rates may be, in logarithms, to tell something of each other."""

_RIDGE = 300.0
"""Strong: what a purchase is worth is a small difference of noisy values, and the best of five would be one that looks so."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """Questions whose every answer is known, judged by estimates that did not see them."""

    models: tuple[str, ...]
    """The reference model last."""
    weighed: Mapping[State, Weighed]
    """The largest states first."""
    quality: Numbers
    """Of each model's answer, shape (rows, models)."""
    cost: Numbers
    """In typical calls of the reference model, shape (rows, models)."""
    expected: Mapping[State, Numbers]
    """What each model's answer is expected to cost, by answers bought; shape (rows, models)."""
    folds: NDArray[np.int64]

    @cached_property
    def regressions(self) -> Mapping[State, "Regression"]:
        """One for each state that something can be bought in."""
        most = max(len(state) for state in self.weighed)
        return {state: Regression(one.inputs, self.folds) for state, one in self.weighed.items() if len(state) < most}

    def choices(self, state: State) -> list[int]:
        """Return the places of the models that can be asked after ``state``."""
        names = {self.models[place] for place in state}
        return [
            place
            for place, name in enumerate(self.models)
            if place not in state and (earlier_sample(name) in names or earlier_sample(name) not in self.models)
        ]


class Regression:
    """Ridge regression of several targets on one set of inputs, as a whole and across folds."""

    def __init__(self, inputs: Numbers, folds: NDArray[np.int64]) -> None:
        """Factorise once: the targets change with every rate, the inputs do not."""
        self._mean = inputs.mean(axis=0)
        self._scale = np.where(inputs.std(axis=0) > 1e-9, inputs.std(axis=0), 1.0)
        design = np.column_stack([(inputs - self._mean) / self._scale, np.ones(len(inputs))])
        self._whole = _solver(design)
        self._parts = [(folds == fold, _solver(design[folds != fold]), design[folds == fold]) for fold in np.unique(folds)]

    def unseen(self, targets: Numbers) -> Numbers:
        """Return for each row what a fit on the other folds says, shape (rows, targets)."""
        found = np.zeros_like(targets)
        for here, solver, design in self._parts:
            found[here] = design @ (solver @ targets[~here])
        return found

    def whole(self, targets: Numbers) -> Linear:
        """Return the fit on all rows."""
        weights = self._whole @ targets
        return Linear(mean=self._mean, scale=self._scale, weights=weights[:-1], intercept=weights[-1])


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What following the policy at one rate gives, per question."""

    quality: Numbers
    believed: Numbers
    """Probability that the given answer is right, by estimates that did not see the question."""
    cost: Numbers
    """In typical calls of the reference model."""
    worth: Mapping[State, Linear]
    """For the states that any question came into."""


def follow(board: Board, rate: float) -> Outcome:
    """Work out the policy at a rate and follow it; no question is judged by a regression that saw it.

    Backward over the states, since what a purchase is worth depends on what is done afterwards. The objective of a question is
    the probability that the given answer is right, less ``rate`` times all it cost.
    """
    rows = len(board.quality)
    value: dict[State, Numbers] = {}
    action: dict[State, NDArray[np.int64]] = {}
    worth: dict[State, Linear] = {}
    for state, weighed in board.weighed.items():
        value[state], action[state] = weighed.p_right.copy(), np.full(rows, -1)
        if state not in board.regressions:
            continue
        choices = board.choices(state)
        after = np.column_stack([value[_with(state, place)] for place in choices])
        targets = after - weighed.p_right[:, None]
        gains = board.regressions[state].unseen(targets) - rate * board.expected[state][:, choices]
        best = gains.argmax(axis=1)
        buys = (gains[np.arange(rows), best] > 0) | (not state)
        paid = after - rate * board.cost[:, choices]
        value[state] = np.where(buys, paid[np.arange(rows), best], value[state])
        action[state] = np.where(buys, np.array(choices)[best], -1)
        whole = board.regressions[state].whole(targets)
        worth[state] = _spread_out(whole, choices, len(board.models))
    return _walk(board, action, worth)


def _walk(board: Board, action: Mapping[State, NDArray[np.int64]], worth: Mapping[State, Linear]) -> Outcome:
    rows = len(board.quality)
    quality, believed, cost = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    here: dict[State, NDArray[np.int64]] = {(): np.arange(rows)}
    visited: dict[State, Linear] = {}
    while here:
        state, those = here.popitem()
        if state in worth:
            visited[state] = worth[state]
        chosen = action[state][those]
        ended = those[chosen < 0]
        quality[ended] = board.quality[ended, board.weighed[state].place[ended].astype(int)]
        believed[ended] = board.weighed[state].p_right[ended]
        for place in np.unique(chosen[chosen >= 0]).tolist():
            bought, following = those[chosen == place], _with(state, place)
            cost[bought] += board.cost[bought, place]
            here[following] = np.concatenate([here.get(following, np.zeros(0, dtype=np.int64)), bought])
    return Outcome(quality=quality, believed=believed, cost=cost, worth=visited)


def operating_points(
    board: Board, outcomes: Mapping[float, Outcome], rows: NDArray[np.int64] | None = None
) -> list[tuple[float, float, float]]:
    """Return (confidence, quality promised, rate) triples.

    Of the rates whose quality is at least the promise with the confidence, the one that saves most; by the normal approximation
    of the paired difference, with one more loss than was seen. The quality at a rate is what the estimates believe, which
    changes smoothly, corrected by how far they were off at this rate and those near it; and it is made to fall as the rate
    rises (isotonic regression), as it does on more questions. One lucky rate among many would otherwise be chosen. A promise
    that none keeps at less than the reference model's bill is left out.

    Args:
        board: the questions.
        outcomes: by rate, what following the policy gave.
        rows: look at these questions alone; None for all.
    """
    chosen = np.arange(len(board.quality)) if rows is None else rows
    reference = board.quality[chosen, -1]
    bill = float(board.cost[chosen, -1].sum())
    rates = sorted(outcomes)
    spent = {rate: float(outcomes[rate].cost[chosen].sum()) for rate in rates}
    differences = [outcomes[rate].quality[chosen] - reference for rate in rates]
    believed = np.array([outcomes[rate].believed[chosen].mean() for rate in rates])
    off = np.array([outcomes[rate].quality[chosen].mean() for rate in rates]) - believed
    near = np.exp(-0.5 * (np.subtract.outer(np.log(rates), np.log(rates)) / _NEAR) ** 2)
    expected = believed + near @ off / near.sum(axis=1) - reference.mean()
    points: list[tuple[float, float, float]] = []
    for confidence, errors in CONFIDENCES.items():
        margins = np.array([errors * _error(one) for one in differences])
        lowest = 1 + (expected - margins) / max(float(reference.mean()), 1e-9)
        falling = IsotonicRegression(increasing=False).fit_transform(np.log(rates), lowest)
        for promise in QUALITIES:
            kept = [rate for rate, end in zip(rates, falling, strict=True) if end >= promise and spent[rate] < bill]
            if kept:
                points.append((confidence, promise, min(kept, key=lambda rate: (spent[rate], rate))))
    return points


def _with(state: State, place: int) -> State:
    return tuple(sorted((*state, place)))


def _spread_out(linear: Linear, choices: Sequence[int], count: int) -> Linear:
    weights, intercept = np.zeros((len(linear.weights), count)), np.full(count, -9.0)
    weights[:, choices], intercept[list(choices)] = linear.weights, linear.intercept
    return Linear(mean=linear.mean, scale=linear.scale, weights=weights, intercept=intercept)


def _solver(design: Numbers) -> Numbers:
    ridge = np.eye(design.shape[1]) * _RIDGE
    ridge[-1, -1] = 1e-9
    return np.asarray(np.linalg.solve(design.T @ design + ridge, design.T), dtype=np.float64)


def _error(difference: Numbers) -> float:
    """Return the standard error of a mean difference, with one more loss than was seen."""
    careful = np.append(difference, -1.0)
    return float(careful.std(ddof=1) / np.sqrt(len(careful)))
