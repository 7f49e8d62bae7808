"""What ``groat batch`` shows: a bar while it works, a summary at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from groat.batch import BadRow, Row, Step, Tally
from groat.batch.results import failed_file
from serve.cli.output import dollars, saved


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a batch ended."""

    tally: Tally
    seconds: float = 0.0
    stopped: bool = False
    halted: str = ""
    """Why no further question can be asked; empty when none stands in the way."""
    bought: int = 0
    """Replies from a provider's batches."""
    spared_usd: Decimal | None = None
    """What their rates saved against the plain prices; None when a rate is unknown."""


def summary(ended: Ended) -> dict[str, Any]:
    """Return what came of all rows so far; money in dollars."""
    tally = ended.tally
    return {
        "done": tally.done,
        "failed": tally.failed,
        "hits": tally.hits,
        "unverified": tally.unverified,
        "cost": float(tally.cost_usd),
        "baseline_cost": float(tally.baseline_cost_usd),
        "unpriced": tally.unpriced,
        "seconds": round(ended.seconds, 2),
        "provider_batch_replies": ended.bought,
        "provider_batch_saved": None if ended.spared_usd is None else float(ended.spared_usd),
        "stopped": ended.stopped or bool(ended.halted),
    }


class _Bar:
    """Shows how far the batch is."""

    def __init__(self, progress: Progress, source: str, total: int | None, tally: Tally) -> None:
        self._progress = progress
        self._source = source
        self._task = progress.add_task("", total=total, completed=tally.rows, told="")

    def __call__(self, row: Row | BadRow, tally: Tally) -> None:
        if isinstance(row, BadRow):
            self._progress.console.print(f"left out: {self._source}, line {row.line}: {row.reason}", markup=False)
        told = f"{tally.hits} hits, {tally.failed} failed, {dollars(tally.cost_usd)}"
        self._progress.update(self._task, completed=tally.rows, told=told)


@contextmanager
def progress(source: str, total: int | None, tally: Tally) -> Iterator[Step]:
    """Show a bar on standard error where that is a terminal."""
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (
        BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[told]}")
    )  # fmt: skip
    with Progress(*columns, console=out, disable=not out.is_terminal) as bar:
        yield _Bar(bar, source, total, tally)


def show(out: Console, path: Path, ended: Ended) -> None:
    """Print what came of a batch, whose answers are in the file ``path``, for people."""
    tally = ended.tally
    cost, baseline = f"{tally.cost_usd:f}", f"{tally.baseline_cost_usd:f}"
    less = f", {less}" if (less := saved(cost, baseline)) else ""
    out.print(f"answered {tally.done}, {tally.hits} of them from the cache, {tally.unverified} unverified", markup=False)
    if tally.failed:
        out.print(f"failed   {tally.failed}; each with its reason in {failed_file(path)}", markup=False)
    unpriced = f"; {tally.unpriced} of unknown price are not in it" if tally.unpriced else ""
    out.print(f"cost     {dollars(cost)}; all expensive {dollars(baseline)}{less}{unpriced}", markup=False)
    if ended.bought:
        less = "unknown, since a batch rate is" if ended.spared_usd is None else dollars(ended.spared_usd)
        out.print(f"batch    {ended.bought} replies at the provider's batch rates, saved {less}", markup=False)
    out.print(f"time     {ended.seconds:.1f} s", markup=False)
