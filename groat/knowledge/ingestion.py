"""Bring the kept documents of a tenant in line with files."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from groat.embedding import Embedder, Matrix
from groat.errors import ModelError
from groat.knowledge.documents import IngestReport, Phase, Piece, Progress, ReadFailure, Reading, SourceDocument
from groat.knowledge.files import Scope
from groat.knowledge.readers import count_documents, read_documents
from groat.knowledge.splitting import SPLITTER, embedded_texts, split
from groat.knowledge.store import Kept, Store
from groat.knowledge.vectors import unpacked

_SENTENCES_AT_ONCE = 256
"""Sentences gathered from several small documents before they are embedded, since remote models charge time per call."""

_REMEMBERED_VECTORS = 20_000
"""Vectors of texts met in this ingest, for texts that many documents repeat: about 30 MB."""


@dataclass
class _Pending:
    """A document that waits for its vectors."""

    document: SourceDocument
    pieces: list[Piece]
    texts: list[list[str]]
    """What is embedded, for each sentence of each piece."""
    known: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]
    """Vectors that the document's former version has for the same texts."""

    def missing(self) -> list[str]:
        """Return the texts without a known vector."""
        return [text for piece in self.texts for text in piece if text not in self.known]


@dataclass
class Ingestion:
    """One run of an ingest.

    Memory is bounded by the largest file plus a few hundred sentences: documents are read, embedded and written in turn.

    Attributes:
        store: where documents are kept.
        embedder: makes the vectors.
        passage_tokens: largest passage.
        tenant: whose documents these are.
        scope: what to read.
        given: documents beside those, which are there already.
        progress: told about each step, may be None.
    """

    store: Store
    embedder: Embedder
    passage_tokens: int
    tenant: str
    scope: Scope
    progress: Callable[[Progress], None] | None
    given: Sequence[SourceDocument] = ()
    report: IngestReport = field(default_factory=IngestReport)
    _kept: dict[str, Kept] = field(default_factory=dict)
    _seen: dict[str, Path] = field(default_factory=dict)
    _unread: set[str] = field(default_factory=set)
    _pending: list[_Pending] = field(default_factory=list)
    _vectors: OrderedDict[str, Matrix] = field(default_factory=OrderedDict)
    _total: int = 0
    _done: int = 0

    async def run(self) -> IngestReport:
        """Read, embed and write what is new or changed, then remove what is gone.

        Raises:
            StorageError: the database cannot be written.
            ModelError: the embedder failed; documents already written stay, and the next run goes on from there.
        """
        with await asyncio.to_thread(self.store.kept_open):
            return await self._run()

    async def _run(self) -> IngestReport:
        self.report.notes.extend(self.scope.notes)
        self._kept = await asyncio.to_thread(self.store.kept, self.tenant)
        self._total = await asyncio.to_thread(lambda: sum(count_documents(file) for file in self.scope.files))
        self._total += len(self.given)
        for file in self.scope.files:
            self._tell("reading", file.name)
            readings = read_documents(file)
            while (reading := await asyncio.to_thread(_following, readings)) is not None:
                await self._take(reading)
        for document in self.given:
            await self._take(document)
        await self._flush()
        await self._remove_gone()
        return self.report

    async def _take(self, reading: Reading) -> None:
        if isinstance(reading, SourceDocument) and (taken := self._taken(reading)) is not None:
            reading = taken
        if isinstance(reading, ReadFailure):
            self.report.failed.append((reading.source, reading.sentence))
            self._unread.add(str(reading.source))
            self._finish(reading.source.name)
            return
        self._seen[reading.id] = reading.source
        if reading.note and (reading.source, reading.note) not in self.report.notes:
            self.report.notes.append((reading.source, reading.note))
        kept = self._kept.get(reading.id)
        if kept is not None and kept.fingerprint == reading.fingerprint(self._made_with()):
            self.report.unchanged.append(reading.id)
            self._finish(reading.id)
            return
        self._pending.append(await asyncio.to_thread(self._prepare, reading, kept))
        if sum(len(pending.missing()) for pending in self._pending) >= _SENTENCES_AT_ONCE:
            await self._flush()

    def _taken(self, document: SourceDocument) -> ReadFailure | None:
        """Return why another document's claim to the same id is better, None when there is none."""
        owner = self._seen.get(document.id)
        if owner is None and (kept := self._kept.get(document.id)) is not None:
            before = Path(kept.source)
            # Files of this ingest that were not read yet, or no longer hold the document, have no claim.
            if before != document.source and not self.scope.covers(before) and before.exists():
                owner = before
        if owner is None:
            return None
        where = "twice in this file" if owner == document.source else f"also in {str(owner)!r}"
        return ReadFailure(document.source, f"the id {document.id!r} is {where}; give each document its own id")

    def _made_with(self) -> str:
        return " ".join(self._makers())

    def _makers(self) -> tuple[str, str]:
        return f"{SPLITTER}/{self.passage_tokens}", self.embedder.name

    def _prepare(self, document: SourceDocument, kept: Kept | None) -> _Pending:
        pieces = split(document, self.passage_tokens)
        known: dict[str, Matrix] = {}
        if kept is not None and kept.embedder == self.embedder.name:
            for title, piece, blob in self.store.passages_of(self.tenant, document.id):
                known |= zip(embedded_texts(title, piece), unpacked(blob, len(piece.sentences)), strict=True)
        return _Pending(document, pieces, [embedded_texts(document.title, piece) for piece in pieces], known)

    async def _flush(self) -> None:
        for pending in self._pending:
            self._tell("embedding", pending.document.id)
        missing = dict.fromkeys(text for pending in self._pending for text in pending.missing())
        fresh = await self._embedded([text for text in missing if text not in self._vectors])
        for pending in self._pending:
            known = {**self._vectors, **fresh, **pending.known}
            rows = [np.stack([known[text] for text in texts]) for texts in pending.texts]
            await asyncio.to_thread(self._put, pending, rows)
            self._finish(pending.document.id)
        self._pending.clear()
        self._vectors.update(fresh)
        while len(self._vectors) > _REMEMBERED_VECTORS:
            self._vectors.popitem(last=False)

    async def _embedded(self, texts: Sequence[str]) -> dict[str, Matrix]:
        if not texts:
            return {}
        rows = await self.embedder.passages(texts)
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
            raise ModelError(f"the embedding model gave no usable vectors for {len(texts)} sentences", failure="empty")
        return dict(zip(texts, rows, strict=True))

    def _put(self, pending: _Pending, rows: Sequence[Matrix]) -> None:
        document = pending.document
        self.store.put(document, pending.pieces, rows, tenant=self.tenant, made_with=self._makers())
        kept = self._kept.get(document.id)
        if kept is None:
            self.report.added.append(document.id)
        elif kept.version == document.version:
            self.report.unchanged.append(document.id)
        else:
            self.report.changed.append(document.id)

    async def _remove_gone(self) -> None:
        for kept in self._kept.values():
            # What could not be read this time is not gone.
            if kept.id in self._seen or kept.source in self._unread or not self.scope.covers(Path(kept.source)):
                continue
            await asyncio.to_thread(self.store.remove, kept.id, self.tenant)
            self.report.removed.append(kept.id)

    def _finish(self, name: str) -> None:
        self._done += 1
        self._tell("done", name)

    def _tell(self, phase: Phase, name: str) -> None:
        self._total = max(self._total, self._done)
        if self.progress is not None:
            self.progress(Progress(self._done, self._total, name, phase))


def _following(readings: Iterator[Reading]) -> Reading | None:
    return next(readings, None)
