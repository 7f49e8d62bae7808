"""The run of a batch: rows are asked, outcomes are written, and what is left of a row is forgotten after that."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from groat.batch.ordering import in_order
from groat.batch.results import Answered, Failed, Outcome, Results, Tally
from groat.batch.rows import BadRow, Row

AHEAD = 8
"""Rows that may be finished before the first that is not, for each row that is worked on."""


Step = Callable[[Row | BadRow, Tally], None]
"""Is told of each row that is written, with what came of all so far."""


class Asker(Protocol):
    """Answers rows. ``ask`` may be called for many at once; ``forget`` once a row is written."""

    async def ask(self, row: Row) -> Outcome:
        """Return what came of a row; raises StorageError when no further row can be asked."""
        ...

    async def forget(self, row: Row) -> None:
        """Drop what was kept of a row to go on with it."""
        ...


async def run(
    rows: Iterator[Row | BadRow],
    asker: Asker,
    results: Results,
    *,
    at_once: int,
    stop: asyncio.Event,
    step: Step,
    read_at_once: int = 64,
) -> str:
    """Ask and write all rows; return why no further question can be asked, "" when nothing stands in the way.

    Args:
        rows: those that are not written yet.
        asker: answers them.
        results: where outcomes are written, in order.
        at_once: rows that are worked on at the same time.
        stop: set by whoever wants an orderly end, and here when a failure would meet every row.
        step: told of each row that is written.
        read_at_once: rows that are read together; 1 for a pipe that may make one wait.
    """

    async def ask(row: Row | BadRow) -> Outcome | None:
        return None if isinstance(row, BadRow) else await asker.ask(row)

    halted = ""
    async for row, outcome in in_order(rows, ask, at_once=at_once, ahead=at_once * AHEAD, stop=stop, read_at_once=read_at_once):
        if isinstance(outcome, Failed) and outcome.halts:
            halted = halted or outcome.reason
            stop.set()
        if not halted:
            written(results, row, outcome)
            step(row, results.tally)
        if isinstance(row, Row) and (not halted or isinstance(outcome, Failed)):
            # After a halt an answer that came is kept for the row's turn, and what failed is asked anew.
            await asker.forget(row)
    return halted


def written(results: Results, row: Row | BadRow, outcome: Outcome | None) -> None:
    """Write what came of a row; a bad one needs no outcome."""
    if isinstance(row, BadRow):
        results.lost(row, Failed(failure="bad_input", reason=f"line {row.line}: {row.reason}"))
    elif isinstance(outcome, Answered):
        results.answered(row, outcome)
    else:
        assert outcome is not None  # every row that is none of the bad ones was asked
        results.lost(row, outcome)
