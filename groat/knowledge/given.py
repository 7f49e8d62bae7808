"""Documents that are handed over by a program, rather than read from a file."""

from pathlib import Path
from typing import Final, Literal

from groat.knowledge.documents import SourceDocument, make_document
from groat.knowledge.html import read_html
from groat.knowledge.structure import first_heading

GIVEN: Final = Path("given")
"""Source of these documents: no file lies there, so no ingest of a folder takes them for its own."""
Form = Literal["markdown", "text", "html"]


def given_document(
    id: str, text: str, *, title: str = "", lang: str = "", category: str = "", updated: str = "", form: Form = "markdown"
) -> SourceDocument:
    """Return the document. Front matter is not looked for: what it would say is said beside the text.

    Args:
        id: names it among the tenant's documents; any text, it is no path.
        text: what it says.
        title: what it is called; empty for its first heading, or what an HTML page says.
        lang: "zh" or "en"; empty to have it found out.
        category: of the tenant's own choosing.
        updated: a date, as the reader of an answer should see it.
        form: what the text is written in.

    Raises:
        UnreadableDocument: there is no text, or id or text hold characters that no text has.
    """
    meta = {"id": id, "title": title, "lang": lang, "category": category, "updated": updated}
    if form == "html":
        page = read_html(GIVEN, text.encode("utf-8", "surrogatepass"))
        return make_document(GIVEN, page.text, meta, title=page.title if page.title != GIVEN.stem else id)
    found = first_heading(text) if form == "markdown" else ""
    return make_document(GIVEN, text, meta, title=found or id)
