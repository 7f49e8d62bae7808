"""``groat bench cache-speed``: how long a lookup in the answer cache takes."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from groat.errors import BadInput
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from evals.bench_cache_speed import Speed

_SIZES = [1_000, 100_000]


def speed_command(
    entries: Annotated[list[int] | None, typer.Option(help="How many entries of one identity; 1000 and 100000.")] = None,
    store: Annotated[Literal["memory", "sqlite", "redis"], typer.Option(help="Where the entries are kept.")] = "memory",
    redis_url: Annotated[
        str, typer.Option(help="Redis to fill and to clear again, as in redis://127.0.0.1:6379/0; needed for --store redis.")
    ] = "",
    json_file: JsonOption = None,
) -> None:
    """Fill a store with made-up entries and look up, equal and alike; print times, memory and what was missed."""
    sizes = entries or _SIZES
    if min(sizes) < 1:
        raise BadInput(f"--entries must be at least 1, not {min(sizes)}")
    if store == "redis" and not redis_url:
        raise BadInput("--store redis needs a Redis to fill; name one with --redis-url, as in redis://127.0.0.1:6379/0")
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.bench_cache_speed import measure

    # From small to large: what a small store leaves behind hardly shows in the memory of a large one.
    found = [asyncio.run(measure(store, size, redis_url=redis_url)) for size in sorted(set(sizes))]
    if json_file is not None:
        write_json(found, json_file)
    else:
        _print(found)


def _print(found: "list[Speed]") -> None:
    columns = ("exact p50", "p99", "alike p50", "p99", "nearest p50", "first", "memory", "vectors", "recall@1", "recall@8")
    table = Table("store", "entries", *columns, box=None)
    for one in found:
        table.add_row(
            one["store"],
            str(one["entries"]),
            f"{one['exact_p50_ms']:.3f} ms",
            f"{one['exact_p99_ms']:.3f} ms",
            f"{one['p50_ms']:.2f} ms",
            f"{one['p99_ms']:.2f} ms",
            f"{one['nearest_p50_ms']:.2f} ms",
            f"{one['first_ms']:.0f} ms",
            f"{one['memory_mb']:.0f} MB",
            f"{one['vectors_mb']:.0f} MB",
            f"{one['recall_at_1']:.1%}",
            f"{one['recall_at_8']:.1%}",
        )
    out = console()
    out.print(table)
    out.print(
        f"{found[0]['lookups']} lookups of each kind in the smallest store; alike: the nearest 8 and the verifier without the "
        "judge, each question new"
    )
