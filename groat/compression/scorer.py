"""The learned order of sentences: two looks, each a weighted sum of evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.compression.evidence import NAMES, evidence
from groat.compression.hops import NAMES as LED_TO
from groat.compression.hops import led_to

FORMAT = "compression/2 " + " ".join((*NAMES, *LED_TO))
"""Names the evidence; weights for other evidence are refused."""


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A weighted sum."""

    weights: NDArray[np.float64]
    bias: float

    def of(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one number a row of ``columns``, shape (rows, len(weights))."""
        return np.asarray(columns @ self.weights + self.bias, dtype=np.float64)

    @classmethod
    def read(cls, raw: Mapping[str, Any], columns: int) -> "Linear":
        """Read it from JSON.

        Raises:
            ValueError: it is no weighted sum of so many columns.
        """
        weights = np.asarray(raw["weights"], dtype=np.float64)
        if weights.shape != (columns,) or not np.isfinite(weights).all() or not np.isfinite(float(raw["bias"])):
            raise ValueError("weights do not fit the evidence")
        return cls(weights=weights, bias=float(raw["bias"]))

    def written(self) -> dict[str, Sequence[float] | float]:
        """Return it for JSON, in six digits."""
        return {"weights": [float(f"{weight:.6g}") for weight in self.weights], "bias": float(f"{self.bias:.6g}")}


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Weights for contexts with vectors, or for those without."""

    first: Linear
    """Over ``evidence.NAMES``: what the question says."""
    second: Linear
    """Over those and ``hops.NAMES``: what the best sentences of the first look lead to."""

    def scores(self, context: Context, columns: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return the log odds, one a sentence, that an answer needs it; off by a constant, since needed ones weighed more.

        ``columns`` is the context's ``evidence``, where it is known.
        """
        columns = evidence(context) if columns is None else columns
        return self.second.of(np.hstack([columns, led_to(context, self.first.of(columns))]))
