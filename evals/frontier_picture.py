"""Draw what a day costs and keeps with better, worse, cheaper and dearer cheap models, and what caching and batch rates add.

python -m evals.frontier_picture PICTURE.svg FACTOR=REPORT.json ...

REPORT.json is what ``groat ladder --json`` wrote for a day whose cheap model errs FACTOR times as often as usual (``groat
workload helpcentre --cheap-errors FACTOR``); one of them is 1. Prices are looked at after the run: that they change what is
asked is left out.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from groat.costs import PriceTable
from groat.types import Usage

_WIDTH, _HEIGHT, _GAP = 330, 260, 60
_INK, _LINE, _COLOURS = "#222", "#ccc", ("#2e7d32", "#0b62a4", "#c77700", "#c0392b", "#6a1b9a")
CHEAP_MODELS: Final = ("gpt-5-nano", "gemini-2.5-flash-lite", "claude-3-haiku", "gpt-5-mini", "claude-haiku-4-5")
"""Cheap models that are marked, where their list price is known."""
STEPS: Final = ("+ cascade", "whole, 2 % loss", "whole, 5 % loss", "without router", "all cheap")
INSTRUCTIONS: Final = 2_000
"""Tokens of an application's own instructions, for the bar of the prompt cache: assumed, paid in every call of every arm."""
WAITING: Final = 0.2
"""Share of the calls that can wait for batch rates: assumed."""
OUTPUT_SHARE: Final = 0.59
"""Share of all expensive's bill that answers are in the article: for the bar of answers that nobody asked to be short."""
_LOWEST, _TOP = 0.86, 1.02
"""Quality at the lower and the upper edge; what is worse stands on the lower one, with its figure."""
Report = Mapping[str, Any]
Step = Mapping[str, Any]


def dollars(
    tokens: Mapping[str, Any], prices: Mapping[str, tuple[float, float]], *, cached: int = 0, read: float = 0.1
) -> float:
    """Return what calls cost.

    Args:
        tokens: by tier, as in a report's step.
        prices: tier -> dollars of a million input and output tokens.
        cached: further tokens of every call, which a prompt cache serves.
        read: price of those as a share of the input price.
    """
    total = 0.0
    for tier, counted in tokens.items():
        given, written = prices[tier]
        total += (counted["input"] + counted["calls"] * cached * read) * given + counted["output"] * written
    return total / 1e6


def list_price(model: str, table: PriceTable) -> tuple[float, float] | None:
    """Return the dollars of a million input and output tokens; None for an unknown price."""

    def of(given: int, written: int) -> float | None:
        usage: Usage = {
            "input": given, "output": written, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": False,
            "service_tier": "",
        }  # fmt: skip
        cost = table.cost(usage, model)
        return None if cost is None else float(cost)

    given, written = of(1_000_000, 0), of(0, 1_000_000)
    return None if given is None or written is None else (given, written)


def additions(report: Report, table: PriceTable) -> list[tuple[str, float, float]]:
    """Return what else saves, by name: share of all expensive that "+ cascade" and all cheap cost less, each addition alone.

    All expensive is billed without the addition.
    """
    prices = {tier: _known(report["models"][tier], table) for tier in ("cheap", "expensive")}
    by_name = {one["name"]: one["tokens"] for one in report["steps"]}
    base = by_name["all expensive"]
    plain = dollars(base, prices)
    given, written = prices["expensive"]
    longer = OUTPUT_SHARE / (1 - OUTPUT_SHARE) * base["expensive"]["input"] * given / (base["expensive"]["output"] * written)

    def saved(step: str, whole: float, **more: Any) -> float:
        return 1 - dollars(by_name[step], prices, **more) / whole

    found = []
    instructed = dollars(base, prices, cached=INSTRUCTIONS, read=1.0)
    verbose = {"expensive": {**base["expensive"], "output": base["expensive"]["output"] * longer}}
    for step in ("+ cascade", "all cheap"):
        alone = saved(step, plain)
        found.append(
            (
                alone, saved(step, instructed, cached=INSTRUCTIONS), 1 - (1 - alone) * (1 - WAITING / 2),
                saved(step, dollars(verbose, prices)),
            )
        )  # fmt: skip
    names = (
        "as it is", f"prompt cache, {INSTRUCTIONS:,} tokens of instructions", f"batch rates for {WAITING:.0%} of the calls",
        f"against answers that are {OUTPUT_SHARE:.0%} of the bill",
    )  # fmt: skip
    return list(zip(names, *found, strict=True))


def _known(model: str, table: PriceTable) -> tuple[float, float]:
    price = list_price(model, table)
    if price is None:
        raise SystemExit(f"no list price is known of {model}; the report must be of models that have one")
    return price


def picture(reports: Mapping[float, Report], table: PriceTable) -> str:
    """Return an SVG with three parts: quality over saving by error rate, saving by price, and what else adds."""
    width, height = 3 * _WIDTH + 4 * _GAP, _HEIGHT + 2 * _GAP
    usual = reports[1.0]
    panels = (_frontier(reports), _prices(usual, table), _bars(additions(usual, table)))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, panel in enumerate(panels):
        parts.append(f'<g transform="translate({_GAP + place * (_WIDTH + _GAP)} {_GAP})">{"".join(panel)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _frontier(reports: Mapping[float, Report]) -> Iterator[str]:
    shown = {factor: _steps(report) for factor, report in sorted(reports.items())}
    rows = next(iter(reports.values()))["rows"]
    yield from _frame(f"quality over saving, {rows:,} requests", "saved", [f"{part:.0%}" for part in (0, 0.25, 0.5, 0.75, 1)])
    for part in (0, 0.5, 1):
        yield f'<text x="-4" y="{(1 - part) * _HEIGHT + 3}" text-anchor="end">{_LOWEST + part * (_TOP - _LOWEST):.0%}</text>'
    for place, name in enumerate(next(iter(shown.values())), 1):
        yield f'<text x="6" y="{_HEIGHT * 0.3 + 12 * place:.0f}">{place}: {escape(name)}</text>'
    for number, (factor, steps) in enumerate(shown.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<text x="6" y="{_HEIGHT - 8 - 13 * number}" fill="{colour}">cheap model errs {factor:g} times as often</text>'
        for place, (name, one) in enumerate(steps.items(), 1):
            below = one["quality"] < _LOWEST
            x, y = one["saved"] * _WIDTH, (_TOP - max(one["quality"], _LOWEST)) / (_TOP - _LOWEST) * _HEIGHT
            told = f"{place}, at {one['quality']:.0%}" if below else str(place)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(name)}</title></circle>'
            yield f'<text x="{x + 4:.1f}" y="{y - 4:.1f}" font-size="8" fill="{colour}">{told}</text>'


def _prices(report: Report, table: PriceTable) -> Iterator[str]:
    dear = _known(report["models"]["expensive"], table)
    lowest, highest = 0.01, 0.5
    yield from _frame(
        "saving over the cheap model's price", "price of the cheap model, share of the expensive one's",
        [f"{_ratio(part, lowest, highest):.1%}" for part in (0, 0.25, 0.5, 0.75, 1)],
    )  # fmt: skip
    for part in (0, 0.25, 0.5, 0.75, 1):
        yield f'<text x="-4" y="{(1 - part) * _HEIGHT + 3}" text-anchor="end">{part:.0%}</text>'
    base = dollars(_tokens(report, "all expensive"), {"cheap": dear, "expensive": dear})
    for number, name in enumerate(_steps(report)):
        points = []
        for place in range(21):
            share = _ratio(place / 20, lowest, highest)
            cost = dollars(_tokens(report, name), {"cheap": (dear[0] * share, dear[1] * share), "expensive": dear})
            points.append(f"{place / 20 * _WIDTH:.1f},{(1 - max(1 - cost / base, 0)) * _HEIGHT:.1f}")
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        yield f'<text x="6" y="{_HEIGHT - 8 - 13 * number}" fill="{colour}">{escape(name)}</text>'
    for number, model in enumerate(CHEAP_MODELS):
        if (price := list_price(model, table)) is not None:
            if not lowest < (share := _mean_share(report, price, dear)) < highest:
                continue
            x = math.log(share / lowest) / math.log(highest / lowest) * _WIDTH
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{_HEIGHT}" stroke="#999" stroke-dasharray="2 3"/>'
            yield f'<text x="{x + 2:.1f}" y="{_HEIGHT * 0.45 + 10 * number}" font-size="8" fill="#666">{escape(model)}</text>'


def _mean_share(report: Report, price: tuple[float, float], dear: tuple[float, float]) -> float:
    """Return what the whole day costs with a cheap model, as a share of the expensive one's bill."""
    tokens = _tokens(report, "all cheap")
    return dollars(tokens, {"cheap": price, "expensive": dear}) / dollars(tokens, {"cheap": dear, "expensive": dear})


def _ratio(part: float, lowest: float, highest: float) -> float:
    return float(lowest * (highest / lowest) ** part)


def _bars(found: Sequence[tuple[str, float, float]]) -> Iterator[str]:
    yield '<text y="-8" font-size="12">what else adds: "+ cascade" dark, all cheap light</text>'
    for place, (name, groat, cheap) in enumerate(found):
        top = 10 + place * 62
        yield f'<text y="{top + 8}">{escape(name)}</text>'
        for line, (share, colour) in enumerate(((groat, "#0b62a4"), (cheap, "#9cc3e0"))):
            y = top + 13 + line * 17
            yield f'<rect y="{y}" width="{max(share, 0) * _WIDTH * 0.8:.1f}" height="14" fill="{colour}"/>'
            yield f'<text x="{max(share, 0) * _WIDTH * 0.8 + 5:.1f}" y="{y + 11}">{share:.1%}</text>'


def _frame(title: str, below: str, ticks: Sequence[str]) -> Iterator[str]:
    yield f'<text y="-8" font-size="12" fill="{_INK}">{escape(title)}</text>'
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="{_LINE}"/>'
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 27}" text-anchor="middle">{escape(below)}</text>'
    for place, tick in enumerate(ticks):
        yield f'<text x="{place / (len(ticks) - 1) * _WIDTH}" y="{_HEIGHT + 13}" text-anchor="middle">{tick}</text>'


def _steps(report: Report) -> dict[str, Step]:
    found = {one["name"]: one for one in report["steps"]}
    return {name: found[name] for name in STEPS if name in found and found[name]["saved"] is not None}


def _tokens(report: Report, name: str) -> Mapping[str, Any]:
    tokens: Mapping[str, Any] = next(one["tokens"] for one in report["steps"] if one["name"] == name)
    return tokens


def main(arguments: Sequence[str]) -> None:
    """Read reports and write the picture."""
    named = dict(argument.split("=", 1) for argument in arguments[1:] if "=" in argument)
    if not named or len(named) != len(arguments) - 1:
        raise SystemExit("python -m evals.frontier_picture PICTURE.svg FACTOR=REPORT.json ...")
    reports = {float(factor): json.loads(Path(path).read_text(encoding="utf-8")) for factor, path in named.items()}
    if 1.0 not in reports:
        raise SystemExit("one of the reports must be that of the factor 1")
    Path(arguments[0]).write_text(picture(reports, PriceTable()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
