"""The knowledge base: documents in, passages out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from groat.embedding import Embedder, Matrix, Vector
from groat.errors import BadInput, StorageError
from groat.knowledge.documents import IngestReport, Progress, SourceDocument, need_tenant
from groat.knowledge.files import Scope, find_files
from groat.knowledge.ingestion import Ingestion
from groat.knowledge.lookup import passages, revision, stored_vectors
from groat.knowledge.ranking import (
    CANDIDATES,
    LEXICAL_WEIGHT,
    SEMANTIC_WEIGHT,
    cut,
    fuse,
    lexical_ranking,
    scored,
)
from groat.knowledge.schema import storage_errors
from groat.knowledge.store import Store
from groat.knowledge.vectors import SentenceIndexes
from groat.tracing.names import attributes as at
from groat.tracing.spans import call_spans, retrieval_span
from groat.types import Passage

_WAIT_FOR_OTHER_INGEST_S = 600.0
_LOOK_AGAIN_S = 0.2


@call_spans("knowledge", "sqlite", "sentence_vectors", "versions", "tenants")
class KnowledgeBase:
    """Documents of any number of tenants in one SQLite file, found by words and by meaning.

    Safe for several processes on one data folder: searches never wait, ingests take turns. Nothing is opened before the
    first call, and a database that is not there yet is empty.

    Args:
        path: the SQLite file; it and its folder are made at the first write.
        embedder: makes the vectors. With another embedder than at ingest, passages are found by words alone until they
            are ingested again.
        passage_tokens: largest passage, in o200k_base tokens.

    Raises:
        StorageError: by every method, when the database is damaged, locked, read-only or out of space.
    """

    def __init__(self, path: Path, embedder: Embedder, *, passage_tokens: int = 260) -> None:
        """Open nothing yet."""
        self._store = Store(path)
        self._embedder = embedder
        self._passage_tokens = passage_tokens
        self._indexes = SentenceIndexes()

    async def ingest(
        self, paths: Sequence[Path], *, tenant: str, progress: Callable[[Progress], None] | None = None
    ) -> IngestReport:
        """Add, change and remove documents until the tenant's agree with the files and folders named.

        Documents that came from elsewhere are left alone. Each document is written whole or not at all, so a run that was
        killed is simply run again; unchanged documents cost no embedding, and of changed ones only new sentences do.

        Raises:
            BadInput: a path does not exist or holds nothing that can be read; the tenant is blank.
            ModelError: the embedder failed; what was written before stays.
            StorageError: the database cannot be written, or another ingest was at work for 10 minutes.
        """
        need_tenant(tenant)
        scope = await asyncio.to_thread(find_files, paths)
        async with self._turn(progress):
            return await Ingestion(self._store, self._embedder, self._passage_tokens, tenant, scope, progress).run()

    async def put(self, documents: Sequence[SourceDocument], *, tenant: str) -> IngestReport:
        """Add or change documents that were handed over; all others stay. An id that a file of an ingest has is a failure.

        Raises:
            BadInput: the tenant is blank.
            ModelError: the embedder failed; what was written before stays.
            StorageError: the database cannot be written, or another ingest was at work for 10 minutes.
        """
        need_tenant(tenant)
        nothing = Scope((), (), ())
        async with self._turn(None):
            return await Ingestion(
                self._store, self._embedder, self._passage_tokens, tenant, nothing, None, given=documents
            ).run()

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        """Return the passages that fit the question, best first; [] when the tenant has no documents.

        Args:
            question: any text; a blank one finds nothing.
            tenant: whose documents are searched; no others are looked at.
            k: most passages to return, from 1.
            max_tokens: most tokens of passage text in all, from 1; the first passage is returned even if it is longer.

        Raises:
            BadInput: ``k`` or ``max_tokens`` is below 1, or the tenant is blank.
            ModelError: the embedder failed.

        Costs one embedding of the question, and about 5 ms for 5,000 sentences.
        """
        need_tenant(tenant)
        if k < 1 or max_tokens < 1:
            raise BadInput(f"k is {k} and max_tokens {max_tokens}; both must be at least 1")
        with retrieval_span(k) as span:
            passages = await self._search(question, tenant, k, max_tokens)
            span.set_attribute(at.RETURNED, len(passages))
            return passages

    async def _search(self, question: str, tenant: str, k: int, max_tokens: int) -> list[Passage]:
        if not question.strip() or not await asyncio.to_thread(self._store.has_documents, tenant):
            return []
        vector = await self._embedder.query(question)
        found = await asyncio.to_thread(self._ranked, question, vector, tenant, k)
        return cut(found, k, max_tokens)

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        """Return for each passage its sentences' vectors, one row per entry of ``sentences``, in order.

        None where the passage is not from here, was altered, is no longer kept, or has vectors of another embedder.
        """
        return await asyncio.to_thread(self._vectors, passages)

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        """Return the current version of each of the documents; those the tenant does not have are absent."""
        return await self._store.versions(document_ids, tenant)

    async def forget_document(self, document_id: str, *, tenant: str | None = None) -> int:
        """Remove a document, for ``tenant=None`` from every tenant; return how many were removed."""
        return await asyncio.to_thread(self._store.remove, document_id, tenant)

    async def forget_tenant(self, tenant: str) -> int:
        """Remove all documents of a tenant; return how many there were."""
        need_tenant(tenant)
        return await asyncio.to_thread(self._store.remove_tenants, tenant)

    async def forget_all(self) -> int:
        """Remove all documents of all tenants; return how many there were."""
        return await asyncio.to_thread(self._store.remove_tenants, None)

    async def tenants(self) -> set[str]:
        """Return the tenants that have documents."""
        return await asyncio.to_thread(self._store.tenants)

    async def count(self, tenant: str) -> tuple[int, int]:
        """Return how many documents and sentences a tenant has."""
        return await asyncio.to_thread(self._store.count, tenant)

    async def check(self) -> None:
        """Create the database if there is none, and look for damage; reads the whole file.

        Raises:
            StorageError: it cannot be opened or written, or is damaged.
        """
        await asyncio.to_thread(self._store.check)

    def _ranked(self, question: str, vector: Vector, tenant: str, k: int) -> list[Passage]:
        depth = max(k, CANDIDATES)
        with self._store.reading() as db:
            if db is None or (now := revision(db, tenant)) is None:
                return []
            index = self._indexes.current(db, now, self._embedder.name)
            similarities = index.similarities(vector)
            nearest = np.argsort(-similarities, kind="stable")[:depth]
            semantic = [int(key) for key in index.passages[nearest]]
            lexical = lexical_ranking(db, now[1], question, depth)
            scores = fuse([(SEMANTIC_WEIGHT, semantic), (LEXICAL_WEIGHT, lexical)])
            best = dict(list(scores.items())[:k])
            cosines = dict(zip(index.passages.tolist(), similarities.tolist(), strict=True))
            return scored(passages(db, list(best)), best, cosines)

    def _vectors(self, found: Sequence[Passage]) -> list[Matrix | None]:
        with self._store.reading() as db:
            return [None if db is None else stored_vectors(db, passage, self._embedder.name) for passage in found]

    @asynccontextmanager
    async def _turn(self, progress: Callable[[Progress], None] | None) -> AsyncIterator[None]:
        """Hold the lock that makes ingests of one data folder take turns."""
        path = self._store.path
        lock = FileLock(path.with_name(path.name + ".ingest.lock"), mode=0o600, thread_local=False)
        waited = 0.0
        with storage_errors(path):
            await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
            while not await asyncio.to_thread(_acquired, lock):
                if waited >= _WAIT_FOR_OTHER_INGEST_S:
                    raise StorageError(
                        f"another ingest has been at work on {str(path)!r} for {waited / 60:.0f} minutes; "
                        "wait until it is done or end it, then ingest again"
                    )
                if progress is not None and not waited:
                    progress(Progress(0, 0, "another ingest of this data folder is at work", "waiting"))
                await asyncio.sleep(_LOOK_AGAIN_S)
                waited += _LOOK_AGAIN_S
        try:
            yield
        finally:
            lock.release()


def _acquired(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True
