"""Entries of an answer cache made up from a seed, with vectors that lie as those of real questions do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from groat.cache.entry import Entry
from groat.embedding import Matrix, Vector
from groat.types import Asked, Language

DIMENSION = 384
IDENTITY, TENANT = "made up", "made-up"
NOW = 1_700_000_000.0
_CHUNK = 10_000
_PER_TOPIC, _PER_SUBJECT, _FIELDS = 4, 50, 32
# Lengths of the parts of a vector. Cosines among 40,000, and in brackets those of E5 for as many real questions: any two 0.77
# (0.78), one in a hundred at least 0.85 (0.88), the eighth nearest 0.90 (0.92), the nearest 0.99 (0.97).
_COMMON, _FIELD, _SUBJECT, _TOPIC, _WORDING = 0.88, 0.25, 0.34, 0.17, 0.17
_WORDINGS: dict[Language, tuple[str, ...]] = {
    "en": (
        "How do I move box {} to the upper shelf?",
        "What is the way to get box {} onto the upper shelf?",
        "Box {} should go to the upper shelf, how is that done?",
        "How can box {} be put on the upper shelf?",
    ),
    "zh": (
        "怎么把{}号箱子搬到上层架子？",
        "{}号箱子要怎样放到上层架子上？",
        "想把{}号箱子挪到上层架子，该怎么做？",
        "把{}号箱子搬上上层架子的方法是什么？",
    ),
}
_ASKED: dict[Language, str] = {"en": "How do I get box {} up to the upper shelf?", "zh": "怎样才能把{}号箱子搬到上层架子上？"}


@dataclass(frozen=True)
class Asking:
    """Questions like some entries, in other words."""

    entries: Sequence[Entry]
    asked: Sequence[Asked]
    vectors: Matrix


class MadeEntries:
    """Entries of one identity, the same for the same seed and count, made chunk by chunk so that they need not all be held.

    Args:
        count: how many, at least 1.
        embedder: name that they give as the maker of their vectors.
        seed: of everything.
    """

    def __init__(self, count: int, *, embedder: str, seed: int = 1) -> None:
        """Make what the vectors have in common."""
        self._count = count
        self._embedder = embedder
        self._seed = seed
        rng = np.random.default_rng(seed)
        self._common = _directions(rng, 1) * _COMMON
        self._fields = _directions(rng, _FIELDS) * _FIELD
        self._subjects = _directions(rng, -(-count // _PER_SUBJECT)) * _SUBJECT

    def chunks(self) -> Iterator[tuple[Matrix, list[Entry]]]:
        """Yield up to 10,000 entries at a time, with their vectors."""
        for start in range(0, self._count, _CHUNK):
            yield self._chunk(start)

    def asking(self, count: int, turn: int = 0) -> Asking:
        """Return questions like ``count`` of the first entries, no more than these are, other ones for every ``turn``."""
        vectors, entries = self._chunk(0)
        rng = np.random.default_rng(self._seed + 1 + turn)
        places = rng.permutation(len(entries))[:count]
        asked = _unit(vectors[places] + _directions(rng, len(places)) * _WORDING)
        return Asking(
            entries=[entries[place] for place in places],
            asked=[_asked(place // _PER_TOPIC) for place in places.tolist()],
            vectors=asked,
        )

    def _chunk(self, start: int) -> tuple[Matrix, list[Entry]]:
        rng = np.random.default_rng([self._seed, start])
        size = min(_CHUNK, self._count - start)
        topics = -(-size // _PER_TOPIC)
        topic = self._fields[rng.integers(0, _FIELDS, topics)] + _directions(rng, topics) * _TOPIC
        topic += self._subjects[rng.integers(0, len(self._subjects), topics)]
        topic *= rng.uniform(0.8, 1.2, (topics, 1)).astype(np.float32)
        vectors = _unit(self._common + np.repeat(topic, _PER_TOPIC, axis=0)[:size] + _directions(rng, size) * _WORDING)
        return vectors, [self._entry(start + place, vectors[place]) for place in range(size)]

    def _entry(self, number: int, vector: Vector) -> Entry:
        language = _language(number // _PER_TOPIC)
        question = _WORDINGS[language][number % _PER_TOPIC].format(number // _PER_TOPIC)
        return Entry(
            entry_id=f"made-{number}",
            identity=IDENTITY,
            tenant=TENANT,
            language=language,
            question=question,
            exact_text=question,
            answer=question,
            sources=[],
            documents=[],
            tier="cheap",
            baseline_cost_usd=None,
            vector=vector,
            embedder=self._embedder,
            created_at=NOW,
            expires_at=None,
        )


def _language(topic: int) -> Language:
    return "zh" if topic % 2 else "en"


def _asked(topic: int) -> Asked:
    language = _language(topic)
    text = _ASKED[language].format(topic)
    return {
        "text": text, "language": language, "answer_language": language, "search_text": text, "history": [], "tenant": TENANT
    }  # fmt: skip


def _directions(rng: np.random.Generator, rows: int) -> Matrix:
    """Return vectors of about unit length in all directions."""
    return rng.standard_normal((rows, DIMENSION), dtype=np.float32) / np.float32(DIMENSION**0.5)


def _unit(vectors: Matrix) -> Matrix:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
