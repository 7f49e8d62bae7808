"""Which subject a question is of, told by its vector, and what the models do on that subject."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Linear discriminants of the subjects that the rows were labelled with; last axis of ``values``: the heads.

    The subject need not be known: the application's labels teach what the vectors of each look like, and the mean outcome of a
    subject, weighed by its probability, is what counts. With equal covariances the probabilities are a softmax of linear scores
    (Fisher 1936; shrinkage after Ledoit and Wolf 2004).
    """

    names: tuple[str, ...]
    """Subjects; none at all where rows named fewer than three."""
    weights: Numbers
    """Shape (dimensions, topics)."""
    intercept: Numbers
    values: Numbers
    """Mean outcome of a subject, less that of all; shape (topics, heads)."""

    def expected(self, vectors: Numbers, named: NDArray[np.str_]) -> Numbers:
        """Return what the subjects add to the heads, shape (rows, heads).

        Args:
            vectors: of the questions, shape (rows, dimensions).
            named: subject or collection that the application gives to each, empty for none: a known one is taken at its word.
        """
        if not self.names:
            return np.zeros((len(vectors), self.values.shape[1]))
        logits = vectors @ self.weights + self.intercept
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        told = named[:, None] == np.array(self.names)[None, :]
        return np.asarray(np.where(told.any(axis=1, keepdims=True), told, shares) @ self.values, dtype=np.float64)
