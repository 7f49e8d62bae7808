"""LangChain's own compressors on the same rows: what people take today.

Each is the pipeline of LangChain's documentation: a splitter, ``EmbeddingsRedundantFilter``, ``EmbeddingsFilter``. They embed
the chunks at every question; here the vectors come from the same model as groat's and are kept on disk.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from evals.compression_rows import Row
from groat.embedding import Embedder
from groat.errors import MissingExtra
from groat.types import Language, Passage

if TYPE_CHECKING:
    from langchain_text_splitters import TextSplitter

Splitter = Literal["documented", "recursive"]
"""``CharacterTextSplitter`` with ". " as in LangChain's how-to, which cuts nothing in Chinese; or
``RecursiveCharacterTextSplitter`` at the signs of either language, with about as many tokens a chunk in both."""

CHUNK_CHARS: Mapping[Language, int] = {"en": 300, "zh": 100}
"""300 as in the how-to; 100 Chinese characters are about as many tokens."""
_SIGNS = ["\n\n", "\n", "。", "！", "？", "；", ". ", "! ", "? ", "，", ", ", " ", ""]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How ``EmbeddingsFilter`` decides."""

    splitter: Splitter
    k: int | None = None
    """So many chunks are kept."""
    least: float | None = None
    """Least cosine with the question, -1..1."""

    @property
    def name(self) -> str:
        """Return it as the tables show it."""
        return f"langchain {self.splitter} {f'k={self.k}' if self.k is not None else f'cosine>{self.least:g}'}"


SETTINGS = tuple(
    Setting(splitter=splitter, k=k, least=least)
    for splitter in ("documented", "recursive")
    for k, least in ((20, None), (10, None), (None, 0.76), (None, 0.84))
)
"""0.76 is the documentation's; cosines of the bundled model lie in a narrow band, where it cuts little: hence a strict one."""


class Anchors:
    """Runs LangChain's compressors.

    Args:
        embedder: of questions and chunks.

    Raises:
        MissingExtra: LangChain's packages are not installed.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Look for the packages."""
        if any(find_spec(name) is None for name in ("langchain_classic", "langchain_community")):
            raise MissingExtra(
                "LangChain's compressors are in packages of their own: pip install langchain-classic langchain-community"
            )
        # The documented splitter complains about every chunk that it cannot cut, all of Chinese.
        logging.getLogger("langchain_text_splitters").setLevel(logging.ERROR)
        self._embedder = embedder

    async def prepare(self, row: Row) -> Callable[[Setting], list[Passage]]:
        """Return what shortens the row's passages by a setting: a passage a chunk, in the order of LangChain's result."""
        documents = [
            Document(page_content=passage["text"], metadata={"number": number}) for number, passage in enumerate(row.passages)
        ]
        texts = {
            chunk.page_content
            for splitter in {one.splitter for one in SETTINGS}
            for chunk in self._split(splitter, documents, row)
        }
        ordered = sorted(texts)
        vectors = (await self._embedder.passages(ordered)).tolist()
        known = Known(dict(zip(ordered, vectors, strict=True)), (await self._embedder.query(row.question)).tolist())
        return lambda setting: self._shortened(setting, documents, row, known)

    def _shortened(self, setting: Setting, documents: Sequence[Document], row: Row, known: "Known") -> list[Passage]:
        from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline, EmbeddingsFilter
        from langchain_community.document_transformers import EmbeddingsRedundantFilter

        pipeline = DocumentCompressorPipeline(
            transformers=[
                splitter_of(setting.splitter, row.passages[0]["language"]),
                EmbeddingsRedundantFilter(embeddings=known),
                EmbeddingsFilter(embeddings=known, k=setting.k, similarity_threshold=setting.least),
            ]
        )
        found = pipeline.compress_documents(documents, row.question)
        return [_passage(row.passages[chunk.metadata["number"]], chunk.page_content) for chunk in found]

    def _split(self, splitter: Splitter, documents: Sequence[Document], row: Row) -> Sequence[Document]:
        return splitter_of(splitter, row.passages[0]["language"]).split_documents(documents)


class Known(Embeddings):
    """Vectors that are known already; any other text is a KeyError."""

    def __init__(self, documents: Mapping[str, list[float]], question: list[float]) -> None:
        """Keep the arguments."""
        self._documents = documents
        self._question = question

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return one vector a text."""
        return [self._documents[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Return the question's vector, whatever the text."""
        return self._question


def splitter_of(name: Splitter, language: Language) -> "TextSplitter":
    """Return LangChain's splitter for documents in a language."""
    from langchain_text_splitters import CharacterTextSplitter, RecursiveCharacterTextSplitter

    if name == "documented":
        return CharacterTextSplitter(chunk_size=CHUNK_CHARS["en"], chunk_overlap=0, separator=". ")
    return RecursiveCharacterTextSplitter(
        chunk_size=CHUNK_CHARS[language], chunk_overlap=0, separators=_SIGNS, keep_separator="end"
    )


def _passage(passage: Passage, text: str) -> Passage:
    return {**passage, "text": text, "sentences": [(0, len(text))] if text else []}
