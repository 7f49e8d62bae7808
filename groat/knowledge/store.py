"""Keep documents, passages, words and vectors in one SQLite file, each document whole or not at all."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from groat.embedding import Matrix
from groat.errors import StorageError
from groat.knowledge.documents import Piece, SourceDocument
from groat.knowledge.lookup import revision, spans_of, tenant_key
from groat.knowledge.schema import connect, look_for_damage, storage_error, storage_errors
from groat.knowledge.vectors import packed
from groat.knowledge.words import FULL_TEXT, indexed_words
from groat.sqlite_file import SqliteFile

_VERSIONS = (
    "SELECT id, version FROM documents WHERE tenant = (SELECT key FROM tenants WHERE name = ?) "
    "AND id IN (SELECT value FROM json_each(?))"
)


@dataclass(frozen=True)
class Kept:
    """What an ingest needs to know of a document that is kept."""

    id: str
    version: str
    source: str
    fingerprint: str
    embedder: str


class Store:
    """The knowledge database. Every call but ``versions`` opens its own connection; a file moved away is noticed at once.

    Each tenant's words are in a full-text table of their own: what is common or rare in one tenant's documents must not
    move another tenant's results. Meant for up to some hundred tenants in one file.

    Raises:
        StorageError: by every method, when the database cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path; nothing is opened yet."""
        self.path = path
        self._file = SqliteFile(path, _connect_again, partial(_explained, path))

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection | None]:
        """Give a connection inside one read transaction, None when there is no database yet."""
        with storage_errors(self.path):
            if not self.path.exists():
                yield None
                return
            with closing(connect(self.path, create=False)) as db:
                if not db.execute("PRAGMA user_version").fetchone()[0]:
                    yield None
                    return
                db.execute("BEGIN")
                yield db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside one write transaction, committed unless something is raised."""
        with storage_errors(self.path), closing(connect(self.path, create=True)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")

    def kept_open(self) -> AbstractContextManager[sqlite3.Connection]:
        """Give an idle connection to hold during many writes.

        When the last connection closes, SQLite moves the write-ahead log into the database; with one held, a write of
        a document takes 2 ms and not 15.
        """
        with storage_errors(self.path):
            return closing(connect(self.path, create=True))

    def check(self) -> None:
        """Create the database where there is none, and look for damage; reads the whole file."""
        with storage_errors(self.path), closing(connect(self.path, create=True)) as db:
            look_for_damage(db, self.path)

    def tenants(self) -> set[str]:
        """Return the tenants that have documents."""
        with self.reading() as db:
            rows = db.execute("SELECT DISTINCT name FROM tenants JOIN documents ON tenant = tenants.key") if db else ()
            return {str(name) for (name,) in rows}

    def has_documents(self, tenant: str) -> bool:
        """Tell whether the tenant has documents."""
        with self.reading() as db:
            return db is not None and revision(db, tenant) is not None

    def count(self, tenant: str) -> tuple[int, int]:
        """Return how many documents and sentences the tenant has."""
        with self.reading() as db:
            if db is None or (key := tenant_key(db, tenant)) is None:
                return 0, 0
            (documents,) = db.execute("SELECT count(*) FROM documents WHERE tenant = ?", (key,)).fetchone()
            (sentences,) = db.execute(
                "SELECT total(sentence_count) FROM passages JOIN documents ON document = documents.key WHERE tenant = ?", (key,)
            ).fetchone()
            return int(documents), int(sentences)

    async def versions(self, document_ids: Collection[str], tenant: str) -> dict[str, str]:
        """Return the versions of those of the documents that the tenant has.

        Every hit of the answer cache asks this: it has a connection that stays open, and is not made for each question.
        """
        wanted = json.dumps(sorted(set(document_ids)))

        def read(db: sqlite3.Connection) -> dict[str, str]:
            # One statement, so that all versions are of one moment.
            return dict(db.execute(_VERSIONS, (tenant, wanted))) if db.execute("PRAGMA user_version").fetchone()[0] else {}

        def look() -> dict[str, str]:
            if not self._exists():
                return {}
            # What is opened where nobody can write is read as if it never changed: no such connection may stay.
            if os.access(self.path.parent, os.W_OK):
                return self._file.do(read)
            with self.reading() as db:
                return {} if db is None else read(db)

        return await asyncio.to_thread(look)

    def kept(self, tenant: str) -> dict[str, Kept]:
        """Return what is kept of each of the tenant's documents, by id."""
        with self.reading() as db:
            if db is None:
                return {}
            rows = db.execute(
                "SELECT id, version, source, fingerprint, embedder FROM documents "
                "WHERE tenant = (SELECT key FROM tenants WHERE name = ?)",
                (tenant,),
            )
            return {row[0]: Kept(*row) for row in rows}

    def passages_of(self, tenant: str, document_id: str) -> list[tuple[str, Piece, bytes]]:
        """Return title, passage and packed vectors of a document's passages, in order."""
        with self.reading() as db:
            if db is None:
                return []
            rows = db.execute(
                "SELECT title, heading, text, sentences, passages.language, vectors FROM passages "
                "JOIN documents ON document = documents.key "
                "WHERE tenant = (SELECT key FROM tenants WHERE name = ?) AND documents.id = ? ORDER BY passages.key",
                (tenant, document_id),
            )
            return [(row[0], Piece(row[1], row[2], spans_of(row[3]), row[4]), row[5]) for row in rows]

    def put(
        self,
        document: SourceDocument,
        pieces: Sequence[Piece],
        vectors: Sequence[Matrix],
        *,
        tenant: str,
        made_with: tuple[str, str],
    ) -> None:
        """Write a document, in the place of the one with its id, in one transaction.

        Args:
            document: what is kept.
            pieces: its passages, in order.
            vectors: one row per sentence, for each passage.
            tenant: whose it is.
            made_with: splitter and embedder.
        """
        with self.writing() as db:
            key = _made_tenant(db, tenant)
            _remove(db, key, document.id)
            number = _add_document(db, key, document, made_with)
            title = indexed_words(document.title)
            for place, (piece, rows) in enumerate(zip(pieces, vectors, strict=True)):
                passage = _add_passage(db, number, f"{document.id}#{place}", piece, packed(rows))
                db.execute(
                    f"INSERT INTO words_{key} (rowid, title, heading, body) VALUES (?, ?, ?, ?)",
                    (passage, title, indexed_words(piece.heading), indexed_words(piece.text)),
                )

    def remove(self, document_id: str, tenant: str | None) -> int:
        """Remove a document of one tenant or, for None, of every tenant; return how many were removed."""
        removed = 0
        if not self._exists():
            return 0
        with self.writing() as db:
            for key, name in db.execute("SELECT key, name FROM tenants").fetchall():
                if tenant in (None, name) and _remove(db, key, document_id):
                    # Merged at once, since a full-text index keeps the words of removed rows until it is.
                    db.execute(f"INSERT INTO words_{key} (words_{key}) VALUES ('optimize')")
                    removed += 1
        self._wipe_log()
        return removed

    def remove_tenants(self, tenant: str | None) -> int:
        """Remove a tenant or, for None, all of them; return how many documents they had."""
        removed = 0
        if not self._exists():
            return 0
        with self.writing() as db:
            for key, name in db.execute("SELECT key, name FROM tenants").fetchall():
                if tenant in (None, name):
                    removed += db.execute("DELETE FROM documents WHERE tenant = ?", (key,)).rowcount
                    db.execute("DELETE FROM tenants WHERE key = ?", (key,))
                    db.execute(f"DROP TABLE words_{key}")
        self._wipe_log()
        return removed

    def _exists(self) -> bool:
        with storage_errors(self.path):
            return self.path.exists()

    def _wipe_log(self) -> None:
        """Move the write-ahead log into the database and empty it, so that what was forgotten is in neither."""
        with storage_errors(self.path), closing(connect(self.path, create=True)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _connect_again(path: Path) -> sqlite3.Connection:
    return connect(path, create=False)


def _explained(path: Path, error: Exception) -> StorageError:
    # What is neither of SQLite nor of the system is text that is none.
    return storage_error(error if isinstance(error, sqlite3.Error | OSError) else sqlite3.DatabaseError(str(error)), path)


def _made_tenant(db: sqlite3.Connection, tenant: str) -> int:
    key = tenant_key(db, tenant)
    if key is None:
        (key,) = db.execute("INSERT INTO tenants (name) VALUES (?) RETURNING key", (tenant,)).fetchone()
        db.execute(f"CREATE VIRTUAL TABLE words_{key} USING {FULL_TEXT}")
    db.execute("UPDATE tenants SET revision = revision + 1 WHERE key = ?", (key,))
    return int(key)


def _remove(db: sqlite3.Connection, tenant: int, document_id: str) -> bool:
    row = db.execute("SELECT key FROM documents WHERE tenant = ? AND id = ?", (tenant, document_id)).fetchone()
    if row is None:
        return False
    db.execute(f"DELETE FROM words_{tenant} WHERE rowid IN (SELECT key FROM passages WHERE document = ?)", row)
    db.execute("DELETE FROM documents WHERE key = ?", row)
    db.execute("UPDATE tenants SET revision = revision + 1 WHERE key = ?", (tenant,))
    return True


def _add_document(db: sqlite3.Connection, tenant: int, document: SourceDocument, made_with: tuple[str, str]) -> int:
    (key,) = db.execute(
        "INSERT INTO documents (tenant, id, version, title, language, category, updated, source, fingerprint, embedder) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (
            *(tenant, document.id, document.version, document.title, document.language, document.category),
            *(document.updated, str(document.source), document.fingerprint(" ".join(made_with)), made_with[1]),
        ),
    ).fetchone()
    return int(key)


def _add_passage(db: sqlite3.Connection, document: int, passage_id: str, piece: Piece, vectors: bytes) -> int:
    (key,) = db.execute(
        "INSERT INTO passages (document, id, heading, text, language, sentences, sentence_count, vectors) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING key",
        (
            *(document, passage_id, piece.heading, piece.text, piece.language),
            *(json.dumps(piece.sentences), len(piece.sentences), vectors),
        ),
    ).fetchone()
    return int(key)
