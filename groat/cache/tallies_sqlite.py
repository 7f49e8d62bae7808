"""Counts of audits in one SQLite file."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from groat.cache.tallies import Cell
from groat.errors import StorageError
from groat.sqlite_file import SqliteFile, transaction

SCHEMA_VERSION = 1

_TABLE = (
    "CREATE TABLE IF NOT EXISTS counts (version TEXT NOT NULL, cell TEXT NOT NULL, count INTEGER NOT NULL, "
    "PRIMARY KEY (version, cell)) STRICT, WITHOUT ROWID"
)
_ADD = "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (version, cell) DO UPDATE SET count = count + excluded.count"


class SqliteTallies:
    """Keeps counts in the file ``path``, created at the first use with owner-only rights; for the processes of one machine."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._file = SqliteFile(path, _connect, lambda error: _explained(path, error))

    async def add(self, version: str, counts: Mapping[Cell, int]) -> None:
        """Add to the counts of a version."""
        rows = [(version, cell.name(), count) for cell, count in counts.items()]

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.executemany(_ADD, rows)

        await self._file.run(write)

    async def read(self, version: str) -> dict[Cell, int]:
        """Return the counts of a version."""

        def read(db: sqlite3.Connection) -> dict[Cell, int]:
            rows = db.execute("SELECT cell, count FROM counts WHERE version = ?", (version,))
            return {Cell.named(name): count for name, count in rows}

        return await self._file.run(read)

    def close(self) -> None:
        """Close the file; the next use opens it again. Never needed."""
        self._file.close()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA_VERSION:
            raise StorageError(f"{path} was written by a newer groat (schema {version}); update groat to read it")
        if version < SCHEMA_VERSION:
            with transaction(db):
                db.execute(_TABLE)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def _explained(path: Path, error: Exception) -> StorageError:
    name = str(getattr(error, "sqlite_errorname", "") or "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(f"the counts of audits {path} are locked by another process; end that process or try again")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, ValueError):
        return StorageError(f"the counts of audits {path} are damaged; move the file away, counting starts anew")
    what = getattr(error, "strerror", "") or name or type(error).__name__
    return StorageError(f"the counts of audits {path} cannot be used ({what}); check the folder, the disk and the rights")
