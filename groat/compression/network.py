"""A small network: a weighted sum, and what a few hidden units add to it. Plain numpy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

REACH = 6.0
"""Evidence further than so many standard deviations from its mean counts as that far, so that nothing odd decides alone."""

_PARTS = ("centre", "scale", "direct", "hidden", "shift", "out")


@dataclass(frozen=True, kw_only=True)
class Network:
    """Weights over ``columns`` numbers and ``units`` hidden units. Several networks in one are their mean."""

    centre: Numbers
    """Shape (columns,); likewise ``scale``, above 0, and ``direct``."""
    scale: Numbers
    direct: Numbers
    hidden: Numbers
    """Shape (columns, units)."""
    shift: Numbers
    """Shape (units,), like ``out``."""
    out: Numbers
    bias: float

    def of(self, columns: Numbers) -> Numbers:
        """Return one number a row of ``columns``, shape (rows, columns)."""
        seen = self._seen(columns)
        bent = np.tanh(seen @ self.hidden + self.shift) @ self.out
        return np.asarray(seen @ self.direct + bent + self.bias, dtype=np.float64)

    def shares(self, columns: Numbers) -> Numbers:
        """Return what each column adds to its row's number beyond its mean over the rows, shape like ``columns``.

        To first order: the slope at the row times the distance from the mean.
        """
        seen = self._seen(columns)
        bent = 1 - np.tanh(seen @ self.hidden + self.shift) ** 2
        return np.asarray((self.direct + (bent * self.out) @ self.hidden.T) * (seen - seen.mean(axis=0)), dtype=np.float64)

    def _seen(self, columns: Numbers) -> Numbers:
        return np.clip((columns - self.centre) / self.scale, -REACH, REACH)

    @classmethod
    def read(cls, raw: Mapping[str, Any], columns: int) -> "Network":
        """Read it from JSON.

        Raises:
            ValueError: it is no network over so many columns.
        """
        parts = {name: np.asarray(raw[name], dtype=np.float64) for name in _PARTS}
        # Without hidden units the list of their weights has no second dimension left.
        parts["hidden"] = parts["hidden"].reshape(columns, -1) if parts["hidden"].size else np.zeros((columns, 0))
        units = (parts["hidden"].shape[1],)
        shapes = ((columns,), (columns,), (columns,), (columns, *units), units, units)
        fits = all(part.shape == shape for part, shape in zip(parts.values(), shapes, strict=True))
        finite = all(np.isfinite(part).all() for part in parts.values()) and np.isfinite(float(raw["bias"]))
        if not fits or not finite or not (parts["scale"] > 0).all():
            raise ValueError("weights do not fit the evidence")
        return cls(**parts, bias=float(raw["bias"]))

    def written(self) -> Mapping[str, Any]:
        """Return it for JSON, in five digits."""
        return {name: _short(getattr(self, name)) for name in _PARTS} | {"bias": float(f"{self.bias:.5g}")}


def _short(numbers: Numbers) -> list[Any]:
    if numbers.ndim > 1:
        return [_short(row) for row in numbers]
    return [float(f"{number:.5g}") for number in numbers]
