"""Any LangChain ``Embeddings`` as groat's embedder."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from langchain_core.embeddings import Embeddings

from groat.embedding.protocol import Matrix, Vector
from groat.errors import ModelError


class LangChainEmbedder:
    """Wraps a LangChain ``Embeddings`` and scales its vectors to unit length.

    Args:
        embeddings: the LangChain object.
        name: model and variant, so that vectors of different models are never compared.
    """

    def __init__(self, embeddings: Embeddings, name: str) -> None:
        """Keep the object; nothing is called yet."""
        self._embeddings = embeddings
        self._name = name

    @property
    def name(self) -> str:
        """Model and variant."""
        return self._name

    async def query(self, text: str) -> Vector:
        """Return the vector of a question."""
        with self._explained():
            vector = await self._embeddings.aembed_query(text)
        row = _unit(np.asarray([vector], dtype=np.float32))
        return np.asarray(row[0], dtype=np.float32)

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of pieces of documents."""
        with self._explained():
            vectors = await self._embeddings.aembed_documents(list(texts))
        return _unit(np.asarray(vectors, dtype=np.float32))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every provider has its own errors; all become one, and none is lost
            raise ModelError(
                f"the embedding model {self._name!r} failed with {type(error).__name__}; check its key, address and name",
                failure="unknown",
            ) from error


def _unit(rows: Matrix) -> Matrix:
    if not rows.size:
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ModelError("the embedding model returned a vector of zeros or not a number", failure="empty")
    return np.asarray(rows / lengths, dtype=np.float32)
