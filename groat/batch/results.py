"""The two files that a batch writes, in the order of its rows, so that they say themselves how far it came."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from heapq import merge
from pathlib import Path
from typing import IO, Any, Literal

from groat.batch.rows import BadRow, Row
from groat.errors import BadInput, StorageError
from groat.types import Source, Tier


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A row with an answer."""

    answer: str
    verified: bool
    hit: Literal["exact", "semantic"] | None
    """How the cache served it; None when a model answered."""
    tier: Tier | None
    """Which model answered; None for a hit."""
    sources: list[Source]
    path: list[str]
    cost_usd: str | None
    """Decimal dollars, those of failed tries included; None when a price is unknown."""
    baseline_cost_usd: str | None
    latency_ms: float
    run: str
    """Names it in the ledger."""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A row without one."""

    failure: str
    """The kind, as in ``groat.errors.Failure``, or "bad_input"."""
    reason: str
    """One sentence that says what to do."""
    cost_usd: str | None = "0"
    halts: bool = False
    """Every further row would fail alike: the batch ends before this row, which is asked again when it goes on."""


Outcome = Answered | Failed


@dataclass(kw_only=True)
class Tally:
    """What came of the rows so far, those of earlier runs included."""

    done: int = 0
    """Rows with an answer."""
    failed: int = 0
    hits: int = 0
    unverified: int = 0
    cost_usd: Decimal = field(default_factory=Decimal)
    """Sum of the known prices."""
    baseline_cost_usd: Decimal = field(default_factory=Decimal)
    """What all expensive would have cost, for the rows with an answer and a known price."""
    unpriced: int = 0
    """Rows that are missing from the first sum."""

    @property
    def rows(self) -> int:
        """How many rows are finished: the number of the last one."""
        return self.done + self.failed

    def add(self, line: Mapping[str, Any]) -> None:
        """Count one line of either file."""
        if "answer" in line:
            self.done += 1
            self.hits += line["hit"] is not None
            self.unverified += not line["verified"]
            self.baseline_cost_usd += Decimal(str(line["baseline_cost_usd"] or 0))
        else:
            self.failed += 1
        if line["cost_usd"] is None:
            self.unpriced += 1
        else:
            self.cost_usd += Decimal(str(line["cost_usd"]))


def failed_file(out: Path) -> Path:
    """Return the file of the rows without an answer that belongs to a file of answers."""
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.failed.jsonl")


class Results:
    """Appends finished rows: answers to one file, the others with their reasons to its neighbour.

    Rows are written strictly in order, each with one call, so after any kind of end the files hold the first rows, and at
    most the last line is torn; opening them again cuts it off.

    Args:
        out: the file of answers.
        resume: go on with what is there; without it, nothing may be there.

    Raises:
        BadInput: the files are there and may not be, or do not belong together.
        StorageError: they cannot be written.
    """

    def __init__(self, out: Path, *, resume: bool) -> None:
        """Read how far they are."""
        self.out, self.failed = out, failed_file(out)
        there = [path for path in (self.out, self.failed) if path.exists() and path.stat().st_size]
        if there and not resume:
            raise BadInput(f"{there[0]} is there already; go on with it by --resume, or name another file")
        self.tally = Tally()
        self._last: dict[int, str] = {}
        self._files: dict[Path, IO[bytes]] = {}
        self._written: Path | None = None
        try:
            for path in (self.out, self.failed):
                self._files[path] = _open(path)
            self._count()
        except OSError as error:
            self.close()
            raise StorageError(f"{error.filename} cannot be written ({error.strerror}); name another file") from error
        except BadInput:
            self.close()
            raise

    def _count(self) -> None:
        for line in merge(_lines(self.out), _lines(self.failed), key=lambda line: int(line["row"])):
            self.tally.add(line)
            if line["row"] != self.tally.rows:
                raise BadInput(f"{self.out} and {self.failed} lack row {self.tally.rows}; restore them, or name another file")
            self._last = {int(line["row"]): str(line.get("question", ""))}

    def belongs(self, row: Row | BadRow) -> bool:
        """Tell whether a row that is finished already is the one that was finished, as far as that is known."""
        return not isinstance(row, Row) or self._last.get(row.number, row.question) == row.question

    def answered(self, row: Row, outcome: Answered) -> None:
        """Write a row with an answer. Raises StorageError when there is no room; nothing is lost then."""
        line = {
            "row": row.number, "id": row.id, "question": row.question, "answer": outcome.answer, "verified": outcome.verified,
            "hit": outcome.hit, "tier": outcome.tier, "sources": outcome.sources, "path": outcome.path,
            "cost_usd": _number(outcome.cost_usd), "baseline_cost_usd": _number(outcome.baseline_cost_usd),
            "latency_ms": outcome.latency_ms, "run": outcome.run,
        }  # fmt: skip
        self._write(self.out, line)

    def lost(self, row: Row | BadRow, outcome: Failed) -> None:
        """Write a row without one; it can be asked again from that file. Raises StorageError as above."""
        again = row.again() if isinstance(row, Row) else {"line": row.line}
        line = {
            "row": row.number, **again, "failure": outcome.failure, "reason": outcome.reason,
            "cost_usd": _number(outcome.cost_usd),
        }  # fmt: skip
        self._write(self.failed, line)

    def close(self) -> None:
        """Have everything on the disk, and leave no empty file of failures."""
        for path, file in self._files.items():
            os.fsync(file.fileno())
            file.close()
            if path == self.failed and not path.stat().st_size:
                path.unlink()

    def _write(self, path: Path, line: Mapping[str, object]) -> None:
        if self._written not in (None, path):
            # Else a power cut could keep this row and lose one before it.
            os.fsync(self._files[self._written].fileno())
        self._written = path
        left = (json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "replace")
        try:
            while left:
                left = left[self._files[path].write(left) :]
        except OSError as error:
            raise StorageError(f"{path} cannot be written ({error.strerror}); make room and go on with --resume") from error
        self.tally.add(line)


def _open(path: Path) -> IO[bytes]:
    """Open a file to append to, without its torn last line."""
    file = path.open("a+b", buffering=0)
    size = end = file.seek(0, os.SEEK_END)
    while end > 0:
        start = max(0, end - 65_536)
        file.seek(start)
        if (found := file.read(end - start).rfind(b"\n")) >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        file.truncate(end)
    return file


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for place, line in enumerate(lines, 1):
            try:
                value = json.loads(line)
                Tally().add(value)
                int(value["row"])
            except (ValueError, KeyError, TypeError, ArithmeticError) as error:
                raise BadInput(f"{path}, line {place} is none that groat wrote; restore the file, or name another") from error
            yield value


def _number(amount: str | None) -> float | None:
    return None if amount is None else float(Decimal(amount))
