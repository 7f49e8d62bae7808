"""``groat workload``: days of traffic for the ladder."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from serve.cli.output import JsonOption, console, write_json
from serve.cli.running import finished

workload_app = typer.Typer(name="workload", help="Make a day of traffic for groat ladder.", no_args_is_help=True)
OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The day, .jsonl or .jsonl.gz; OUT.about.json says how it was made.")]
SeedOption = Annotated[int, typer.Option(help="Of everything that is drawn.")]


@workload_app.command("helpcentre")
def helpcentre_command(
    out: OutArgument,
    rows: Annotated[int, typer.Option(min=1, help="How many requests.")] = 10_000,
    seed: SeedOption = 7,
    cheap_errors: Annotated[float, typer.Option(min=0, help="Factor on the cheap model's error rates.")] = 1.0,
    json_file: JsonOption = None,
) -> None:
    """Draw a day from the help centre's questions, answered by two simulated models with stated error rates."""
    # Imported here: it loads the embedder, and other commands would wait for it.
    from evals.helpcentre_day import Plan, about, day
    from evals.workload_files import write_day

    plan = Plan(rows=rows, seed=seed, cheap_errors=cheap_errors)
    told = about(plan)
    with progress_to(rows) as progress:
        count = write_day(out, finished(day(plan)), told, progress=progress)
    if json_file is not None:
        write_json({"rows": count, "file": str(out), **told}, json_file)
    else:
        console().print(f"{count} simulated requests written to {out}", markup=False)


@contextmanager
def progress_to(total: int | None) -> Iterator[Callable[[int], None]]:
    """Yield what shows how many rows are written, on standard error; ``total`` is None where nobody knows it."""
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bars:
        task = bars.add_task("rows", total=total)
        yield lambda done: bars.update(task, completed=done)
