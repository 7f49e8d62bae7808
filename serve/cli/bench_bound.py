"""``groat bench cache-bound``: in how many streams is the promised share of wrong hits exceeded?"""

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from graph.judging import OFF, LazyJudge
from groat.cache.calibrate import read_stream
from groat.cache.opening import open_rule
from groat.cache.replay import Stream
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput
from groat.types import Language
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from evals.cache_bound import Doubt, Over, Played, Summary


def bound_command(
    stream: Annotated[list[Path], typer.Option(help='Rows {"query", "answer_id", "lang"} in order of arrival.')],
    streams: Annotated[int, typer.Option(help="How many streams to draw in each language.")] = 100,
    requests: Annotated[int, typer.Option(help="Requests of each; all of a source that has fewer.")] = 500,
    max_wrong: Annotated[float, typer.Option(help="The promise: largest share of wrong hits among hits, 0 to 1.")] = 0.01,
    sure: Annotated[bool, typer.Option(help="Keep it with 95 % confidence instead of on average.")] = False,
    shift: Annotated[bool, typer.Option(help="Whether every second stream changes its topic half-way.")] = True,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    judge: Annotated[str, typer.Option(help="Weights of the judge of pairs: all, open, a folder, or off.")] = "all",
    labels: Annotated[
        list[Path] | None,
        typer.Option(help='Labels that were read, {"verdicts": {KEY: 0 or 1}}; counted beside the others.'),
    ] = None,
    only: Annotated[
        Path | None, typer.Option(help="Draw only what this file names: an answer_id or the key of a question in each line.")
    ] = None,
    wrong: Annotated[Path | None, typer.Option(help="Write the wrong hits that nobody read to this file, to be read.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Draw streams of requests, play each through the shipped rule from an empty cache, count those that break the promise."""
    if streams < 1 or requests < 2:
        raise BadInput(f"--streams must be at least 1 and --requests at least 2, not {streams} and {requests}")
    if not 0 <= max_wrong <= 1:
        raise BadInput(f"--max-wrong must lie between 0 and 1, not at {max_wrong}")
    # Imported here: scipy takes half a second to import, and every other command would wait for it.
    from evals.adjudication import read_chosen, read_verdicts
    from evals.cache_bound import Plan, Streams, summaries
    from evals.kept_scores import KeptOpinions, KeptVectors

    plan = Plan(streams=streams, requests=requests, shift=shift, max_wrong=max_wrong, seed=seed)
    chosen = None if only is None else read_chosen(only)
    verdicts = {key: verdict for path in labels for key, verdict in read_verdicts(path).items()} if labels else None
    by_language: dict[Language, list[Stream]] = defaultdict(list)
    for path in dict.fromkeys(stream):
        read = read_stream(path)
        by_language[read.language].append(read)
    drawn = [Streams(sources, plan, chosen) for _, sources in sorted(by_language.items())]
    vectors, lazy = BundledEmbedder(), None if judge == OFF else LazyJudge(judge)
    rule = open_rule(vectors.name, None if lazy is None else KeptOpinions(lazy), max_wrong=max_wrong, sure=sure)

    async def play() -> "tuple[list[Played], list[Doubt]]":
        if lazy is not None and (reason := await lazy.reason()):
            typer.echo(f"without the judge: {reason}", err=True)
        played: list[Played] = []
        doubts: list[Doubt] = []
        for one in drawn:
            found, unread = await one.play(rule, KeptVectors(vectors), verdicts, lambda line: typer.echo(line, err=True))
            played += found
            doubts += unread
        return played, doubts

    played, doubts = asyncio.run(play())
    if wrong is not None:
        wrong.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in doubts), encoding="utf-8")
    found = summaries(played)
    pools = {pool.name: len(pool.questions) for one in drawn for pool in one.pools}
    if json_file is not None:
        told = {"max_wrong": max_wrong, "rule": rule.version, "questions": pools, "unread_wrong_pairs": len(doubts)}
        write_json({**told, "summaries": found, "streams": played}, json_file)
    else:
        _print(found, pools, rule.version, len(doubts))


def _print(found: "list[Summary]", pools: dict[str, int], rule: str, unread: int) -> None:
    out = console()
    columns = ("streams", "no hit", "hits", "recall", "over, labelled", "surely", "share", "over, read", "surely", "share")
    table = Table("lang", "topic", *columns, box=None)
    for one in found:
        table.add_row(
            one["lang"],
            one["kind"],
            str(one["streams"]),
            str(one["without_hits"]),
            str(one["hits"]),
            f"{one['recall']:.1%}",
            *_cells(one["labelled"]),
            *(_cells(one["read"]) if "read" in one else ("", "", "")),
        )
    out.print(table)
    out.print(
        "over: streams with a larger share of wrong hits than promised; surely: those where a one-sided binomial test at 5 % "
        f"rejects the promise; share: mean over the streams with hits. Rule {rule}; questions: "
        + ", ".join(f"{name} {count:,}" for name, count in pools.items())
        + f"; wrong pairs that nobody read: {unread}",
        markup=False,
    )


def _cells(one: "Over") -> tuple[str, str, str]:
    mean = one["mean_share"]
    return str(one["over"]), str(one["surely_over"]), "" if mean is None else f"{mean:.2%}"
