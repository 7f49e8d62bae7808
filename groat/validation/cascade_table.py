"""Questions as arrays, and how answers that stand for or against each other are described in numbers.

The fit and the policy build their inputs here, the one for thousands of rows and the other for one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from groat.validation.cascade_evidence import FULL, Bought, Task, same, shape

Numbers = NDArray[np.float64]
Bools = NDArray[np.bool_]

State = tuple[int, ...]
"""Which models' answers were bought: their places in the list of models, rising."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Questions with what each model of a list answered; what was not bought is never read."""

    facts: Numbers
    """Facts and words of the questions, shape (rows, ``FACTS`` + ``WORDS``)."""
    lengths: Numbers
    """Logarithms of the output tokens, shape (rows, models)."""
    agreed: Numbers
    """How far two models' answers agree, 0..1, shape (rows, models, models)."""
    shapes: Numbers
    """Shape (rows, models, numbers of an answer)."""

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self.facts)

    def rows(self, chosen: NDArray[np.int64] | Bools) -> "Table":
        """Return some of the questions."""
        return Table(
            facts=self.facts[chosen], lengths=self.lengths[chosen], agreed=self.agreed[chosen], shapes=self.shapes[chosen]
        )


def table(questions: Sequence[tuple[Task, Sequence[Bought | None]]]) -> Table:
    """Return questions and their answers, one per model in one order, as arrays; None where an answer was not bought."""
    shapes = [[shape(task, one.answer if one else ()) for one in answers] for task, answers in questions]
    return Table(
        facts=np.array([(*task.facts, *task.words) for task, _ in questions]),
        lengths=np.log1p([[float(one.out_tokens) if one else 0.0 for one in answers] for _, answers in questions]),
        agreed=np.array([_agreed(task, answers) for task, answers in questions]),
        shapes=np.array(shapes),
    )


def states(models: int, most: int) -> list[State]:
    """Return every set of bought answers, the largest first; at most ``most`` answers in one."""
    return [state for size in range(min(models, most), -1, -1) for state in combinations(range(models), size)]


def voices(found: Table, state: State, place: int, hardness: Numbers, surprise: Numbers) -> Numbers:
    """Return what speaks for and against one model's answer, one row per question.

    Args:
        found: the questions.
        state: whose answers were bought.
        place: whose answer is meant; one of ``state``.
        hardness: expected share of the models that fail, from the prompt alone, shape (rows,).
        surprise: by how much each model's answer is longer than expected, shape (rows, models).
    """
    there = np.zeros(found.lengths.shape[1])
    there[list(state)] = 1.0
    for_it, against = found.agreed[:, place] * there, (1 - found.agreed[:, place]) * there
    longer = surprise[:, list(state)].mean(axis=1)
    backers, others = for_it.sum(axis=1), against.sum(axis=1)
    pairs = [for_it[:, one] * for_it[:, other] for one, other in combinations(range(len(there)), 2)]
    rival = np.max([(found.agreed[:, one] * there).sum(axis=1) * (1 - found.agreed[:, place, one]) for one in state], axis=0)
    return np.column_stack(
        [
            hardness, longer, found.lengths[:, list(state)].mean(axis=1), for_it, against, *pairs, rival, others,
            hardness * backers, longer * backers, hardness * others, found.shapes[:, place],
        ]
    )  # fmt: skip


def agreement_columns(models: int) -> slice:
    """Return which columns of ``voices`` say who agrees with whom."""
    return slice(3, 3 + 2 * models + models * (models - 1) // 2 + 2)


def spoken_first(found: Table, state: State, place: int) -> Bools:
    """Tell for each question whether no answer of ``state`` before ``place`` says the same."""
    first = np.ones(len(found), dtype=bool)
    for earlier in state[: state.index(place)]:
        first &= found.agreed[:, place, earlier] <= FULL
    return first


def prospects(
    state: State, p_right: Numbers, backing: Numbers, hardness: Numbers, doubt: Numbers, surprise: Numbers
) -> Numbers:
    """Return what the worth of buying another answer is judged by, one row per question.

    Args:
        state: whose answers were bought.
        p_right: probability that the likeliest of them is right.
        backing: how far the others agree with it.
        hardness: expected share of the models that fail, from the prompt alone.
        doubt: probability that the reference model fails, from the prompt alone.
        surprise: by how much each model's answer is longer than expected, shape (rows, models).
    """
    if not state:
        return np.column_stack([hardness, hardness**2, doubt])
    p = np.clip(p_right, 1e-4, 1 - 1e-4)
    return np.column_stack([p, p * p, backing, hardness, doubt, surprise[:, list(state)].mean(axis=1)])


def _agreed(task: Task, answers: Sequence[Bought | None]) -> Numbers:
    found = np.eye(len(answers))
    for one, other in combinations(range(len(answers)), 2):
        first, second = answers[one], answers[other]
        if first is not None and second is not None:
            found[one, other] = found[other, one] = same(first, second, task)
    return found
