"""Both heads: how good the cheap and the expensive model's answers will be, by three estimators that see different things."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from groat.routing.estimator import Linear, Sight
from groat.routing.topics import Topics
from groat.routing.trees import Trees

Numbers = NDArray[np.float64]

LINEAR, TOPICS, TREES = 0.4, 0.15, 0.8
"""What each estimator's distance from the mean counts; chosen on parts of the development files."""


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The wording read by a linear estimator, the subject by discriminants; form, subject and vector by trees."""

    linear: Linear
    topics: Topics
    trees: Trees
    mean: Numbers
    """Mean quality of the cheap and of the expensive model where they were fitted, shape (2,)."""

    def scores(self, seen: Sight) -> Numbers:
        """Return both heads' values before calibration, shape (2,)."""
        named = np.array([seen.domain])
        surface, vector = seen.surface[None, :], seen.vector[None, :]
        total: Numbers = self.joined(self.linear.scores(seen)[None, :], surface, vector, named)[0]
        return total

    def joined(self, linear: Numbers, surface: Numbers, vectors: Numbers, named: NDArray[np.str_]) -> Numbers:
        """Return both heads' values of rows, shape (rows, 2), from the linear estimator's and what the others see."""
        subject = self.topics.expected(vectors, named)
        grown = self.trees.expected(with_subject(surface, subject), vectors)
        total = self.mean + LINEAR * (linear - self.mean) + TOPICS * subject + TREES * grown
        return np.asarray(total, dtype=np.float64)

    def corrected(self, by: Linear) -> "Heads":
        """Return these heads plus what was learned later: a linear estimator of what they leave."""
        return replace(self, linear=self.linear.plus(by, times=1 / LINEAR))


def with_subject(surface: Numbers, subject: Numbers) -> Numbers:
    """Return what the trees see beside the vector: the surface, and what the subjects say of the gain and the cheap model."""
    return np.column_stack([surface, subject[:, 1] - subject[:, 0], subject[:, 0]])
