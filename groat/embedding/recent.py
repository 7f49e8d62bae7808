"""Compute each question's vector once."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from groat.embedding.protocol import Embedder, Matrix, Vector
from groat.tracing.spans import embedding_span


class RecentQueries:
    """An embedder that remembers the vectors of recent questions.

    Cache, retrieval, router and compression all ask for the vector of the same question; the first to ask computes it,
    the others, also at the same moment, share it. A failure is not remembered.

    Args:
        embedder: computes what is not remembered.
        size: how many questions to remember, about 1.6 KB each.
    """

    def __init__(self, embedder: Embedder, size: int = 1024) -> None:
        """Start empty."""
        self._embedder = embedder
        self._size = size
        self._recent: OrderedDict[str, Vector] = OrderedDict()
        self._running: dict[tuple[str, int], asyncio.Task[Vector]] = {}
        self.computed = 0
        """How many vectors of questions were really computed."""

    @property
    def name(self) -> str:
        """Name of the embedder inside."""
        return self._embedder.name

    async def query(self, text: str) -> Vector:
        """Return the vector of a question, remembered if it was asked for lately."""
        if (known := self._recent.get(text)) is not None:
            self._recent.move_to_end(text)
            return known
        key = (text, id(asyncio.get_running_loop()))
        if (running := self._running.get(key)) is None:
            running = asyncio.create_task(self._compute(text))
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        # One caller's cancellation must not take the vector from the others.
        return await asyncio.shield(running)

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of pieces of documents; these are not remembered."""
        with embedding_span(self.name, len(texts)):
            return await self._embedder.passages(texts)

    async def _compute(self, text: str) -> Vector:
        with embedding_span(self.name, 1):
            vector = await self._embedder.query(text)
        self.computed += 1
        self._recent[text] = vector
        while len(self._recent) > self._size:
            self._recent.popitem(last=False)
        return vector
