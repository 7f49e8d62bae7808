"""A question and its passages, taken apart once for everything that looks at sentences."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from groat.compression.blocks import text_of, units
from groat.embedding import Matrix, Vector
from groat.text import content_words, count_tokens, words
from groat.types import Language, Passage


@dataclass(frozen=True, kw_only=True)
class Context:
    """Every sentence of every passage, in order. Arrays have one entry a sentence."""

    question: str
    language: Language
    asked: tuple[str, ...]
    """Words of the question that carry meaning, each once; all of its words when none does."""
    passages: tuple[Passage, ...]
    places: tuple[tuple[int, int], ...]
    """(passage, sentence), both counted from 0."""
    texts: tuple[str, ...]
    bags: tuple[Counter[str], ...]
    owner: NDArray[np.intp]
    """Which passage the sentence belongs to."""
    tokens: NDArray[np.int64]
    vectors: Matrix | None
    """One row a sentence, of length 1; None when some passage has no vectors."""
    similarities: NDArray[np.float64] | None
    """Cosine of each sentence with the question, -1..1."""

    @cached_property
    def units(self) -> list[list[frozenset[int]]]:
        """Return for each sentence of each passage the sentences that stand or fall with it."""
        return units(self.passages)

    @classmethod
    def take_apart(
        cls,
        question: str,
        language: Language,
        passages: Sequence[Passage],
        question_vector: Vector | None = None,
        sentence_vectors: Sequence[Matrix | None] = (),
    ) -> "Context":
        """Split the passages into their sentences.

        Vectors are used only when each passage has a row for each of its sentences: half of them would favour one half.
        """
        places = tuple((i, j) for i, passage in enumerate(passages) for j in range(len(passage["sentences"])))
        texts = tuple(text_of(passages[i], j) for i, j in places)
        vectors = _stacked(passages, sentence_vectors) if question_vector is not None else None
        similarities = None
        if vectors is not None and question_vector is not None:
            similarities = np.asarray(vectors @ question_vector, dtype=np.float64)
        return cls(
            question=question,
            language=language,
            asked=tuple(dict.fromkeys(content_words(question))) or tuple(dict.fromkeys(words(question))),
            passages=tuple(passages),
            places=places,
            texts=texts,
            bags=tuple(Counter(words(text)) for text in texts),
            owner=np.array([i for i, _ in places], dtype=np.intp),
            tokens=np.array([count_tokens(text) for text in texts], dtype=np.int64),
            vectors=vectors,
            similarities=similarities,
        )


def _stacked(passages: Sequence[Passage], matrices: Sequence[Matrix | None]) -> Matrix | None:
    known = [matrix for matrix in matrices if matrix is not None]
    if len(known) != len(passages) or not known:
        return None
    if any(len(matrix) != len(passage["sentences"]) for matrix, passage in zip(known, passages, strict=True)):
        return None
    return np.vstack(known)
