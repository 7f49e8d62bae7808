"""Fit the cascade's decisions on recorded answers whose quality is known."""

import hashlib
import importlib.metadata
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from groat.validation.cascade import ANY, SEEN_DIGITS, GroupModel, Linear, Numbers, group_of, relative_cost
from groat.validation.cascade_evidence import (
    MAX_BOUGHT,
    VERSION,
    Agreements,
    Bought,
    Offer,
    Task,
    agreement_places,
    agreements,
    current,
    evidence,
)
from groat.validation.cascade_operating import GRID, Stage, Stages, fit_worth, follow, operating_points

MIN_ROWS = 150
"""A group with fewer rows is judged with all others."""

FOLDS = 5
_AGREEMENT_SCALE = 12.0
"""Agreements are standardised to this size, so that regularisation hardly shrinks what is known to matter most."""
_STRENGTH = 0.01
"""Inverse regularisation: up to 18 correlated inputs, 30 to 200 rows of the rarer class."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One question with the answers that could have been bought, in the order of asking, and what each was worth."""

    task: Task
    question: str
    """Hash of the question: examples with the same one are never split between fit and test."""
    bought: tuple[Bought, ...]
    costs: tuple[float, ...]
    """Dollars of each cheap answer."""
    qualities: tuple[float, ...]
    """Quality of each cheap answer, 0..1."""
    strong: Offer
    strong_out_tokens: int
    strong_quality: float
    strong_cost: float

    @cached_property
    def agreed(self) -> Agreements:
        """How far the answers agree: worked out once, since every fold needs it."""
        return agreements(self.bought, self.task)


def fit(examples: Sequence[Example], *, date: str) -> dict[str, object]:
    """Return the artifact as JSON-ready data; about 10 s for 3,000 examples on one core.

    Per group (what is asked, language, strong model) and for everything together, logistic regressions estimate whether the
    current answer is as good as the strong model's, ridge regressions what buying another saves. Thresholds come from
    estimates for questions that the estimator did not see (folds by question).

    Raises:
        ValueError: fewer than ``MIN_ROWS`` examples.
    """
    if len(examples) < MIN_ROWS:
        raise ValueError(f"{len(examples)} questions with recorded answers are too few to fit a cascade: {MIN_ROWS} are needed")
    names = Counter(group_of(one.task, one.strong.model) for one in examples)
    groups: dict[str, object] = {}
    card: dict[str, object] = {}
    for name in [ANY, *sorted(name for name, rows in names.items() if rows >= MIN_ROWS)]:
        chosen = [one for one in examples if name in (ANY, group_of(one.task, one.strong.model))]
        groups[name], card[name] = _fit_group(chosen, parts=name == ANY)
    return {
        "version": f"{date}/{digest(examples)[:8]}",
        "evidence": VERSION,
        "groups": groups,
        "seen": sorted({one.question[:SEEN_DIGITS] for one in examples}),
        "card": {
            "date": date,
            "data_sha256": digest(examples),
            "rows": len(examples),
            "scikit_learn": importlib.metadata.version("scikit-learn"),
            "numpy": importlib.metadata.version("numpy"),
            "groups": card,
        },
    }


def digest(examples: Iterable[Example]) -> str:
    """Return the hash of what was fitted on."""
    found = hashlib.sha256()
    for one in examples:
        found.update(repr((one.question, one.bought, one.qualities, one.strong.model, one.strong_quality)).encode())
    return found.hexdigest()


def _fit_group(examples: Sequence[Example], *, parts: bool) -> tuple[dict[str, object], dict[str, object]]:
    votes = _votes(examples)
    lengths = _lengths(examples)
    stages = _stages(examples, votes, lengths)
    paired = list(zip(stages.stages, stages.has, strict=True))
    targets = [(stage.quality >= stages.strong_quality[has] - 1e-9).astype(int) for stage, has in paired]
    fits = [(stage.inputs, target, count) for count, ((stage, _), target) in enumerate(zip(paired, targets, strict=True))]
    as_good = [_logistic(inputs, target, count) for inputs, target, count in fits]
    unseen = [_unseen(inputs, target, stages.folds[stages.has[count]], count) for inputs, target, count in fits]
    worth = {cut: fit_worth(stages, unseen, cut) for cut in GRID}
    outcomes = {cut: follow(stages, unseen, worth[cut], cut) for cut in GRID}
    names = np.array([group_of(one.task, one.strong.model) if parts else "" for one in examples])
    thresholds = operating_points(stages, outcomes, names)
    metrics = {
        "rows": len(examples),
        "auc": [
            round(float(roc_auc_score(target, log_odds)), 3) if 0 < target.sum() < len(target) else 1.0
            for target, log_odds in zip(targets, unseen, strict=True)
        ],
        "as_good": [round(float(target.mean()), 3) for target in targets],
    }
    raw = {
        "votes": [round(vote, 4) for vote in votes],
        "as_good": [_raw(one) for one in as_good],
        "worth": [{"threshold": cut, "stages": [_raw(one) for one in worth[cut]]} for cut in GRID],
        "lengths": list(lengths),
        "thresholds": thresholds,
    }
    return raw, metrics


def _votes(examples: Sequence[Example]) -> list[float]:
    """Return the log-odds of being right of each place: the weights of a vote of independent voters."""
    votes = []
    for place in range(MAX_BOUGHT):
        qualities = [one.qualities[place] for one in examples if place < len(one.qualities)]
        share = (sum(qualities) + 1) / (len(qualities) + 2)
        votes.append(max(math.log(share / (1 - share)), 0.05))
    return votes


def _lengths(examples: Sequence[Example]) -> tuple[float, float]:
    cheap = float(np.mean([np.log1p(answer.out_tokens) for one in examples for answer in one.bought]))
    strong = float(np.mean([np.log1p(one.strong_out_tokens) for one in examples]))
    return round(math.exp(cheap), 3), round(math.exp(strong - cheap), 4)


def _stages(examples: Sequence[Example], votes: Sequence[float], lengths: tuple[float, float]) -> Stages:
    shell = GroupModel(votes=tuple(votes), as_good=(), worth={}, out_tokens=lengths[0], out_ratio=lengths[1], thresholds=())
    steps = min(MAX_BOUGHT, max(len(one.bought) for one in examples))
    stages = [_stage([one for one in examples if len(one.bought) >= count], count, shell) for count in range(steps + 1)]
    keys = sorted({one.question for one in examples}, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    fold_of = {key: place % FOLDS for place, key in enumerate(keys)}
    return Stages(
        stages=tuple(stages),
        has=tuple(np.array([len(one.bought) >= count for one in examples]) for count in range(steps + 1)),
        strong_quality=np.array([one.strong_quality for one in examples]),
        strong_cost=np.array([one.strong_cost for one in examples]),
        folds=np.array([fold_of[one.question] for one in examples]),
    )


def _stage(examples: Sequence[Example], count: int, shell: GroupModel) -> Stage:
    places = [current(count, one.agreed, shell.votes) if count else 0 for one in examples]
    paired = list(zip(examples, places, strict=True))
    return Stage(
        inputs=np.array([evidence(one.task, one.bought[:count], one.agreed, place) for one, place in paired]),
        quality=np.array([one.qualities[place] for one, place in paired]),
        dearness=np.array([relative_cost(one.task, one.bought[:count], one.strong, shell) for one in examples]),
        price=np.array([one.costs[count - 1] if count else 0.0 for one in examples]),
    )


def _unseen(inputs: Numbers, target: NDArray[np.int_], folds: NDArray[np.int64], bought: int) -> Numbers:
    """Return the log-odds that an estimator fitted on the other folds gives each row."""
    found = np.zeros(len(target))
    for fold in range(FOLDS):
        here = folds == fold
        if here.any():
            found[here] = _logistic(inputs[~here], target[~here], bought)(inputs[here])
    return found


def _logistic(inputs: Numbers, target: NDArray[np.int_], bought: int) -> Linear:
    mean, scale = inputs.mean(axis=0), np.where(inputs.std(axis=0) > 1e-9, inputs.std(axis=0), 1.0)
    scale[agreement_places(bought)] /= _AGREEMENT_SCALE
    if len(set(target.tolist())) < 2:
        share = (target.sum() + 1) / (len(target) + 2)
        return Linear(mean=mean, scale=scale, weights=np.zeros(inputs.shape[1]), intercept=math.log(share / (1 - share)))
    model = LogisticRegression(C=_STRENGTH, solver="newton-cholesky").fit((inputs - mean) / scale, target)
    return Linear(mean=mean, scale=scale, weights=model.coef_[0], intercept=float(model.intercept_[0]))


def _raw(linear: Linear) -> dict[str, list[float]]:
    return {
        "mean": [float(f"{value:.6g}") for value in linear.mean],
        "scale": [float(f"{value:.6g}") for value in linear.scale],
        "weights": [float(f"{value:.6g}") for value in linear.weights],
        "intercept": [float(f"{linear.intercept:.6g}")],
    }
