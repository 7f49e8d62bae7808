"""The questions of a batch, read one by one from a file of any length."""

import gzip
import hashlib
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from groat.errors import BadInput
from groat.row_files import what_is_wrong

STANDARD_INPUT = "-"
"""The name of the file that stands for standard input."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question of a batch."""

    number: int
    """Place among the lines that are not empty, from 1."""
    id: str | int
    """What the caller calls it; its number without a name."""
    question: str
    tenant: str | None = None
    """Whose documents and answers; None for that of the whole batch."""
    lang: Literal["zh", "en"] | None = None
    """Language of the answer; None for that of the question."""
    collection: str = ""
    digest: str
    """Of the line: the same row of another file is another one."""

    def again(self) -> dict[str, object]:
        """Return the fields that ask this question again."""
        fields = {"id": self.id, "question": self.question, "tenant": self.tenant, "lang": self.lang}
        return {name: value for name, value in {**fields, "collection": self.collection or None}.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class BadRow:
    """A line that asks nothing."""

    number: int
    line: int
    """In the file, from 1, empty lines counted."""
    reason: str


def read_rows(source: str) -> Iterator[Row | BadRow]:
    """Yield the rows of a file, ``.jsonl`` or ``.jsonl.gz``, or of standard input; only one line is in memory at a time.

    A line is a JSON string, the question, or an object with ``question`` and optionally ``id`` (text or whole number),
    ``tenant``, ``lang`` ("en" or "zh") and ``collection``. Other fields are skipped, as are empty lines.

    Args:
        source: the file's name; "-" for standard input.

    Raises:
        BadInput: it cannot be read.
    """
    number = 0
    try:
        with _opened(source) as lines:
            for place, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                number += 1
                try:
                    yield _row(line, number)
                except (ValueError, RecursionError) as error:
                    yield BadRow(number=number, line=place, reason=_wrong(error))
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{source} cannot be read: {getattr(error, 'strerror', None) or error}; check the name") from error


def count_rows(source: str, *, skip_bad: bool) -> int | None:
    """Return how many rows there are, looked at before anything is asked; None for standard input, which is read once.

    Raises:
        BadInput: a row asks nothing and none may be skipped, or the file cannot be read.
    """
    if source == STANDARD_INPUT:
        return None
    number = 0
    for row in read_rows(source):
        number = row.number
        if isinstance(row, BadRow) and not skip_bad:
            raise BadInput(bad_row(source, row))
    return number


def bad_row(source: str, row: BadRow) -> str:
    """Return the sentence that names a bad row."""
    return f"{source}, line {row.line}: {row.reason}; correct it, or leave such rows out with --skip-bad"


def _opened(source: str) -> "nullcontext[IO[bytes]] | IO[bytes]":
    if source == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    path = Path(source)
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _row(line: bytes, number: int) -> Row:
    value = json.loads(line.decode("utf-8"))
    fields = {"question": value} if isinstance(value, str) else value
    if not isinstance(fields, dict):
        raise ValueError("it is neither a text nor an object")
    question, name, lang = fields.get("question"), fields.get("id", number), fields.get("lang")
    if not isinstance(question, str) or not question.strip():
        raise ValueError("'question' is missing, empty or no text")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise ValueError("'id' is neither a text nor a whole number")
    if lang not in (None, "zh", "en"):
        raise ValueError(f"'lang' is {lang!r}; it is 'en' or 'zh', or left out")
    if fields.get("documents"):
        raise ValueError("'documents' are not read from a batch; add them with `groat ingest`, for a tenant of their own")
    tenant, collection = (_text(fields, one) for one in ("tenant", "collection"))
    return Row(
        number=number,
        id=name,
        question=question,
        tenant=tenant,
        lang=lang,
        collection=collection or "",
        digest=hashlib.sha256(line.strip()).hexdigest()[:16],
    )


def _text(fields: dict[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ValueError(f"{name!r} is no text of 1 to 200 characters")
    return value


def _wrong(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"it is not UTF-8 ({error.reason} at byte {error.start})"
    return what_is_wrong(error)
