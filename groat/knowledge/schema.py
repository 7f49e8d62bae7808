"""The knowledge database: its tables, how it is opened, what its failures mean."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from groat.errors import StorageError

SCHEMA = 1
"""``PRAGMA user_version`` of the databases this module writes."""

BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for another process."""

_TABLES = """
CREATE TABLE origin (id TEXT NOT NULL) STRICT;
CREATE TABLE tenants (
    key INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE documents (
    key INTEGER PRIMARY KEY AUTOINCREMENT, tenant INTEGER NOT NULL REFERENCES tenants ON DELETE CASCADE,
    id TEXT NOT NULL, version TEXT NOT NULL, title TEXT NOT NULL, language TEXT NOT NULL, category TEXT NOT NULL,
    updated TEXT NOT NULL, source TEXT NOT NULL, fingerprint TEXT NOT NULL, embedder TEXT NOT NULL, UNIQUE (tenant, id)
) STRICT;
CREATE TABLE passages (
    key INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    id TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, language TEXT NOT NULL,
    sentences TEXT NOT NULL, sentence_count INTEGER NOT NULL, vectors BLOB NOT NULL
) STRICT;
CREATE INDEX passages_of_document ON passages (document);
CREATE INDEX passages_by_id ON passages (id);
"""

_DAMAGED = "is damaged; move it away and ingest again"

_MEANINGS = {
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_BUSY: "is locked by another process; wait until it is done and try again",
    sqlite3.SQLITE_LOCKED: "is locked by another process; wait until it is done and try again",
    sqlite3.SQLITE_READONLY: "can only be read; give this user the right to write it and its folder",
    sqlite3.SQLITE_PERM: "can only be read; give this user the right to write it and its folder",
    sqlite3.SQLITE_FULL: "cannot grow because the disk is full; free some space and try again",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check the path and its permissions",
    sqlite3.SQLITE_IOERR: "cannot be read or written because the disk fails; check the disk and its free space",
}


def storage_error(error: sqlite3.Error | OSError, path: Path) -> StorageError:
    """Return the failure in one sentence that says what to do."""
    if isinstance(error, OSError):
        return StorageError(
            f"the data folder of {str(path)!r} cannot be used ({error.strerror}); check the path and its permissions"
        )
    # The low byte is the kind of failure, the rest its variety: https://sqlite.org/rescode.html
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    meaning = _MEANINGS.get(code, f"cannot be used ({error}); move it away and ingest again")
    return StorageError(f"the knowledge database {str(path)!r} {meaning}")


def look_for_damage(connection: sqlite3.Connection, path: Path) -> None:
    """Return when SQLite finds the database sound; reads the whole file.

    Raises:
        StorageError: it is damaged.
    """
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise StorageError(f"the knowledge database {str(path)!r} {_DAMAGED}")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into ``StorageError``."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise storage_error(error, path) from error


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the database in autocommit mode; with ``create`` make it, its folder (0700) and its tables where missing.

    Raises:
        StorageError: it was written by a newer version, or is a database of something else.
        sqlite3.Error, OSError: it cannot be opened.
    """
    if create:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Never opened when it is there: to close it would drop the locks that SQLite holds on it for all of this process, and
        # others would remove the log that is in use (https://sqlite.org/howtocorrupt.html, 2.2).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    # On a medium that nobody can write, SQLite cannot make the files of its write-ahead log, and needs none.
    mode = "rw" if os.access(path.parent, os.W_OK) else "ro&immutable=1"
    address = f"file:{quote(str(path.absolute()))}?mode={mode}"
    # An idle connection may be opened in one worker thread and closed in another; none is used by two at once.
    connection = sqlite3.connect(
        address, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
        connection.execute("PRAGMA synchronous = NORMAL")  # with a write-ahead log a power cut loses no consistency
        _check_schema(connection, path, create=create)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(connection: sqlite3.Connection, path: Path, *, create: bool) -> None:
    found = _version(connection)
    if found == 0 and create:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        if (found := _version(connection)) == 0:
            _make_tables(connection, path)
            found = SCHEMA
        connection.execute("COMMIT")
    if found > SCHEMA:
        raise StorageError(
            f"the knowledge database {str(path)!r} has schema {found} and this version reads up to {SCHEMA}; upgrade groat"
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise StorageError(f"{str(path)!r} is a database of something else; choose another data folder")
    for statement in _TABLES.split(";"):
        if statement.strip():
            connection.execute(statement)
    connection.execute("INSERT INTO origin VALUES (?)", (secrets.token_hex(8),))
    connection.execute(f"PRAGMA user_version = {SCHEMA}")
