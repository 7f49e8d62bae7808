"""The simple stop rule: one share of the tokens for every question of a language, from a measured table."""

from dataclasses import dataclass

import numpy as np

from groat.compression.context import Context
from groat.compression.ranking import rank_sentences
from groat.compression.stopping import Order, Population
from groat.types import Language, Tier


@dataclass(frozen=True, kw_only=True)
class Point:
    """One row of the table."""

    share: float
    """Share of tokens kept, 0..1."""
    loss: float
    """Share of questions whose answer stood in the full context and is gone, 0..1, as measured."""
    loss_upper: float
    """Upper end of the one-sided 95 % Clopper-Pearson interval of ``loss``."""
    rows: int


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The measured table. ``groat.compression.learned`` does better; this needs no training, only a table of your own."""

    version: str
    points: dict[Population, dict[Language, tuple[Point, ...]]]

    def order(self, context: Context) -> Order:
        """Return the sentences by words and vectors, the retriever's order as evidence beside them."""
        tops = [f"{passage['title']} {passage['heading']}" for passage in context.passages]
        scores = rank_sentences(
            context.question,
            context.texts,
            headings=[tops[i] for i in context.owner],
            similarities=None if context.similarities is None else context.similarities.astype(np.float32),
        )
        # A sentence of the best passage before one of the last.
        return Order.by(context, scores + 1 / (10 + 2 * context.owner))

    def needed(self, order: Order, *, population: Population, tier: Tier, max_loss: float) -> float | None:
        """Return ``share`` of the question's language: every question of a language is served the same."""
        return self.share(order.context.language, population=population, tier=tier, max_loss=max_loss)

    def share(self, language: Language, *, population: Population, tier: Tier, max_loss: float) -> float | None:
        """Return the smallest measured share whose loss is within ``max_loss``; None when no share is.

        The expensive tier is held to the measured loss. The cheap tier, whose tokens cost a fraction, is held to the upper
        end of its interval: there is less to gain from taking the risk.
        """
        fitting = [
            point.share
            for point in self.points[population][language]
            if (point.loss_upper if tier == "cheap" else point.loss) <= max_loss
        ]
        return min(fitting, default=None)
