"""What routing came to, in one SQLite file: audited questions with both outcomes, and what a candidate would have decided."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from groat.routing.rows import Side
from groat.sqlite_file import SqliteFile, open_tables, transaction, unusable
from groat.types import Language, Tier

SCHEMA_VERSION: Final = 1
KEEP_DAYS: Final = 90.0
MOST_OUTCOMES: Final = 20_000
"""Audited questions that are kept for one tenant, about 4 KB each; the oldest go first."""
MOST_DECISIONS: Final = 100_000
_PRUNE_EVERY: Final = 100
"""Writes between two looks at what is too old."""

Found = Literal["as_good", "worse", "better", "neither", "undecided", "failed", "budget"]
"""What an audit found of the cheap answer beside the expensive one. "neither": both failed their checks. The last three teach
nothing: the answers cannot be compared, a call failed, or the budget was spent."""

_TABLES = (
    "CREATE TABLE outcomes (run TEXT PRIMARY KEY, at REAL NOT NULL, tenant TEXT NOT NULL, question TEXT NOT NULL, "
    "language TEXT NOT NULL, found TEXT NOT NULL, drawn_with REAL NOT NULL, cost_usd TEXT, calls INTEGER NOT NULL, "
    "cheap TEXT, expensive TEXT, context TEXT NOT NULL, embedder TEXT NOT NULL, format TEXT NOT NULL, look BLOB NOT NULL, "
    "text TEXT) STRICT",
    "CREATE INDEX outcomes_of ON outcomes (tenant, at)",
    "CREATE TABLE decisions (run TEXT PRIMARY KEY, at REAL NOT NULL, tenant TEXT NOT NULL, language TEXT NOT NULL, "
    "artifact TEXT NOT NULL, tier TEXT NOT NULL, shadow TEXT NOT NULL, shadow_tier TEXT NOT NULL) STRICT",
    "CREATE INDEX decisions_of ON decisions (tenant, at)",
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One audited question. It holds no word of an answer, and of the question only what the settings let it."""

    run: str
    at: float
    """Seconds since 1970."""
    tenant: str
    question: str
    """Hash, as in ``Labelled.question``."""
    language: Language
    found: Found
    drawn_with: float
    """Probability with which it was drawn, above 0."""
    cost_usd: str | None
    """What the audit cost beyond the question itself, decimal dollars; None when a price is unknown."""
    calls: int
    """Calls of models that the audit made."""
    cheap: Side | None
    """None where the audit teaches nothing."""
    expensive: Side | None
    similarities: tuple[float, ...]
    documents: int
    history_turns: int
    embedder: str
    format: str
    """Of the features in ``look``."""
    look: bytes
    """What the router saw of the question: vector, surface features and hashed pieces of words (``groat.routing.look``)."""
    text: str | None = None
    """The question; None unless keeping texts is switched on."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the router in force and a candidate decided on one question."""

    run: str
    at: float
    tenant: str
    language: Language
    artifact: str
    tier: Tier
    shadow: str
    """Version of the candidate."""
    shadow_tier: Tier


class RouteRecords:
    """Keeps outcomes and decisions in the file ``path``, created at the first use with owner-only rights.

    Every method raises StorageError when the file cannot be used. A run that is written twice is kept once.

    Args:
        path: the file.
        keep_days: what is older is dropped.
        most_outcomes: of one tenant; the oldest are dropped.
        most_decisions: likewise.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_days: float = KEEP_DAYS,
        most_outcomes: int = MOST_OUTCOMES,
        most_decisions: int = MOST_DECISIONS,
    ) -> None:
        """Open nothing yet."""
        self._file = SqliteFile(
            path,
            lambda path: open_tables(path, _TABLES, version=SCHEMA_VERSION),
            lambda error: unusable("records of routing", path, error),
        )
        self._keep_s = keep_days * 86_400
        self._most = {"outcomes": most_outcomes, "decisions": most_decisions}
        self._written = 0

    async def add(self, outcome: Outcome) -> None:
        """Keep an audited question."""
        row = _row_of(outcome)
        await self._write("outcomes", row, outcome.tenant, outcome.at)

    async def decided(self, decision: Decision) -> None:
        """Keep what both routers decided."""
        await self._write("decisions", asdict(decision), decision.tenant, decision.at)

    async def outcomes(self, *, tenant: str | None = None) -> list[Outcome]:
        """Return the audited questions, oldest first, of one tenant or of all."""

        def read(db: sqlite3.Connection) -> list[Outcome]:
            db.row_factory = sqlite3.Row
            where, values = ("WHERE tenant = ?", (tenant,)) if tenant is not None else ("", ())
            found = db.execute(f"SELECT * FROM outcomes {where} ORDER BY at, run", values)
            return [_outcome(row) for row in found]

        return await self._file.run(read)

    async def decisions(self, *, tenant: str | None = None) -> Counter[tuple[str, Tier, str, Tier]]:
        """Return how often (router in force, its tier, candidate, its tier) was decided."""

        def read(db: sqlite3.Connection) -> Counter[tuple[str, Tier, str, Tier]]:
            where, values = ("WHERE tenant = ?", (tenant,)) if tenant is not None else ("", ())
            found = db.execute(
                f"SELECT artifact, tier, shadow, shadow_tier, count(*) FROM decisions {where} GROUP BY 1, 2, 3, 4", values
            )
            return Counter({(row[0], row[1], row[2], row[3]): int(row[4]) for row in found})

        return await self._file.run(read)

    async def forget(self, tenant: str) -> int:
        """Drop all of a tenant, and return how much that was."""

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                return sum(
                    db.execute(f"DELETE FROM {table} WHERE tenant = ?", (tenant,)).rowcount
                    for table in ("outcomes", "decisions")
                )

        return await self._file.run(write)

    def close(self) -> None:
        """Close the file; the next use opens it again. Never needed."""
        self._file.close()

    async def _write(self, table: str, row: Mapping[str, object], tenant: str, now: float) -> None:
        marks = ", ".join("?" * len(row))
        add = f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})"
        prune = self._written % _PRUNE_EVERY == 0
        self._written += 1

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute(add, tuple(row.values()))
                if prune:
                    self._prune(db, tenant, now)

        await self._file.run(write)

    def _prune(self, db: sqlite3.Connection, tenant: str, now: float) -> None:
        for table, most in self._most.items():
            db.execute(f"DELETE FROM {table} WHERE at < ?", (now - self._keep_s,))
            db.execute(
                f"DELETE FROM {table} WHERE tenant = ? AND at <= "
                f"(SELECT at FROM {table} WHERE tenant = ? ORDER BY at DESC LIMIT 1 OFFSET ?)",
                (tenant, tenant, most),
            )


def _row_of(outcome: Outcome) -> dict[str, object]:
    row = {name: getattr(outcome, name) for name in Outcome.__dataclass_fields__}
    context = {name: row.pop(name) for name in ("similarities", "documents", "history_turns")}
    for side in ("cheap", "expensive"):
        row[side] = None if row[side] is None else json.dumps(asdict(row[side]))
    return {**row, "context": json.dumps(context)}


def _outcome(row: sqlite3.Row) -> Outcome:
    values: dict[str, Any] = dict(row)
    context = json.loads(values.pop("context"))
    for side in ("cheap", "expensive"):
        values[side] = None if values[side] is None else Side(**json.loads(values[side]))
    return Outcome(**values, **{**context, "similarities": tuple(context["similarities"])})
