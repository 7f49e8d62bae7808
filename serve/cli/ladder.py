"""``groat ladder``: what a day costs, saves and loses in every arm; ``groat replay``: its recorded answers as a server."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from groat.errors import BadInput
from serve.cli.output import JsonOption, console, write_json
from serve.cli.record import record_day

if TYPE_CHECKING:
    from evals.ladder import Report
    from evals.ladder_figures import Step
    from evals.ladder_world import Prices

FOLDER = Path(tempfile.gettempdir()) / "groat-ladder"
"""Where vectors and results are kept between runs."""
DAY_PRICES = "cheap=claude-3-haiku,expensive=gpt-5.2"

WorkloadOption = Annotated[Path, typer.Option(help="The day: rows with recorded answers, .jsonl or .jsonl.gz.")]
SkipOption = Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out and name them.")]


def ladder_command(
    workload: WorkloadOption,
    rows: Annotated[int | None, typer.Option(min=1, help="Take so many rows, from the first; all without it.")] = None,
    arms: Annotated[list[str] | None, typer.Option(help="Steps to run, by name; all without it.")] = None,
    prices: Annotated[str, typer.Option(help="Whose list prices apply: cheap=MODEL,expensive=MODEL.")] = DAY_PRICES,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Arms beside each other, each in a process of its own.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the random arm.")] = 7,
    shared_prefix: Annotated[
        int | None, typer.Option(min=0, help="Tokens that all prompts begin with; groat's own instructions without it.")
    ] = None,
    can_wait: Annotated[float, typer.Option(min=0, max=1, help="Share of the calls that can wait for batch rates.")] = 0.2,
    folder: Annotated[Path, typer.Option(help="Where vectors and results are kept, to be taken up again.")] = FOLDER,
    report: Annotated[Path | None, typer.Option(help="Write a page with the ladder and its pictures to this file.")] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Ask real models what the day lacks, write OUT, and run no step.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --record: do not ask before money is spent.")] = False,
    max_usd: Annotated[float | None, typer.Option(min=0, help="With --record: most dollars, earlier runs included.")] = None,
    samples: Annotated[int, typer.Option(min=0, max=16, help="With --record: further answers of the cheap model.")] = 0,
    skip_bad: SkipOption = False,
    json_file: JsonOption = None,
) -> None:
    """Put a recorded day through the real graph with every lever; print cost, quality and latency of each arm."""
    if record is not None:
        return record_day(
            workload, record, yes=yes, max_usd=max_usd, samples=samples, skip_bad=skip_bad, json_file=json_file
        )  # fmt: skip
    # Imported here: the graph and scikit-learn take seconds to import, and every other command would wait for them.
    from evals.ladder import Request, run
    from evals.ladder_arms import STEPS
    from evals.ladder_report import page

    request = Request(
        workload=workload,
        prices=prices_of(prices),
        folder=folder,
        limit=rows,
        steps=tuple(arms) if arms else STEPS,
        seed=seed,
        jobs=jobs,
        shared_tokens=shared_prefix,
        waiting=can_wait,
        on_bad=_told if skip_bad else None,
    )
    with _progress() as told:
        found = run(request, told)
    if report is not None:
        report.write_text(page(found), encoding="utf-8")
    write_json(found, json_file) if json_file is not None else _print(found)


def replay_command(
    workload: Annotated[Path, typer.Argument(help="Rows with recorded answers, .jsonl or .jsonl.gz.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="On loopback; 0 takes a free one.")] = 8099,
    pace: Annotated[float, typer.Option(min=0, help="Seconds that a recorded second takes; 0 answers at once.")] = 1.0,
    skip_bad: SkipOption = False,
) -> None:
    """Serve the recorded answers as an OpenAI-compatible endpoint with the models cheap and expensive, until interrupted."""
    from threading import Event

    from evals.ladder_reading import Latencies, read_rows
    from evals.ladder_rows import TIERS
    from evals.replay_server import Replay, serving

    latencies = Latencies()
    known = {row.question.strip(): row for row in read_rows(workload, _told if skip_bad else None)}
    for row in known.values():
        for tier in TIERS:
            latencies.add(tier, row.recorded.of(tier))
    replay = Replay(lambda question: known.get(question.strip()), {tier: tier for tier in TIERS}, latencies, pace=pace)
    with serving(replay, port=port) as url:
        typer.echo(f"{len(known)} questions of {workload.name} are served at {url}; stop with Ctrl-C", err=True)
        Event().wait()


def prices_of(text: str) -> "Prices":
    """Read ``cheap=MODEL,expensive=MODEL``.

    Raises:
        BadInput: it has another form.
    """
    from evals.ladder_world import Prices

    named = dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
    if set(named) != {"cheap", "expensive"} or not all(name.strip() for name in named.values()):
        raise BadInput(f"--prices is written cheap=MODEL,expensive=MODEL, not {text!r}")
    return Prices(cheap=named["cheap"].strip(), expensive=named["expensive"].strip())


def _told(message: str) -> None:
    typer.echo(f"left out: {message}", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows how far each arm is, on standard error."""
    bars = Progress(
        TextColumn("{task.description:20}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    tasks: dict[str, TaskID] = {}

    def told(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total)
        bars.update(tasks[name], completed=done)

    with bars:
        yield told


def _print(found: "Report") -> None:
    out = console()
    table = Table(
        "step", "cost", "saved", "quality", "95 %", "en / zh", "hits", "wrong", "expensive", "p50 s", "p95 s", "first s",
        box=None,
    )  # fmt: skip
    for one in found["steps"]:
        table.add_row(*_cells(one))
    out.print(table)
    for place, category in enumerate(found["steps"][0]["by_category"]):
        if not place:
            out.print("\nBy category: saved / quality (wrong hits of hits)")
            parts = Table("step", *found["steps"][0]["by_category"], box=None)
            for one in found["steps"]:
                parts.add_row(one["name"], *(_part(one, name) for name in found["steps"][0]["by_category"]))
            out.print(parts)
        part = found["steps"][0]["by_category"][category]
        out.print(f"{category}: {part['n']} requests, {part['assumed']} of them with assumed outcomes", markup=False)
    for note in notes(found):
        out.print(note, markup=False)


def notes(found: "Report") -> list[str]:
    """Return what must be known to read the figures."""
    told = [
        f"{found['workload']}: {found['rows']} requests; of {found['placeholders']} no text was recorded, so that validation "
        "was not available for them and accepted them",
        f"prices of {found['models']['cheap']} and {found['models']['expensive']}: {found['price_table']}",
    ]
    if found["unpriced"]:
        told.append(f"no list price known, so that costs are unknown: {', '.join(found['unpriced'])}")
    return told + [f"{one['name']}: {one['note']}" for one in found["steps"] if one["note"]]


def _cells(one: "Step") -> list[str]:
    return [
        one["name"],
        "unknown" if one["cost_usd"] is None else f"${one['cost_usd']:.2f}",
        "unknown" if one["saved"] is None else f"{one['saved']:.1%}",
        f"{one['quality']:.1%}",
        " to ".join(f"{end:.1%}" for end in one["quality_ci"]),
        " / ".join(f"{one['by_lang'][name]['quality']:.1%}" for name in ("en", "zh") if name in one["by_lang"]),
        f"{one['hit_rate']:.1%}",
        str(one["wrong_hits"]),
        f"{one['expensive_share']:.0%}",
        f"{one['p50_ms'] / 1000:.2f}",
        f"{one['p95_ms'] / 1000:.2f}",
        f"{one['first_token_ms'] / 1000:.2f}",
    ]


def _part(one: "Step", name: str) -> str:
    part = one["by_category"][name]
    saved = "?" if part["saved"] is None else f"{part['saved']:.0%}"
    hits = f" ({part['wrong_hits']} of {part['hits']})" if part["hits"] else ""
    return f"{saved} / {part['quality']:.1%}{hits}"
