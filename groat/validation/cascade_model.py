"""What was learned about one group of questions: which answer is right, how long the next one gets, whether it is worth it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import TypedDict

from groat.errors import ArtifactError
from groat.validation.cascade_evidence import Offer, Task
from groat.validation.cascade_table import Numbers, State, Table, prospects, voices

_FAR = 8.0
"""Standardised inputs are cut here: what lies farther out was never seen."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Linear functions of standardised inputs, one per column of the weights."""

    mean: Numbers
    scale: Numbers
    weights: Numbers
    """Shape (inputs, outputs)."""
    intercept: Numbers

    def __call__(self, inputs: Numbers) -> Numbers:
        """Return the values for each row of ``inputs``, shape (rows, outputs)."""
        standard = np.clip((inputs - self.mean) / self.scale, -_FAR, _FAR)
        # One question at a time is too little work for the threads of BLAS: waking them takes longer than multiplying.
        product = np.einsum("ij,jk->ik", standard, self.weights) if len(inputs) == 1 else standard @ self.weights
        return np.asarray(product + self.intercept, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Point:
    """An operating point that was measured."""

    confidence: float
    promise: float
    """Quality promised, as a share of the reference model's."""
    rate: float


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What the answers bought say, one row per question."""

    state: State
    p_right: Numbers
    """Probability that the given answer is right; zeros when nothing was bought."""
    place: Numbers
    """Whose answer would be given."""
    evidence: Numbers
    """What the calibration looks at: log-odds, how far the others back the answer, hardness."""
    inputs: Numbers
    """What ``worth`` looks at."""
    out_tokens: Numbers
    """Expected length of each model's answer, shape (rows, models)."""


@dataclass(frozen=True, kw_only=True)
class GroupModel:
    """What was learned about one group of questions."""

    models: tuple[str, ...]
    """By name, the reference model among them; a further sample of a model is called ``name#2``."""
    background: Linear
    """From the facts and words of a question: the expected share of models that fail, the probability that the reference
    model does, and the length of each model's answer (log)."""
    right: Linear
    """Log-odds that an answer is right, from ``voices``; says which answer is likeliest."""
    calibration: Mapping[State, Numbers]
    """By answers bought: weights of ``evidence`` and last a constant, that give the log-odds of the answer that looks best. It
    is not as good as it looks, and more so the more answers there are; and one regression for all states gives agreement the
    same weight in each."""
    echo: tuple[float, ...]
    """By number of answers bought, none first: how much of their surprising length the next answer shares."""
    spread: tuple[float, ...]
    """Mean length of each model's answers over the one that ``background`` expects."""
    typical: tuple[float, float]
    """Tokens in and out of the reference model's mean call: its cost is the unit of all others."""
    worth: Mapping[float, Mapping[State, Linear]]
    """By rate and answers bought: what each model's answer would add to quality less the cost of all that follows it."""
    points: tuple[Point, ...]

    def rate(self, quality: float, confidence: float) -> float | None:
        """Return the rate that keeps a promise, None when no measured one does."""
        kept = [one for one in self.points if one.confidence >= confidence - 1e-9 and one.promise >= quality - 1e-9]
        return min(kept, key=lambda one: (one.confidence, one.promise)).rate if kept else None

    def weigh(self, found: Table, state: State) -> Weighed:
        """Return what the answers of ``state`` say. An answer is given when it is likelier right than each other one."""
        expected = self.background(found.facts)
        hardness, doubt, surprise = expected[:, 0], expected[:, 1], found.lengths - expected[:, 2:]
        longer = surprise[:, list(state)].mean(axis=1, keepdims=True) if state else np.zeros((len(found), 1))
        longer *= self.echo[len(state)]
        lengths = np.exp(np.clip(expected[:, 2:] + longer, 0.0, 12.0)) * np.array(self.spread)
        if not state:
            none = np.zeros(len(found))
            inputs = prospects(state, none, none, hardness, doubt, surprise)
            return Weighed(state=state, p_right=none, place=none, evidence=inputs, inputs=inputs, out_tokens=lengths)
        odds = np.column_stack([self.right(voices(found, state, place, hardness, surprise))[:, 0] for place in state])
        best = odds.argmax(axis=1)
        place = np.array(state)[best]
        backing = found.agreed[np.arange(len(found)), place][:, list(state)].mean(axis=1)
        evidence = np.column_stack([odds[np.arange(len(found)), best], backing, hardness])
        weights = self.calibration.get(state, np.array([1.0, 0.0, 0.0, 0.0]))
        p_right = 1 / (1 + np.exp(-np.clip(evidence @ weights[:-1] + weights[-1], -30, 30)))
        return Weighed(
            state=state,
            p_right=p_right,
            place=place.astype(np.float64),
            evidence=evidence,
            inputs=prospects(state, p_right, backing, hardness, doubt, surprise),
            out_tokens=lengths,
        )

    def costs(self, task: Task, offers: Mapping[str, Offer], out_tokens: Numbers) -> Numbers:
        """Return the expected cost of asking each model, in typical calls of the reference model; infinite for no offer.

        Args:
            task: the question.
            offers: by name, who can be asked; must hold the reference model, the last of ``models``.
            out_tokens: expected length of each model's answer, shape (models,).
        """
        last = offers[self.models[-1]]
        typical = max(self.typical[0] * last.input_usd + self.typical[1] * last.output_usd, 1e-12)
        return np.array(
            [
                offers[name].cost(task, length) / typical if name in offers else np.inf
                for name, length in zip(self.models, out_tokens.tolist(), strict=True)
            ]
        )

    def gains(self, weighed: Weighed, rate: float, costs: Numbers) -> Numbers:
        """Return what buying each model's answer adds to the objective, for the first question; minus infinity for none."""
        nearest = self.worth[min(self.worth, key=lambda known: abs(np.log(known / rate)))]
        learned = nearest.get(weighed.state)
        if learned is None:
            return np.full(len(self.models), -np.inf)
        gains = np.asarray(learned(weighed.inputs)[0] - rate * costs, dtype=np.float64)
        gains[list(weighed.state)] = -np.inf
        for place, name in enumerate(self.models):
            before = earlier_sample(name)
            if before in self.models and self.models.index(before) not in weighed.state:
                gains[place] = -np.inf
        return gains


def earlier_sample(name: str) -> str:
    """Return the sample of the same model that must be bought before this one, its own name when there is none."""
    model, mark, number = name.rpartition("#")
    if not mark or not number.isdecimal() or int(number) < 2:
        return ""
    return model if int(number) == 2 else f"{model}#{int(number) - 1}"


class RawLinear(TypedDict):
    """The JSON form of ``Linear``."""

    mean: list[float]
    scale: list[float]
    weights: list[list[float]]
    intercept: list[float]


class RawGroup(TypedDict):
    """The JSON form of ``GroupModel``."""

    models: list[str]
    background: RawLinear
    right: RawLinear
    calibration: list[tuple[list[int], list[float]]]
    echo: list[float]
    spread: list[float]
    typical: list[float]
    inputs: list[tuple[list[int], list[float], list[float]]]
    """By answers bought: mean and scale of what ``worth`` looks at, the same for all rates."""
    worth: list[tuple[float, list[tuple[list[int], list[list[float]], list[float]]]]]
    """By rate and answers bought: weights and intercept."""
    points: list[tuple[float, float, float]]


def raw_linear(linear: Linear) -> RawLinear:
    """Return the JSON form, rounded to five digits and weights to three."""
    return {
        "mean": short(linear.mean),
        "scale": short(linear.scale),
        "weights": [short(row, 3) for row in linear.weights],
        "intercept": short(linear.intercept),
    }


def raw_worth(worth: Mapping[float, Mapping[State, Linear]]) -> dict[str, list[object]]:
    """Return the JSON form of ``GroupModel.worth``: the fields ``inputs`` and ``worth`` of ``RawGroup``."""
    inputs = {state: linear for known in worth.values() for state, linear in known.items()}
    return {
        "inputs": [(list(state), short(one.mean), short(one.scale)) for state, one in sorted(inputs.items())],
        "worth": [
            (
                rate,
                [
                    (list(state), [short(row, 3) for row in one.weights], short(one.intercept, 4))
                    for state, one in sorted(known.items())
                ],
            )
            for rate, known in worth.items()
        ],
    }


def group_of_raw(raw: RawGroup) -> GroupModel:
    """Read the JSON form.

    Raises:
        ArtifactError: it lacks a part or a part does not fit the others.
    """
    models, count = tuple(raw["models"]), len(raw["models"])
    background, right = _linear(raw["background"]), _linear(raw["right"])
    standard = {tuple(state): (np.array(mean), np.array(scale)) for state, mean, scale in raw["inputs"]}
    worth = {
        float(rate): {
            tuple(state): Linear(
                mean=standard[tuple(state)][0],
                scale=standard[tuple(state)][1],
                weights=np.array(weights, dtype=np.float64),
                intercept=np.array(intercept, dtype=np.float64),
            )
            for state, weights, intercept in known
        }
        for rate, known in raw["worth"]
    }
    outputs = [len(one.intercept) for known in worth.values() for one in known.values()]
    if len(background.intercept) != count + 2 or len(right.intercept) != 1 or any(one != count for one in outputs) or not worth:
        raise ArtifactError("the cascade's artifact does not fit its own list of models; fit it again")
    return GroupModel(
        models=models,
        background=background,
        right=right,
        calibration={tuple(state): np.array(weights, dtype=np.float64) for state, weights in raw["calibration"]},
        echo=tuple(float(one) for one in raw["echo"]),
        spread=tuple(float(one) for one in raw["spread"]),
        typical=(float(raw["typical"][0]), float(raw["typical"][1])),
        worth=worth,
        points=tuple(
            Point(confidence=float(sure), promise=float(quality), rate=float(rate)) for sure, quality, rate in raw["points"]
        ),
    )


def _linear(raw: RawLinear) -> Linear:
    return Linear(
        mean=np.array(raw["mean"], dtype=np.float64),
        scale=np.array(raw["scale"], dtype=np.float64),
        weights=np.array(raw["weights"], dtype=np.float64),
        intercept=np.array(raw["intercept"], dtype=np.float64),
    )


def short(values: Numbers | Sequence[float], digits: int = 5) -> list[float]:
    """Return the values, rounded to so many significant digits."""
    return [float(f"{float(value):.{digits}g}") for value in values]
