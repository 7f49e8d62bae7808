"""Play a stream of questions through the cache's rule and count right and wrong hits, at many thresholds."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from groat.cache.answers import NEAREST
from groat.cache.calibration import Measured
from groat.cache.guard import differences
from groat.cache.identity import exact_text
from groat.embedding import Matrix
from groat.types import Language

_NEIGHBOURS = 64
"""Earlier questions looked at per question: those that were hits themselves are not kept, so more than ``NEAREST``."""


@dataclass(frozen=True)
class Stream:
    """Questions in the order they came, each with the answer it should get."""

    name: str
    language: Language
    questions: list[str]
    answer_ids: list[str]
    """Questions that one answer serves share an id."""


@dataclass(frozen=True)
class Outcome:
    """Counts of one replay; ``wrong_pairs`` holds (asked, served) positions of the wrong hits."""

    requests: int = 0
    reachable: int = 0
    hits: int = 0
    wrong_hits: int = 0
    wrong_pairs: list[tuple[int, int]] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.requests + other.requests,
            self.reachable + other.reachable,
            self.hits + other.hits,
            self.wrong_hits + other.wrong_hits,
        )

    def measured(self) -> Measured:
        """Return rates with two-sided 95 % intervals."""
        right = self.hits - self.wrong_hits
        wrong_low, wrong_high = interval(self.wrong_hits, self.hits)
        recall_low, recall_high = interval(right, self.reachable)
        return Measured(
            requests=self.requests,
            reachable=self.reachable,
            hits=self.hits,
            wrong_hits=self.wrong_hits,
            wrong_share=round(self.wrong_hits / self.hits, 4) if self.hits else 0.0,
            wrong_share_low=wrong_low,
            wrong_share_high=wrong_high,
            wrong_rate=round(self.wrong_hits / self.requests, 4) if self.requests else 0.0,
            recall=round(right / self.reachable, 4) if self.reachable else 0.0,
            recall_low=recall_low,
            recall_high=recall_high,
        )


class Replay:
    """A stream with the neighbours of each question, so that many thresholds can be tried cheaply.

    Args:
        stream: the questions. Those that the policy keeps out of the cache must have been left out.
        vectors: their unit vectors, row by row.
        floor: lowest threshold that will be asked for.
    """

    def __init__(self, stream: Stream, vectors: Matrix, *, floor: float) -> None:
        """Find the neighbours: one matrix product a question, about 5 s for 5,000 questions."""
        self._stream = stream
        self._texts = [exact_text(question) for question in stream.questions]
        self._floor = floor
        self._neighbours = [_earlier(vectors, place, floor) for place in range(len(stream.questions))]
        self._differ: dict[tuple[int, int], bool] = {}

    def at(self, threshold: float) -> Outcome:
        """Return what happens when the cache starts empty and every miss is kept under its own answer."""
        if threshold < self._floor:
            raise ValueError(f"threshold {threshold} is below the floor {self._floor} that this replay was prepared for")
        kept: dict[str, int] = {}
        places: set[int] = set()
        answers: set[str] = set()
        reachable = hits = 0
        wrong: list[tuple[int, int]] = []
        for place, text in enumerate(self._texts):
            answer = self._stream.answer_ids[place]
            reachable += answer in answers
            served = kept[text] if text in kept else self._alike(place, places, threshold)
            if served is None:
                kept[text] = place
                places.add(place)
                answers.add(answer)
                continue
            hits += 1
            if self._stream.answer_ids[served] != answer:
                wrong.append((place, served))
        return Outcome(len(self._texts), reachable, hits, len(wrong), wrong)

    def _alike(self, place: int, kept: set[int], threshold: float) -> int | None:
        tried = 0
        for earlier, similarity in self._neighbours[place]:
            if similarity < threshold or tried == NEAREST:
                return None
            if earlier in kept:
                tried += 1
                if not self._differs(place, earlier):
                    return earlier
        return None

    def _differs(self, place: int, earlier: int) -> bool:
        if (place, earlier) not in self._differ:
            questions = self._stream.questions
            self._differ[place, earlier] = bool(differences(questions[place], questions[earlier]))
        return self._differ[place, earlier]


def interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson interval of a share, rounded to 4 digits; 0 and 1 without trials."""
    tail = (1 - confidence) / 2
    return _quantile(tail, successes, trials - successes + 1, 0.0), _quantile(1 - tail, successes + 1, trials - successes, 1.0)


def upper_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Return the one-sided Clopper-Pearson upper bound of a share, rounded to 4 digits; 1 without trials."""
    return _quantile(confidence, successes + 1, trials - successes, 1.0)


def _quantile(at: float, a: int, b: int, degenerate: float) -> float:
    # Imported here: scipy takes half a second to import, and every command would wait for it.
    from scipy.special import betaincinv

    return degenerate if a <= 0 or b <= 0 else round(float(betaincinv(a, b, at)), 4)


def _earlier(vectors: Matrix, place: int, floor: float) -> Sequence[tuple[int, float]]:
    similarities = vectors[:place] @ vectors[place]
    near = np.flatnonzero(similarities >= floor)
    best = near[np.argsort(-similarities[near], kind="stable")][:_NEIGHBOURS]
    return [(int(earlier), float(similarities[earlier])) for earlier in best]
