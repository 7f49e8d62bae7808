"""Read a file of any kind into documents."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import frontmatter
import regex
import yaml

from groat.errors import UnreadableDocument
from groat.knowledge.decoding import MAX_FILE_BYTES, decode
from groat.knowledge.documents import ReadFailure, Reading, SourceDocument, make_document
from groat.knowledge.html import read_html
from groat.knowledge.pdf import read_pdf
from groat.knowledge.rows import count_rows, read_rows
from groat.knowledge.structure import first_heading

SUFFIXES = (".md", ".markdown", ".txt", ".html", ".htm", ".pdf", ".jsonl", ".jsonl.gz")
"""Kinds of files that are read."""

_META = ("id", "title", "lang", "category", "updated")
_TITLE_CHARS = 80
_ENDS_A_SENTENCE = regex.compile(r"[.!?。！？;；:：,，]$")


def is_readable_kind(path: Path) -> bool:
    """Tell by its name whether a file is of a kind that is read."""
    return path.name.lower().endswith(SUFFIXES)


def count_documents(path: Path) -> int:
    """Return how many documents a file seems to hold; reads JSONL files through, others not at all."""
    return count_rows(path) if _is_rows(path) else 1


def read_documents(path: Path) -> Iterator[Reading]:
    """Yield the documents of a file, one at a time, and a ``ReadFailure`` for each that cannot be read.

    Nothing is raised for what a file holds. ``path`` must be resolved.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UnreadableDocument(f"the file is larger than {MAX_FILE_BYTES // 1_000_000} MB; split it")
        if _is_rows(path):
            yield from read_rows(path)
        else:
            yield _read_one(path)
    except UnreadableDocument as error:
        yield ReadFailure(path, str(error))
    except OSError as error:
        yield ReadFailure(path, f"the file cannot be opened ({error.strerror or type(error).__name__}); check its permissions")


def _is_rows(path: Path) -> bool:
    return path.name.lower().endswith((".jsonl", ".jsonl.gz"))


def _read_one(path: Path) -> SourceDocument:
    raw = path.read_bytes()
    suffix = path.suffix.lower()
    if suffix == ".pdf":
        return read_pdf(path, raw)
    if suffix in {".html", ".htm"}:
        return read_html(path, raw)
    text, note = decode(raw)
    meta, body = _front_matter(text)
    title = first_heading(body) if suffix != ".txt" else _first_line(body)
    return make_document(path, body, meta, title=title or path.stem, note=note)


def _front_matter(text: str) -> tuple[dict[str, str], str]:
    text = text.lstrip("\ufeff")
    try:
        found, body = frontmatter.parse(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" (line {mark.line + 1})" if mark is not None else ""
        raise UnreadableDocument(
            f"the front matter is not valid YAML{place}; mend what stands between the --- lines"
        ) from error
    if not found:
        # A text may open with a horizontal rule; without a mapping between the lines nothing was front matter.
        return {}, text
    meta = {}
    for name in _META:
        if (value := found.get(name)) is not None:
            meta[name] = _scalar(name, value)
    return meta, body


def _scalar(name: str, value: object) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return str(value)
    raise UnreadableDocument(f"{name!r} in the front matter is a {type(value).__name__}; write one plain value")


def _first_line(text: str) -> str:
    line = text.lstrip().partition("\n")[0].strip()
    return line if line and len(line) <= _TITLE_CHARS and not _ENDS_A_SENTENCE.search(line) else ""
