"""Draw lost answers against kept tokens, and what promises came to; Chinese and English apart.

python -m evals.compression_picture REPORT.json PICTURE.svg

REPORT.json is what ``groat bench compress --json`` wrote, best with several of ``--keep`` and ``--max-loss`` and ``--anchors``.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from evals.compression_figures import Report

_WIDTH, _HEIGHT, _GAP = 320, 260, 56
_LEGEND = 185
_GROAT, _PROMISE, _ANCHOR = "#0b62a4", "#c0392b", "#2e7d32"
_WAYS: Mapping[str, tuple[str, str]] = {
    "groat": ("groat", f'stroke="{_GROAT}" stroke-width="2"'),
    "vectors": ("vectors alone", 'stroke="#8a8a8a"'),
    "bm25": ("BM25", 'stroke="#8a8a8a" stroke-dasharray="4 3"'),
    "tfidf": ("TF-IDF", 'stroke="#8a8a8a" stroke-dasharray="1 3"'),
    "truncation": ("truncation", 'stroke="#bbb" stroke-dasharray="8 3"'),
}
_POINTS: Mapping[str, tuple[str, str]] = {
    "groat, promised": (_PROMISE, _PROMISE),
    "LangChain, documented": (_ANCHOR, "white"),
    "LangChain, recursive": (_ANCHOR, _ANCHOR),
}
"""Colour and fill."""
_NAMES = {"en": "English", "zh": "Chinese"}
_Points = Sequence[tuple[float, float]]


def picture(reports: Sequence[Report]) -> str:
    """Return an SVG: a line for each language, on the left lost against kept, on the right lost against promised."""
    languages = [language for language in _NAMES if any(one["lang"] == language for one in reports)]
    width, height = 2 * (_WIDTH + _GAP) + _GAP, len(languages) * (_HEIGHT + 2 * _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="10">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, language in enumerate(languages):
        of_language = whole_of(reports, language)
        for place, panel in enumerate((_curves, _promises)):
            left, top = _GAP + place * (_WIDTH + _GAP), _GAP + number * (_HEIGHT + 2 * _GAP)
            parts.append(f'<g transform="translate({left} {top})">{"".join(panel(of_language, _NAMES[language]))}</g>')
    return "\n".join([*parts, "</svg>", ""])


def whole_of(reports: Sequence[Report], language: str) -> list[Report]:
    """Return the reports over all files of a language, of the rows whose answer can be looked for."""
    found = [one for one in reports if one["lang"] == language and one["measured_by"] == "answer"]
    return [one for one in found if one["name"] == "all"] or found


def _curves(reports: Sequence[Report], language: str) -> Iterator[str]:
    high = _up(max((one["lost"] for one in reports), default=0.0))
    rows = reports[0]["n"] if reports else 0
    yield from _frame(f"{language}, {rows} rows", "share of the tokens kept", 1.0, high)
    for number, (method, (name, style)) in enumerate(_WAYS.items()):
        points = sorted(_point(one) for one in reports if one["method"] == method and one["setting"].startswith("keep"))
        if points:
            yield _line(points, 1.0, high, style)
            yield f'<line x1="{_LEGEND}" x2="{_LEGEND + 20}" y1="{11 + 13 * number}" y2="{11 + 13 * number}" {style}/>'
            yield f'<text x="{_LEGEND + 25}" y="{14 + 13 * number}">{name}</text>'
    for number, (name, (colour, fill)) in enumerate(_POINTS.items(), len(_WAYS)):
        yield f'<circle cx="{_LEGEND + 10}" cy="{11 + 13 * number}" r="3" stroke="{colour}" fill="{fill}"/>'
        yield f'<text x="{_LEGEND + 25}" y="{14 + 13 * number}">{name}</text>'
    for one in reports:
        kind, _, setting = one["setting"].partition(" ")
        if one["method"] == "langchain":
            yield from _dot(
                _point(one), 1.0, high, _POINTS[f"LangChain, {kind}"], setting.removeprefix("cosine"), below=setting[0] == "c"
            )
        elif kind == "max_loss":
            yield from _dot(_point(one), 1.0, high, _POINTS["groat, promised"], f"{float(setting):.0%}")


def _promises(reports: Sequence[Report], _language: str) -> Iterator[str]:
    found = [(float(one["setting"].split()[1]), one) for one in reports if one["setting"].startswith("max_loss")]
    high = _up(max([promise for promise, _ in found] + [one["lost_ci"][1] for _, one in found], default=0.05))
    yield from _frame("what was promised, and what was lost (95 %)", "promised", high, high)
    yield _line([(0, 0), (high, high)], high, high, 'stroke="#8a8a8a" stroke-dasharray="4 3"')
    for promise, one in found:
        yield _line([(promise, one["lost_ci"][0]), (promise, one["lost_ci"][1])], high, high, f'stroke="{_PROMISE}"')
        yield from _dot((promise, one["lost"]), high, high, _POINTS["groat, promised"], f"{one['kept']:.0%} kept")


def _up(share: float) -> float:
    """Return the next multiple of 4 %, so that a quarter of it is a round number."""
    return max(math.ceil(share * 25 + 0.01), 1) / 25


def _point(one: Report) -> tuple[float, float]:
    return one["kept"], one["lost"]


def _frame(title: str, below: str, wide: float, high: float) -> Iterator[str]:
    yield f'<text y="-8" font-size="12">{escape(title)}</text>'
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#ccc"/>'
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 27}" text-anchor="middle">{below}</text>'
    yield f'<text x="-36" y="{_HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 -36 {_HEIGHT / 2})">answers lost</text>'
    for part in (0, 0.25, 0.5, 0.75, 1):
        yield f'<text x="{part * _WIDTH}" y="{_HEIGHT + 13}" text-anchor="middle">{part * wide:.0%}</text>'
        yield f'<text x="-4" y="{(1 - part) * _HEIGHT + 3}" text-anchor="end">{part * high:.0%}</text>'


def _line(points: _Points, wide: float, high: float, style: str) -> str:
    placed = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(point, wide, high) for point in points))
    return f'<polyline points="{placed}" fill="none" {style}/>'


def _dot(
    point: tuple[float, float], wide: float, high: float, paint: tuple[str, str], name: str, *, below: bool = False
) -> Iterator[str]:
    (x, y), (colour, fill) = _at(point, wide, high), paint
    side = f'x="{x - 5:.1f}" text-anchor="end"' if x > _WIDTH * 0.7 else f'x="{x + 5:.1f}"'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" stroke="{colour}" fill="{fill}"/>'
    yield f'<text {side} y="{y + (11 if below else -4):.1f}" fill="{colour}" font-size="8">{escape(name)}</text>'


def _at(point: tuple[float, float], wide: float, high: float) -> tuple[float, float]:
    return point[0] / wide * _WIDTH, (1 - point[1] / high) * _HEIGHT


def main(arguments: Sequence[str]) -> None:
    """Read a report and write the picture."""
    if len(arguments) != 2:
        raise SystemExit("python -m evals.compression_picture REPORT.json PICTURE.svg")
    reports: list[Report] = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    Path(arguments[1]).write_text(picture(reports), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
