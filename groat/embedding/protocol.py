"""What the engines ask of an embedder."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""Shape (dimension,), unit length."""
Matrix = NDArray[np.float32]
"""Shape (texts, dimension), each row of unit length."""


class Embedder(Protocol):
    """Turns texts into vectors of unit length; equal text gives equal vector, whatever it is batched with."""

    @property
    def name(self) -> str:
        """Model and variant. Vectors of embedders with different names are never compared."""
        ...

    async def query(self, text: str) -> Vector:
        """Return the vector of a question, shape (dimension,)."""
        ...

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of pieces of documents, shape (len(texts), dimension)."""
        ...
