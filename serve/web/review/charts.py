"""Pictures of the page as SVG: the path of a run, the ladder of savings, causes by day. Colours are the style sheet's."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

from markupsafe import Markup

from groat.types import Box
from serve.web.review.savings import Step
from serve.web.review.words import Words

_PLACES: Mapping[Box, tuple[int, int]] = {
    "check_cache": (0, 0),
    "retrieve": (1, 0),
    "route": (2, 0),
    "compress": (3, 0),
    "answer_cheap": (4, 0),
    "answer_expensive": (4, 1),
    "validate": (5, 0),
    "remember": (6, 0),
}
"""Column and row of each box."""
_ARROWS: Sequence[tuple[Box, Box]] = (
    ("check_cache", "retrieve"), ("retrieve", "route"), ("route", "compress"), ("compress", "answer_cheap"),
    ("compress", "answer_expensive"), ("answer_cheap", "validate"), ("answer_expensive", "validate"), ("validate", "remember"),
    ("validate", "compress"), ("validate", "answer_expensive"), ("validate", "answer_cheap"), ("check_cache", "route"),
    ("route", "answer_cheap"), ("route", "answer_expensive"),
)  # fmt: skip
_WIDTH, _HEIGHT, _STEP, _ROW = 126, 40, 160, 88
_TOP = 44


def path_picture(path: Sequence[Box], words: Words) -> Markup:
    """Return the graph with the boxes that a run went through, numbered in order, and the arrows that it took."""
    taken = set(pairwise(path))
    # Those that were taken last: they lie on top.
    ways = sorted({*_ARROWS, *taken}, key=lambda way: (way in taken, way))
    arrows = Markup("").join(_arrow(start, end, used=(start, end) in taken) for start, end in ways)
    boxes = Markup("").join(_box(box, [n for n, one in enumerate(path, 1) if one == box], words) for box in _PLACES)
    says = words("path_says", boxes=" → ".join(words(f"box_{box}") for box in path))
    width, height = _STEP * 6 + _WIDTH + 4, _TOP + _ROW + _HEIGHT + 30
    return Markup(
        '<svg class="path" viewBox="-2 0 {} {}" role="img" aria-label="{}"><defs>'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse">'
        '<path d="M0 0L8 4L0 8z"/></marker></defs>{}{}</svg>'
    ).format(width, height, says, arrows, boxes)


def _box(box: Box, visits: Sequence[int], words: Words) -> Markup:
    column, row = _PLACES[box]
    x, y = column * _STEP, _TOP + row * _ROW
    number = ""
    if visits:
        number = Markup('<text class="visit" x="{}" y="{}">{}</text>').format(
            x + _WIDTH - 6, y - 5, ", ".join(map(str, visits))
        )
    return Markup(
        '<g class="box{}"><rect x="{}" y="{}" width="{}" height="{}" rx="6"/><text x="{}" y="{}">{}</text>{}</g>'
    ).format(" used" if visits else "", x, y, _WIDTH, _HEIGHT, x + _WIDTH // 2, y + 25, words(f"box_{box}"), number)


def _arrow(start: Box, end: Box, *, used: bool) -> Markup:
    (from_column, from_row), (to_column, to_row) = _PLACES[start], _PLACES[end]
    x1, y1 = from_column * _STEP + _WIDTH, _TOP + from_row * _ROW + _HEIGHT // 2
    x2, y2 = to_column * _STEP, _TOP + to_row * _ROW + _HEIGHT // 2
    if to_column <= from_column:
        # A way back: from the foot of the box, below the others, into the foot of the one it leads to.
        x1, y1, x2, y2 = x1 - _WIDTH // 2, y1 + _HEIGHT // 2, x2 + _WIDTH // 2, y2 + _HEIGHT // 2
        low = _TOP + _ROW + _HEIGHT + 24
        shape = f"M{x1} {y1}C{x1} {low} {x2} {low} {x2} {y2}"
    elif to_column - from_column > 1 and from_row == to_row:
        # Past boxes between them: over their heads.
        x1, y1, x2, y2 = x1 - _WIDTH // 2, y1 - _HEIGHT // 2, x2 + _WIDTH // 2, y2 - _HEIGHT // 2
        shape = f"M{x1} {y1}C{x1} 4 {x2} 4 {x2} {y2}"
    else:
        middle = (x1 + x2) // 2
        shape = f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
    return Markup('<path class="arrow{}" d="{}" marker-end="url(#tip)"/>').format(" used" if used else "", shape)


def ladder_picture(steps: Sequence[Step], words: Words) -> Markup:
    """Return the steps of a day as bars: what is left to pay after each, and what it took away or added."""
    top = max((max(step.left_usd, step.left_usd - step.change_usd) for step in steps), default=Decimal(0)) or Decimal(1)
    rows, height = Markup(""), 34
    for number, step in enumerate(steps):
        whole = step.name in ("baseline", "paid")
        low, high = (Decimal(0), step.left_usd) if whole else sorted((step.left_usd, step.left_usd - step.change_usd))
        x, width = 230 + float(low / top) * 420, max(float((high - low) / top) * 420, 1.0)
        kind = "whole" if whole else "less" if step.change_usd <= 0 else "more"
        rows += Markup(
            '<text class="name" x="222" y="{y}">{name}</text><rect class="{kind}" x="{x:.1f}" y="{top}" width="{width:.1f}" '
            'height="20"/><text class="amount" x="{end:.1f}" y="{y}">{amount}</text>'
        ).format(
            y=number * height + 21, top=number * height + 6, name=words(f"saving_{step.name}"), kind=kind, x=x, width=width,
            end=x + width + 6, amount=amount(step.left_usd if whole else step.change_usd, sign=not whole),
        )  # fmt: skip
    return Markup('<svg class="ladder" viewBox="0 0 760 {}" role="img" aria-label="{}">{}</svg>').format(
        len(steps) * height + 6, words("ladder_of"), rows
    )


def causes_picture(days: Sequence[str], counts: Mapping[str, Sequence[int]], words: Words) -> Markup:
    """Return bars, one a day, piled up by cause.

    Args:
        days: names of the days, oldest first.
        counts: cause -> how many bad answers on each of the days.
        words: for the label.
    """
    highest = max((sum(column) for column in zip(*counts.values(), strict=True)), default=0) or 1
    width = min(60.0, 680 / max(len(days), 1))
    bars = Markup("")
    for place, day in enumerate(days):
        foot = 190.0
        for number, (cause, column) in enumerate(counts.items()):
            if column[place]:
                tall = column[place] / highest * 170
                foot -= tall
                bars += Markup(
                    '<rect class="cause cause-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
                ).format(number % 10, 40 + place * width, foot, width * 0.8, tall, f"{day}: {cause} {column[place]}")
        bars += Markup('<text class="day" x="{:.1f}" y="206">{}</text>').format(40 + place * width + width * 0.4, day[5:])
    return Markup(
        '<svg class="causes" viewBox="0 0 740 216" role="img" aria-label="{}"><text class="most" x="34" y="26">{}</text>'
        '<line x1="38" y1="190" x2="730" y2="190"/>{}</svg>'
    ).format(words("causes_by_day"), highest, bars)


def amount(value: Decimal | None, *, sign: bool = False) -> str:
    """Return dollars with the digits that matter; "?" for an unknown amount, which is never zero."""
    if value is None:
        return "?"
    shown = (
        f"{abs(value):,.2f}"
        if abs(value) >= 100
        else f"{abs(value):.4f}"
        if abs(value) >= Decimal("0.01")
        else f"{abs(value):.6f}"
    )
    return f"{'−' if value < 0 else '+' if sign else ''}${shown}"
