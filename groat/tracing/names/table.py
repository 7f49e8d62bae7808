"""The form of the table: one row for every name, written where the name is defined."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Form = Literal["text", "texts", "number", "whole number", "yes or no"]
Instrument = Literal["counter", "up-down counter", "histogram", "gauge"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One name that is told to the outside."""

    name: str
    """A trailing ``.*`` stands for names of one kind that are not known beforehand."""
    on: str
    """The spans that carry it, or what kind of instrument it is."""
    form: str
    meaning: str


SPANS: Final[list[Row]] = []
ATTRIBUTES: Final[list[Row]] = []
EVENTS: Final[list[Row]] = []
METRICS: Final[list[Row]] = []


def span(name: str, kind: str, meaning: str) -> str:
    """Add a span to the table and return its name; one in braces stands for what changes."""
    SPANS.append(Row(name=name, on=kind, form="", meaning=meaning))
    return name


def attribute(name: str, on: str, form: Form, meaning: str) -> str:
    """Add an attribute to the table and return its name."""
    ATTRIBUTES.append(Row(name=name, on=on, form=form, meaning=meaning))
    return name


def event(name: str, on: str, meaning: str) -> str:
    """Add an event of a span to the table and return its name, with which the names of its attributes begin."""
    EVENTS.append(Row(name=name, on=on, form="", meaning=meaning))
    return name


def metric(name: str, instrument: Instrument, unit: str, meaning: str) -> str:
    """Add a metric to the table and return its name."""
    METRICS.append(Row(name=name, on=instrument, form=unit, meaning=meaning))
    return name


def markdown() -> str:
    """Return the whole table as Markdown, as ``docs/tracing.md`` holds it."""
    parts: list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]] = [
        ("Spans", ("span", "kind", "what it covers"), [(row.name, row.on, row.meaning) for row in SPANS]),
        (
            "Attributes",
            ("attribute", "on", "form", "meaning"),
            [(row.name, row.on, row.form, row.meaning) for row in ATTRIBUTES],
        ),
        ("Events", ("event", "on", "meaning"), [(row.name, row.on, row.meaning) for row in EVENTS]),
        (
            "Metrics",
            ("metric", "instrument", "unit", "meaning"),
            [(row.name, row.on, row.form, row.meaning) for row in METRICS],
        ),
    ]
    lines: list[str] = []
    for title, head, rows in parts:
        lines += [f"### {title}", "", _line(head), _line(["---"] * len(head))]
        lines += [_line([f"`{first}`", *rest]) for first, *rest in rows]
        lines.append("")
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
