"""A question and its passages, taken apart once for everything that looks at sentences."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from groat.compression.blocks import text_of, units
from groat.compression.surface import Asking, names_of
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
    lines: tuple[str, ...]
    """The words of each sentence in order, a space before and after each."""
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

    @cached_property
    def rarity(self) -> dict[str, float]:
        """Return for each word of the sentences how few of them hold it, above 0."""
        count = len(self.bags)
        of = [math.log(1 + count / (1 + holding)) for holding in range(count + 1)]
        return {word: of[holding] for word, holding in Counter(chain.from_iterable(self.bags)).items()}

    @cached_property
    def lengths(self) -> NDArray[np.float64]:
        """Return the number of words of each sentence."""
        return np.array([sum(bag.values()) for bag in self.bags], dtype=np.float64)

    @cached_property
    def _counted(self) -> dict[str, NDArray[np.float64]]:
        return {}

    def counts(self, word: str) -> NDArray[np.float64]:
        """Return how often each sentence has the word; counted once."""
        known = self._counted.get(word)
        if known is None:
            known = self._counted[word] = np.array([bag.get(word, 0) for bag in self.bags], dtype=np.float64)
        return known

    @cached_property
    def asking(self) -> Asking:
        """Return the question at a glance."""
        return Asking.of(self.question)

    @cached_property
    def names(self) -> list[frozenset[str]]:
        """Return the names in each sentence."""
        return [names_of(text) for text in self.texts]

    @cached_property
    def titles(self) -> list[str]:
        """Return title and heading of each passage."""
        return [f"{passage['title']} {passage['heading']}".strip() for passage in self.passages]

    @cached_property
    def title_bags(self) -> list[Counter[str]]:
        """Return the words of ``titles``."""
        return [Counter(words(title)) for title in self.titles]

    @cached_property
    def folded(self) -> list[str]:
        """Return the sentences without the difference of case."""
        return [text.casefold() for text in self.texts]

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
        said = [words(text) for text in texts]
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
            lines=tuple(line_of(one) for one in said),
            bags=tuple(Counter(one) for one in said),
            owner=np.array([i for i, _ in places], dtype=np.intp),
            tokens=np.array([count_tokens(text) for text in texts], dtype=np.int64),
            vectors=vectors,
            similarities=similarities,
        )


def line_of(said: Sequence[str]) -> str:
    """Return the words with a space before and after each, so that a run of words is a piece of the line."""
    return f" {' '.join(said)} "


def _stacked(passages: Sequence[Passage], matrices: Sequence[Matrix | None]) -> Matrix | None:
    known = [matrix for matrix in matrices if matrix is not None]
    if len(known) != len(passages) or not known:
        return None
    if any(len(matrix) != len(passage["sentences"]) for matrix, passage in zip(known, passages, strict=True)):
        return None
    return np.vstack(known)
