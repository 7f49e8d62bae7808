"""The ledger: one row for everything that was paid for."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from groat.errors import StorageError
from groat.types import Charge

_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
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
CREATE INDEX IF NOT EXISTS charges_at ON charges (at);
"""


@dataclass(frozen=True, kw_only=True)
class LedgerTotals:
    """What a span of time cost."""

    charges: int
    cost_usd: Decimal
    """Sum of the known prices."""
    unknown: int
    """How many charges have no known price and are missing from the sum."""


class Ledger(Protocol):
    """Keeps charges. Writing a charge again, with the same key, changes nothing."""

    async def record(self, charges: Sequence[Charge], *, run: str, tenant: str, at: float) -> None:
        """Keep the charges. ``at`` is in seconds since 1970. Raises StorageError when they cannot be kept."""
        ...

    async def totals(self, *, since: float, tenant: str | None = None) -> LedgerTotals:
        """Sum up what was charged at or after ``since`` (seconds since 1970)."""
        ...

    async def check(self) -> None:
        """Raise StorageError when the ledger cannot be read or written."""
        ...


class SqliteLedger:
    """A ledger in one SQLite file, safe under several processes.

    Args:
        path: the file; it and its folder are made at the first use, readable by the owner only.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path

    async def record(self, charges: Sequence[Charge], *, run: str, tenant: str, at: float) -> None:
        """Keep the charges in one transaction."""
        await asyncio.to_thread(self._record, list(charges), run, tenant, at)

    async def totals(self, *, since: float, tenant: str | None = None) -> LedgerTotals:
        """Sum up what was charged at or after ``since``."""
        return await asyncio.to_thread(self._totals, since, tenant)

    async def check(self) -> None:
        """Open, write and read."""
        await asyncio.to_thread(self._record, [], "", "", 0.0)

    def _record(self, charges: list[Charge], run: str, tenant: str, at: float) -> None:
        rows = [
            (
                charge["key"], run, tenant, at, charge["kind"], charge["tier"], charge["model"], charge["priced_as"],
                charge["usage"]["input"], charge["usage"]["output"], charge["usage"]["cache_read"],
                charge["usage"]["cache_write"], charge["usage"]["reasoning"], int(charge["usage"]["estimated"]),
                charge["cost_usd"], charge["prices"], charge["outcome"],
            )
            for charge in charges
        ]  # fmt: skip
        try:
            with closing(self._open()) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(f"INSERT OR IGNORE INTO charges VALUES ({','.join('?' * 17)})", rows)
        except (sqlite3.Error, OSError) as error:
            raise _explained(error, self._path) from error

    def _totals(self, since: float, tenant: str | None) -> LedgerTotals:
        try:
            with closing(self._open()) as connection:
                rows = connection.execute(
                    "SELECT cost_usd FROM charges WHERE at >= ? AND (? IS NULL OR tenant = ?)", (since, tenant, tenant)
                ).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise _explained(error, self._path) from error
        known = [Decimal(cost) for (cost,) in rows if cost is not None]
        return LedgerTotals(charges=len(rows), cost_usd=sum(known, Decimal(0)), unknown=len(rows) - len(known))

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._path.exists():
            self._path.touch(mode=0o600)
        connection = sqlite3.connect(self._path, timeout=5.0)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _SCHEMA_VERSION:
                raise StorageError(f"{self._path} was written by a newer groat (schema {version}); update groat to read it")
            if version < _SCHEMA_VERSION:
                connection.executescript(_SCHEMA + f"PRAGMA user_version={_SCHEMA_VERSION};")
        except BaseException:
            connection.close()
            raise
        return connection


def _explained(error: Exception, path: Path) -> StorageError:
    text = str(error).lower()
    if "locked" in text or "busy" in text:
        return StorageError(f"the ledger {path} is locked by another process; end it or try again")
    if "full" in text or "no space" in text:
        return StorageError(f"no space is left for the ledger {path}; free some")
    if "readonly" in text or "read-only" in text or isinstance(error, PermissionError) or "unable to open" in text:
        return StorageError(f"the ledger {path} cannot be written; check the permissions or set GROAT_DATA_DIR")
    if "not a database" in text or "malformed" in text:
        return StorageError(f"the ledger {path} is damaged; move it away, a new one will be made")
    return StorageError(f"the ledger {path} failed: {error}")
