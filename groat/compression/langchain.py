"""The compressor as LangChain's ``BaseDocumentCompressor``, for a ``ContextualCompressionRetriever`` for instance."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, SkipValidation

from groat.compression.compressor import Compressor
from groat.compression.pruning import Pruner, ask_pruner
from groat.compression.selection import origins
from groat.embedding import Embedder, Matrix
from groat.errors import BadInput
from groat.text import clean_question, detect_language, sentence_spans
from groat.types import Asked, Passage


class GroatCompressor(BaseDocumentCompressor):
    """Keeps of each document the sentences that the question needs, in their order; documents without any are left out.

    A document that is returned is a copy with the shorter text. Its metadata has, beside what stood there, ``groat``: the
    number ``document`` of the document in the list given, the character offsets ``kept`` of its sentences in the text given,
    the tokens of all documents ``tokens_before`` and ``tokens_after``, and the ``reason``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    compressor: SkipValidation[Compressor]
    """What shortens."""
    embedder: SkipValidation[Embedder] | None = None
    """Computes the vectors of question and sentences, about 20 ms each with the bundled one; None for words alone."""
    max_loss: float | None = Field(default=0.02, ge=0, le=1)
    """Largest share of questions whose answer may be lost; None to fill ``max_tokens``."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Most tokens of all documents together."""
    pruner: SkipValidation[Pruner] | None = None
    """A model of your own that says which sentences are needed; the stop rule still says how many."""
    tier: Literal["cheap", "expensive"] = "expensive"
    """The cheap tier is held to the upper end of the measured loss, so it keeps more."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return the shortened documents.

        Raises:
            BadInput: the question is empty or longer than a question may be.
        """
        # In a thread of its own, because the caller may be running inside an event loop already.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(asyncio.run, self.acompress_documents(documents, query, callbacks)).result()

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        """Return the shortened documents.

        Raises:
            BadInput: the question is empty or longer than a question may be.
        """
        question = clean_question(query)
        language = detect_language(question)
        asked: Asked = {
            "text": question,
            "language": language,
            "answer_language": language,
            "search_text": question,
            "history": [],
            "tenant": "default",
        }
        passages = [_passage(document, number) for number, document in enumerate(documents)]
        matrices: list[Matrix | None] = []
        if self.embedder is not None:
            matrices = [await self._vectors(passage, self.embedder) for passage in passages]
        pruned = None if self.pruner is None else await ask_pruner(self.pruner, question, passages)
        shortened = await asyncio.to_thread(
            self.compressor.shorten,
            asked,
            passages,
            tier=self.tier,
            max_loss=self.max_loss,
            max_tokens=self.max_tokens,
            question_vector=None if self.embedder is None else await self.embedder.query(question),
            sentence_vectors=matrices,
            pruned=pruned,
        )
        told = {name: shortened[name] for name in ("tokens_before", "tokens_after", "reason")}
        found = []
        for passage in shortened["passages"]:
            number = int(passage["id"])
            given = documents[number]
            note = {"document": number, "kept": origins(passages[number], passage), **told}
            found.append(
                given.model_copy(update={"page_content": passage["text"], "metadata": {**given.metadata, "groat": note}})
            )
        return found

    async def _vectors(self, passage: Passage, embedder: Embedder) -> Matrix:
        texts = [passage["text"][start:end] for start, end in passage["sentences"]]
        return await embedder.passages([f"{passage['title']}: {text}" if passage["title"] else text for text in texts])


def _passage(document: Document, number: int) -> Passage:
    if not isinstance(document, Document):
        raise BadInput(f"document {number} is a {type(document).__name__}; give LangChain documents")
    text = document.page_content
    return {
        "id": str(number),
        "document_id": str(document.id or document.metadata.get("source") or number),
        "version": "",
        "title": str(document.metadata.get("title") or ""),
        "heading": "",
        "text": text,
        "language": detect_language(text),
        "sentences": sentence_spans(text),
        "score": 0.0,
        "similarity": None,
    }
