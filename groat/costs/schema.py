"""The SQLite tables of the ledger, their migration, and what a failing database means for the person who runs it."""

import sqlite3
from decimal import Decimal
from pathlib import Path

from groat.costs.amounts import exact_sum
from groat.errors import StorageError
from groat.sqlite_file import transaction

SCHEMA_VERSION = 2

# Amounts are decimal text: SQLite's own numbers are binary.
_CHARGES = """
CREATE TABLE charges (
    key TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    tenant TEXT NOT NULL,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    tier TEXT,
    model TEXT NOT NULL,
    priced_as TEXT NOT NULL,
    input INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_write INTEGER NOT NULL,
    reasoning INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    cost_usd TEXT,
    prices TEXT NOT NULL,
    outcome TEXT NOT NULL
);
CREATE INDEX charges_at ON charges (at)"""
_VERSION_2 = """
ALTER TABLE charges ADD COLUMN box TEXT;
ALTER TABLE charges ADD COLUMN purpose TEXT;
ALTER TABLE charges ADD COLUMN service_tier TEXT;
CREATE TABLE questions (
    run TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    at REAL NOT NULL,
    day TEXT NOT NULL,
    outcome TEXT NOT NULL,
    verified INTEGER NOT NULL,
    escalated INTEGER NOT NULL,
    cost_usd TEXT,
    baseline_cost_usd TEXT,
    path TEXT NOT NULL
);
CREATE INDEX questions_day ON questions (day);
CREATE TABLE replies (key TEXT PRIMARY KEY, run TEXT NOT NULL, at REAL NOT NULL, json TEXT NOT NULL);
CREATE INDEX replies_run ON replies (run);
CREATE INDEX replies_at ON replies (at);
CREATE TABLE reservations (key TEXT PRIMARY KEY, tenant TEXT NOT NULL, amount TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE spent (day TEXT NOT NULL, tenant TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (day, tenant)) WITHOUT ROWID"""

ADD_SPENT = "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (day, tenant) DO UPDATE SET amount = excluded.amount"


def connect(path: Path) -> sqlite3.Connection:
    """Open the database in autocommit mode, creating it with owner-only rights or bringing an older one up to date.

    Raises:
        StorageError: the file cannot be used, or a newer groat wrote it.
    """
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        # What is committed survives a crash of the process; a power cut may lose the newest rows, never the file.
        connection.execute("PRAGMA synchronous=NORMAL")
        _prepare(connection, path)
    except BaseException as error:
        if connection is not None:
            connection.close()
        if isinstance(error, (sqlite3.Error, OSError)):
            raise explained(error, path) from error
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) < SCHEMA_VERSION:
        with transaction(connection):
            # Another process may have done it while this one waited for the lock.
            version = _version(connection)
            if version < 1:
                _run(connection, _CHARGES)
            if version < SCHEMA_VERSION:
                _run(connection, _VERSION_2)
                _sum_up_what_is_there(connection)
                connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    if (version := _version(connection)) > SCHEMA_VERSION:
        raise StorageError(f"{path} was written by a newer groat (schema {version}); update groat to read it")


def _run(connection: sqlite3.Connection, script: str) -> None:
    # executescript() would commit first.
    for statement in script.split(";\n"):
        connection.execute(statement)


def _sum_up_what_is_there(connection: sqlite3.Connection) -> None:
    sums: dict[tuple[str, str], Decimal] = {}
    rows = connection.execute("SELECT date(at, 'unixepoch'), tenant, cost_usd FROM charges WHERE cost_usd IS NOT NULL")
    for day, tenant, cost in rows:
        sums[day, tenant] = exact_sum([sums.get((day, tenant), Decimal(0)), cost])
    connection.executemany(ADD_SPENT, [(day, tenant, f"{amount:f}") for (day, tenant), amount in sums.items()])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def explained(error: Exception, path: Path) -> StorageError:
    """Return the sentence that says what happened to the ledger and what to do."""
    text = str(error).lower()
    if "locked" in text or "busy" in text:
        return StorageError(f"the ledger {path} is locked by another process; end it or try again")
    if "full" in text or "no space" in text:
        return StorageError(f"no space is left for the ledger {path}; free some")
    if "readonly" in text or "read-only" in text or isinstance(error, PermissionError) or "unable to open" in text:
        return StorageError(f"the ledger {path} cannot be written; check the permissions or set GROAT_DATA_DIR")
    if "not a database" in text or "malformed" in text:
        return damaged(path)
    return StorageError(f"the ledger {path} failed: {error}")


def damaged(path: Path) -> StorageError:
    """Return the error for a file whose content cannot be trusted."""
    return StorageError(f"the ledger {path} is damaged; move it away, a new one will be made")
