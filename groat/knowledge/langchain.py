"""The knowledge base as a LangChain retriever, and any LangChain retriever as the knowledge."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, SkipValidation

from groat.embedding import Matrix
from groat.errors import BadInput, GroatError, StorageError
from groat.knowledge.documents import need_tenant
from groat.knowledge.protocol import Knowledge
from groat.knowledge.ranking import cut
from groat.text import detect_language, sentence_spans
from groat.types import Passage

_REMEMBERED_DOCUMENTS = 100_000


class GroatRetriever(BaseRetriever):
    """The knowledge base as a LangChain retriever.

    A ``Document`` has the passage's text as content and, in its metadata, ``id``, ``document_id``, ``version``, ``title``,
    ``heading``, ``score`` and ``similarity``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    knowledge: SkipValidation[Knowledge]
    """Where passages come from."""
    tenant: str
    """Whose documents are searched."""
    k: int = 8
    """Most passages to return."""
    max_tokens: int = 2000
    """Most tokens of text in all."""

    async def _aget_relevant_documents(self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun) -> list[Document]:
        return await self._search(query)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        # In a thread of its own, because the caller may be running inside an event loop already.
        with ThreadPoolExecutor(max_workers=1) as thread:
            return thread.submit(asyncio.run, self._search(query)).result()

    async def _search(self, query: str) -> list[Document]:
        found = await self.knowledge.search(query, tenant=self.tenant, k=self.k, max_tokens=self.max_tokens)
        return [_document(passage) for passage in found]


class RetrieverKnowledge:
    """Any LangChain retriever as the knowledge.

    What groat knows of such documents is what the retriever has handed out to this process, and that decides what the
    answer cache can notice. A changed document is noticed when it is retrieved again; until then answers that stand on its
    former version are served, at most as long as the cache keeps answers. After a restart no version is known, so answers
    kept from before fall until their documents are retrieved again. A removed document is never noticed.

    A piece's ``document_id`` is its metadata's ``document_id`` if there is a ``version`` beside it; else ``Document.id`` or
    the metadata's ``document_id`` or ``id`` together with the hash of nothing but itself, so that two pieces of one document
    count as two documents; else the hash of its content, and then a change makes a new document. The version is the
    metadata's ``version``, else the hash of the content.

    Args:
        retriever: finds the documents. Its own settings say how many; ``k`` and ``max_tokens`` only shorten.
        tenants: who may see what it finds. Everybody else finds nothing: a retriever knows no tenants.
    """

    def __init__(self, retriever: BaseRetriever, *, tenants: Collection[str] = ("default",)) -> None:
        """Call nothing yet."""
        self._retriever = retriever
        self._tenants = frozenset(tenants)
        self._versions: OrderedDict[str, str] = OrderedDict()
        self._sentences: dict[str, int] = {}

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        """Return what the retriever finds, in its order; the score is 1 / place and there is no similarity.

        Raises:
            BadInput: ``k`` or ``max_tokens`` is below 1, or the tenant is blank.
            StorageError: the retriever failed.
        """
        need_tenant(tenant)
        if k < 1 or max_tokens < 1:
            raise BadInput(f"k is {k} and max_tokens {max_tokens}; both must be at least 1")
        if tenant not in self._tenants or not question.strip():
            return []
        try:
            documents = await self._retriever.ainvoke(question)
        except GroatError:
            raise
        except Exception as error:
            # Somebody else's code over somebody else's database: it may raise anything, and only it knows what.
            name = type(self._retriever).__name__
            raise StorageError(f"the retriever {name} failed with {type(error).__name__}; look at its own log") from error
        found = _unique(documents)
        for passage in found:
            self._remember(passage)
        return cut(found, k, max_tokens)

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        """Return None for each passage: retrievers hand out no vectors."""
        return [None for _ in passages]

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        """Return the versions that were last handed out; absent for documents not handed out by this process."""
        if tenant not in self._tenants:
            return {}
        return {name: self._versions[name] for name in document_ids if name in self._versions}

    async def tenants(self) -> set[str]:
        """Return the tenants that may see what the retriever finds."""
        return set(self._tenants)

    async def count(self, tenant: str) -> tuple[int, int]:
        """Return how many documents and sentences were handed out by this process, not how many there are."""
        return (len(self._versions), sum(self._sentences.values())) if tenant in self._tenants else (0, 0)

    async def check(self) -> None:
        """Return at once: a retriever has nothing to ask but a search, which may cost money."""

    def _remember(self, passage: Passage) -> None:
        name = passage["document_id"]
        self._versions[name] = passage["version"]
        self._versions.move_to_end(name)
        self._sentences[name] = len(passage["sentences"])
        while len(self._versions) > _REMEMBERED_DOCUMENTS:
            gone, _ = self._versions.popitem(last=False)
            self._sentences.pop(gone, None)


def _document(passage: Passage) -> Document:
    metadata = {
        "id": passage["id"],
        "document_id": passage["document_id"],
        "version": passage["version"],
        "title": passage["title"],
        "heading": passage["heading"],
        "score": passage["score"],
        "similarity": passage["similarity"],
    }
    return Document(id=passage["id"], page_content=passage["text"], metadata=metadata)


def _unique(documents: Sequence[Document]) -> list[Passage]:
    found: dict[str, Passage] = {}
    for document in documents:
        if document.page_content.strip():
            passage = _passage(document, place=len(found) + 1)
            found.setdefault(passage["id"], passage)
    return list(found.values())


def _passage(document: Document, *, place: int) -> Passage:
    text = document.page_content
    content_hash = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    meta = {
        name: str(value) for name, value in document.metadata.items() if isinstance(value, str | int) and str(value).strip()
    }
    own_id = document.id or meta.get("id") or meta.get("document_id") or content_hash
    versioned = "document_id" in meta and "version" in meta
    return Passage(
        id=own_id,
        document_id=meta["document_id"] if versioned else own_id,
        version=meta.get("version", content_hash),
        title=meta.get("title", ""),
        heading=meta.get("heading", ""),
        text=text,
        language=detect_language(text),
        sentences=sentence_spans(text),
        score=1 / place,
        similarity=None,
    )
