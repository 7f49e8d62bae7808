"""``groat feedback`` and ``groat langsmith``: what is said of answers, and data sets from runs."""

import asyncio
import os
import time
from dataclasses import asdict
from typing import Annotated

import typer

from graph.recording import RUNS
from graph.settings import Settings
from groat.blame.snapshot import Mark
from groat.blame.sqlite import SqliteRuns
from groat.errors import BadInput
from groat.tracing.datasets import fill_dataset
from groat.tracing.feedback import give_feedback
from groat.tracing.langsmith_tracer import langsmith_is_on
from serve.application import load_application
from serve.cli.output import JsonOption, console, write_json

_GOOD = 0.5
"""Score from which a user calls an answer good."""
langsmith_app = typer.Typer(help="Work with the runs on LangSmith.", no_args_is_help=True, rich_markup_mode=None)
ProjectOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Project of LangSmith; without it LANGSMITH_PROJECT, else default.")
]


def feedback_command(
    run: Annotated[str, typer.Argument(help="The trace that `groat ask` prints, or the run of the ledger.")],
    score: Annotated[float | None, typer.Option(help="0 to 1; 1 is good.")] = None,
    value: Annotated[str | None, typer.Option(help="A word in place of a score, or beside it.")] = None,
    comment: Annotated[str | None, typer.Option(help="A sentence.")] = None,
    key: Annotated[str, typer.Option(help="What is said.")] = "user",
    project: ProjectOption = None,
    json_file: JsonOption = None,
) -> None:
    """Say how good an answer was: on LangSmith, where that is on, and in the kept runs."""
    settings = load_application().settings  # reads .env
    run_id = None
    if langsmith_is_on():
        run_id = give_feedback(run, key, score=score, value=value, comment=comment, project=_project(project))
    kept = score is not None and asyncio.run(_marked(settings, run, score, comment or ""))
    if run_id is None and not kept:
        raise BadInput(
            f"no run {run!r} is kept here, and LANGSMITH_TRACING is off: nobody can be told; a kept run needs a --score"
        )
    if json_file is not None:
        write_json({"run_id": run_id, "key": key, "score": score, "value": value, "kept": kept}, json_file)
    else:
        console().print(f"said of the run {run_id or run}", markup=False)


async def _marked(settings: Settings, run: str, score: float, comment: str) -> bool:
    """Keep a user's score beside the kept run, which LangSmith was told of already; return whether it is kept."""
    runs = SqliteRuns(settings.data_dir / RUNS)
    kept = await runs.get(run)
    mark = (
        Mark(run=kept.snapshot.run, kind="user", at=time.time(), bad=score < _GOOD, score=score, note=comment) if kept else None
    )
    return mark is not None and await runs.mark(mark)


@langsmith_app.command("fill")
def fill_command(
    dataset: Annotated[str, typer.Argument(help="The data set; it is made when it is not there.")],
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A decision that must hold, such as route=cheap or verdict=failed; several."),
    ] = None,
    project: ProjectOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Most runs, the newest first.")] = 1000,
    json_file: JsonOption = None,
) -> None:
    """Fill a data set with the questions and answers of runs that were decided in a certain way."""
    load_application()  # reads .env
    pairs = [condition.partition("=") for condition in where or []]
    if bad := next((name for name, sign, value in pairs if not (name and sign and value)), None):
        raise BadInput(f"--where {bad} is no condition; write it as route=cheap")
    filled = fill_dataset(dataset, {name: value for name, _, value in pairs}, project=_project(project), limit=limit)
    if json_file is not None:
        write_json(asdict(filled), json_file)
        return
    out = console()
    out.print(f"{filled.found} runs fit: {filled.added} added, {filled.present} were there already", markup=False)
    if filled.without_text:
        out.print(
            f"{filled.without_text} hold no text: set GROAT_TRACE_CONTENT=true before the questions are asked", markup=False
        )


def _project(given: str | None) -> str:
    return given or os.environ.get("LANGSMITH_PROJECT") or "default"
