"""Randomised regression trees over the surface features and the vector's main directions. Plain numpy."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trees:
    """The mean of many trees (Geurts et al. 2006, "Extremely randomized trees"); all nodes of all trees stand in one row.

    A node's left child is the node behind it.
    """

    directions: Numbers
    """Main directions of the vectors, shape (dimensions, directions)."""
    centre: Numbers
    roots: NDArray[np.int64]
    """Where each tree begins; empty for no trees."""
    feature: NDArray[np.int64]
    """What a node asks for: one of the features beside the vector, and then of the directions; -1 in a leaf."""
    threshold: Numbers
    """At most this goes to the left."""
    right: NDArray[np.int64]
    """How far behind the node its right child stands; 0 in a leaf."""
    leaf: NDArray[np.int64]
    """Row of ``values`` for a leaf; 0 elsewhere."""
    values: Numbers
    """Shape (leaves, heads), less the mean of all."""

    def inputs(self, surface: Numbers, vectors: Numbers) -> Numbers:
        """Return what the nodes ask for, shape (rows, features); the same precision for one row as for many."""
        return np.hstack([surface, (vectors - self.centre) @ self.directions]).astype(np.float32).astype(np.float64)

    def expected(self, surface: Numbers, vectors: Numbers) -> Numbers:
        """Return what the trees add to the heads, shape (rows, heads); about 0.3 ms for one row."""
        if not len(self.roots):
            return np.zeros((len(surface), self.values.shape[1]))
        seen = self.inputs(surface, vectors)
        rows = np.arange(len(seen))[:, None]
        asked, threshold, depth = self._walk
        at = np.broadcast_to(self.roots, (len(seen), len(self.roots)))
        for _ in range(depth):
            at = at + np.where(seen[rows, asked[at]] <= threshold[at], 1, self.right[at])
        return np.asarray(self.values[self.leaf[at]].mean(axis=1), dtype=np.float64)

    @cached_property
    def _walk(self) -> tuple[NDArray[np.int64], Numbers, int]:
        """Features and thresholds by which a leaf stays where it is, and the length of the longest way."""
        inner = self.feature >= 0
        depth, here = 0, self.roots
        while len(here := here[inner[here]]):
            here = np.unique(np.concatenate([here + 1, here + self.right[here]]))
            depth += 1
        return np.maximum(self.feature, 0), np.where(inner, self.threshold, -np.inf), depth
