"""``groat workload``: days of traffic for the ladder."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from groat.errors import BadInput
from serve.cli.output import JsonOption, console, write_json
from serve.cli.running import finished

workload_app = typer.Typer(name="workload", help="Make a day of traffic for groat ladder.", no_args_is_help=True)
OutArgument = Annotated[
    Path, typer.Argument(metavar="OUT", help="The day, .jsonl or .jsonl.gz; OUT.about.json says how it was made.")
]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and name them.")]
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


@workload_app.command("build")
def build_command(
    source: Annotated[
        Path | None, typer.Argument(metavar="[IN]", help="The log, .jsonl or .csv; left out with --langsmith.")
    ] = None,
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="The day, .jsonl or .jsonl.gz.")] = None,
    langsmith: Annotated[
        str | None, typer.Option(metavar="PROJECT", help="Take the questions of this project of LangSmith.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Most runs of the project, the newest first.")] = None,
    skip_bad: SkipOption = False,
    json_file: JsonOption = None,
) -> None:
    """Turn a log of questions into a day, with its own repetition, order and languages; models are asked by ladder --record."""
    from evals.workload_build import Log, rows_of_file, rows_of_project
    from evals.workload_files import write_day

    if langsmith is not None and source is not None and out is None:
        source, out = None, source
    if out is None or (source is None) == (langsmith is None):
        raise BadInput("name a log and a file for the day: groat workload build IN OUT, or build --langsmith PROJECT OUT")
    raw = rows_of_file(source) if source is not None else rows_of_project(str(langsmith), limit=limit)
    with closing(Log(raw, told_left_out if skip_bad else None)) as log, progress_to(log.built.rows) as progress:
        write_day(out, log.rows(), log.built.about, progress=progress)
    told = log.built.about
    if json_file is not None:
        write_json({"rows": log.built.rows, "file": str(out), **told}, json_file)
        return
    shares = ", ".join(f"{name} {count}" for name, count in sorted(log.built.languages.items()))
    console().print(
        f"{log.built.rows} requests written to {out} ({shares}); {told['repeated']:.0%} repeat an earlier one, "
        f"{log.built.left_out} rows left out",
        markup=False,
    )


@workload_app.command("synth")
def synth_command(
    questions: Annotated[
        Path, typer.Argument(metavar="QUESTIONS", help="Workload rows, recorded or not, .jsonl or .jsonl.gz.")
    ],
    out: OutArgument,
    rows: Annotated[int, typer.Option(min=1, help="How many requests.")] = 10_000,
    seed: SeedOption = 7,
    zipf: Annotated[float, typer.Option(help="Exponent of Zipf's law; 0 asks for all things alike.")] = 1.0,
    paraphrases: Annotated[float, typer.Option(help="Share of the requests in other words, 0 to 1.")] = 0.3,
    churn: Annotated[float, typer.Option(help="Share of the documents that change in the course of the day, 0 to 1.")] = 0.05,
    tenants: Annotated[int, typer.Option(help="How many share the traffic.")] = 1,
    skip_bad: SkipOption = False,
    json_file: JsonOption = None,
) -> None:
    """Draw a day from questions with stated repetition, paraphrases, changes of documents and tenants."""
    from evals.workload_files import write_day
    from evals.workload_synth import Traffic, about, read_pool, synthetic_day

    traffic = Traffic(rows=rows, seed=seed, zipf=zipf, paraphrases=paraphrases, churn=churn, tenants=tenants)
    pool = read_pool(questions, told_left_out if skip_bad else None)
    told = about(traffic, pool)
    with progress_to(rows) as progress:
        count = write_day(out, synthetic_day(traffic, pool), told, progress=progress)
    if json_file is not None:
        write_json({"rows": count, "file": str(out), **told}, json_file)
    else:
        console().print(f"{count} synthetic requests written to {out}", markup=False)


def told_left_out(message: str) -> None:
    """Name a row that was left out, on standard error."""
    typer.echo(f"left out: {message}", err=True)


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
