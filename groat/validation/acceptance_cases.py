"""Cheap answers with known outcomes, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from groat.types import Language

Floats: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

NEAR = 0.05
"""An answer that lacks no more of the quality than this is as good."""


@dataclass(frozen=True, kw_only=True)
class Cases:
    """Answers, each without and with a second opinion; all fields of one length."""

    first: Floats
    """Evidence without an opinion, shape (cases, names)."""
    second: Floats
    """Evidence with one; equal to ``first`` where none is recorded."""
    bought: NDArray[np.bool_]
    """Whether ``second`` holds an opinion."""
    passed: NDArray[np.bool_]
    """Whether all checks passed: other answers are never accepted."""
    weak_ok: Floats
    """Quality of the cheap answer, 0..1."""
    strong_ok: Floats
    groups: Sequence[str]
    """Cases of one group ask the same; they are never split between training and test."""
    sources: Sequence[str]
    languages: Sequence[Language]
    weights: Floats
    """What each case counts, in training and in the operating points; 1 is one question, met in one way or in several."""

    @property
    def as_good(self) -> NDArray[np.int_]:
        """Whether the cheap answer is as good as the expensive one."""
        return (self.weak_ok >= self.strong_ok - NEAR).astype(int)

    def take(self, places: Places) -> "Cases":
        """Return some of the cases."""
        return Cases(
            first=self.first[places],
            second=self.second[places],
            bought=self.bought[places],
            passed=self.passed[places],
            weak_ok=self.weak_ok[places],
            strong_ok=self.strong_ok[places],
            groups=[self.groups[n] for n in places],
            sources=[self.sources[n] for n in places],
            languages=[self.languages[n] for n in places],
            weights=self.weights[places],
        )
