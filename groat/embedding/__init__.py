"""Vectors for texts: one protocol, the bundled default, any LangChain ``Embeddings``."""

from groat.embedding.langchain import LangChainEmbedder
from groat.embedding.protocol import Embedder, Matrix, Vector
from groat.embedding.recent import RecentQueries

__all__ = ["Embedder", "LangChainEmbedder", "Matrix", "RecentQueries", "Vector"]
