"""Labels of pairs that were read, known by hashes: the words of foreign rows are not ours to keep."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from groat.errors import BadInput
from groat.text import fold


def key_of(a: str, b: str) -> str:
    """Return what a pair is known by without its words, which are not ours to keep; the order does not matter."""
    return _digest("\n".join(sorted((fold(a), fold(b)))))


def key_of_text(text: str) -> str:
    """Return what a question is known by without its words."""
    return _digest(fold(text))


def read_verdicts(file: Path) -> Mapping[str, int]:
    """Return key of a pair -> whether one answer serves both, as read; pairs that could not be decided are not there.

    Raises:
        BadInput: the file is not there or no such file.
    """
    try:
        told = json.loads(file.read_text(encoding="utf-8"))["verdicts"]
        return {str(key): int(bool(verdict)) for key, verdict in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f'{file} is not there or damaged; it must hold {{"verdicts": {{KEY: 0 or 1}}}}') from error


def read_chosen(file: Path) -> frozenset[str]:
    """Return the names of questions or answers that a file lists, one a line: answer ids, or keys of questions.

    Raises:
        BadInput: the file cannot be read, or lists nothing.
    """
    try:
        chosen = frozenset(file.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}; check the name") from error
    if not chosen:
        raise BadInput(f"{file} lists nothing; it must name an answer_id, or the key of a question, in each line")
    return chosen


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
