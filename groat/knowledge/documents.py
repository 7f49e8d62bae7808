"""The values that pass through an ingest: what was read, what it became, what is reported."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import regex

from groat.errors import BadInput, UnreadableDocument
from groat.text import detect_language
from groat.types import Language

Phase = Literal["waiting", "reading", "embedding", "done"]
"""Where an ingest is: "waiting" for another ingest of the same data folder, or at work on one document."""

MAX_ID_CHARS = 200
"""Longest id of a document, in characters."""

_NEWLINE = regex.compile(r"\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_UNFIT = regex.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_NOT_SLUG = regex.compile(r"[^\p{L}\p{N}]+")


@dataclass(frozen=True)
class SourceDocument:
    """One document as it was read: its text is Markdown without front matter."""

    id: str
    title: str
    text: str
    language: Language
    category: str
    updated: str
    """Date as the document gives it, ISO 8601 where it was a date; empty when it gives none."""
    source: Path
    """The file it came from, resolved."""
    note: str = ""
    """A sentence the user should see although the document could be read; empty for none."""

    @property
    def version(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of title and text."""
        return hashlib.sha256(f"{self.title}\n\n{self.text}".encode()).hexdigest()[:16]

    def fingerprint(self, made_with: str) -> str:
        """Return a hash of everything that is stored for this document, with ``made_with`` naming splitter and embedder."""
        parts = (self.version, self.language, self.category, self.updated, str(self.source), made_with)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ReadFailure:
    """Something in a file that is no document; the other documents of the file and of the ingest are not affected."""

    source: Path
    sentence: str


Reading = SourceDocument | ReadFailure
"""What a reader gives for each document of a file."""


@dataclass(frozen=True)
class Piece:
    """A passage of a document before it is stored."""

    heading: str
    text: str
    sentences: list[tuple[int, int]]
    language: Language


@dataclass(frozen=True)
class Progress:
    """How far an ingest is.

    Attributes:
        done: documents that are finished, readable or not.
        total: documents to read, as far as it is known; never below ``done``.
        document: id of the document at work, or the name of its file before the id is known.
        phase: what is being done with it.
    """

    done: int
    total: int
    document: str
    phase: Phase


@dataclass(frozen=True)
class IngestReport:
    """What an ingest did, by document id.

    ``unchanged`` holds every document whose version stayed, also when it had to be split or embedded anew.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    notes: list[tuple[Path, str]] = field(default_factory=list)


def make_document(source: Path, text: str, meta: dict[str, str], *, title: str, note: str = "") -> SourceDocument:
    """Return the document, its fields completed.

    Args:
        source: the resolved file.
        text: Markdown.
        meta: "id", "title", "lang", "category" and "updated" as the document gives them; each may be absent or blank.
        title: what the title is when ``meta`` has none.
        note: see ``SourceDocument.note``.

    Raises:
        UnreadableDocument: there is no text, or id or text hold characters that no text has.
    """
    text = _NEWLINE.sub("\n", text).strip()
    title = " ".join((meta.get("title", "").strip() or title).split())
    if (unfit := _UNFIT.search(text + title)) is not None:
        raise UnreadableDocument(f"the text holds the character U+{ord(unfit.group()):04X}, which no text has; clean the file")
    if not text:
        raise UnreadableDocument("the document has no text; write some or remove it")
    return SourceDocument(
        id=_checked_id(meta.get("id", "").strip()) or made_up_id(source),
        title=title,
        text=text,
        language=_language(meta.get("lang", ""), f"{title}\n{text}"),
        category=_UNFIT.sub("", meta.get("category", "")).strip(),
        updated=_UNFIT.sub("", meta.get("updated", "")).strip(),
        source=source,
        note=note,
    )


def made_up_id(source: Path) -> str:
    """Return the id of a document that gives none: the file's name and a hash of its absolute path."""
    stem = source.name.split(".")[0].lower()
    return f"{_NOT_SLUG.sub('-', stem).strip('-')[:60] or 'document'}-{hashlib.sha256(str(source).encode()).hexdigest()[:8]}"


def need_tenant(tenant: str) -> None:
    """Refuse a blank tenant, since its documents could be nobody's.

    Raises:
        BadInput: the tenant is blank.
    """
    if not tenant.strip():
        raise BadInput("the tenant is empty; name whose documents these are")


def sentence_texts(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """Return the sentences that the spans cut out of ``text``."""
    return [text[start:end] for start, end in spans]


def _checked_id(given: str) -> str:
    if len(given) > MAX_ID_CHARS or _UNFIT.search(given) or "\n" in given:
        raise UnreadableDocument(f"the id has more than {MAX_ID_CHARS} characters or control characters; give a shorter one")
    return given


def _language(given: str, text: str) -> Language:
    for language in ("zh", "en"):
        if given.strip().lower().replace("_", "-").split("-")[0] == language:
            return "zh" if language == "zh" else "en"
    return detect_language(text)
