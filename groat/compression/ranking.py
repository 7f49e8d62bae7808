"""Rank the sentences of the retrieved passages by what they have to do with the question."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from groat.text import content_words, words

_K1 = 1.2
_B = 0.75
_RRF = 10
"""Reciprocal ranks are damped by this much; 60, made for lists of thousands, would flatten lists of fifty sentences."""


def rank_sentences(
    question: str,
    sentences: Sequence[str],
    *,
    headings: Sequence[str],
    similarities: NDArray[np.float32] | None = None,
) -> NDArray[np.float64]:
    """Return a score for each sentence, higher is better; only the order means something.

    BM25 (Robertson and Zaragoza 2009) over the sentences as a collection of their own, each read with the heading above it
    at a third of its weight; fused with the cosines, where there are vectors, by reciprocal ranks (Cormack, Clarke and
    Buettcher 2009). Pure; about 3 ms for 100 sentences.

    Args:
        question: what is asked; for a follow-up with the question before it.
        sentences: the sentences in order.
        headings: title and heading above each sentence, same length as ``sentences``.
        similarities: cosine of the question with each sentence, same length; None without vectors.
    """
    lexical = _bm25(question, sentences) + _bm25(question, headings) / 3
    fused = 1 / (_RRF + _ranks(lexical))
    if similarities is not None:
        fused = fused + 1 / (_RRF + _ranks(similarities.astype(np.float64)))
    return fused


def _bm25(question: str, texts: Sequence[str]) -> NDArray[np.float64]:
    asked = set(content_words(question)) or set(words(question))
    bags = [Counter(words(text)) for text in texts]
    lengths = np.array([sum(bag.values()) for bag in bags], dtype=np.float64)
    mean = lengths.mean() if lengths.size and lengths.any() else 1.0
    scores = np.zeros(len(texts))
    for word in asked:
        counts = np.array([bag[word] for bag in bags], dtype=np.float64)
        holding = int((counts > 0).sum())
        if holding:
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            scores += idf * counts * (_K1 + 1) / (counts + _K1 * (1 - _B + _B * lengths / mean))
    return scores


def _ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 0; equal scores share their mean rank, so that ties do not favour what comes first."""
    _, inverse, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means = ends - (counts + 1) / 2
    return np.asarray(means[inverse], dtype=np.float64)
