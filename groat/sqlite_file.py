"""One SQLite file that all threads of a process share, and that other processes may use too."""

import asyncio
import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from groat.errors import StorageError

_T = TypeVar("_T")


class SqliteFile:
    """Keeps one connection, lets one thread at a time use it, and opens the file anew when another one stands in its place.

    Nothing may be in use across a fork: a forked process makes its own.

    Args:
        path: the file.
        connect: opens it, in autocommit mode and for use by any thread; raises StorageError.
        explain: turns what went wrong (an error of SQLite or of the system, or a ValueError or ArithmeticError over what a row
            holds) into one sentence.
        on_close: told when the connection is closed: nothing known of the file need be true of the next one.
    """

    def __init__(
        self,
        path: Path,
        connect: Callable[[Path], sqlite3.Connection],
        explain: Callable[[Exception], StorageError],
        *,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        """Open nothing yet."""
        self._path = path
        self._connect = connect
        self._explain = explain
        self._on_close = on_close
        # SQLite's own wait for a lock polls; threads of one process queue here and do not starve one another.
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._close: weakref.finalize[..., SqliteFile] | None = None

    async def run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do ``work`` in a thread and return what it returns.

        Raises:
            StorageError: as ``explain`` says.
        """
        return await asyncio.to_thread(self.do, work)

    def close(self) -> None:
        """Close the file; the next use opens it again. Never needed: it is closed with this object."""
        with self._lock:
            self._disconnect()

    def do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do the same in the thread of the caller, who waits. For callers that are in a thread already."""
        with self._lock:
            try:
                return work(self._open())
            except (sqlite3.Error, OSError, ValueError, ArithmeticError) as error:
                # The next use opens the file again: the cause may be gone by then.
                self._disconnect()
                raise self._explain(error) from error

    def _open(self) -> sqlite3.Connection:
        # A file that was moved away must not go on being written to.
        if self._connection is not None and self._file == _file_of(self._path):
            return self._connection
        self._disconnect()
        self._connection = self._connect(self._path)
        self._close = weakref.finalize(self, self._connection.close)
        self._file = _file_of(self._path)
        return self._connection

    def _disconnect(self) -> None:
        if self._close is not None:
            self._close()
        self._connection, self._close, self._file = None, None, None
        if self._on_close is not None:
            self._on_close()


def open_tables(path: Path, tables: Sequence[str], *, version: int) -> sqlite3.Connection:
    """Open a file of one's own, made with owner-only rights and these tables at the first use; for ``SqliteFile``.

    Args:
        path: the file.
        tables: statements that make the tables.
        version: of the tables, 1 or more.

    Raises:
        StorageError: a newer groat wrote it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        with transaction(db):
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            if found > version:
                raise StorageError(f"{path} was written by a newer groat (schema {found}); update groat to read it")
            if found < version:
                for table in tables:
                    db.execute(table)
                db.execute(f"PRAGMA user_version = {version}")
    except BaseException:
        db.close()
        raise
    return db


def unusable(what: str, path: Path, error: Exception) -> StorageError:
    """Return one sentence about records that cannot be used; ``what`` names them, such as "records of routing"."""
    name = str(getattr(error, "sqlite_errorname", "") or "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StorageError(f"the {what} {path} are locked by another process; end that process or try again")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, ValueError):
        return StorageError(f"the {what} {path} are damaged; move the file away, recording starts anew")
    why = getattr(error, "strerror", "") or name or type(error).__name__
    return StorageError(f"the {what} {path} cannot be used ({why}); check the folder, the disk and the rights")


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Hold the right to write for the block; what it wrote stands as a whole or not at all."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some failures, a full disk for one.
        if db.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # the first error is the one to report
                db.execute("ROLLBACK")
        raise


def _file_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
