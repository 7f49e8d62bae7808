"""May the answer to a kept question serve the question asked now?"""

from collections.abc import Sequence
from dataclasses import dataclass

from groat.cache.entry import Entry
from groat.cache.guard import differences
from groat.types import Asked, CacheCandidate


@dataclass(frozen=True)
class Judged:
    """A kept question with the verdict on it."""

    entry: Entry
    candidate: CacheCandidate
    accepted: bool


def judge(asked: Asked, nearest: Sequence[tuple[Entry, float]], threshold: float) -> list[Judged]:
    """Judge kept questions, nearest first: alike enough, and nothing found that makes them different questions.

    The nearest one is always judged, so that a miss can be explained; of the others only those that are alike enough, since
    the guard takes about 0.2 ms each. A candidate in another language than the question is never accepted: no threshold was
    measured across languages.
    """
    return [
        _judge(asked, entry, similarity, threshold)
        for place, (entry, similarity) in enumerate(nearest)
        if place == 0 or similarity >= threshold
    ]


def _judge(asked: Asked, entry: Entry, similarity: float, threshold: float) -> Judged:
    found = differences(asked["search_text"], entry.question)
    if entry.language != asked["language"]:
        found = sorted([*found, "language"])
    candidate: CacheCandidate = {
        "entry_id": entry.entry_id,
        "question": entry.question,
        "similarity": round(similarity, 6),
        "differences": found,
    }
    return Judged(entry, candidate, accepted=similarity >= threshold and not found)
