"""``groat bench cache``: the decisions of the answer cache on labelled pairs and streams."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from graph.judging import OFF, LazyJudge
from graph.services import open_embedder
from graph.settings import Settings
from groat.cache.calibrate import read_stream
from groat.cache.opening import open_rule
from groat.errors import BadInput
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from evals.bench_cache import Report, Wrong


def cache_command(
    pairs: Annotated[list[Path] | None, typer.Option(help='Rows {"a", "b", "same", "lang"}: a is kept, b is asked.')] = None,
    stream: Annotated[
        list[Path] | None, typer.Option(help='Rows {"query", "answer_id", "lang"} in order of arrival, from an empty cache.')
    ] = None,
    max_wrong: Annotated[float, typer.Option(help="Largest share of wrong hits among hits by likeness, 0 to 1.")] = 0.01,
    sure: Annotated[bool, typer.Option(help="Keep that share with 95 % confidence instead of on average.")] = False,
    judge: Annotated[str, typer.Option(help="Weights of the judge of pairs: all, open, a folder, or off.")] = "all",
    embedder: Annotated[
        str, typer.Option(help="'bundled', or a LangChain embeddings class as module:Class; no rule was fitted for others.")
    ] = "bundled",
    across: Annotated[bool, typer.Option(help="Whether a question may be served by one in the other language.")] = True,
    baselines: Annotated[bool, typer.Option(help="Play the rules of others on the same rows too.")] = True,
    wrong: Annotated[Path | None, typer.Option(help="Write the wrong hits of the streams to this file, to be read.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Play labelled pairs and streams through the shipped cache; print what it serves, rightly and wrongly."""
    if not pairs and not stream:
        raise BadInput("name rows to play: --pairs FILE... or --stream FILE..., or both")
    if not 0 <= max_wrong <= 1:
        raise BadInput(f"--max-wrong must lie between 0 and 1, not at {max_wrong}")
    # Imported here: scipy takes half a second to import, and every other command would wait for it.
    from evals.bench_cache import Bench
    from evals.pair_rows import read_pairs

    vectors = open_embedder(Settings(data_dir=Path(), embeddings=embedder))
    lazy = None if judge == OFF else LazyJudge(judge)
    rule, thorough = (
        open_rule(vectors.name, lazy, max_wrong=max_wrong, sure=sure, across=across, thorough=reads) for reads in (False, True)
    )
    if not rule.version:
        typer.echo(f"no rule was fitted for {vectors.name!r}: only equal questions hit", err=True)
    bench, of_pairs = (
        Bench(one, vectors, max_wrong=max_wrong, tell=lambda line: typer.echo(line, err=True)) for one in (rule, thorough)
    )
    read = [(path.name, read_pairs(path)) for path in dict.fromkeys(pairs or [])]
    streams = [read_stream(path) for path in dict.fromkeys(stream or [])]

    async def play() -> "tuple[list[Report], list[Wrong]]":
        if lazy is not None and (reason := await lazy.reason()):
            typer.echo(f"without the judge: {reason}", err=True)
        reports = [report for name, rows in read for report in await of_pairs.pairs(name, rows)]
        errors: list[Wrong] = []
        for each in streams:
            report, found = await bench.stream(each, baselines=baselines)
            reports.append(report)
            errors += found
        return reports, errors

    reports, errors = asyncio.run(play())
    if wrong is not None:
        from evals.bench_cache import write_wrong

        write_wrong(errors, wrong)
    if json_file is not None:
        write_json(reports, json_file)
    else:
        _print(reports)


def _print(reports: "list[Report]") -> None:
    out = console()
    table = Table("file", "lang", "requests", "hits", "recall", "95 %", "wrong of hits", "95 %", "AUC", box=None)
    for one in reports:
        table.add_row(
            one["name"],
            one["lang"],
            str(one["n"]),
            str(one["hits"]),
            f"{one['recall']:.1%}",
            _ends(one["recall_ci"]),
            f"{one['wrong_hits'] / one['hits']:.1%}" if one["hits"] else "none",
            _ends(one["wrong_of_hits_ci"]),
            _figure(one.get("auc")),
        )
    out.print(table)
    for one in reports:
        others = Table(f"{one['name']}, {one['lang']}: other rules", "hits", "recall", "wrong hits", "wrong of hits", box=None)
        for name, other in one.get("baselines", {}).items():
            share = f"{other['wrong_hits'] / other['hits']:.1%}" if other["hits"] else "none"
            others.add_row(name, str(other["hits"]), f"{other['recall']:.1%}", str(other["wrong_hits"]), share)
        if others.row_count:
            out.print(others)
        for kind, counted in one.get("by_kind", {}).items():
            out.print(f"{kind}: {counted['correct_hits']} right, {counted['wrong_hits']} wrong hits", markup=False)


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.1%} to {interval[1]:.1%}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
