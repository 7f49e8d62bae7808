"""What the accept rule is given, and what it returns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from groat.types import CacheCandidate, Language


class SameJudge(Protocol):
    """What the rule asks of a judge of pairs."""

    @property
    def version(self) -> str:
        """Of the weights."""
        ...

    async def same(self, question: str, candidates: Sequence[str]) -> "Opinions":
        """Return the probabilities that one answer serves the question and each candidate."""
        ...


class Opinions(Protocol):
    """What such a judge says."""

    @property
    def p(self) -> NDArray[np.float64]:
        """Probability of yes, 0 to 1, shape (candidates,)."""
        ...

    @property
    def reasons(self) -> Sequence[str | None]:
        """Why there is no opinion on a candidate, else None."""
        ...


class Kept(Protocol):
    """A question that has an answer, or will have one."""

    @property
    def entry_id(self) -> str:
        """What it is known by."""
        ...

    @property
    def question(self) -> str:
        """Its words."""
        ...

    @property
    def language(self) -> Language:
        """Its language."""
        ...


K = TypeVar("K", bound=Kept)


@dataclass(frozen=True)
class Judged(Generic[K]):
    """A kept question with the verdict on it."""

    entry: K
    candidate: CacheCandidate
    accepted: bool


def cosine_of(score: float) -> float:
    """Return the cosine of which this is the log odds."""
    return 1 / (1 + math.exp(-score))


def log_odds(p: float) -> float:
    """Return the log odds of a probability, finite also for 0 and 1."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
