"""Write the file of a day row by row, and beside it how it was made."""

import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from groat.errors import BadInput


def write_day(
    path: Path, rows: Iterable[Mapping[str, Any]], about: Mapping[str, Any], *, progress: Callable[[int], None] | None = None
) -> int:
    """Write rows as they come, so that a day may be larger than memory, and return how many there were.

    The same rows give the same bytes. A file that is there is replaced when the last row is written, and not before.

    Args:
        path: .jsonl or .jsonl.gz.
        rows: one object a line.
        about: how the day was made; goes into a file beside it (``about_path``).
        progress: is told how many rows are written.

    Raises:
        BadInput: the file cannot be written.
    """
    partial, count = path.with_name(f"{path.name}.part"), 0
    try:
        with _opened(partial, packed=path.suffix == ".gz") as file:
            for count, row in enumerate(rows, 1):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                if progress is not None:
                    progress(count)
        partial.replace(path)
        text = json.dumps({"file": path.name, "rows": count, **about}, ensure_ascii=False, indent=2)
        about_path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror}); choose another file") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def about_path(path: Path) -> Path:
    """Return the file beside a day that says how it was made: ``day.jsonl.gz`` -> ``day.about.json``."""
    return path.with_name(path.name.removesuffix(".gz").removesuffix(".jsonl") + ".about.json")


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[TextIO]:
    with path.open("wb") as plain:
        if not packed:
            with io.TextIOWrapper(plain, encoding="utf-8", newline="\n") as file:
                yield file
            return
        # Without a name and a time in its head, the same rows give the same file.
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0) as zipped,
            io.TextIOWrapper(zipped, encoding="utf-8", newline="\n") as file,
        ):
            yield file
