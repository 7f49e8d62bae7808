"""Kept runs in one SQLite file."""

import dataclasses
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_args

from groat.blame.records import Causes, Kept, Page, Size, Wanted
from groat.blame.rows import blamed_of, conditions, listed_of, mark_of, row_of, unpacked
from groat.blame.schema import connect, explained
from groat.blame.snapshot import Blamed, Mark, Origin, Snapshot
from groat.sqlite_file import SqliteFile, transaction

KEEP_DAYS: Final = 30.0
WAIT_H: Final = 24.0
"""For how long a run that is not sampled waits for somebody to call it bad, in hours."""
MOST_BYTES: Final = 500_000_000
"""Of bodies; a run with texts takes some 4 to 10 KB, one without about 2 KB."""
_PRUNE_EVERY: Final = 200
"""Runs between two looks at what is too old or too much."""
_LISTED = (
    "runs.run, runs.at, tenant, language, question, cache, tier, step, verified, bad, runs.cost_usd, baseline_cost_usd, texts, "
    "(SELECT group_concat(kind) FROM (SELECT kind FROM marks WHERE marks.run = runs.run ORDER BY marks.at)), "
    "blamed.origin, blamed.confidence"
)
_FROM = "runs LEFT JOIN blamed ON blamed.run = runs.run"


class SqliteRuns:
    """Keeps runs in the file ``path``, created at the first use with owner-only rights. See ``RunRecords`` for the laws.

    Args:
        path: the file.
        keep_days: what is older is dropped, bad or not.
        wait_h: for how long a run that is neither sampled nor bad is held, in hours.
        most_bytes: of bodies; what is beyond it goes, good runs before bad ones, the oldest first.
    """

    def __init__(
        self, path: Path, *, keep_days: float = KEEP_DAYS, wait_h: float = WAIT_H, most_bytes: int = MOST_BYTES
    ) -> None:
        """Open nothing yet."""
        self._file = SqliteFile(path, connect, lambda error: explained(path, error))
        self._keep_s = keep_days * 86_400
        self._wait_s = wait_h * 3_600
        self._most_bytes = most_bytes
        self._written = 0

    async def add(self, run: Snapshot, *, sampled: bool) -> None:
        """Keep a run."""
        prune = self._written % _PRUNE_EVERY == 0
        self._written += 1

        def write(db: sqlite3.Connection) -> None:
            row = row_of(run, sampled=sampled)
            names, marks = ", ".join(row), ", ".join("?" * len(row))
            fresh = ", ".join(f"{name} = excluded.{name}" for name in row if name not in ("run", "bad"))
            with transaction(db):
                db.execute(
                    f"INSERT INTO runs ({names}) VALUES ({marks}) ON CONFLICT (run) DO UPDATE SET {fresh}", tuple(row.values())
                )
                _judge(db, run.run)
                db.execute("DELETE FROM documents WHERE run = ?", (run.run,))
                db.executemany("INSERT INTO documents VALUES (?, ?)", [(run.run, name) for name in sorted(run.documents)])
                if prune:
                    self._prune(db, run.at)

        await self._file.run(write)

    async def mark(self, mark: Mark) -> bool:
        """Keep what somebody said; False when the run is not kept."""

        def write(db: sqlite3.Connection) -> bool:
            with transaction(db):
                if (run := _id_of(db, mark.run)) is None:
                    return False
                reference = None if mark.reference is None else json.dumps(mark.reference, ensure_ascii=False)
                db.execute(
                    "INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (run, mark.kind, mark.at, mark.bad, mark.score, reference, mark.note, mark.by),
                )
                _judge(db, run)
                return True

        return await self._file.run(write)

    async def blame(self, blamed: Blamed) -> bool:
        """Keep what was found; False when the run is not kept."""

        def write(db: sqlite3.Connection) -> bool:
            with transaction(db):
                if (run := _id_of(db, blamed.run)) is None:
                    return False
                values = {**dataclasses.asdict(blamed), "run": run, "body": json.dumps(blamed.body, ensure_ascii=False)}
                marks = ", ".join("?" * len(values))
                db.execute(
                    f"INSERT OR REPLACE INTO blamed ({', '.join(values)}) VALUES ({marks})", tuple(values.values())
                )  # fmt: skip
                return True

        return await self._file.run(write)

    async def get(self, run: str) -> Kept | None:
        """Return a run by its id or that of its trace; None when it is not kept."""

        def read(db: sqlite3.Connection) -> Kept | None:
            if (found := _id_of(db, run)) is None:
                return None
            (body,) = db.execute("SELECT body FROM runs WHERE run = ?", (found,)).fetchone()
            marks = db.execute("SELECT * FROM marks WHERE run = ? ORDER BY at, rowid", (found,)).fetchall()
            blamed = db.execute("SELECT * FROM blamed WHERE run = ?", (found,)).fetchone()
            return Kept(
                snapshot=unpacked(body),
                marks=tuple(mark_of(row) for row in marks),
                blamed=None if blamed is None else blamed_of(blamed),
            )

        return await self._file.run(read)

    async def find(self, wanted: Wanted) -> Page:
        """Return a page of the runs wanted, newest first."""
        where, values = conditions(wanted)

        def read(db: sqlite3.Connection) -> Page:
            rows = db.execute(
                f"SELECT {_LISTED} FROM {_FROM} WHERE {where} ORDER BY runs.at DESC, runs.run DESC LIMIT ?",
                (*values, wanted.limit + 1),
            ).fetchall()
            found = tuple(listed_of(row) for row in rows[: wanted.limit])
            return Page(runs=found, next=(found[-1].at, found[-1].run) if len(rows) > wanted.limit and found else None)

        return await self._file.run(read)

    async def causes(self, *, since: float, until: float, step_s: float, tenant: str | None = None) -> Sequence[Causes]:
        """Return what was found, span by span."""

        def read(db: sqlite3.Connection) -> list[Causes]:
            spans = [Causes(begin=since, runs=0, bad=0)]
            while spans[-1].begin + step_s < until:
                spans.append(Causes(begin=spans[-1].begin + step_s, runs=0, bad=0))
            rows = db.execute(
                f"SELECT CAST((runs.at - ?) / ? AS INTEGER), blamed.origin, count(*), sum(bad) FROM {_FROM} "
                "WHERE runs.at >= ? AND runs.at < ? AND (? IS NULL OR tenant = ?) GROUP BY 1, 2",
                (since, step_s, since, until, tenant, tenant),
            )
            for place, origin, count, bad in rows:
                span = spans[min(place, len(spans) - 1)]
                if origin is not None:
                    span.found[origin] = span.found.get(origin, 0) + count
                spans[spans.index(span)] = dataclasses.replace(span, runs=span.runs + count, bad=span.bad + bad)
            return spans

        return await self._file.run(read)

    async def origins(self, *, since: float, until: float, tenant: str | None = None) -> dict[Origin, list[str]]:
        """Return the ids of the runs blamed on each origin, newest first."""

        def read(db: sqlite3.Connection) -> dict[Origin, list[str]]:
            rows = db.execute(
                f"SELECT blamed.origin, runs.run FROM {_FROM} WHERE runs.at >= ? AND runs.at < ? "
                "AND (? IS NULL OR tenant = ?) AND blamed.origin IS NOT NULL ORDER BY runs.at DESC, runs.run",
                (since, until, tenant, tenant),
            )
            found: dict[Origin, list[str]] = {}
            for origin, run in rows:
                if origin in get_args(Origin):
                    found.setdefault(origin, []).append(run)
            return found

        return await self._file.run(read)

    async def forget(self, *, tenant: str | None = None, document: str | None = None, run: str | None = None) -> int:
        """Drop the runs that all of what is given applies to; with nothing given, all runs."""

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                return db.execute(
                    "DELETE FROM runs WHERE (? IS NULL OR tenant = ?) AND (? IS NULL OR run = ?) AND "
                    "(? IS NULL OR run IN (SELECT run FROM documents WHERE document = ?))",
                    (tenant, tenant, run, run, document, document),
                ).rowcount

        return await self._file.run(write)

    async def prune(self, *, now: float) -> int:
        """Drop what is too old or too much."""

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                return self._prune(db, now)

        return await self._file.run(write)

    async def size(self) -> Size:
        """Return how much is kept."""

        def read(db: sqlite3.Connection) -> Size:
            runs, bad, held, oldest = db.execute(
                "SELECT count(*), coalesce(sum(bad), 0), coalesce(sum(length(body)), 0), min(at) FROM runs"
            ).fetchone()
            return Size(runs=runs, bad=bad, bytes=held, oldest=oldest)

        return await self._file.run(read)

    def close(self) -> None:
        """Close the file; the next use opens it again. Never needed."""
        self._file.close()

    def _prune(self, db: sqlite3.Connection, now: float) -> int:
        gone = db.execute("DELETE FROM runs WHERE at < ?", (now - self._keep_s,)).rowcount
        gone += db.execute("DELETE FROM runs WHERE at < ? AND NOT sampled AND NOT bad", (now - self._wait_s,)).rowcount
        gone += db.execute(
            "DELETE FROM runs WHERE run IN (SELECT run FROM (SELECT run, sum(length(body)) OVER "
            "(ORDER BY bad DESC, at DESC, run) AS held FROM runs) WHERE held > ?)",
            (self._most_bytes,),
        ).rowcount
        return gone


def _judge(db: sqlite3.Connection, run: str) -> None:
    """Whoever spoke last decides whether a run is bad; before anybody did, the run itself."""
    db.execute(
        "UPDATE runs SET bad = coalesce((SELECT bad FROM marks WHERE marks.run = runs.run ORDER BY at DESC, rowid DESC "
        "LIMIT 1), born_bad) WHERE run = ?",
        (run,),
    )


def _id_of(db: sqlite3.Connection, run: str) -> str | None:
    row = db.execute(
        "SELECT run FROM runs WHERE run = ? OR (trace = ? AND trace != '') ORDER BY at DESC LIMIT 1", (run, run)
    ).fetchone()
    return None if row is None else str(row[0])
