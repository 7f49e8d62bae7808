"""Keep sentence vectors small on disk, and a tenant's vectors together in memory."""

import sqlite3
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groat.embedding import Matrix, Vector

_TENANTS_IN_MEMORY = 32
"""Indexes kept at most; one of 5,000 sentences with 384 dimensions takes 7.7 MB."""


def packed(rows: Matrix) -> bytes:
    """Return the rows as 16-bit floats, which changes a cosine by less than 0.001."""
    return np.ascontiguousarray(rows, dtype=np.float16).tobytes()


def unpacked(blob: bytes, sentences: int) -> Matrix:
    """Return the rows that ``packed`` kept, scaled to unit length again."""
    rows: Matrix = np.frombuffer(blob, dtype=np.float16).astype(np.float32).reshape(sentences, -1)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)


@dataclass(frozen=True)
class SentenceIndex:
    """The vectors of a tenant's sentences at one revision, in memory; searched without an approximation."""

    revision: tuple[str, int, int]
    """Database, tenant and revision: another one means other content."""
    documents: dict[int, slice]
    """Which passages belong to a document, by the document's key; a rewritten document has a new key."""
    passages: NDArray[np.int64]
    """Keys of the passages."""
    starts: NDArray[np.int64]
    """First row of each passage, and behind them the number of rows."""
    rows: Matrix

    def similarities(self, question: Vector) -> NDArray[np.float32]:
        """Return for each passage the largest cosine of its sentences, about 0.5 ms for 5,000 sentences."""
        if not len(self.passages):
            return np.zeros(0, dtype=np.float32)
        return np.asarray(np.maximum.reduceat(self.rows @ question, self.starts[:-1]), dtype=np.float32)


class SentenceIndexes:
    """The indexes of the tenants asked for most recently, refreshed where the database has moved on.

    Only what changed is read again: a document's key is never used twice, so an equal key means equal vectors.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._kept: OrderedDict[int, SentenceIndex] = OrderedDict()
        self._busy = threading.Lock()

    def current(self, db: sqlite3.Connection, revision: tuple[str, int, int], embedder: str) -> SentenceIndex:
        """Return the index of a tenant as the connection's transaction sees it.

        Vectors of another embedder than the one named are left out.
        """
        tenant = revision[1]
        with self._busy:
            kept = self._kept.get(tenant)
            if kept is None or kept.revision != revision:
                known = kept if kept is not None and kept.revision[0] == revision[0] else None
                kept = _built(db, revision, embedder, known)
            self._kept[tenant] = kept
            self._kept.move_to_end(tenant)
            while len(self._kept) > _TENANTS_IN_MEMORY:
                self._kept.popitem(last=False)
            return kept


def _built(db: sqlite3.Connection, revision: tuple[str, int, int], embedder: str, known: SentenceIndex | None) -> SentenceIndex:
    keys = [
        int(key)
        for (key,) in db.execute(
            "SELECT key FROM documents WHERE tenant = ? AND embedder = ? ORDER BY key", (revision[1], embedder)
        )
    ]
    documents: dict[int, slice] = {}
    passages: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    counts: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    rows: list[Matrix] = []
    place = 0
    for key in keys:
        part = _kept_part(known, key) or _read_part(db, key)
        documents[key] = slice(place, place + len(part[0]))
        place += len(part[0])
        passages.append(part[0])
        counts.append(part[1])
        rows.extend(part[2])
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.concatenate(counts))])
    matrix = np.concatenate(rows) if rows else np.zeros((0, 0), dtype=np.float32)
    return SentenceIndex(revision, documents, np.concatenate(passages), starts, matrix)


_Part = tuple[NDArray[np.int64], NDArray[np.int64], list[Matrix]]
"""Keys of a document's passages, how many sentences each has, and the vectors."""


def _kept_part(known: SentenceIndex | None, key: int) -> _Part | None:
    if known is None or key not in known.documents:
        return None
    place = known.documents[key]
    starts = known.starts[place.start : place.stop + 1]
    return known.passages[place], np.diff(starts), [known.rows[starts[0] : starts[-1]]]


def _read_part(db: sqlite3.Connection, key: int) -> _Part:
    found = db.execute("SELECT key, sentence_count, vectors FROM passages WHERE document = ? ORDER BY key", (key,)).fetchall()
    keys = np.array([row[0] for row in found], dtype=np.int64)
    counts = np.array([row[1] for row in found], dtype=np.int64)
    return keys, counts, [unpacked(row[2], row[1]) for row in found]
