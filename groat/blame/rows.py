"""Kept runs as rows of SQLite, and back."""

import dataclasses
import json
import zlib
from collections.abc import Sequence
from typing import Any

from groat.blame.records import Listed, Wanted
from groat.blame.snapshot import FORMAT, Blamed, Mark, Snapshot

_LEVEL = 3
"""Of compression, low: runs are written while questions are answered."""


def row_of(run: Snapshot, *, sampled: bool) -> dict[str, object]:
    """Return the columns of a run, the whole of it among them."""
    return {
        "run": run.run,
        "trace": run.trace,
        "at": run.at,
        "tenant": run.asked["tenant"],
        "language": run.asked["language"],
        "question": run.asked["text"].encode("utf-8", "replace").decode(),
        "cache": run.cache,
        "tier": run.tier,
        "step": run.step,
        "verified": run.verified,
        "bad": run.is_bad,
        "born_bad": run.is_bad,
        "sampled": sampled,
        "cost_usd": run.cost_usd,
        "baseline_cost_usd": run.baseline_cost_usd,
        "texts": run.texts,
        "body": _packed(run),
    }


def _packed(run: Snapshot) -> bytes:
    # Lone halves of surrogate pairs come with some questions; ASCII escapes carry them, UTF-8 cannot.
    body = json.dumps({"format": FORMAT, **vars(run)}, separators=(",", ":"))
    return zlib.compress(body.encode("ascii"), _LEVEL)


def unpacked(body: bytes) -> Snapshot:
    """Return the run that a body holds.

    Raises:
        ValueError: it is of another format, or damaged.
    """
    try:
        values: dict[str, Any] = json.loads(zlib.decompress(body))
    except zlib.error as error:
        raise ValueError("the body of a run is damaged") from error
    if values.pop("format") != FORMAT:
        raise ValueError("the run was kept in another format")
    for passage in [*values["passages"], *(values["shortened"] or {"passages": []})["passages"]]:
        passage["sentences"] = [(begin, end) for begin, end in passage["sentences"]]  # JSON knows no tuples
    return Snapshot(**values)


def _named(kind: Any, row: Sequence[object]) -> dict[str, Any]:
    names = [one.name for one in dataclasses.fields(kind)]
    return dict(zip(names, row, strict=False))


def mark_of(row: Sequence[Any]) -> Mark:
    """Return the mark in a row of its table."""
    run, kind, at, bad, score, reference, note, by = row
    known = None if reference is None else json.loads(reference)
    return Mark(run=run, kind=kind, at=at, bad=bool(bad), score=score, reference=known, note=note, by=by)


def blamed_of(row: Sequence[Any]) -> Blamed:
    """Return the verdict in a row of its table."""
    return Blamed(**_named(Blamed, row[:-1]), body=json.loads(row[-1]))


def listed_of(row: Sequence[Any]) -> Listed:
    """Return the line of a list in a row that was read for it."""
    values = _named(Listed, row)
    marks = tuple(values["marks"].split(",")) if values["marks"] else ()
    flags = {name: bool(values[name]) for name in ("verified", "bad", "texts")}
    return Listed(**{**values, **flags, "marks": marks})


_CONDITIONS = {
    "tenant": "tenant = ?",
    "language": "language = ?",
    "tier": "tier = ?",
    "cache": "cache = ?",
    "step": "step = ?",
    "bad": "bad = ?",
    "since": "runs.at >= ?",
    "until": "runs.at < ?",
    "mark": "EXISTS (SELECT 1 FROM marks WHERE marks.run = runs.run AND kind = ?)",
    "document": "runs.run IN (SELECT run FROM documents WHERE document = ?)",
}


def conditions(wanted: Wanted) -> tuple[str, list[object]]:
    """Return the condition that runs must meet, as SQL with its values."""
    given = {name: value for name in _CONDITIONS if (value := getattr(wanted, name)) is not None}
    parts, values = [_CONDITIONS[name] for name in given], list(given.values())
    if wanted.origin == "not_blamed":
        parts.append("blamed.run IS NULL")
    elif wanted.origin is not None:
        parts.append("blamed.origin = ?")
        values.append(wanted.origin)
    if wanted.after is not None:
        parts.append("(runs.at, runs.run) < (?, ?)")
        values += wanted.after
    return " AND ".join(parts) or "1", values
