"""Draw quality against cost, one panel for each file and language.

python -m evals.cascade_picture REPORT.json PICTURE.svg

REPORT.json is what ``groat bench cascade --json`` wrote.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import cast

from evals.bench_cascade import Point, Report

_WIDTH, _HEIGHT, _GAP, _COLUMNS = 250, 190, 46, 3
_CURVE, _PLAIN, _ASKED = "#0b62a4", "#8a8a8a", "#c0392b"


def picture(reports: Sequence[Report]) -> str:
    """Return an SVG: the policy's curve, what was asked for, plain rules, and spending at random between cheap and strong."""
    lines = -(-len(reports) // _COLUMNS)
    width, height = _COLUMNS * (_WIDTH + _GAP) + _GAP, lines * (_HEIGHT + 2 * _GAP) + _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, one in enumerate(reports):
        left = _GAP + number % _COLUMNS * (_WIDTH + _GAP)
        top = _GAP + number // _COLUMNS * (_HEIGHT + 2 * _GAP)
        parts.append(f'<g transform="translate({left} {top})">{"".join(_panel(one))}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _panel(one: Report) -> Iterator[str]:
    rules = one["baselines"]
    asked = (1 - one["saved"], one["quality_vs_strong"])
    curve = sorted(_cost_and_quality(point) for point in one["curve"])
    curve = [point for point in curve if point[0] <= 1.2]
    cheap, strong, two = (_cost_and_quality(rules[name]) for name in ("all_cheap", "all_expensive", "two_agree"))
    qualities = [quality for _, quality in [*curve, cheap, strong, two, asked]]
    low, high = min(qualities) - 0.01, max(qualities) + 0.01

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return point[0] / 1.2 * _WIDTH, (high - point[1]) / (high - low) * _HEIGHT

    def path(points: Sequence[tuple[float, float]], style: str) -> str:
        return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, points))}" fill="none" {style}/>'

    def mark(point: tuple[float, float], colour: str, name: str) -> str:
        x, y = at(point)
        side = 'text-anchor="end" x="-6"' if x > _WIDTH * 0.7 else 'x="6"'
        return (
            f'<g transform="translate({min(x, _WIDTH):.1f} {y:.1f})"><circle r="3" fill="{colour}"/>'
            f'<text {side} y="12" fill="{colour}">{name}</text></g>'
        )

    title = f"{one['name'].split('.')[0]} ({one['lang']}, {one['n']} rows)"
    yield f'<text y="-8" font-size="12">{escape(title)}</text>'
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#bbb"/>'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, _ = at((share, high))
        yield f'<text x="{x:.1f}" y="{_HEIGHT + 13}" text-anchor="middle">{share:.0%}</text>'
    for quality in (low + (high - low) * part for part in (0.1, 0.5, 0.9)):
        _, y = at((0, quality))
        yield f'<text x="-4" y="{y:.1f}" text-anchor="end">{quality:.0%}</text>'
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 27}" text-anchor="middle">cost, share of the strong model alone</text>'
    yield path([cheap, strong], f'stroke="{_PLAIN}" stroke-dasharray="4 3"')
    yield path(curve, f'stroke="{_CURVE}" stroke-width="2"')
    yield mark(cheap, _PLAIN, "cheapest alone")
    yield mark(strong, _PLAIN, "strong alone")
    yield mark(two, _PLAIN, "two agree")
    yield mark(asked, _ASKED, f"promise {one['quality_asked']:g}")


def _cost_and_quality(point: Point) -> tuple[float, float]:
    return 1 - point["saved"], point["quality"]


def main(arguments: Sequence[str]) -> None:
    """Read a report and write the picture."""
    if len(arguments) != 2:
        raise SystemExit("python -m evals.cascade_picture REPORT.json PICTURE.svg")
    reports = [one for one in json.loads(Path(arguments[0]).read_text(encoding="utf-8")) if one["n"]]
    Path(arguments[1]).write_text(picture(cast(list[Report], reports)), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
