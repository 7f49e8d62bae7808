"""Answers that were paid for, kept as they come, so that a recording that was interrupted pays for nothing twice."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from groat.costs.amounts import exact_sum


class KeptAnswers:
    """Answers and bills in a file beside the day. Every answer is on disk before the next one is asked for.

    Args:
        path: of the file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        """Open the file."""
        self._kept = sqlite3.connect(path, isolation_level=None)
        self._kept.execute(
            "CREATE TABLE IF NOT EXISTS answers (prompt TEXT, sample INTEGER, said TEXT, PRIMARY KEY (prompt, sample))"
        )
        self._kept.execute("CREATE TABLE IF NOT EXISTS bills (usd TEXT)")

    def close(self) -> None:
        """Close the file."""
        self._kept.close()

    def get(self, prompt: str, sample: int) -> dict[str, Any] | None:
        """Return the answer to a prompt, by its fingerprint; sample 0 is the answer, those from 1 on are further ones."""
        row = self._kept.execute("SELECT said FROM answers WHERE prompt = ? AND sample = ?", (prompt, sample)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def put(self, prompt: str, sample: int, said: dict[str, Any]) -> None:
        """Keep an answer."""
        self._kept.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (prompt, sample, json.dumps(said)))

    def begin_rows(self) -> None:
        """Forget the rows of the day, which an earlier run may have made of another file."""
        self._kept.execute("DROP TABLE IF EXISTS rows")
        self._kept.execute("CREATE TABLE rows (number INTEGER PRIMARY KEY, row TEXT)")

    def put_row(self, number: int, row: dict[str, Any]) -> None:
        """Keep a row of the day, with its place in it."""
        self._kept.execute("INSERT INTO rows VALUES (?, ?)", (number, json.dumps(row)))

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the day in order."""
        for (row,) in self._kept.execute("SELECT row FROM rows ORDER BY number"):
            yield json.loads(row)

    def charge(self, usd: Decimal | None) -> None:
        """Write down what a request cost, whatever came of it; None for an unknown price."""
        self._kept.execute("INSERT INTO bills VALUES (?)", (None if usd is None else f"{usd:f}",))

    def spent(self) -> tuple[Decimal, int]:
        """Return the dollars of all requests of this and earlier runs, and how many of them have no known price."""
        found = [usd for (usd,) in self._kept.execute("SELECT usd FROM bills")]
        return exact_sum(Decimal(usd) for usd in found if usd is not None), found.count(None)


@contextmanager
def kept_answers(path: Path) -> Iterator[KeptAnswers]:
    """Yield the answers that are kept in a file."""
    with closing(KeptAnswers(path)) as kept:
        yield kept
