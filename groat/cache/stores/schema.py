"""The SQLite tables of the answer cache, and what a failing database means for the person who runs it."""

import contextlib
import sqlite3
from pathlib import Path

from groat.errors import StorageError

SCHEMA_VERSION = 2

_TABLES = """
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so other processes can read on from the last one they know
    entry_id TEXT NOT NULL UNIQUE,
    identity TEXT NOT NULL,
    exact_text TEXT NOT NULL,
    tenant TEXT NOT NULL,
    language TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    sources TEXT NOT NULL,
    documents TEXT NOT NULL,
    tier TEXT NOT NULL,
    baseline_cost_usd TEXT,
    embedder TEXT NOT NULL,
    vector BLOB,
    created_at REAL NOT NULL,
    expires_at REAL,
    used_at REAL NOT NULL,
    UNIQUE (identity, exact_text)
) STRICT;
CREATE INDEX entries_tenant ON entries (tenant);
CREATE INDEX entries_used ON entries (used_at, seq);
CREATE INDEX entries_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE stands_on (
    document_id TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES entries (seq) ON DELETE CASCADE,
    PRIMARY KEY (document_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX stands_on_entry ON stands_on (seq);
"""
# An alias is a row like an entry, with all that the entry has, so that a process of before this version serves no less of it.
_VERSION_2 = """
ALTER TABLE entries ADD COLUMN alias_of INTEGER REFERENCES entries (seq) ON DELETE CASCADE;
ALTER TABLE entries ADD COLUMN refused TEXT NOT NULL DEFAULT '';
CREATE INDEX entries_aliases ON entries (alias_of) WHERE alias_of IS NOT NULL;
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, creating it with owner-only rights when there is none.

    Raises:
        StorageError: the file cannot be used, or a newer groat wrote it.
    """
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA journal_mode = WAL")
        # A crash of the machine may lose the newest answers, never the file: an answer can be given again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _prepare(connection, path)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        raise storage_error(path, error) from error
    except StorageError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version < SCHEMA_VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have made the tables while this one waited for the lock.
            for script in (_TABLES, _VERSION_2)[_version(connection) :]:
                for statement in script.split(";\n"):
                    connection.execute(statement)
            if _version(connection) < SCHEMA_VERSION:
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to report
                connection.execute("ROLLBACK")
            raise
        version = _version(connection)
    if version > SCHEMA_VERSION:
        raise StorageError(
            f"the answer cache {path} has schema {version} and this groat reads {SCHEMA_VERSION}; "
            "upgrade groat, or move the file away to start an empty cache"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def storage_error(path: Path, error: sqlite3.Error | OSError) -> StorageError:
    """Return the sentence that says what happened to the database and what to do."""
    if isinstance(error, OSError):
        return StorageError(f"the answer cache {path} cannot be opened ({error.strerror}); check the folder and its rights")
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(f"the answer cache {path} is locked by another process; end that process or try again")
    if name.startswith("SQLITE_READONLY") or name == "SQLITE_PERM":
        return StorageError(f"the answer cache {path} is read-only; give this user the right to write to it and its folder")
    if name.startswith("SQLITE_FULL"):
        return StorageError(f"there is no space left for the answer cache {path}; free some space on that disk")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_IOERR")):
        return StorageError(f"the answer cache {path} cannot be opened or read ({name}); check the folder, disk and rights")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(path)
    return StorageError(
        f"the answer cache {path} cannot be used ({name or type(error).__name__}); if this stays, move {path} away"
    )


def damaged(path: Path) -> StorageError:
    """Return the error for a file whose content cannot be trusted."""
    return StorageError(f"the answer cache {path} is damaged; move {path} away, an empty cache is started in its place")
