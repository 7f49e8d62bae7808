"""Vectors and opinions that are made once, for runs that meet the same questions many times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.bench_cache import Asks
from groat.cache.accept import Opinions, SameJudge
from groat.embedding import Vector


class KeptVectors:
    """An embedder that makes each vector once."""

    def __init__(self, embedder: Asks) -> None:
        """Keep nothing yet."""
        self._embedder = embedder
        self._known: dict[str, Vector] = {}

    async def query(self, text: str) -> Vector:
        """Return the unit vector of a question."""
        if text not in self._known:
            self._known[text] = await self._embedder.query(text)
        return self._known[text]


@dataclass(frozen=True)
class _Said:
    p: NDArray[np.float64]
    reasons: Sequence[str | None]


class KeptOpinions:
    """A judge that reads each pair once."""

    def __init__(self, judge: SameJudge) -> None:
        """Keep nothing yet."""
        self._judge = judge
        self._known: dict[tuple[str, str], tuple[float, str | None]] = {}

    @property
    def version(self) -> str:
        """Of the weights."""
        return self._judge.version

    async def same(self, question: str, candidates: Sequence[str]) -> Opinions:
        """Return the probabilities that one answer serves the question and each candidate."""
        fresh = [one for one in dict.fromkeys(candidates) if (question, one) not in self._known]
        if fresh:
            said = await self._judge.same(question, fresh)
            for one, p, reason in zip(fresh, said.p, said.reasons, strict=True):
                self._known[question, one] = float(p), reason
        known = [self._known[question, one] for one in candidates]
        return _Said(np.array([p for p, _ in known]), [reason for _, reason in known])
