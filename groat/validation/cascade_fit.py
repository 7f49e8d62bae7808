"""Fit the cascade's decisions on recorded answers whose quality is known."""

import hashlib
import importlib.metadata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from groat.validation.cascade import SEEN_DIGITS, group_of
from groat.validation.cascade_evidence import MAX_BOUGHT, VERSION, Bought, Offer, Task
from groat.validation.cascade_learn import FOLDS, Learned, learn
from groat.validation.cascade_model import GroupModel, Weighed, raw_linear, raw_worth, short
from groat.validation.cascade_operating import CURVE, RATES, Board, Outcome, follow, operating_points
from groat.validation.cascade_table import Numbers, table

MIN_ROWS = 150
"""Groups with fewer rows are fitted with the largest group of their language and reference model, if there is one."""

MIN_JOINED = 10
"""Fewer rows than this do not join another group: nothing is promised for such questions."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One question with the answers that could have been bought, and what each was worth."""

    task: Task
    question: str
    """Hash of the question: examples with the same one are never split between fit and test."""
    bought: tuple[Bought, ...]
    """By rising list price, the reference model's last."""
    costs: tuple[float, ...]
    """Dollars of each answer."""
    qualities: tuple[float, ...]
    """Quality of each answer, 0..1."""
    offers: Mapping[str, Offer]

    @property
    def reference(self) -> str:
        """The model that everything is compared with."""
        return self.bought[-1].model

    @property
    def models(self) -> tuple[str, ...]:
        """Who answered."""
        return tuple(one.model for one in self.bought)


def fit(examples: Sequence[Example], *, date: str) -> dict[str, object]:
    """Return the artifact as JSON-ready data; about 40 s for 3,600 examples on one core.

    Per group (what is asked, language, reference model): a ridge regression from the question alone to the share of models that
    fail, the chance that the reference does, and the length of each answer; a logistic regression to the odds that an answer is
    right from who gave it and who gave another, calibrated in each set of answers by how far they agree; and, backwards over
    all sets, ridge regressions to what buying another answer adds. Whatever is chosen is chosen on estimates for questions
    that the estimator did not see (folds by question).

    Raises:
        ValueError: fewer than ``MIN_ROWS`` examples.
    """
    if len(examples) < MIN_ROWS:
        raise ValueError(f"{len(examples)} questions with recorded answers are too few to fit a cascade: {MIN_ROWS} are needed")
    joined, found = _joined(examples), measured(examples)
    return {
        "version": f"{date}/{digest(examples)[:8]}",
        "evidence": VERSION,
        "groups": {one.name: _raw_group(one) for one in found},
        "joined": {name: other for name, other in sorted(joined.items()) if name != other},
        "seen": sorted({one.question[:SEEN_DIGITS] for one in examples}),
        "card": {
            "date": date,
            "data_sha256": digest(examples),
            "rows": len(examples),
            "scikit_learn": importlib.metadata.version("scikit-learn"),
            "numpy": importlib.metadata.version("numpy"),
            "groups": {one.name: _card(one) for one in found},
        },
    }


def digest(examples: Iterable[Example]) -> str:
    """Return the hash of what was fitted on."""
    found = hashlib.sha256()
    for one in examples:
        found.update(repr((one.question, one.bought, one.qualities)).encode())
    return found.hexdigest()


def _joined(examples: Sequence[Example]) -> dict[str, str]:
    """Return the group that each kind of question is fitted with."""
    sizes = Counter(group_of(one.task, one.reference) for one in examples)
    place = {group_of(one.task, one.reference): (one.task.language, one.reference) for one in examples}
    large = [name for name, rows in sizes.most_common() if rows >= MIN_ROWS]
    found = {name: name for name in large}
    for name, rows in sizes.items():
        like = [other for other in large if place[other] == place[name]]
        if rows < MIN_ROWS and rows >= MIN_JOINED and like:
            found[name] = like[0]
    return found


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One group of questions, what was learned from it, and what following the policy gave at each rate."""

    name: str
    examples: Sequence[Example]
    shell: GroupModel
    learned: Learned
    board: Board
    outcomes: Mapping[float, Outcome]


def measured(examples: Sequence[Example]) -> list[Measured]:
    """Learn and follow the policy in each group; each question is judged by estimators that did not see it."""
    joined = _joined(examples)
    # The matrices are small: threads would wait for each other longer than they work.
    with threadpool_limits(limits=1):
        return [
            _measure(name, [one for one in examples if joined.get(group_of(one.task, one.reference)) == name])
            for name in sorted(set(joined.values()))
        ]


def _measure(name: str, examples: Sequence[Example]) -> Measured:
    models, rows = _alike(examples)
    places = [[one.models.index(model) for model in models] for one in rows]
    found = table([(one.task, [one.bought[place] for place in chosen]) for one, chosen in zip(rows, places, strict=True)])
    quality = np.array([[one.qualities[place] for place in chosen] for one, chosen in zip(rows, places, strict=True)])
    dollars = np.array([[one.costs[place] for place in chosen] for one, chosen in zip(rows, places, strict=True)])
    folds = _folds(rows)
    learned = learn(found, quality, folds)
    shell = GroupModel(
        models=models,
        background=learned.background,
        right=learned.right,
        calibration={},
        spread=learned.spread,
        echo=learned.echo,
        typical=(
            round(float(np.mean([one.task.input_tokens for one in rows])), 3),
            round(float(np.mean([one.bought[-1].out_tokens for one in rows])), 3),
        ),
        worth={},
        points=(),
    )
    weighed, calibration = learned.weighed(shell, found, quality, folds)
    unit = dollars[:, -1].mean()
    board = Board(
        models=models,
        weighed=weighed,
        quality=quality,
        cost=dollars / unit,
        expected={state: _expected(rows, one, models) / unit for state, one in weighed.items() if len(state) < MAX_BOUGHT},
        folds=folds,
    )
    outcomes = {rate: follow(board, rate) for rate in RATES}
    shell = replace(shell, calibration=calibration)
    return Measured(name=name, examples=rows, shell=shell, learned=learned, board=board, outcomes=outcomes)


def _raw_group(one: Measured) -> dict[str, object]:
    points = operating_points(one.board, one.outcomes)
    kept = {*CURVE, *(rate for _, _, rate in points)}
    return {
        "models": list(one.shell.models),
        "background": raw_linear(one.learned.background),
        "right": raw_linear(one.learned.right),
        "calibration": [(list(state), short(weights)) for state, weights in one.shell.calibration.items()],
        "echo": list(one.shell.echo),
        "spread": list(one.shell.spread),
        "typical": list(one.shell.typical),
        **raw_worth({rate: outcome.worth for rate, outcome in one.outcomes.items() if rate in kept}),
        "points": points,
    }


def _card(one: Measured) -> dict[str, object]:
    return {
        "rows": len(one.examples),
        "models": list(one.shell.models),
        "quality": [round(value, 4) for value in one.board.quality.mean(axis=0).tolist()],
        "strength": one.learned.strength,
        "log_loss": round(one.learned.log_loss, 4),
        "kept": {str(promise): _kept(one, promise) for promise in (0.995, 0.98, 0.95)},
    }


def _kept(one: Measured, promise: float) -> list[float]:
    """Return [quality, saved] under a promise on average; the rate was chosen on the same questions, the estimates were not."""
    board = one.board
    points = operating_points(board, one.outcomes)
    rate = next((rate for sure, quality, rate in points if (sure, quality) == (0.5, promise)), None)
    if rate is None:
        return [1.0, 0.0]
    outcome = one.outcomes[rate]
    quality, cost = outcome.quality.sum() / board.quality[:, -1].sum(), outcome.cost.sum() / board.cost[:, -1].sum()
    return [round(float(quality), 4), round(1 - float(cost), 4)]


def _alike(examples: Sequence[Example]) -> tuple[tuple[str, ...], list[Example]]:
    """Return the commonest list of models, and the examples that hold them all."""
    common = Counter(one.models for one in examples).most_common(1)[0][0]
    return common, [one for one in examples if set(common) <= set(one.models)]


def _expected(examples: Sequence[Example], weighed: Weighed, models: Sequence[str]) -> Numbers:
    """Return the dollars that each model's answer is expected to cost, shape (rows, models)."""
    given = np.array([one.task.input_tokens for one in examples], dtype=np.float64)
    offers = [examples[0].offers[name] for name in models]
    return np.column_stack(
        [given * offer.input_usd + weighed.out_tokens[:, place] * offer.output_usd for place, offer in enumerate(offers)]
    )


def _folds(examples: Sequence[Example]) -> NDArray[np.int64]:
    keys = sorted({one.question for one in examples}, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    fold_of = {key: place % FOLDS for place, key in enumerate(keys)}
    return np.array([fold_of[one.question] for one in examples])
