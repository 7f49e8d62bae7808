"""The rows that the judge learns from."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from groat.errors import GroatError

Head = Literal["same", "answers", "supports"]
"""same: can one answer serve both questions? answers: does the sentence help answer the question? supports: does the passage
support the claim?"""
HEADS: tuple[Head, ...] = get_args(Head)


@dataclass(frozen=True, slots=True)
class Row:
    """Two texts and whether the head's question about them is to be answered with yes."""

    a: str
    """A question; for ``supports`` a claim."""
    b: str
    """A question, a sentence or a passage."""
    label: float
    """1 for yes, 0 for no."""
    head: Head
    lang: str
    """``en``, ``zh``, or ``zh-en`` across the languages."""
    source: str
    kind: str
    """What the two texts share or differ in: ``paraphrase``, ``number``, ``direction`` ..."""
    group: str
    """Rows of one group never stand on both sides of a split."""
    open_licence: bool
    """Whether it may teach the openly licensed weights: our own words, or a source under CC BY."""


def write_rows(rows: Iterable[Row], file: Path) -> int:
    """Write one JSON object a line and return how many there were."""
    count = 0
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
            count += 1
    return count


def read_rows(file: Path) -> Iterator[Row]:
    """Yield the rows that ``write_rows`` wrote.

    Raises:
        GroatError: a line is not such a row.
    """
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield Row(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise GroatError(f"{file}, line {number} is no training row; write the rows again: {error}") from error
