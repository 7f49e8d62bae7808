"""Opens the judge at its first use, and answers in its place when it cannot be had."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import get_args

import numpy as np

from groat.errors import GroatError
from groat.judge import Judge, Judged, Weights

OFF = "off"
"""In place of weights: no judge."""
_LOG = logging.getLogger(__name__)


class LazyJudge:
    """A judge that is opened off the event loop by whoever asks first; several event loops and threads may ask.

    When it cannot be opened it says so once in the log, and from then on has no opinion on anything: probabilities of 0,
    each with that sentence as its reason.

    Args:
        weights: "all", "open", a folder, or "off" for no opinion on anything.
        threads: cores that one call may use.
    """

    def __init__(self, weights: str = "all", *, threads: int = 1) -> None:
        """Open nothing yet."""
        self._weights = weights
        self._threads = threads
        self._lock = threading.Lock()
        self._judge: Judge | None = None
        self._reason = "the judge is switched off: GROAT_JUDGE=off" if weights == OFF else None

    @property
    def version(self) -> str:
        """Of the weights; "none" until the first question, and when there is no judge."""
        return self._judge.version if self._judge else "none"

    async def reason(self) -> str | None:
        """Open the judge, and return why there is none, or None when it is at work."""
        if self._judge is None and self._reason is None:
            await asyncio.to_thread(self._open)
        return self._reason

    async def same(self, question: str, candidates: Sequence[str]) -> Judged:
        """Return the probabilities that one answer serves the question and each candidate."""
        return await self._ask(lambda judge: judge.same(question, candidates), len(candidates))

    async def answers(self, question: str, sentences: Sequence[str]) -> Judged:
        """Return the probabilities that each sentence helps to answer the question."""
        return await self._ask(lambda judge: judge.answers(question, sentences), len(sentences))

    async def supports(self, claim: str, passages: Sequence[str]) -> Judged:
        """Return the probabilities that each passage supports the claim."""
        return await self._ask(lambda judge: judge.supports(claim, passages), len(passages))

    async def _ask(self, ask: Callable[[Judge], Awaitable[Judged]], count: int) -> Judged:
        reason = await self.reason()
        if self._judge is None:
            return Judged(np.zeros(count), (reason,) * count)
        return await ask(self._judge)

    def _open(self) -> None:
        with self._lock:
            if self._judge is not None or self._reason is not None:
                return
            try:
                self._judge = Judge.open(_named(self._weights), threads=self._threads)
            except GroatError as error:
                self._reason = str(error)
                _LOG.warning("questions are matched and answers checked without the judge: %s", self._reason)


def _named(weights: str) -> Weights | Path:
    shipped: dict[str, Weights] = {name: name for name in get_args(Weights)}
    return shipped.get(weights) or Path(weights).expanduser()
