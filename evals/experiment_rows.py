"""Data sets of experiments: questions with what is known of their right answers, as files and as LangSmith's examples."""

import json
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NotRequired

from langsmith.schemas import Example
from typing_extensions import TypedDict

from groat.blame.reference import Reference, read_reference
from groat.errors import BadInput, GroatError
from groat.row_files import lines_of, what_is_wrong
from groat.text import detect_language
from groat.types import Language, Turn


class Row(TypedDict):
    """One question with what is known of its right answer."""

    id: str
    lang: Language
    question: str
    history: list[Turn]
    reference: Reference
    category: str
    response_schema: NotRequired[dict[str, Any]]


def read_rows(path: Path, *, skip_bad: Callable[[str], None] | None = None) -> list[Row]:
    """Return the rows of a data set; the format stands in ``docs/data-formats.md``.

    Args:
        path: ``.jsonl`` or ``.jsonl.gz``.
        skip_bad: gets the sentence about each broken row, which is left out; without it the first one ends the reading.

    Raises:
        BadInput: the file cannot be read, has no rows, a row is broken, or two have one id.
    """
    rows: list[Row] = []
    seen: set[str] = set()
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            row = _row(json.loads(line), number)
            if row["id"] in seen:
                raise BadInput(f"the id {row['id']!r} is there already")
        except (ValueError, RecursionError, GroatError) as error:
            message = f"{path}, line {number}: {what_is_wrong(error)}"
            if skip_bad is None:
                raise BadInput(f"{message}; mend the row, or leave broken ones out with --skip-bad") from error
            skip_bad(message)
            continue
        seen.add(row["id"])
        rows.append(row)
    if not rows:
        raise BadInput(f'{path} has no rows; give one JSON object a line, such as {{"question": ..., "answer": ...}}')
    return rows


def _row(raw: object, number: int) -> Row:
    if not isinstance(raw, dict) or not isinstance(raw.get("question"), str) or not raw["question"].strip():
        raise BadInput('a row is an object with a text under "question"')
    known = {name: raw[name] for name in ("answer", "documents", "answerable") if name in raw}
    if groups := raw.get("answer_groups"):
        known["groups"] = groups
    if raw.get("kind") == "unanswerable":
        known["answerable"] = False
    history = raw.get("history", [])
    if not isinstance(history, list) or not all(isinstance(turn, dict) and {"role", "text"} <= turn.keys() for turn in history):
        raise BadInput('"history" must be a list of {"role": ..., "text": ...}')
    lang = raw.get("lang") or detect_language(raw["question"])
    row: Row = {
        "id": str(raw.get("id", number)),
        "lang": "zh" if str(lang).startswith("zh") else "en",
        "question": raw["question"],
        "history": history,
        "reference": read_reference(known),
        "category": str(raw.get("category") or raw.get("kind") or ""),
    }
    if isinstance(raw.get("response_schema"), dict):
        row["response_schema"] = raw["response_schema"]
    return row


def examples_of(rows: Sequence[Row], name: str) -> list[Example]:
    """Return the rows as LangSmith's examples, under ids that depend on the data set's name and the rows' ids alone."""
    dataset = uuid.uuid5(uuid.NAMESPACE_URL, name)
    return [
        Example(
            id=uuid.uuid5(dataset, row["id"]),
            dataset_id=dataset,
            created_at=datetime.now(UTC),
            inputs=inputs_of(row),
            outputs=dict(row["reference"]),
            metadata={"id": row["id"], "lang": row["lang"], "category": row["category"]},
        )
        for row in rows
    ]


def inputs_of(row: Row) -> dict[str, Any]:
    """Return what a target is given of a row."""
    given: dict[str, Any] = {"question": row["question"], "history": row["history"]}
    return {**given, "response_schema": row["response_schema"]} if "response_schema" in row else given
