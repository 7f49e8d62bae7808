"""One page with everything a run of the ladder found: the table, the ladder and the cost-quality curve as pictures.

It needs no other file and no network.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from evals.ladder_arms import GRAPH, PLAIN
from evals.ladder_figures import Part, Step
from evals.ladder_losses import LOSERS

if TYPE_CHECKING:
    from evals.ladder import Report

_ROW, _LEFT, _WIDE, _RIGHT = 22, 180, 430, 210
_CURVE_WIDE, _CURVE_HIGH, _MARGIN = 620, 380, 60
_BAR, _OTHER, _GROAT, _BAND, _INK = "#0b62a4", "#9a9a9a", "#c0392b", "#7fb3d8", "#222"
_STYLE = """
body { font: 15px/1.5 sans-serif; color: #222; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
"""


def page(found: "Report") -> str:
    """Return the page as HTML."""
    steps = found["steps"]
    title = f"The cost ladder of {found['workload']}"
    facts = (
        f"{found['rows']} requests; outcomes of {found['assumed']} are assumed, and of {found['placeholders']} no text was "
        f"recorded, so that validation accepted them unread. List prices of {found['models']['cheap']} and "
        f"{found['models']['expensive']} ({found['price_table']})."
    )
    if found["unpriced"]:
        facts += f" No list price is known of {', '.join(found['unpriced'])}: costs are unknown."
    notes = "".join(f"<li>{escape(one['name'])}: {escape(one['note'])}</li>" for one in steps if one["note"])
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style></head><body>',
            f"<h1>{escape(title)}</h1><p>{escape(facts)}</p>",
            "<h2>What each step costs, and how much of the quality is left</h2>",
            ladder_picture(steps),
            "<h2>Quality over saving</h2>",
            curve_picture(steps),
            "<h2>All figures</h2>",
            f'<div class="scroll">{_table(steps)}</div>',
            f'<h2>Which box loses what, against all expensive</h2><div class="scroll">{_losses(steps)}</div>',
            *(f'<h2>{name}</h2><div class="scroll">{_parts(steps, key)}</div>' for name, key in _SPLITS),
            f"<h2>Settings and assumptions</h2><ul>{notes}</ul></body></html>",
            "",
        ]
    )


_SPLITS = (("By category", "by_category"), ("By language", "by_lang"))


def ladder_picture(steps: Sequence[Step]) -> str:
    """Return an SVG with a bar for the cost of each step, and its quality with the interval beside."""
    width, height = _LEFT + _WIDE + _RIGHT, _ROW * (len(steps) + 1)
    return "\n".join([*_open(width, height, "Cost and quality of each step"), *_bars(steps), "</svg>"])


def _bars(steps: Sequence[Step]) -> Iterator[str]:
    most = max((one["cost_usd"] or 0.0 for one in steps), default=0.0) or 1.0
    low = min(min(one["quality_ci"][0] for one in steps), 0.9)
    scale = (_RIGHT - 70) / (1.0 - low or 1.0)
    left = _LEFT + _WIDE + 60
    yield f'<text x="{left}" y="14" fill="{_INK}">quality, {low:.0%} to 100 %</text>'
    for place, one in enumerate(steps, 1):
        top = _ROW * place
        colour = _OTHER if one["name"] in PLAIN else _BAR
        yield f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(one["name"])} ({place})</text>'
        length = (one["cost_usd"] or 0.0) / most * (_WIDE - 90)
        yield f'<rect x="{_LEFT}" y="{top + 3}" width="{length:.1f}" height="{_ROW - 7}" fill="{colour}"/>'
        yield f'<text x="{_LEFT + length + 5:.1f}" y="{top + 14}">{_dollars(one)}, {_share(one["saved"])} saved</text>'
        start, end = (left + (min(value, 1.0) - low) * scale for value in one["quality_ci"])
        at = left + (min(one["quality"], 1.0) - low) * scale
        middle = top + _ROW / 2
        yield f'<line x1="{start:.1f}" x2="{end:.1f}" y1="{middle}" y2="{middle}" stroke="{_BAND}" stroke-width="5"/>'
        yield f'<circle cx="{at:.1f}" cy="{middle}" r="3.5" fill="{_GROAT}"/>'


def curve_picture(steps: Sequence[Step]) -> str:
    """Return an SVG with a point for each step: saved to the right, quality upwards; the promises joined by a line.

    Points have the number of their step in the ladder: names would cover each other.
    """
    known = {place: one for place, one in enumerate(steps, 1) if one["saved"] is not None}
    width, height = _CURVE_WIDE + 2 * _MARGIN, _CURVE_HIGH + 2 * _MARGIN
    return "\n".join([*_open(width, height, "Quality over saving"), *_points(known), "</svg>"])


def _points(numbered: Mapping[int, Step]) -> Iterator[str]:
    steps = list(numbered.values())
    low = max(0.0, min((one["quality"] for one in steps), default=0.9) - 0.03)
    first = min(min((one["saved"] or 0.0 for one in steps), default=0.0), 0.0)

    def at(one: Step) -> tuple[float, float]:
        across = ((one["saved"] or 0.0) - first) / (1 - first) * _CURVE_WIDE
        return _MARGIN + across, _MARGIN + (1.02 - one["quality"]) / (1.02 - low) * _CURVE_HIGH

    yield f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{_CURVE_WIDE}" height="{_CURVE_HIGH}" fill="none" stroke="#ccc"/>'
    for part in range(5):
        saved, quality = first + (1 - first) * part / 4, low + (1.02 - low) * part / 4
        x, y = _MARGIN + _CURVE_WIDE * part / 4, _MARGIN + _CURVE_HIGH * (1 - part / 4)
        yield f'<text x="{x}" y="{_MARGIN + _CURVE_HIGH + 18}" text-anchor="middle">{saved:.0%}</text>'
        yield f'<text x="{_MARGIN - 8}" y="{y + 4}" text-anchor="end">{quality:.0%}</text>'
    yield f'<text x="{_MARGIN + _CURVE_WIDE / 2}" y="{_MARGIN + _CURVE_HIGH + 38}" text-anchor="middle">saved</text>'
    yield f'<text x="{_MARGIN}" y="{_MARGIN - 12}">quality, as a share of all expensive</text>'
    joined = [at(one) for one in steps if one["name"].startswith("whole") or one["name"] == "all expensive"]
    yield f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in sorted(joined))}" fill="none" stroke="{_GROAT}"/>'
    for place, one in numbered.items():
        x, y = at(one)
        colour = _GROAT if one["name"].startswith("whole") else _BAR if one["name"] in GRAPH else _OTHER
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(_told(one))}</title></circle>'
        yield f'<text x="{x + 6:.1f}" y="{y - 5:.1f}" font-size="9">{place}</text>'


def _open(width: float, height: float, title: str) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="sans-serif" font-size="11"><title>{escape(title)}</title>'
    )
    yield f'<rect width="{width}" height="{height}" fill="white"/>'


def _table(steps: Sequence[Step]) -> str:
    head = (
        "step", "cost", "saved", "quality", "95 %", "hits", "wrong hits", "expensive", "p50 s", "p95 s", "mean s", "first s",
        "first s, live", "tokens in", "tokens out", "unverified",
    )  # fmt: skip
    rows = [
        (
            one["name"], _dollars(one), _share(one["saved"]), _share(one["quality"]), _range(one), _share(one["hit_rate"]),
            str(one["wrong_hits"]), _share(one["expensive_share"]), _seconds(one["p50_ms"]), _seconds(one["p95_ms"]),
            _seconds(one["mean_ms"]), _seconds(one["first_token_ms"]), _seconds(one["live_first_token_ms"]),
            f"{one['tokens_in']:,}", f"{one['tokens_out']:,}", str(one["unverified"]),
        )
        for one in steps
    ]  # fmt: skip
    return _rows(head, rows)


def _parts(steps: Sequence[Step], key: str) -> str:
    names = list(_split(steps[0], key))
    head = ["step", *(f"{name} ({_split(steps[0], key)[name]['n']})" for name in names)]
    return _rows(head, [(one["name"], *(_cell(_split(one, key)[name]) for name in names)) for one in steps])


def _losses(steps: Sequence[Step]) -> str:
    head = ("step", *(f"quality: {name}" for name in LOSERS), "calls after the first", "their cost")
    rows = [
        (
            one["name"], *(f"{one['losses']['quality'][name]:.2%}" for name in LOSERS), str(one["losses"]["again_calls"]),
            "unknown" if one["losses"]["again_usd"] is None else f"${one['losses']['again_usd']:.2f}",
        )
        for one in steps
    ]  # fmt: skip
    return _rows(head, rows)


def _split(one: Step, key: str) -> dict[str, Part]:
    return one["by_category"] if key == "by_category" else one["by_lang"]


def _cell(part: Part) -> str:
    hits = f", {part['wrong_hits']} of {part['hits']} hits wrong" if part["hits"] else ""
    return f"{_share(part['saved'])} saved, {_share(part['quality'])} ({_range(part)}){hits}"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    first = "".join(f"<th>{escape(name)}</th>" for name in head)
    rest = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{first}</tr></thead><tbody>{rest}</tbody></table>"


def _told(one: Step) -> str:
    return f"{one['name']}: {_share(one['saved'])} saved, quality {_share(one['quality'])} ({_range(one)})"


def _range(part: Part) -> str:
    return " to ".join(f"{end:.1%}" for end in part["quality_ci"])


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1%}"


def _dollars(part: Part) -> str:
    return "unknown" if part["cost_usd"] is None else f"${part['cost_usd']:.2f}"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.2f}"
