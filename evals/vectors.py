"""Vectors kept on disk between runs of a measurement, outside the repository."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groat.embedding import Embedder, Matrix, Vector


class VectorFile:
    """An embedder that remembers every vector in one file per model. For measurements only: nothing is ever dropped.

    Args:
        embedder: computes what is not remembered.
        folder: where the file lies; made when missing.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        """Read what is remembered."""
        self._embedder = embedder
        self._path = folder / f"{hashlib.sha256(embedder.name.encode()).hexdigest()[:12]}.npz"
        self._known: dict[str, Vector] = {}
        if self._path.exists():
            with np.load(self._path, allow_pickle=False) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    @property
    def name(self) -> str:
        """Name of the embedder inside."""
        return self._embedder.name

    def __len__(self) -> int:
        """Return how many vectors are remembered."""
        return len(self._known)

    async def query(self, text: str) -> Vector:
        """Return the vector of a question."""
        key = _key("q", text)
        if key not in self._known:
            self._known[key] = await self._embedder.query(text)
        return self._known[key]

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of pieces of documents."""
        keys = [_key("p", text) for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            vectors = await self._embedder.passages(list(missing.values()))
            self._known.update(zip(missing, vectors, strict=True))
        return np.asarray([self._known[key] for key in keys], dtype=np.float32).reshape(len(keys), -1)

    def save(self) -> None:
        """Write all vectors down."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        vectors = np.asarray(list(self._known.values()), dtype=np.float32)
        partial = self._path.with_suffix(".part.npz")
        np.savez(partial, keys=np.asarray(list(self._known)), vectors=vectors)
        partial.replace(self._path)


def _key(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}\0{text}".encode()).hexdigest()[:24]
