"""Read JSONL files, plain or gzipped, in which every row is a document."""

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from groat.errors import UnreadableDocument
from groat.knowledge.decoding import MAX_FILE_BYTES, decode
from groat.knowledge.documents import ReadFailure, Reading, SourceDocument, make_document

_NEEDED = ("id", "text")
_OPTIONAL = ("title", "lang", "category", "updated")


def count_rows(path: Path) -> int:
    """Return the number of lines that are not blank, 1 for a file that cannot be read or has none."""
    try:
        with _opened(path) as stream:
            return max(1, sum(1 for line in _lines(stream) if line.strip()))
    except (OSError, EOFError, zlib.error, UnreadableDocument):
        return 1


def read_rows(path: Path) -> Iterator[Reading]:
    """Yield the document of each row; a broken row gives a ``ReadFailure`` that names its line, and the others follow.

    Raises:
        UnreadableDocument: the file is in UTF-16, or has no rows.
        OSError: the file cannot be opened.
    """
    number = rows = 0
    try:
        with _opened(path) as stream:
            for number, line in enumerate(_lines(stream), start=1):
                if line.strip():
                    rows += 1
                    yield _row(path, line, number)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        yield ReadFailure(path, f"line {number + 1}: the compressed file is damaged from here on; compress it again")
        return
    if not rows:
        raise UnreadableDocument("the file is empty; write some rows or remove it")


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if path.name.lower().endswith(".gz") else path.open("rb")


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    first = True
    while line := stream.readline(MAX_FILE_BYTES):
        if first and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise UnreadableDocument("the file is in UTF-16; save it as UTF-8")
        yield line.removeprefix(codecs.BOM_UTF8) if first else line
        first = False


def _row(path: Path, line: bytes, number: int) -> Reading:
    try:
        return _document(path, line)
    except UnreadableDocument as error:
        return ReadFailure(path, f"line {number}: {error}")


def _document(path: Path, line: bytes) -> SourceDocument:
    text, note = decode(line)
    try:
        row = json.loads(text)
    except ValueError as error:
        raise UnreadableDocument("not valid JSON; write one object a line") from error
    except RecursionError as error:
        raise UnreadableDocument("the JSON is nested too deeply; write one flat object a line") from error
    if not isinstance(row, dict):
        raise UnreadableDocument(f"a {type(row).__name__} and not an object; write one object a line")
    for name in (*_NEEDED, *_OPTIONAL):
        if not isinstance(row.get(name, "" if name in _OPTIONAL else None), str):
            wrong = f"{name!r} is a {type(row[name]).__name__}" if name in row else f"{name!r} is missing"
            raise UnreadableDocument(f"{wrong}; it must be a text")
    if not row["id"].strip():
        raise UnreadableDocument("'id' is blank; give each row its own id")
    meta = {name: row.get(name, "") for name in ("id", *_OPTIONAL)}
    return make_document(path, row["text"], meta, title=row["id"], note=note)
