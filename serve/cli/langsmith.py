"""``groat feedback`` and ``groat langsmith``: what is said of answers, and data sets from runs."""

import os
from dataclasses import asdict
from typing import Annotated

import typer

from groat.errors import BadInput
from groat.tracing.datasets import fill_dataset
from groat.tracing.feedback import give_feedback
from serve.application import load_application
from serve.cli.output import JsonOption, console, write_json

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
    """Say on LangSmith how good an answer was."""
    load_application()  # reads .env
    run_id = give_feedback(run, key, score=score, value=value, comment=comment, project=_project(project))
    if json_file is not None:
        write_json({"run_id": run_id, "key": key, "score": score, "value": value}, json_file)
    else:
        console().print(f"said of the run {run_id}", markup=False)


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
