"""``groat eval``: experiments on a data set, here or on LangSmith, and how two of them compare."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from langsmith import Client
from rich.progress import Progress
from rich.table import Table

from evals.experiment_report import Comparison, Summary, comparisons, summary
from evals.experiment_rows import read_rows
from evals.experiments import AT_ONCE, answer_with, read, upload, write
from evals.experiments import run as run_experiment
from evals.paired import in_words
from graph.context import Context
from groat.errors import BadInput, SettingsError
from serve.application import load_application
from serve.cli.output import JsonOption, TenantOption, console, dollars, write_json
from serve.cli.running import finished

eval_app = typer.Typer(
    name="eval", help="Score answers on a data set of your own, and compare two ways of answering.", no_args_is_help=True
)
DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="Questions with what is known of their right answers, .jsonl.")
]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out, and name each.")]


@eval_app.command("run")
def run_command(
    data: DataArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Write the scored answers here.")],
    name: Annotated[str, typer.Option(help="Name of the experiment.")] = "groat",
    tenant: TenantOption = "default",
    tier: Annotated[str, typer.Option(help="auto, cheap or expensive.")] = "auto",
    max_quality_loss: Annotated[float, typer.Option(help="Promise that the answers are given under, 0 to 1.")] = 0.01,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Use the cache.")] = False,
    max_concurrency: Annotated[int, typer.Option(min=1, max=64, help="Questions at the same time.")] = AT_ONCE,
    dataset: Annotated[
        str, typer.Option(metavar="NAME", help="Run it on LangSmith too, on the data set of this name (groat eval upload).")
    ] = "",
    skip_bad: SkipOption = False,
    json_file: JsonOption = None,
) -> None:
    """Answer every question, score the answers, and write both down; without --dataset nothing leaves this machine."""
    rows = read_rows(data, skip_bad=_told if skip_bad else None)
    if tier not in ("auto", "cheap", "expensive"):
        raise BadInput(f"--tier is auto, cheap or expensive, not {tier!r}")
    context = Context(tenant=tenant, tier=tier, max_quality_loss=max_quality_loss, use_cache=cache)  # type: ignore[arg-type]
    application = load_application()
    settings = {"tenant": tenant, "tier": tier, "max_quality_loss": max_quality_loss, "cache": cache}
    with Progress(transient=True, disable=json_file == "-") as progress:
        task = progress.add_task("questions", total=len(rows))
        experiment = finished(
            run_experiment(
                rows, answer_with(application.graph, context), name=name, settings=settings,
                client=_client() if dataset else None, dataset=dataset, at_once=max_concurrency,
                done=lambda: progress.advance(task),
            )
        )  # fmt: skip
    write(experiment, out)
    found = summary(experiment)
    if json_file is not None:
        write_json({"rows": len(rows), "head": experiment.head, "summary": found}, json_file)
    else:
        console().print(_summary_table(found))


@eval_app.command("compare")
def compare_command(
    a: Annotated[Path, typer.Argument(metavar="A", help="File of groat eval run: what B is held against.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="File of groat eval run on the same data.")],
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    json_file: JsonOption = None,
) -> None:
    """Say whether B is better than A, by how much and how surely, and which rows changed."""
    first, second = read(a), read(b)
    found = comparisons(first, second, seed=seed)
    if json_file is not None:
        write_json({"rows": len(first.rows), "a": first.head, "b": second.head, "comparisons": found}, json_file)
        return
    out = console()
    out.print(
        f"A: {first.head['experiment']} ({a}), B: {second.head['experiment']} ({b}), {len(first.rows)} rows", markup=False
    )
    out.print(_comparison_table(found))
    for one in found:
        if one["key"] == "right":
            out.print(f"{one['lang']}: {in_words(one['found'])}", markup=False)
            if one["flipped"]:
                out.print(f"  changed, the worst first: {', '.join(one['flipped'])}", markup=False)


@eval_app.command("judge")
def judge_command(
    a: Annotated[Path, typer.Argument(metavar="A", help="File of groat eval run.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="File of groat eval run on the same data.")],
    data: Annotated[Path | None, typer.Option(help="The questions, whose right answers the judge may then see.")] = None,
    max_concurrency: Annotated[int, typer.Option(min=1, max=64, help="Rows at the same time.")] = AT_ONCE,
    json_file: JsonOption = None,
) -> None:
    """Have a model say which answer is better, blind, in both orders; and how steady it is and how often labels bear it out."""
    from evals.blind_judge import BlindJudge, preferences

    first, second = read(a), read(b)
    references = {row["id"]: row["reference"].get("answer", "") for row in read_rows(data)} if data is not None else {}
    services = load_application().services
    judges = [adviser.endpoint for adviser in services.advisers if adviser.role == "judge"]
    endpoint = judges[0] if judges else services.answerer.endpoints["expensive"]
    judge = BlindJudge(services=services, endpoint=endpoint, at_once=max_concurrency)
    with Progress(transient=True, disable=json_file == "-") as progress:
        task = progress.add_task("rows", total=len(first.rows))
        judged = finished(
            judge.compare(first.rows, second.rows, references=references, done=lambda: progress.advance(task))
        )  # fmt: skip
    found = preferences(judged)
    costs = [row["cost_usd"] for row in judged]
    cost = None if None in costs else f"{sum(float(one or 0) for one in costs):.6f}"
    if json_file is not None:
        write_json(
            {"rows": len(judged), "judge": endpoint.name, "cost_usd": cost, "preferences": found, "judged": judged}, json_file
        )
        return
    out = console()
    out.print(f"{endpoint.name} judged {len(judged)} rows, twice each, for {dollars(cost)}", markup=False)
    table = Table(
        "lang", "rows", "B better", "A better", "equal", "unsteady", "silent", "steady", "agrees with labels", box=None
    )
    for one in found:
        agreed, spread = one["agreed"], one["agreed_ci"]
        labels = (
            f"{agreed:.0%} ({spread[0]:.0%} to {spread[1]:.0%}) of {one['labelled']}" if agreed is not None and spread else "-"
        )
        table.add_row(
            one["lang"], str(one["rows"]), str(one["b_better"]), str(one["a_better"]), str(one["equal"]), str(one["unsteady"]),
            str(one["silent"]), f"{one['steady']:.0%}", labels,
        )  # fmt: skip
    out.print(table)


@eval_app.command("shadow")
def shadow_command(
    out_a: Annotated[
        Path | None, typer.Option("--out-a", metavar="FILE", help="Write the running answers, for eval judge.")
    ] = None,
    out_b: Annotated[Path | None, typer.Option("--out-b", metavar="FILE", help="Write the new answers.")] = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    skip_bad: SkipOption = False,
    json_file: JsonOption = None,
) -> None:
    """Compare the new configuration (GROAT_SHADOW_CONFIG) with the running one on the live questions that both answered."""
    from evals.shadow_report import read_shadows
    from graph.shadowing import SHADOWS

    running, new = read_shadows(load_application().settings.data_dir / SHADOWS, _told if skip_bad else None)
    for experiment, path in ((running, out_a), (new, out_b)):
        if path is not None:
            write(experiment, path)
    found = comparisons(running, new, seed=seed)
    if json_file is not None:
        write_json({"rows": len(running.rows), "comparisons": found}, json_file)
        return
    out = console()
    out.print(f"A: running, B: new, {len(running.rows)} live questions", markup=False)
    out.print(_comparison_table(found))


@eval_app.command("upload")
def upload_command(
    data: DataArgument,
    name: Annotated[str, typer.Option(help="Name of the data set on LangSmith.")],
    skip_bad: SkipOption = False,
    json_file: JsonOption = None,
) -> None:
    """Make the questions a data set on LangSmith; rows that are there already stay as they are."""
    rows = read_rows(data, skip_bad=_told if skip_bad else None)
    added = upload(_client(), rows, name)
    if json_file is not None:
        write_json({"rows": len(rows), "added": added}, json_file)
    else:
        console().print(f"{added} of {len(rows)} rows added to {name}", markup=False)


def _client() -> Client:
    if not os.environ.get("LANGSMITH_API_KEY"):
        raise SettingsError("LangSmith needs LANGSMITH_API_KEY; set it, or leave --dataset out to stay on this machine")
    return Client()


def _told(message: str) -> None:
    typer.echo(f"groat: left out: {message}", err=True)


def _summary_table(found: list[Summary]) -> Table:
    table = Table("", *(one["lang"] for one in found), box=None)
    rows: list[tuple[str, Callable[[Summary], str]]] = [
        ("rows", lambda one: str(one["rows"])),
        *((key, _mean_of(key)) for key in found[0]["scores"]),
        ("cost", lambda one: dollars(one["cost_usd"])),
        ("failed", lambda one: str(one["failed"])),
    ]
    for name, shown in rows:
        table.add_row(name, *(shown(one) for one in found))
    return table


def _mean_of(key: str) -> Callable[[Summary], str]:
    def shown(one: Summary) -> str:
        score = one["scores"].get(key)
        return "-" if score is None else f"{score:.4g} ({one['applied'][key]})"

    return shown


def _comparison_table(found: list[Comparison]) -> Table:
    table = Table("", "lang", "rows", "A", "B", "B - A", "95 %", "better", "worse", "McNemar p", box=None)
    for one in found:
        paired = one["found"]
        low, high = paired["interval"]
        p = paired["mcnemar_p"]
        table.add_row(
            one["key"], one["lang"], str(paired["rows"]), f"{paired['a']:.4g}", f"{paired['b']:.4g}",
            f"{paired['difference']:+.4g}", f"{low:+.4g} to {high:+.4g}", str(paired["better"]), str(paired["worse"]),
            "" if p is None else f"{p:.3g}",
        )  # fmt: skip
    return table
