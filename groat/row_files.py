"""Files of rows, one JSON object to a line: read them, and say what is wrong with one."""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

from groat.errors import BadInput


def lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a text file, plain or ``.gz``.

    Raises:
        BadInput: it cannot be read, or is not UTF-8.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
            yield from lines
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; check the name") from error


def what_is_wrong(error: Exception) -> str:
    """Return in words why a line is no row."""
    if isinstance(error, json.JSONDecodeError):
        return f"this is no JSON ({error.msg} at column {error.colno})"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
