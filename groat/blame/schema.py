"""The SQLite tables of kept runs, and what a failing file means for the person who runs it."""

import sqlite3
from pathlib import Path
from typing import Final

from groat.errors import StorageError
from groat.sqlite_file import transaction

SCHEMA_VERSION: Final = 1

_TABLES = (
    "CREATE TABLE runs (run TEXT PRIMARY KEY, trace TEXT NOT NULL, at REAL NOT NULL, tenant TEXT NOT NULL, "
    "language TEXT NOT NULL, question TEXT NOT NULL, cache TEXT NOT NULL, tier TEXT NOT NULL, step TEXT NOT NULL, "
    "verified INTEGER NOT NULL, bad INTEGER NOT NULL, born_bad INTEGER NOT NULL, sampled INTEGER NOT NULL, cost_usd TEXT, "
    "baseline_cost_usd TEXT, texts INTEGER NOT NULL, body BLOB NOT NULL) STRICT",
    "CREATE INDEX runs_at ON runs (at, run)",
    "CREATE INDEX runs_of ON runs (tenant, at)",
    "CREATE INDEX runs_bad ON runs (bad, at)",
    "CREATE INDEX runs_trace ON runs (trace) WHERE trace != ''",
    "CREATE TABLE documents (run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, document TEXT NOT NULL, "
    "PRIMARY KEY (document, run)) STRICT, WITHOUT ROWID",
    "CREATE INDEX documents_run ON documents (run)",
    "CREATE TABLE marks (run TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, kind TEXT NOT NULL, at REAL NOT NULL, "
    "bad INTEGER NOT NULL, score REAL, reference TEXT, note TEXT NOT NULL, by TEXT NOT NULL) STRICT",
    "CREATE INDEX marks_of ON marks (run, at)",
    "CREATE TABLE blamed (run TEXT PRIMARY KEY REFERENCES runs ON DELETE CASCADE, at REAL NOT NULL, origin TEXT NOT NULL, "
    "missed_by TEXT NOT NULL, confidence REAL NOT NULL, second TEXT, calls INTEGER NOT NULL, cost_usd TEXT, "
    "body TEXT NOT NULL) STRICT",
    "CREATE INDEX blamed_on ON blamed (origin)",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the file in autocommit mode, creating it with owner-only rights.

    Raises:
        StorageError: a newer groat wrote it.
        sqlite3.Error: it cannot be used.
        OSError: likewise.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        # What is forgotten must not stay readable in the free pages of the file.
        db.execute("PRAGMA secure_delete = ON")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        with transaction(db):
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                raise StorageError(f"{path} was written by a newer groat (schema {version}); update groat to read it")
            if version < SCHEMA_VERSION:
                for table in _TABLES:
                    db.execute(table)
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        db.close()
        raise
    return db


def explained(path: Path, error: Exception) -> StorageError:
    """Return the sentence that says what happened to the kept runs and what to do."""
    name = str(getattr(error, "sqlite_errorname", "") or "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(f"the kept runs {path} are locked by another process; end that process or try again")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, ValueError):
        return StorageError(f"the kept runs {path} are damaged; move the file away, keeping runs starts anew")
    what = getattr(error, "strerror", "") or name or type(error).__name__
    return StorageError(f"the kept runs {path} cannot be used ({what}); check the folder, the disk and the rights")
