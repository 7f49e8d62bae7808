"""``groat blame``: what a bad answer comes from, and what the bad answers of a week came from."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from graph.blame_cases import Blamer, Terms, read_cases
from graph.blame_knobs import Turned
from graph.blame_reports import weekly
from graph.recording import open_runs
from groat.blame.investigate import MOST_CALLS
from groat.blame.reference import Reference
from groat.blame.report import Report, Worst
from groat.blame.snapshot import Mark
from groat.errors import BadInput
from serve.application import load_application
from serve.cli.output import JsonOption, console, dollars, write_json

_COMMANDS = ("run", "report", "mark")
_SAYS = {
    "wrong_hit": "the cache served the answer of another question",
    "stale": "the cache served an answer whose documents have changed",
    "retrieval": "the passages that hold the answer were not found",
    "compression": "the sentences that hold the answer were left out of the context",
    "router": "the question was sent to the cheap model, which cannot answer it; the expensive one can",
    "model_cheap": "the cheap model slipped: it had all that is needed",
    "model_expensive": "the expensive model failed: it had all that is needed",
    "validation": "validation rejected a right answer, and what came in its place was bad",
    "knowledge": "the documents do not hold the answer, or hold a wrong one",
    "unanswerable": "nothing answers the question, and the answer said so",
    "no_fault": "no fault found: the answer is right",
    "unclear": "no verdict: the replays do not tell",
}


class RunOrCommand(TyperGroup):
    """A group whose first argument may be the id of a run: ``groat blame RUN_ID`` means ``groat blame run RUN_ID``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the command that was meant."""
        if args and args[0] not in (*_COMMANDS, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


blame_app = typer.Typer(
    cls=RunOrCommand, help="What a bad answer comes from: `groat blame RUN_ID`.", no_args_is_help=True, rich_markup_mode=None
)
CostOption = Annotated[str | None, typer.Option("--max-cost", metavar="USD", help="Most that all replays together may cost.")]
AnswerOption = Annotated[str | None, typer.Option("--answer", help="The right answer, in a sentence or two.")]
DocumentsOption = Annotated[
    list[str] | None, typer.Option("--document", metavar="ID", help="A document that answers; may be given several times.")
]
UnanswerableOption = Annotated[bool, typer.Option("--unanswerable", help="Nothing answers; the right thing is to say so.")]


@blame_app.command("run")
def run_command(
    run: Annotated[str | None, typer.Argument(metavar="RUN_ID", help="A kept run, by its id or that of its trace.")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Cases, .jsonl: kept runs, or questions to ask now (docs/data-formats.md).")
    ] = None,
    answer: AnswerOption = None,
    document: DocumentsOption = None,
    unanswerable: UnanswerableOption = False,
    max_cost: CostOption = None,
    max_calls: Annotated[int, typer.Option(min=0, help="Most calls of models for one case.")] = MOST_CALLS,
    json_file: JsonOption = None,
) -> None:
    """Ask the question again with one thing changed, until it is clear what the bad answer came from."""
    if (run is None) == (dataset is None):
        raise BadInput("name a run, or a file of cases with --dataset")
    terms = Terms(max_cost_usd=_amount(max_cost), most_calls=max_calls)
    reference = _reference(answer, document, unanswerable)
    found = asyncio.run(_blame(run, dataset, reference, terms))
    if json_file is not None:
        write_json(found if dataset is not None else found[0], json_file)
    else:
        for one in found:
            _print(console(), one)


@blame_app.command("mark")
def mark_command(
    run: Annotated[str, typer.Argument(metavar="RUN_ID", help="A kept run, by its id or that of its trace.")],
    said: Annotated[Literal["bad", "good"], typer.Argument(help="How its answer is.")],
    answer: AnswerOption = None,
    document: DocumentsOption = None,
    unanswerable: UnanswerableOption = False,
    note: Annotated[str, typer.Option(help="Why.")] = "",
    by: Annotated[str, typer.Option(help="Who says so.")] = "",
) -> None:
    """Say how the answer of a kept run is, and what a right one is."""
    reference = _reference(answer, document, unanswerable)
    mark = Mark(
        run=run, kind="person", at=time.time(), bad=said == "bad", note=note, by=by,
        reference=None if reference is None else dict(reference),
    )  # fmt: skip
    if not asyncio.run(open_runs(load_application().settings).mark(mark)):
        raise BadInput(f"no run {run!r} is kept")


@blame_app.command("report")
def report_command(
    days: Annotated[float, typer.Option(min=0.01, help="How far back.")] = 7.0,
    tenant: Annotated[str | None, typer.Option(help="Of this tenant alone.")] = None,
    knobs: Annotated[bool, typer.Option("--knobs", help="Ask the cases again with knobs turned; costs model calls.")] = False,
    max_cost: CostOption = None,
    json_file: JsonOption = None,
) -> None:
    """Print what the bad answers came from, where they cluster, and which knob would have helped."""
    app = load_application()
    now = time.time()
    report, turned = asyncio.run(
        weekly(
            app.services,
            open_runs(app.settings),
            since=now - days * 86_400,
            until=now,
            tenant=tenant,
            max_wrong=app.settings.max_wrong if knobs else None,
            max_cost_usd=_amount(max_cost),
        )
    )
    if json_file is not None:
        write_json({**vars(report), "knobs": turned}, json_file)
    else:
        _print_report(console(), report, turned)


async def _blame(run: str | None, dataset: Path | None, reference: Reference | None, terms: Terms) -> list[dict[str, Any]]:
    app = load_application()
    blamer = Blamer(app.services, open_runs(app.settings), terms)
    if run is not None:
        return [await blamer.kept(run, reference)]
    assert dataset is not None  # one of the two was given
    return [one async for one in blamer.each(read_cases(dataset))]


def _amount(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise BadInput(f"--max-cost {text!r} is no amount of dollars") from error
    if not amount.is_finite() or amount < 0:
        raise BadInput(f"--max-cost {text!r} is no amount of dollars from 0")
    return amount


def _reference(answer: str | None, documents: list[str] | None, unanswerable: bool) -> Reference | None:
    if unanswerable and answer:
        raise BadInput("give --answer or --unanswerable, not both")
    if not (answer or documents or unanswerable):
        return None
    return {"answer": answer or "", "documents": documents or [], "answerable": not unanswerable}


def _print(out: Console, found: Mapping[str, Any]) -> None:
    if "error" in found:
        out.print(f"{found['case']}: {found['error']}", markup=False)
        return
    second = f", and {found['second']}" if found["second"] else ""
    out.print(f"origin      {found['origin']}{second} (p = {found['confidence']:.2f})", markup=False, style="bold")
    out.print(f"            {_SAYS[found['origin']]}", markup=False)
    out.print(f"missed by   {found['missed_by']}", markup=False)
    facts = found["evidence"]["facts"]
    out.print("on record   " + ", ".join(f"{name} {'yes' if value else 'no'}" for name, value in facts.items()), markup=False)
    for replay in found["replays"]:
        said = {True: "right", False: "wrong", None: "not judged"}[replay["right"]]
        out.print(
            f"replay      {replay['lever']}: {replay['skipped'] or said} ({replay['calls']} calls, "
            f"{dollars(replay['cost_usd'])})",
            markup=False,
        )
    out.print(f"cost        {found['calls']} calls, {dollars(found['cost_usd'])}; ended: {found['stopped']}", markup=False)


def _print_report(out: Console, report: Report, turned: Sequence[Turned]) -> None:
    out.print(f"{report.runs} runs, {report.bad} bad, {report.not_blamed} of them not looked into", markup=False)
    table = Table("came from", "cases", "share", "the answers cost", "finding out cost", box=None)
    for cause in report.causes:
        table.add_row(
            cause["origin"], str(cause["cases"]), f"{cause['share']:.0%}", dollars(cause["answers_usd"]),
            dollars(cause["replays_usd"]),
        )  # fmt: skip
    out.print(table)
    worst: dict[str, Worst | None] = {
        "document": report.worst_document, "category": report.worst_category, "threshold": report.worst_threshold
    }  # fmt: skip
    for name, place in worst.items():
        if place is not None:
            out.print(f"worst {name}: {place['name']} ({place['cases']} of {place['of']} cases)", markup=False)
    for one in turned:
        change = "unknown" if one["cost_change"] is None else f"{one['cost_change']:+.1%}"
        early = ", stopped by the budget" if one["stopped"] else ""
        out.print(
            f"{one['knob']} from {one['old']:g} to {one['new']:g}: {one['gone']} of {one['cases']} bad cases gone "
            f"({one['gone_anyway']} are right again as it is), {one['lost']} of {one['good_runs']} good runs lost, cost "
            f"{change}{early}",
            markup=False,
        )
