"""``groat bench blame``: plant known faults, blame the answers, and count how often the right part is named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from groat.errors import BadInput
from serve.cli.output import JsonOption, console, write_json


def blame_command(
    cases: Annotated[int, typer.Option(help="Cases with one fault; placebos and cases with two faults are added.")] = 800,
    seed: Annotated[int, typer.Option(help="Draws the questions and what is left to chance; the same gives the same.")] = 7,
    plan: Annotated[
        Path | None, typer.Option(help="Faults to plant, .jsonl, in place of drawn ones (docs/data-formats.md).")
    ] = None,
    judge_error: Annotated[float, typer.Option(help="How often the judge of the replays errs, 0 to 0.45.")] = 0.0,
    reference: Annotated[
        Literal["full", "answer", "none"],
        typer.Option(help="What is known of the right answer: strings and documents, a sentence, or nothing."),
    ] = "full",
    unsteady: Annotated[
        bool, typer.Option("--unsteady", help="The models do other than verdicts assume when they are asked again.")
    ] = False,
    json_file: JsonOption = None,
) -> None:
    """Plant known faults in runs of the real graph, blame the answers, and count how often the right part is named."""
    if cases < 16 or not 0 <= judge_error <= 0.45:
        raise BadInput(f"--cases must be 16 or more and --judge-error 0 to 0.45, not {cases} and {judge_error}")
    # Imported here: scipy takes a second to import, and every other command would wait for it.
    from evals.bench_blame import measure

    with Progress(console=Console(stderr=True), transient=True, disable=json_file == "-") as bar:
        task = bar.add_task("planting and blaming", total=None)

        def show(done: int, whole: int) -> None:
            bar.update(task, completed=done, total=whole)

        report = measure(
            cases, seed=seed, plan=plan, judge_error=judge_error, known=reference, steady=not unsteady, progress=show
        )
    if json_file is not None:
        write_json(report, json_file)
    else:
        _print(report)


def _print(report: Mapping[str, Any]) -> None:
    out = console()
    shown = Table("", "cases", "origin right", "95 %", "macro F1", "abstain", "calls: median", "mean", "p90", box=None)
    for name, part in (("all", report), *report["by_lang"].items()):
        calls = part["model_calls"]
        shown.add_row(
            name, str(part["singles"]), f"{part['accuracy']:.1%}", _interval(*part["accuracy_ci"]), f"{part['macro_f1']:.3f}",
            f"{part['abstain']:.1%}", f"{calls['median']:g}", f"{part['model_calls_per_case']:.2f}", str(calls["p90"]),
        )  # fmt: skip
    out.print(shown)
    recall = Table("origin", "cases", "named", "95 %", "en", "zh", box=None)
    for origin, found in report["recall"].items():
        apart = [report["by_lang"][lang]["recall"].get(origin) for lang in ("en", "zh")]
        recall.add_row(
            origin, str(found["n"]), f"{found['share']:.1%}", _interval(found["low"], found["high"]),
            *("" if one is None else f"{one['share']:.1%}" for one in apart),
        )  # fmt: skip
    out.print(recall)
    for name, said in (
        ("two_faults", "two faults at once, either named first"),
        ("two_faults_both_named", "both named"),
        ("placebo_blamed", "placebos blamed"),
    ):
        one = report[name]
        out.print(f"{said}: {one['share']:.1%} of {one['n']} ({_interval(one['low'], one['high'])})", markup=False)
    out.print(_confusion("blame", report["confusion"]))
    for name, told in (("rules", "the trace read by rules"), ("stand_in", "a stand-in for a model that reads the trace")):
        baseline = report["baselines"][name]
        accuracy = baseline["accuracy"]
        out.print(
            f"{told}: {accuracy['share']:.1%} ({_interval(accuracy['low'], accuracy['high'])}), macro F1 "
            f"{baseline['macro_f1']:.3f}",
            markup=False,
        )
        out.print(_confusion(name, baseline["confusion"]))
    out.print(
        f"{report['cases']} cases, {report['not_planted']} more could not be planted; seed {report['seed']}, the judge errs in "
        f"{report['judge_error']:.0%}; known of the right answer: {report['reference']}; models "
        f"{'as assumed' if report['steady'] else 'less steady than assumed'}",
        markup=False,
    )


def _confusion(name: str, rows: Mapping[str, Mapping[str, int]]) -> Table:
    named = sorted({origin for counted in rows.values() for origin in counted})
    shown = Table(f"planted, named by {name}", *named, box=None)
    for planted, counted in rows.items():
        shown.add_row(planted, *(str(counted.get(origin, "") or "") for origin in named))
    return shown


def _interval(low: float, high: float) -> str:
    return f"{low:.1%} to {high:.1%}"
