"""Buy cheap answers one by one, as long as that is worth its price, and the strong model's when they do not convince."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from groat.errors import ArtifactError
from groat.validation.cascade_evidence import VERSION, Bought, Offer, Task, agreements, current, evidence

Numbers = NDArray[np.float64]

ANY = "*"
"""All questions together. It estimates for groups that nothing was measured for; no promise rests on it."""

SEEN_DIGITS = 8
"""Hexadecimal digits by which a fitted question is known: two of 4,000 questions share them with a chance of 0.2 %."""

CONFIDENCE = 0.5
"""How sure a promise is unless more is asked for, one-sided: 0.5 keeps it on average over questions like those fitted on."""

_FAR = 20.0
"""Standardised inputs are cut here: what lies farther out was never seen."""


def group_of(task: Task, strong: str) -> str:
    """Return the name of the questions that are judged alike: what is asked, in which language, instead of which model."""
    return f"{task.kind}/{task.language}/{strong}"


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A linear function of standardised inputs."""

    mean: Numbers
    scale: Numbers
    weights: Numbers
    intercept: float

    def __call__(self, inputs: Numbers) -> Numbers:
        """Return the value of each row of ``inputs``."""
        standard = (np.atleast_2d(inputs) - self.mean) / self.scale
        return np.asarray(np.clip(standard, -_FAR, _FAR) @ self.weights + self.intercept, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class GroupModel:
    """What was learned about one group of questions."""

    votes: tuple[float, ...]
    """What the voice of each bought answer counts, by place."""
    as_good: tuple[Linear, ...]
    """By number of answers bought: log-odds that the current answer is as good as the strong model's."""
    worth: Mapping[float, tuple[Linear, ...]]
    """By threshold, then by number of answers bought: what buying the next one saves in the end, in typical strong calls."""
    out_tokens: float
    """Typical length of a cheap answer."""
    out_ratio: float
    """Length of the strong model's answers over that of the cheap ones'."""
    thresholds: tuple[tuple[float, float, float], ...]
    """(confidence, quality promised, least probability accepted); what cannot be promised is left out."""

    def threshold(self, quality: float, confidence: float) -> float | None:
        """Return the least probability that is accepted under a promise, None when no measured point keeps it."""
        kept = [point for point in self.thresholds if point[0] >= confidence - 1e-9 and point[1] >= quality - 1e-9]
        # The nearest point that promises enough: a stricter one may have been met by chance at a lower threshold.
        return min(kept)[2] if kept else None


Action = Literal["accept", "buy", "strong"]
"""Give the current answer, ask the next cheap model, or ask the strong one and give its answer."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What the answers bought so far say."""

    bought: int
    """How many there are."""
    place: int
    """Which of them would be given."""
    log_odds: float
    """Of that answer, or of the first to be bought, being as good as the strong model's."""
    dearness: float
    """The strong call's expected cost over the typical one, 0.1 to 10."""
    group: str
    """The questions that it was compared with."""

    @property
    def p_as_good(self) -> float:
        """Probability, 0..1."""
        return 1 / (1 + math.exp(-self.log_odds))


@dataclass(frozen=True, kw_only=True)
class CascadePolicy:
    """Decides after each bought answer whether to accept, to buy another, or to ask the strong model."""

    version: str
    groups: Mapping[str, GroupModel]
    seen: frozenset[str]
    """Beginnings of the hashes of the questions that were fitted on."""
    card: Mapping[str, object]

    @classmethod
    def load(cls, path: Path | None = None) -> "CascadePolicy":
        """Read the artifact that the package carries, or one of your own.

        Raises:
            ArtifactError: it is damaged, or was made for other evidence.
        """
        try:
            text = (path or resources.files("groat.validation").joinpath("cascade.json")).read_text(encoding="utf-8")
            return cls.of(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError("the cascade's artifact cannot be read; reinstall groat or fit it again") from error

    @classmethod
    def of(cls, raw: Mapping[str, object]) -> "CascadePolicy":
        """Build the policy from the JSON form of an artifact.

        Raises:
            ArtifactError: it was made for other evidence, or lacks the group for everything else.
        """
        if raw["evidence"] != VERSION:
            raise ArtifactError(f"the cascade was fitted on evidence {raw['evidence']!r} and this is {VERSION!r}; fit it again")
        groups, card, seen = raw["groups"], raw["card"], raw["seen"]
        if not isinstance(groups, dict) or not isinstance(card, dict) or not isinstance(seen, list) or ANY not in groups:
            raise ArtifactError("the cascade's artifact has no group for questions of an unknown kind; fit it again")
        return cls(
            version=str(raw["version"]),
            groups={name: _group(one) for name, one in groups.items()},
            seen=frozenset(seen),
            card=card,
        )

    def has_seen(self, question: str) -> bool:
        """Tell whether a question, by its hash, was fitted on: a result on it is then in-sample."""
        return question[:SEEN_DIGITS] in self.seen

    def threshold(self, task: Task, *, strong: str, quality: float, confidence: float = CONFIDENCE) -> float | None:
        """Return the least probability accepted under a promise, None when no measured one keeps it.

        Nothing is promised for a group that was not fitted on: the fit on everything broke its promises on sources left out.

        Args:
            task: the question.
            strong: the model that everything is compared with.
            quality: least quality promised, as a share of the strong model's, 0..1.
            confidence: how sure the promise must be, 0.5 to 0.95; 0.5 keeps it on average.
        """
        if group_of(task, strong) not in self.groups:
            return None
        return self._model(task, strong)[1].threshold(quality, confidence)

    def assess(self, task: Task, bought: Sequence[Bought], *, strong: Offer) -> Assessment:
        """Return what the answers so far say. Pure; about 0.2 ms.

        Args:
            task: the question.
            bought: the answers so far, in the order of asking, at most ``MAX_BOUGHT``.
            strong: the model that everything is compared with, at its price.
        """
        name, model = self._model(task, strong.model)
        agreed = agreements(bought, task)
        place = current(len(bought), agreed, model.votes) if bought else 0
        estimate = model.as_good[min(len(bought), len(model.as_good) - 1)]
        found = np.array(evidence(task, bought[: len(model.as_good) - 1], agreed, place))
        return Assessment(
            bought=len(bought),
            place=place,
            log_odds=float(estimate(found)[0]),
            dearness=relative_cost(task, bought, strong, model),
            group=name,
        )

    def decide(self, found: Assessment, *, threshold: float | None, offers: int) -> Action:
        """Return what to do next: accept the current answer, buy the next one, or ask the strong model.

        Args:
            found: what ``assess`` returned.
            threshold: what ``threshold`` returned.
            offers: how many cheap answers can be had, the bought ones included.
        """
        if threshold is None or not offers:
            return "strong"
        model = self.groups[found.group]
        log_odds, dearness = np.array([found.log_odds]), np.array([found.dearness])
        if found.bought and found.p_as_good >= threshold:
            return "accept"
        worth = model.worth[min(model.worth, key=lambda cut: abs(cut - threshold))]
        if found.bought < min(offers, len(worth)) and worth[found.bought](prospects(log_odds, dearness))[0] > 0:
            return "buy"
        return "strong"

    def _model(self, task: Task, strong: str) -> tuple[str, GroupModel]:
        name = group_of(task, strong)
        name = name if name in self.groups else ANY
        return name, self.groups[name]


def prospects(log_odds: Numbers, dearness: Numbers) -> Numbers:
    """Return what the worth of buying another answer is judged by, one row per question."""
    return np.column_stack([log_odds, dearness, log_odds * dearness])


def relative_cost(task: Task, bought: Sequence[Bought], strong: Offer, model: GroupModel) -> float:
    """Return the strong call's expected cost over the typical one of its group, 0.1 to 10, from the answers bought so far."""
    logs = [math.log1p(answer.out_tokens) for answer in bought]
    length = math.exp(sum(logs) / len(logs)) if logs else model.out_tokens
    typical = task.input_tokens * strong.input_usd + model.out_tokens * model.out_ratio * strong.output_usd
    expected = strong.cost(task, length * model.out_ratio)
    return min(max(expected / typical, 0.1), 10.0) if typical > 0 else 1.0


class _RawLinear(TypedDict):
    mean: list[float]
    scale: list[float]
    weights: list[float]
    intercept: list[float]


class _RawWorth(TypedDict):
    threshold: float
    stages: list[_RawLinear]


class _RawGroup(TypedDict):
    votes: list[float]
    as_good: list[_RawLinear]
    worth: list[_RawWorth]
    lengths: list[float]
    thresholds: list[list[float]]


def _linear(raw: _RawLinear) -> Linear:
    return Linear(
        mean=np.array(raw["mean"], dtype=np.float64),
        scale=np.array(raw["scale"], dtype=np.float64),
        weights=np.array(raw["weights"], dtype=np.float64),
        intercept=float(raw["intercept"][0]),
    )


def _group(raw: _RawGroup) -> GroupModel:
    return GroupModel(
        votes=tuple(float(vote) for vote in raw["votes"]),
        as_good=tuple(_linear(one) for one in raw["as_good"]),
        worth={float(one["threshold"]): tuple(_linear(stage) for stage in one["stages"]) for one in raw["worth"]},
        out_tokens=float(raw["lengths"][0]),
        out_ratio=float(raw["lengths"][1]),
        thresholds=tuple((float(sure), float(promised), float(cut)) for sure, promised, cut in raw["thresholds"]),
    )
