"""Boosted trees, kept as plain numbers. Plain numpy."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Trees:
    """A sum of trees; all nodes of all trees stand in one row."""

    roots: NDArray[np.int64]
    """Where each tree begins; empty for no trees."""
    feature: NDArray[np.int64]
    """Column that a node asks for; -1 in a leaf."""
    threshold: Numbers
    """At most this goes to the left; 0 in a leaf."""
    left: NDArray[np.int64]
    """Where the node's children stand; 0 in a leaf."""
    right: NDArray[np.int64]
    value: Numbers
    """What a leaf adds; 0 elsewhere."""
    bias: float

    def of(self, columns: Numbers) -> Numbers:
        """Return one number a row of ``columns``, shape (rows, columns); about 0.2 ms for 16 rows and 80 trees."""
        if not len(self.roots):
            return np.full(len(columns), self.bias)
        asked, threshold, left, right, depth = self._walk
        rows = np.arange(len(columns))[:, None]
        at = np.broadcast_to(self.roots, (len(columns), len(self.roots)))
        for _ in range(depth):
            at = np.where(columns[rows, asked[at]] <= threshold[at], left[at], right[at])
        return np.asarray(self.value[at].sum(axis=1) + self.bias, dtype=np.float64)

    @cached_property
    def _walk(self) -> tuple[NDArray[np.int64], Numbers, NDArray[np.int64], NDArray[np.int64], int]:
        """The nodes such that a leaf leads to itself, and the length of the longest way."""
        leaf, here = self.feature < 0, np.arange(len(self.feature))
        left, right = np.where(leaf, here, self.left), np.where(leaf, here, self.right)
        depth, reached = 0, self.roots
        while len(reached := reached[~leaf[reached]]):
            reached = np.unique(np.concatenate([left[reached], right[reached]]))
            depth += 1
        return np.maximum(self.feature, 0), self.threshold, left, right, depth

    @classmethod
    def constant(cls, value: float) -> "Trees":
        """Return trees that say the same of every row."""
        whole, real = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(roots=whole, feature=whole, threshold=real, left=whole, right=whole, value=real, bias=value)

    @classmethod
    def read(cls, raw: Mapping[str, Any], columns: int) -> "Trees":
        """Read them from JSON.

        Raises:
            ValueError: they are no trees over so many columns.
        """
        roots, feature, left, right = (
            np.asarray(raw[name], dtype=np.int64).reshape(-1) for name in ("roots", "feature", "left", "right")
        )
        threshold, value = (np.asarray(raw[name], dtype=np.float64).reshape(-1) for name in ("threshold", "value"))
        size = len(feature)
        if {len(part) for part in (threshold, left, right, value)} != {size}:
            raise ValueError("trees do not fit the evidence")
        inner = feature >= 0
        here = np.arange(size)[inner]
        # Children stand behind their parent, so that every way ends.
        ends = all(((side[inner] > here) & (side[inner] < size)).all() for side in (left, right))
        inside = ((roots >= 0) & (roots < size)).all() and (feature < columns).all()
        finite = np.isfinite(threshold).all() and np.isfinite(value).all() and np.isfinite(float(raw["bias"]))
        if not ends or not inside or not finite:
            raise ValueError("trees do not fit the evidence")
        return cls(
            roots=roots, feature=feature, threshold=threshold, left=left, right=right, value=value, bias=float(raw["bias"])
        )

    def written(self) -> Mapping[str, Any]:
        """Return them for JSON, in six digits."""
        parts = {name: [float(f"{number:.6g}") for number in getattr(self, name).tolist()] for name in ("threshold", "value")}
        whole = {name: getattr(self, name).tolist() for name in ("roots", "feature", "left", "right")}
        return whole | parts | {"bias": float(f"{self.bias:.6g}")}
