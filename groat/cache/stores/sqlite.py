"""Entries in one SQLite file, shared by the processes of one machine."""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from groat.cache.entry import MAX_ALIASES, REFUSED_CHARS, Alias, Entry, refusal_of
from groat.cache.stores.counting import counted
from groat.cache.stores.protocol import Removals
from groat.cache.stores.schema import connect, damaged, storage_error
from groat.cache.stores.vectors import VectorIndex
from groat.embedding import Vector
from groat.errors import StorageError
from groat.sqlite_file import SqliteFile, transaction
from groat.tracing.spans import call_spans

_COLUMNS = (
    "entry_id, identity, tenant, language, question, exact_text, answer, sources, documents, tier, baseline_cost_usd, "
    "vector, embedder, created_at, expires_at"
)
_INSERT = f"INSERT INTO entries ({_COLUMNS}, used_at) VALUES ({', '.join('?' * 16)})"
_FIELDS = f"{_COLUMNS}, alias, refused"
# ``found`` is the row that was found, ``kept`` the entry that it is, or that it is an alias of.
_SELECT = (
    "SELECT kept.entry_id, found.identity, found.tenant, found.language, found.question, found.exact_text, kept.answer, "
    "kept.sources, kept.documents, kept.tier, kept.baseline_cost_usd, found.vector, found.embedder, kept.created_at, "
    "kept.expires_at, found.alias_of IS NOT NULL, kept.refused, found.seq "
    "FROM entries found JOIN entries kept ON kept.seq = coalesce(found.alias_of, found.seq)"
)
_ADD_ALIAS = (
    f"INSERT INTO entries ({_COLUMNS}, used_at, alias_of) "
    "SELECT ?, identity, tenant, ?, ?, ?, answer, sources, documents, tier, baseline_cost_usd, ?, ?, created_at, expires_at, "
    "used_at, seq FROM entries WHERE seq = ?"
)


@call_spans("cache", "sqlite", "exact", "nearest", "put", "mark_used", "delete", "add_alias", "refuse", "forget")
class SqliteStore:
    """Keeps entries in the file ``path``, created at the first use with owner-only rights.

    One connection serves this process, one thread at a time. The vectors are held in memory, about 1.6 KB an entry, and read
    on from the file before each search, so a process sees what others kept; what is served is always read from the file.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path
        self.removals = Removals()
        """What was removed to make place."""
        # Another file may stand in this place one day: nothing known of the old one is true of it.
        self._file = SqliteFile(path, connect, lambda error: _explained(path, error), on_close=self._forget)
        self._indexes: dict[str, VectorIndex] = {}
        self._newest: dict[str, int] = {}

    async def exact(self, identity: str, exact_text: str, *, now: float) -> Entry | None:
        """Return the entry for this identity and text, None without one."""

        def read(db: sqlite3.Connection) -> Entry | None:
            row = db.execute(f"{_SELECT} WHERE found.identity = ? AND found.exact_text = ?", (identity, exact_text)).fetchone()
            return None if row is None else _entry(row[:-1])

        entry = await self._file.run(read)
        return None if entry is None or entry.is_expired(now) else entry

    async def nearest(
        self, identity: str, vector: Vector, *, embedder: str, limit: int, now: float
    ) -> list[tuple[Entry, float]]:
        """Return up to ``limit`` entries of one identity with their cosine to ``vector``, highest first."""
        return await self._file.run(lambda db: self._nearest(db, identity, vector, embedder, limit, now))

    async def put(self, entry: Entry, *, max_entries: int) -> None:
        """Keep an entry, in place of the one with the same identity and text."""

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute("DELETE FROM entries WHERE identity = ? AND exact_text = ?", (entry.identity, entry.exact_text))
                seq = db.execute(_INSERT, (*_row(entry), entry.created_at)).lastrowid
                documents = {document["id"] for document in entry.documents}
                db.executemany("INSERT INTO stands_on VALUES (?, ?)", [(document, seq) for document in documents])
                expired, evicted = _evict(db, max_entries, entry.created_at)
            self.removals.expired += expired
            self.removals.evicted += evicted

        await self._file.run(write)

    async def mark_used(self, entry_id: str, *, now: float) -> None:
        """Note that an entry was served, for eviction only."""
        await self._file.run(lambda db: db.execute("UPDATE entries SET used_at = ? WHERE entry_id = ?", (now, entry_id)))

    async def delete(self, entry_ids: Collection[str]) -> int:
        """Remove entries by id and return how many there were."""
        wanted = json.dumps(list(entry_ids))
        return await self._file.run(
            lambda db: db.execute("DELETE FROM entries WHERE entry_id IN (SELECT value FROM json_each(?))", (wanted,)).rowcount
        )

    async def add_alias(self, entry_id: str, alias: Alias) -> bool:
        """Let an entry be found by another wording, in place of what was kept under it, and say whether it is."""

        def write(db: sqlite3.Connection) -> bool:
            with transaction(db):
                owner = db.execute(
                    "SELECT seq FROM entries WHERE entry_id = ? AND identity = ? AND exact_text != ? AND alias_of IS NULL",
                    (entry_id, alias.identity, alias.exact_text),
                ).fetchone()
                if owner is None:
                    return False
                others = db.execute(
                    "SELECT count(*) FROM entries WHERE alias_of = ? AND exact_text != ?", (owner[0], alias.exact_text)
                ).fetchone()[0]
                if others >= MAX_ALIASES:
                    return False
                under = (alias.identity, alias.exact_text)
                db.execute("DELETE FROM entries WHERE identity = ? AND exact_text = ?", under)
                name = hashlib.sha256("\n".join(under).encode("utf-8", "surrogatepass")).hexdigest()
                db.execute(
                    _ADD_ALIAS,
                    (
                        f"alias:{name}", alias.language, alias.question, alias.exact_text, _blob(alias.vector), alias.embedder,
                        owner[0],
                    ),
                )  # fmt: skip
                return True

        return await self._file.run(write)

    async def refuse(self, entry_id: str, *, identity: str, exact_text: str) -> None:
        """Note in an entry that it does not answer a question, and remove the alias that it has for it."""
        noted = refusal_of(exact_text)

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute(
                    "UPDATE entries SET refused = substr(refused || ?, ?) WHERE entry_id = ? AND instr(refused, ?) = 0",
                    (noted, -REFUSED_CHARS, entry_id, noted),
                )
                db.execute(
                    "DELETE FROM entries WHERE identity = ? AND exact_text = ? "
                    "AND alias_of = (SELECT seq FROM entries WHERE entry_id = ?)",
                    (identity, exact_text, entry_id),
                )

        await self._file.run(write)

    async def forget(self, *, documents: Collection[str] | None = None, tenant: str | None = None) -> int:
        """Remove the entries that stand on any of the documents and belong to the tenant; None does not restrict."""
        conditions, values = ["alias_of IS NULL"], []
        if documents is not None:
            conditions.append("seq IN (SELECT seq FROM stands_on WHERE document_id IN (SELECT value FROM json_each(?)))")
            values.append(json.dumps(list(documents)))
        if tenant is not None:
            conditions.append("tenant = ?")
            values.append(tenant)
        return await self._file.run(
            lambda db: db.execute(f"DELETE FROM entries WHERE {' AND '.join(conditions)}", values).rowcount
        )

    async def count(self) -> int:
        """Return how many entries are kept."""
        return await self._count("alias_of IS NULL")

    async def count_aliases(self) -> int:
        """Return how many further wordings the entries have."""
        return await self._count("alias_of IS NOT NULL")

    async def check(self) -> None:
        """Raise ``StorageError`` if the file is damaged or cannot be written; reads the whole file."""

        def examine(db: sqlite3.Connection) -> None:
            finding = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            if finding != "ok":
                raise damaged(self._path)
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")

        await self._file.run(examine)

    async def close(self) -> None:
        """Close the file; the next use opens it again."""
        await asyncio.to_thread(self._file.close)

    async def _count(self, condition: str) -> int:
        return await self._file.run(lambda db: int(db.execute(f"SELECT count(*) FROM entries WHERE {condition}").fetchone()[0]))

    def _forget(self) -> None:
        self._indexes.clear()
        self._newest.clear()

    def _nearest(
        self, db: sqlite3.Connection, identity: str, vector: Vector, embedder: str, limit: int, now: float
    ) -> list[tuple[Entry, float]]:
        index = self._read_on(db, embedder)
        while True:
            cosines = dict(index.nearest(identity, vector, limit))
            kept = _by_seq(db, cosines, now)
            if len(kept) == len(cosines):
                return [(kept[seq], cosine) for seq, cosine in cosines.items()]
            index.remove(cosines.keys() - kept.keys())

    def _read_on(self, db: sqlite3.Connection, embedder: str) -> VectorIndex:
        """Take the vectors that were kept since the last search, by whichever process, into memory."""
        index = self._indexes.setdefault(embedder, VectorIndex())
        rows = db.execute(
            "SELECT seq, identity, CASE WHEN embedder = ? THEN vector END FROM entries WHERE seq > ? ORDER BY seq",
            (embedder, self._newest.get(embedder, 0)),
        )
        for seq, identity, blob in rows:
            if blob is not None:
                index.add(seq, identity, np.frombuffer(blob, dtype=np.float32))
            self._newest[embedder] = seq
        return index


def _evict(db: sqlite3.Connection, max_entries: int, now: float) -> tuple[int, int]:
    """Make place; return how many were removed since they had expired, and how many others."""
    kept = counted(db)
    if kept <= max_entries:
        return 0, 0
    expired = db.execute("DELETE FROM entries WHERE expires_at <= ? AND alias_of IS NULL", (now,)).rowcount
    surplus = kept - max_entries - expired
    if surplus > 0:
        oldest = "SELECT seq FROM entries WHERE alias_of IS NULL ORDER BY used_at, seq LIMIT ?"
        db.execute(f"DELETE FROM entries WHERE seq IN ({oldest})", (surplus,))
    return expired, max(0, surplus)


def _by_seq(db: sqlite3.Connection, seqs: Iterable[int], now: float) -> dict[int, Entry]:
    rows = db.execute(f"{_SELECT} WHERE found.seq IN (SELECT value FROM json_each(?))", (json.dumps(list(seqs)),))
    entries = {row[-1]: _entry(row[:-1]) for row in rows}
    return {seq: entry for seq, entry in entries.items() if not entry.is_expired(now)}


def _row(entry: Entry) -> tuple[object, ...]:
    return (
        entry.entry_id, entry.identity, entry.tenant, entry.language, entry.question, entry.exact_text, entry.answer,
        json.dumps(entry.sources), json.dumps(entry.documents), entry.tier, entry.baseline_cost_usd,
        _blob(entry.vector),
        entry.embedder, entry.created_at, entry.expires_at,
    )  # fmt: skip


def _blob(vector: Vector | None) -> bytes | None:
    return None if vector is None else np.asarray(vector, dtype=np.float32).tobytes()


def _entry(row: tuple[object, ...]) -> Entry:
    fields = dict(zip(_FIELDS.split(", "), row, strict=True))
    blob = fields["vector"]
    fields["vector"] = np.frombuffer(blob, dtype=np.float32) if isinstance(blob, bytes) else None
    fields["alias"] = bool(fields["alias"])
    fields["sources"], fields["documents"] = json.loads(str(fields["sources"])), json.loads(str(fields["documents"]))
    return Entry(**fields)  # type: ignore[arg-type]  # the schema is STRICT and only ``_row`` writes it


def _explained(path: Path, error: Exception) -> StorageError:
    # What is neither of SQLite nor of the system is an entry that is no JSON or no vector.
    return storage_error(path, error) if isinstance(error, (sqlite3.Error, OSError)) else damaged(path)
