"""Cosines of doubtful sentences of an answer to the sentences of its documents, as the box ``validate`` asks for them."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from groat.embedding import Embedder, Matrix
from groat.knowledge.documents import SourceDocument
from groat.knowledge.splitting import embedded_texts, split

PIECE_TOKENS = 260
"""As the index cuts documents."""


class Closeness:
    """Computes every document's vectors once. Callable from inside and outside of an event loop.

    Args:
        embedder: the one that the thresholds were measured with.
        documents: by id.
    """

    def __init__(self, embedder: Embedder, documents: dict[str, SourceDocument]) -> None:
        """Compute nothing yet."""
        self._embedder = embedder
        self._documents = documents
        self._vectors: dict[str, Matrix] = {}
        self._thread = ThreadPoolExecutor(1)

    def of(self, sentences: Sequence[str], documents: Sequence[str]) -> dict[str, float]:
        """Return the cosine of each sentence to the nearest one of these documents."""
        if not sentences or not documents:
            return {}
        return self._thread.submit(asyncio.run, self._of(sentences, documents)).result()

    async def _of(self, sentences: Sequence[str], documents: Sequence[str]) -> dict[str, float]:
        known = np.vstack([await self._document(name) for name in documents])
        nearest = (await self._embedder.passages(sentences) @ known.T).max(axis=1)
        return dict(zip(sentences, map(float, nearest), strict=True))

    async def _document(self, name: str) -> Matrix:
        if name not in self._vectors:
            document = self._documents[name]
            texts = [text for piece in split(document, PIECE_TOKENS) for text in embedded_texts(document.title, piece)]
            self._vectors[name] = await self._embedder.passages(texts)
        return self._vectors[name]
