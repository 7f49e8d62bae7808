"""``groat bench route``: how good the router's order of questions is, and whether its promise holds."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from groat.costs.prices import PriceTable
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput
from serve.cli.output import JsonOption, console, write_json
from serve.cli.running import finished

if TYPE_CHECKING:
    from evals.bench_route import Part, Report
    from evals.route_promise import Kept, Shifted

VECTORS = Path(tempfile.gettempdir()) / "groat-vectors"
"""Where vectors are kept between measurements."""


def route_command(
    data: Annotated[list[Path], typer.Option(help="Rows to judge, .jsonl or .jsonl.gz.")],
    fit: Annotated[list[Path] | None, typer.Option(help="Fit on these files alone; the artifact without it.")] = None,
    artifact: Annotated[Path | None, typer.Option(help="An artifact of your own; the shipped one without it.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="Leave rows of these domains out of what is judged.")] = None,
    with_domain: Annotated[bool, typer.Option("--with-domain", help="Let the router see each row's domain.")] = False,
    split_domain: Annotated[
        bool, typer.Option("--split-domain", help="Judge each domain by a router that saw none of it; needs --fit.")
    ] = False,
    stripped: Annotated[
        bool, typer.Option("--stripped", help="Judge the questions without option letters and lines that a file repeats.")
    ] = False,
    promise: Annotated[
        list[float] | None, typer.Option(help="Hold promised losses against the rows, such as 0.02 0.05; needs --fit.")
    ] = None,
    resplits: Annotated[int, typer.Option(min=1, max=10_000, help="How often the promise is tried.")] = 200,
    labels: Annotated[
        int | None, typer.Option(min=2, help="Choose the point on so many questions; on half of them without it.")
    ] = None,
    vectors: Annotated[Path, typer.Option(help="Folder where vectors are kept between measurements.")] = VECTORS,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")] = False,
    json_file: JsonOption = None,
) -> None:
    """Put recorded questions in order by the router; print what the expensive model's quality then costs."""
    if (split_domain or promise) and not fit:
        raise BadInput("--split-domain and --promise judge a router that is fitted here; name its rows with --fit")
    if promise and not all(0 < one < 1 for one in promise):
        raise BadInput(f"--promise takes losses between 0 and 1, such as 0.02 for two per cent, not {promise}")
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.bench_route import Setting, report
    from evals.route_promise import held
    from evals.route_run import Request, run

    request = Request(
        data=data,
        fit=fit or (),
        artifact=artifact,
        without=frozenset(without or ()),
        with_domain=with_domain,
        split_domain=split_domain,
        stripped=stripped,
    )
    judgements, fitted = finished(run(request, BundledEmbedder(), vectors, _told if skip_bad else None))
    if promise and fitted is not None:
        kept, moved = held(judgements, fitted, promise, resplits=resplits, labels=labels)
        write_json([*kept, *moved], json_file) if json_file is not None else _print_promises(kept, moved)
        return
    prices = PriceTable()
    reports = [
        report(one.rows, Setting(name=one.path.name, judged=one.judged, seen=one.seen, prices=prices)) for one in judgements
    ]
    write_json(reports, json_file) if json_file is not None else _print(reports)


def _told(message: str) -> None:
    typer.echo(f"left out: {message}", err=True)


def _print(reports: "list[Report]") -> None:
    out = console()
    table = Table(
        "file", "lang", "rows", "APGR", "95 %", "CPT50", "CPT80", "saved at 95 %", "98 %", "99 %", "100 %", "length", "oracle",
        box=None,
    )  # fmt: skip
    for one in reports:
        table.add_row(one["name"], "all" if len(one["by_lang"]) > 1 else next(iter(one["by_lang"])), *_cells(one))
        for language, part in one["by_lang"].items() if len(one["by_lang"]) > 1 else ():
            table.add_row("", language, *_cells(part))
    out.print(table)
    for one in reports:
        cheap, expensive = (one["reliability"][name]["error"] for name in ("cheap", "expensive"))
        notes = [
            f"judged by: {one['judged_by']}",
            f"quality {one['quality_cheap']:.3f} cheap, {one['quality_expensive']:.3f} expensive",
            f"calibration error {cheap:.3f} and {expensive:.3f}",
            f"{one['unlike']:.1%} unlike all that is known",
            f"{one['p95_ms']:.1f} ms a decision (95 of 100)",
            *one["assumed"],
        ]
        if one["seen_by_artifact"]:
            notes.append(f"in-sample: the artifact was fitted on {one['seen_by_artifact']} of these questions")
        out.print(f"{one['name']}: {'; '.join(notes)}", markup=False)


def _cells(part: "Part") -> list[str]:
    saved, ends = part["saved_at_quality"], part["ci"]["apgr"]
    length, oracle = (part["baselines"][name]["apgr"] for name in ("length", "oracle"))
    return [
        str(part["n"]),
        _number(part["apgr"]),
        f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else "-",
        _number(part["cpt50"]),
        _number(part["cpt80"]),
        *(f"{saved[name]:.1%}" for name in saved),
        _number(length),
        _number(oracle),
    ]


def _print_promises(kept: "list[Kept]", moved: "list[Shifted]") -> None:
    out = console()
    table = Table("file", "promised", "labels", "judged", "resplits", "broken", "loss", "strong", "hindsight", box=None)
    for one in kept:
        table.add_row(
            one["name"], f"{one['promised']:.1%}", str(one["labels"]), str(one["judged"]), str(one["resplits"]),
            f"{one['broken']:.1%}", f"{one['loss']:.2%}", f"{one['strong_share']:.1%}", f"{one['hindsight_share']:.1%}",
        )  # fmt: skip
    for other in moved:
        table.add_row(
            f"{other['name']} (other questions)", f"{other['promised']:.1%}", str(other["fitted_on"]), str(other["judged"]),
            "1", "yes" if other["loss"] > other["promised"] else "no", f"{other['loss']:.2%}", f"{other['strong_share']:.1%}",
            f"{other['hindsight_share']:.1%}",
        )  # fmt: skip
    out.print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
