"""One's own labelled rows: read, put in order, and split into a part to fit and a part to check."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from groat.errors import BadInput
from groat.judge.artifact import TONGUES, Tongue
from groat.judge.judge import tongue_of
from groat.judge.scope import out_of_range
from groat.text import fold
from training.rows import Head, Row
from training.sources import Components

FEWEST = 50
FEWEST_OF_A_LABEL = 10
CHECKED = 0.2
"""Share of the rows that checks the result."""
Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class OwnRows:
    """What can be used of the files; rows that share a text share a group."""

    rows: Sequence[Row]
    left_out: Mapping[str, int]
    """Why -> how many rows."""


def read_own(files: Iterable[Path], head: Head) -> OwnRows:
    """Read JSON lines with the fields a, b, and same or label (0 or 1); lang may be given.

    Rows that were there before, that contradict each other, or that the judge is never asked about are left out.

    Raises:
        BadInput: a file or a line is no such thing, or too few rows of either label remain.
    """
    read = [row for file in files for row in _read(file, head)]
    told: dict[Key, set[float]] = {}
    for row in read:
        told.setdefault(_key(row), set()).add(row.label)
    left_out: Counter[str] = Counter()
    kept: dict[Key, Row] = {}
    for row in read:
        key = _key(row)
        reason = _unusable(row, told[key], seen=key in kept)
        if reason:
            left_out[reason] += 1
        else:
            kept[key] = row
    _check(list(kept.values()), left_out)
    return OwnRows(rows=_grouped(list(kept.values())), left_out=dict(sorted(left_out.items())))


def _read(file: Path, head: Head) -> Iterator[Row]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _row(line, f"{file}, line {number}", head)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read ({type(error).__name__}); name a file of JSON lines in UTF-8") from error


def _row(line: str, at: str, head: Head) -> Row:
    try:
        raw = json.loads(line)
        a, b, label = raw["a"], raw["b"], raw["same"] if "same" in raw else raw["label"]
        lang = raw.get("lang")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # The error's own words would hold the line.
        raise BadInput(f"{at}: needs a JSON object with the fields a, b, and same or label") from None
    if not (isinstance(a, str) and isinstance(b, str)) or not isinstance(label, int | float) or label not in (0, 1):
        raise BadInput(f"{at}: a and b must be texts, and same or label 0 or 1")
    if lang is not None and lang not in TONGUES:
        raise BadInput(f"{at}: lang must be one of {', '.join(get_args(Tongue))}, or left out")
    if head == "same":  # one order, as the judge is asked
        a, b = min(a, b), max(a, b)
    return Row(a, b, float(label), head, lang or tongue_of(a, b), "own", "own", "", open_licence=False)


def _key(row: Row) -> Key:
    a, b = fold(row.a), fold(row.b)
    return (min(a, b), max(a, b)) if row.head == "same" else (a, b)


def _unusable(row: Row, labels: set[float], *, seen: bool) -> str | None:
    if len(labels) > 1:
        return "two labels for the same texts"
    if seen:
        return "there before"
    if row.head == "same" and fold(row.a) == fold(row.b):
        return "both texts are the same"
    return out_of_range(row.a) or out_of_range(row.b)


def _check(rows: Sequence[Row], left_out: Mapping[str, int]) -> None:
    yes = sum(row.label > 0.5 for row in rows)
    if len(rows) < FEWEST or min(yes, len(rows) - yes) < FEWEST_OF_A_LABEL:
        beside = "".join(f"; {count} left out: {reason}" for reason, count in sorted(left_out.items()))
        raise BadInput(
            f"there are {yes} rows with label 1 and {len(rows) - yes} with label 0 to fit on; at least {FEWEST} rows are "
            f"needed, and {FEWEST_OF_A_LABEL} of each label{beside}"
        )


def _grouped(rows: Sequence[Row]) -> list[Row]:
    components = Components()
    for row in rows:
        components.join(fold(row.a), fold(row.b))
    names = [components.find(fold(row.a)) for row in rows]
    numbers = {name: f"own:{number}" for number, name in enumerate(sorted(set(names)))}
    return [replace(row, group=numbers[name]) for row, name in zip(rows, names, strict=True)]


def parts(rows: Sequence[Row], chance: random.Random) -> tuple[list[Row], list[Row]]:
    """Return the rows to fit on and those to check by, of each label about a fifth; no group is in both.

    Raises:
        BadInput: the rows hang together so much that no such part can be set aside.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    room = {label: round(CHECKED * count) for label, count in Counter(row.label for row in rows).items()}
    names = sorted(groups)
    chance.shuffle(names)
    chosen: set[str] = set()
    for name in names:
        labels = Counter(row.label for row in groups[name])
        if all(labels[label] <= room[label] for label in room):
            chosen.add(name)
            room = {label: left - labels[label] for label, left in room.items()}
    check = [row for row in rows if row.group in chosen]
    if len({row.label for row in check}) < 2:
        raise BadInput(
            "the rows share too many texts with each other for a fifth of them to be set aside as a check; add rows about "
            "other texts"
        )
    return [row for row in rows if row.group not in chosen], check


def digest(rows: Iterable[Row]) -> str:
    """Return what tells these rows from any others, whatever their order; the texts cannot be read from it."""
    lines = sorted(json.dumps([row.head, row.a, row.b, row.label, row.lang]) for row in rows)
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()
