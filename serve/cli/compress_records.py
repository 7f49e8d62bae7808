"""``groat compress records``: how often the full context mended what a shortened one lacked."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from typing_extensions import TypedDict

from graph.decompressing import open_compression_records
from groat.compression.records import Outcome
from serve.application import load_application
from serve.cli.output import JsonOption, console, dollars, write_json

if TYPE_CHECKING:
    from evals.compression_rows import Row


class Sum(TypedDict):
    """Outcomes of one rule, language and tier."""

    rule: str
    language: str
    tier: str
    tried: int
    """Questions that were tried again on their full context and have ended."""
    mended: int
    kept: float
    """Mean share of the tokens that the shortened context had, 0..1."""
    cost_usd: str | None
    """Of the second tries; None when a price is unknown."""
    rows: int
    """Of the mended ones, so many are kept as rows to fit on."""
    open: int
    """Questions that have not ended."""


def records_command(
    tenant: Annotated[str | None, typer.Option(help="Of this tenant only.")] = None,
    forget: Annotated[str | None, typer.Option(metavar="TENANT", help="Drop all records of this tenant.")] = None,
    json_file: JsonOption = None,
) -> None:
    """Show what came of questions that were tried again on their full context; recording is GROAT_COMPRESS_RECORDS."""
    kept = open_compression_records(load_application().settings)
    if forget is not None:
        console().print(f"{asyncio.run(kept.forget(forget))} records of {forget} forgotten", markup=False)
        return
    sums = summed(asyncio.run(kept.outcomes(tenant=tenant)))
    if json_file is not None:
        write_json(sums, json_file)
        return
    table = Table("rule", "lang", "tier", "tried again", "mended", "kept before", "cost", "rows", "not ended", box=None)
    for one in sums:
        table.add_row(
            one["rule"], one["language"], one["tier"], str(one["tried"]), str(one["mended"]), f"{one['kept']:.0%}",
            dollars(one["cost_usd"]), str(one["rows"]), str(one["open"] or ""),
        )  # fmt: skip
    console().print(table)


def summed(outcomes: Sequence[Outcome]) -> list[Sum]:
    """Return the outcomes by rule, language and tier."""
    groups: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.rule, one.language, one.tier].append(one)
    return [_sum(*name, group) for name, group in sorted(groups.items())]


def _sum(rule: str, language: str, tier: str, group: Sequence[Outcome]) -> Sum:
    ended = [one for one in group if one.mended is not None]
    costs = [one.cost_usd for one in ended]
    known = [Decimal(cost) for cost in costs if cost is not None]
    return {
        "rule": rule,
        "language": language,
        "tier": tier,
        "tried": len(ended),
        "mended": sum(bool(one.mended) for one in ended),
        "kept": round(fmean(one.tokens_after / one.tokens_before for one in group), 4),
        "cost_usd": f"{sum(known, Decimal(0)):f}" if len(known) == len(costs) else None,
        "rows": sum(one.row is not None for one in ended),
        "open": len(group) - len(ended),
    }


def kept_rows() -> "list[Row]":
    """Return the rows to fit on that were recorded here."""
    from evals.compression_rows import recorded_rows

    outcomes = asyncio.run(open_compression_records(load_application().settings).outcomes())
    return recorded_rows([one.row for one in outcomes if one.row is not None])
