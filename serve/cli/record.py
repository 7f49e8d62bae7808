"""``groat ladder --record``: what recording a day will cost, a question whether it may, and what became of it."""

import sys
from decimal import Decimal
from pathlib import Path

import typer

from groat.errors import BadInput
from serve.application import load_application
from serve.cli.output import console, dollars, write_json
from serve.cli.running import finished
from serve.cli.workload import progress_to, told_left_out


def record_day(
    day: Path, out: Path, *, yes: bool, max_usd: float | None, samples: int, skip_bad: bool, json_file: str | None
) -> None:
    """Ask both models of this installation for what the day lacks, and write it.

    Raises:
        BadInput: nobody agreed to the costs, or requests have no answer yet.
    """
    from evals.recording import Recorder, estimate, record
    from groat.costs import PriceTable

    services = load_application().services
    recorder = Recorder(
        answerer=services.answerer,
        prices=PriceTable(),
        knowledge=services.knowledge,
        samples=samples,
        max_usd=None if max_usd is None else Decimal(str(max_usd)),
    )
    before = finished(estimate(recorder, day, out, told_left_out if skip_bad else None))
    models = " and ".join(recorder.endpoint(tier).name for tier in ("cheap", "expensive"))
    typer.echo(
        f"{before.rows} requests: {before.calls} calls of {models}, about {dollars(before.usd)} at list prices; "
        f"{dollars(before.spent)} were spent before",
        err=True,
    )
    if before.calls and not yes and not _agreed():
        raise BadInput("nothing was asked; say yes, or give --yes")
    with progress_to(before.rows) as progress:
        done = finished(record(recorder, day, out, on_bad=_unheard if skip_bad else None, progress=progress))
    if json_file is not None:
        told = {
            "rows": done.rows, "calls": done.calls, "spent_usd": f"{done.usd:f}", "unknown_prices": done.unknown_prices,
            "failed": done.failed, "written": str(out) if done.written else None,
        }  # fmt: skip
        write_json(told, json_file)
    if not done.written:
        raise BadInput(done.in_words())
    if json_file is None:
        console().print(
            f"{done.rows} requests with {done.calls} calls, {dollars(done.usd)} in all, written to {out}; now "
            f"`groat ladder --workload {out}`",
            markup=False,
        )


def _agreed() -> bool:
    return sys.stdin.isatty() and typer.confirm("Go on?", err=True)


def _unheard(message: str) -> None:
    """Say nothing again: the estimate told it."""
