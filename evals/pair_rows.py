"""Read labelled pairs of questions: can one answer serve both?"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from groat.errors import BadInput
from groat.judge.judge import tongue_of
from groat.row_files import lines_of, what_is_wrong


@dataclass(frozen=True, slots=True)
class Pair:
    """Two questions."""

    a: str
    b: str
    same: bool
    """Whether one answer serves both."""
    lang: str
    """As the file says: "en", "zh", "zh-en" across languages, or any other; told from the texts when it does not say."""
    kind: str | None
    """What the two differ in, None when the file does not say."""


def read_pairs(path: Path, on_bad: Callable[[str], None] | None = None) -> list[Pair]:
    """Read a file of pairs, ``.jsonl`` or ``.jsonl.gz``: ``{"a", "b", "same": 0 or 1}``, perhaps with "lang" and "kind".

    Args:
        path: the file; empty lines are skipped and other fields ignored.
        on_bad: is told of each broken row, which is then left out; None stops at the first.

    Raises:
        BadInput: the file cannot be read, holds no pair, or a row is broken and ``on_bad`` is None.
    """
    found: list[Pair] = []
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            found.append(_pair(line))
        except (ValueError, RecursionError) as error:
            message = f"{path}, line {number}: {what_is_wrong(error)}"
            if on_bad is None:
                raise BadInput(f"{message}; mend the row, or leave such rows out with --skip-bad") from error
            on_bad(message)
    if not found:
        raise BadInput(f'{path} holds no pair that can be used; a line must be {{"a", "b", "same": 0 or 1}}')
    return found


def _pair(line: str) -> Pair:
    raw = json.loads(line)
    if not isinstance(raw, dict):
        raise ValueError("a row must be a JSON object")
    for name in ("a", "b", "same"):
        if name not in raw:
            raise ValueError(f'the field "{name}" is missing')
    a, b, same, lang, kind = (raw.get(name) for name in ("a", "b", "same", "lang", "kind"))
    if not isinstance(a, str) or not isinstance(b, str):
        raise ValueError('"a" and "b" must be texts')
    if not isinstance(same, int | float) or same not in (0, 1):
        raise ValueError(f'"same" must be 0 or 1, not {same!r:.40}')
    if not isinstance(lang, str | None) or not isinstance(kind, str | None):
        raise ValueError('"lang" and "kind" must be texts where they are given')
    return Pair(a, b, bool(same), lang or tongue_of(a, b), kind)


def _what(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"this is no JSON ({error.msg} at column {error.colno})"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
