"""The learned order of sentences: two looks at the evidence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.compression.evidence import NAMES, evidence
from groat.compression.hops import NAMES as LED_TO
from groat.compression.hops import led_to
from groat.compression.network import Network
from groat.compression.risk import NAMES as RISK
from groat.compression.stopping import Order

FORMAT = "compression/3 " + " ".join((*NAMES, *LED_TO, *RISK))
"""Names the evidence; weights for other evidence are refused."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Weights for contexts with vectors, or for those without."""

    first: Network
    """Over ``evidence.NAMES``: what the question says; a weighted sum."""
    second: Network
    """Over those and ``hops.NAMES``, like ``belief``: what the best sentences of the first look lead to. Puts in order."""
    belief: Network
    """How likely each sentence is the needed one, as log odds: a weighted sum. What bends less is surer of little where
    contexts differ from those it was fitted on, so the risk is told from this and not from ``second``."""

    def order(self, context: Context, columns: NDArray[np.float64] | None = None) -> Order:
        """Return the sentences, best first; ``columns`` is the context's ``evidence``, where it is known."""
        both = self.columns(context, columns)
        return Order.by(context, self.second.of(both), self.belief.of(both))

    def columns(self, context: Context, columns: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Return what the second look sees: one row a sentence, a column for each of ``evidence.NAMES`` and ``hops.NAMES``."""
        first = evidence(context) if columns is None else columns
        return np.hstack([first, led_to(context, self.first.of(first))])
