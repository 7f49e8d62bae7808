"""Read the text of a PDF file into a document."""

import io
from pathlib import Path

import pypdf
import regex
from pypdf.errors import DependencyError

from groat.errors import UnreadableDocument
from groat.knowledge.documents import SourceDocument, make_document

_HYPHEN = regex.compile(r"(?<=\p{Ll})-\n(?=\p{Ll})")
_MARKDOWN_START = regex.compile(r"^(?=#{1,6}\s|={3,}\s*$|-{3,}\s*$|~{3}|`{3})", regex.MULTILINE)
_BROKEN = "the PDF is damaged; open it in a viewer, print it to a new PDF and ingest that"


def read_pdf(source: Path, raw: bytes) -> SourceDocument:
    """Return the PDF's text as a document; pages are parted by blank lines.

    Raises:
        UnreadableDocument: it is encrypted, damaged, or has no text, as a scan has none.
    """
    if not raw.strip():
        raise UnreadableDocument("the file is empty; write some text or remove it")
    try:
        title, pages = _extract(raw)
    except UnreadableDocument:
        raise
    except Exception as error:
        # A damaged PDF makes pypdf raise nearly anything (KeyError, TypeError, RecursionError, its own errors).
        raise UnreadableDocument(_BROKEN) from error
    if not any(pages):
        raise UnreadableDocument("the PDF has no text, only pictures; run text recognition (OCR) over it first")
    blank = sum(1 for page in pages if not page)
    note = f"{blank} of {len(pages)} pages have no text" if blank else ""
    text = _HYPHEN.sub("", "\n\n".join(page for page in pages if page))
    return make_document(source, _MARKDOWN_START.sub(r"\\", text), {}, title=title or source.stem, note=note)


def _extract(raw: bytes) -> tuple[str, list[str]]:
    reader = pypdf.PdfReader(io.BytesIO(raw))
    if reader.is_encrypted:
        try:
            opened = reader.decrypt("")
        except (DependencyError, NotImplementedError):
            opened = pypdf.PasswordType.NOT_DECRYPTED
        if not opened:
            raise UnreadableDocument("the PDF is encrypted; save a copy without a password")
    given = reader.metadata.title if reader.metadata is not None else None
    # Documents printed from an office program carry that program's name for the file as their title.
    title = "" if given is None or given.strip().lower() in {"untitled", "anonymous", "(anonymous)"} else given.strip()
    return title, [page.extract_text().replace("\0", "").strip() for page in reader.pages]
