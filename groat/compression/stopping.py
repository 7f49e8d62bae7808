"""What the compressor asks of a stop rule."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.types import Tier

Population = Literal["indexed", "foreign"]
"""Where passages come from: from groat's own index, ranked by its search, or from elsewhere, in whatever order. Measured
apart, since a context whose best passages come first can lose much more before an answer is lost."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """The sentences of a context, put in order."""

    context: Context
    scores: NDArray[np.float64]
    """One a sentence, higher is better."""
    belief: NDArray[np.float64]
    """One a sentence: log odds, up to a constant, that the answer needs it."""
    best_first: NDArray[np.intp]
    """Places of the sentences in the context."""

    @classmethod
    def by(cls, context: Context, scores: NDArray[np.float64], belief: NDArray[np.float64] | None = None) -> "Order":
        """Order by score; of equal ones the earlier first. Without a belief the scores stand for it."""
        best_first = np.argsort(-scores, kind="stable")
        return cls(context=context, scores=scores, belief=scores if belief is None else belief, best_first=best_first)


class Stop(Protocol):
    """Puts sentences in order and says how much of them must be kept.

    Laws: the same context gives the same order; a larger loss never needs a larger share.
    """

    @property
    def version(self) -> str:
        """Version of what was learned or measured."""
        ...

    def order(self, context: Context) -> Order:
        """Return the sentences, best first."""
        ...

    def needed(self, order: Order, *, population: Population, tier: Tier, max_loss: float) -> float | None:
        """Return the share of the tokens, 0..1, that keeps the loss within ``max_loss``; None when none is known to."""
        ...
