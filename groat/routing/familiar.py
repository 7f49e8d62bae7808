"""Tell questions that are unlike everything a router learned from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groat.routing.estimator import CLIP

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Familiar:
    """Distance to the nearest group of known questions, in the directions in which they differ and beside them.

    After Lee et al. 2018, "A simple unified framework for detecting out-of-distribution samples"; the limit is a conformal one:
    of new questions drawn like the old ones, no more than the stated rate lie beyond it.
    """

    centre: Numbers
    """Shape (dimensions,)."""
    directions: Numbers
    """Shape (dimensions, directions), scaled so that known questions have unit variance along each."""
    groups: Numbers
    """Shape (groups, directions)."""
    beside: float
    """Mean square of what the directions leave out."""
    limit: float

    def distance(self, vectors: Numbers) -> Numbers:
        """Return the distances of vectors, shape (rows, dimensions)."""
        moved = vectors - self.centre
        along = moved @ self.directions
        squares = (along**2).sum(1)[:, None] - 2 * along @ self.groups.T + (self.groups**2).sum(1)
        kept = along / (self.directions**2).sum(0) @ self.directions.T
        rest = ((moved - kept) ** 2).sum(1) / self.beside
        return np.asarray(np.sqrt(np.maximum(squares.min(1), 0) / self.directions.shape[1] + rest), dtype=np.float64)

    def knows(self, vectors: Numbers) -> NDArray[np.bool_]:
        """Tell for each row whether it is like those learned from."""
        return np.asarray(self.distance(vectors) <= self.limit)


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the known questions are like, by meaning and by form: one that is unlike them in either is unlike all that is known.

    Questions of other kinds often lie near in meaning, school sums beside multiple choice about arithmetic, and far in form.
    """

    meaning: Familiar
    """Of the vectors."""
    form: Familiar
    """Of the surface features in standard units."""
    mean: Numbers
    """Of the surface features."""
    scale: Numbers

    def knows(self, surface: Numbers, vectors: Numbers) -> NDArray[np.bool_]:
        """Tell for each row whether it is like those learned from; shapes (rows, features) and (rows, dimensions)."""
        return self.meaning.knows(vectors) & self.form.knows(self.standard(surface))

    def standard(self, surface: Numbers) -> Numbers:
        """Return surface features in standard units; a feature that never varied says nothing."""
        return np.clip((surface - self.mean) / self.scale, -CLIP, CLIP)
