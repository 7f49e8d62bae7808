"""Draw how quality rises with the share of expensive calls, and whether expected qualities come true; one row for each file.

python -m evals.route_picture REPORT.json... PICTURE.svg

Each REPORT.json is what ``groat bench route --json`` wrote.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from evals.bench_route import Report

_WIDTH, _HEIGHT, _GAP = 250, 190, 50
_ROUTER, _PLAIN, _CHEAP, _EXPENSIVE = "#0b62a4", "#8a8a8a", "#0b62a4", "#c0392b"
_Points = Sequence[tuple[float, float]]


def picture(reports: Sequence[Report]) -> str:
    """Return an SVG: on the left quality against the share of expensive calls, on the right the reliability of both heads."""
    width, height = 2 * (_WIDTH + _GAP) + _GAP, len(reports) * (_HEIGHT + 2 * _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, report in enumerate(reports):
        top = _GAP + number * (_HEIGHT + 2 * _GAP)
        for place, panel in enumerate((_quality, _reliability)):
            inner = "".join(panel(report))
            parts.append(f'<g transform="translate({_GAP + place * (_WIDTH + _GAP)} {top})">{inner}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _quality(report: Report) -> Iterator[str]:
    curve = [(point["share"], point["quality_vs_expensive"]) for point in report["curve"]]
    low, high = min(quality for _, quality in curve) - 0.01, max(quality for _, quality in curve) + 0.01
    yield from _frame(f"{report['name'].split('.')[0]}, {report['n']} rows", "share of expensive calls", low, high)
    yield _line([curve[0], curve[-1]], low, high, f'stroke="{_PLAIN}" stroke-dasharray="4 3"')
    yield _line(curve, low, high, f'stroke="{_ROUTER}" stroke-width="1.6"')
    yield f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 6}" text-anchor="end" fill="{_PLAIN}">dashed: at random</text>'


def _reliability(report: Report) -> Iterator[str]:
    yield from _frame("expected and found quality", "expected", 0, 1)
    yield _line([(0, 0), (1, 1)], 0, 1, f'stroke="{_PLAIN}" stroke-dasharray="4 3"')
    for place, (name, colour) in enumerate((("cheap", _CHEAP), ("expensive", _EXPENSIVE))):
        known = report["reliability"][name]
        yield _line([(one["expected"], one["found"]) for one in known["bins"]], 0, 1, f'stroke="{colour}"')
        yield from _dots([(one["expected"], one["found"]) for one in known["bins"]], colour)
        yield f'<text x="6" y="{14 + 13 * place}" fill="{colour}">{name}: {known["error"]:.3f} apart on average</text>'


def _frame(title: str, below: str, low: float, high: float) -> Iterator[str]:
    yield f'<text x="0" y="-8" font-size="12">{escape(title)}</text>'
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>'
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 26}" text-anchor="middle">{below}</text>'
    for part in (0, 0.5, 1):
        yield f'<text x="{part * _WIDTH}" y="{_HEIGHT + 13}" text-anchor="middle">{part:g}</text>'
        value = low + part * (high - low)
        yield f'<text x="-4" y="{_HEIGHT - part * _HEIGHT + 3}" text-anchor="end">{value:.2f}</text>'


def _line(points: _Points, low: float, high: float, style: str) -> str:
    placed = " ".join(f"{x * _WIDTH:.1f},{(high - y) / (high - low) * _HEIGHT:.1f}" for x, y in points)
    return f'<polyline points="{placed}" fill="none" {style}/>'


def _dots(points: Iterable[tuple[float, float]], colour: str) -> Iterator[str]:
    for x, y in points:
        yield f'<circle cx="{x * _WIDTH:.1f}" cy="{(1 - y) * _HEIGHT:.1f}" r="2.5" fill="{colour}"/>'


def main(arguments: Sequence[str]) -> None:
    """Read the reports and write the picture."""
    *read, written = map(Path, arguments)
    reports: list[Report] = [report for path in read for report in json.loads(path.read_text(encoding="utf-8"))]
    written.write_text(picture(reports), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
