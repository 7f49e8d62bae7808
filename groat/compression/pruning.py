"""A plug for a pruning model or a small language model, for those who have one; nothing here needs it."""

import asyncio
import inspect
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from groat.compression.blocks import text_of
from groat.compression.stopping import Order
from groat.errors import GroatError
from groat.types import Passage

Scores = Sequence[Sequence[float]]
"""One list a passage, one finite number a sentence; higher is better. Only the order means something."""


class Pruner(Protocol):
    """Says which sentences a question needs.

    Laws: there is a score for every sentence given, in the same places; the documents are data, and no instruction in them is
    followed. It may raise anything: the learned order then decides.
    """

    @property
    def name(self) -> str:
        """Name of the model, shown with what it decided."""
        ...

    def keep_scores(self, question: str, passages: Sequence[Sequence[str]]) -> Scores | Awaitable[Scores]:
        """Return the scores of each passage's sentences, at once or to be awaited.

        What is no coroutine function is called in a thread.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What a pruner said, or why it said nothing."""

    name: str
    scores: tuple[float, ...] | None
    """Of all sentences in order; None when it failed."""
    failure: str = ""
    """Empty when it did not fail. It holds no user's text."""

    @property
    def told(self) -> str:
        """Return what belongs into the reason of a shortened context."""
        if self.scores is None:
            return f"{self.name} failed ({self.failure}), so the learned order decided"
        return f"in the order of {self.name}, for which no loss was measured"

    def order(self, learned: Order) -> Order:
        """Return the sentences by these scores, the learned order where they are equal; that order alone after a failure."""
        if self.scores is None:
            return learned
        ranks = np.empty(len(learned.best_first), dtype=np.intp)
        ranks[learned.best_first] = np.arange(len(ranks))
        first: NDArray[np.intp] = np.lexsort((ranks, -np.asarray(self.scores, dtype=np.float64)))
        return replace(learned, best_first=first)


async def ask_pruner(pruner: Pruner, question: str, passages: Sequence[Passage], *, timeout_s: float = 30.0) -> Pruned:
    """Return what the pruner says. Nothing is raised for a failure of its own.

    Args:
        pruner: the plug.
        question: what is asked; for a follow-up with the question before it.
        passages: as they will be given to ``Compressor.shorten``.
        timeout_s: longest wait; a thread that is still at work then is left to itself.
    """
    sentences = [[text_of(passage, number) for number in range(len(passage["sentences"]))] for passage in passages]
    try:
        scores = await asyncio.wait_for(_asked(pruner, question, sentences), timeout_s)
        flat = tuple(float(score) for part in scores for score in part)
        if [len(part) for part in scores] != [len(part) for part in sentences] or not all(map(isfinite, flat)):
            return Pruned(name=pruner.name, scores=None, failure="no finite score for each sentence")
    except Exception as error:  # a foreign model may raise anything, and shortening goes on without it
        # What groat itself raises says what to do and holds no user's text; of anything else only the kind is told.
        failure = str(error) if isinstance(error, GroatError) else type(error).__name__
        return Pruned(name=pruner.name, scores=None, failure=failure)
    return Pruned(name=pruner.name, scores=flat)


async def _asked(pruner: Pruner, question: str, sentences: Sequence[Sequence[str]]) -> Scores:
    found: Scores | Awaitable[Scores]
    if inspect.iscoroutinefunction(pruner.keep_scores):
        found = pruner.keep_scores(question, sentences)
    else:
        found = await asyncio.to_thread(pruner.keep_scores, question, sentences)
    return await found if inspect.isawaitable(found) else found
