"""Vectors of hashed words: for measurements where likeness of meaning does not matter and a second counts."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from groat.embedding import Matrix, Vector
from groat.text import words

_DIMENSION = 256


class WordVectors:
    """An embedder by which texts that share words are close; the same on every machine."""

    name = "hashed-words/256"

    async def query(self, text: str) -> Vector:
        """Return the unit vector of a question."""
        return _vector(text)

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the unit vectors of pieces of documents, shape (texts, 256)."""
        return np.stack([_vector(text) for text in texts]) if texts else np.zeros((0, _DIMENSION), dtype=np.float32)


def _vector(text: str) -> Vector:
    vector = np.zeros(_DIMENSION, dtype=np.float32)
    vector[0] = 0.1  # a text without words has a direction too
    for word in words(text):
        vector[_place(word)] += 1.0
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


@lru_cache(maxsize=65_536)
def _place(word: str) -> int:
    return 1 + int.from_bytes(hashlib.sha256(word.encode("utf-8", "replace")).digest()[:4], "big") % (_DIMENSION - 1)
