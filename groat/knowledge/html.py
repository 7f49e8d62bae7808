"""Read an HTML page into a document, without what surrounds its content."""

from pathlib import Path

import regex
from bs4 import BeautifulSoup
from bs4.element import Tag
from markdownify import ATX, MarkdownConverter

from groat.errors import UnreadableDocument
from groat.knowledge.decoding import decode
from groat.knowledge.documents import SourceDocument, make_document

_NOISE = ("script", "style", "noscript", "template", "svg", "iframe", "nav", "header", "footer", "aside", "form", "img")
_META = ("id", "title", "lang", "category", "updated")
_CHARSET = regex.compile(rb"""<meta[^>]+charset\s*=\s*["']?([A-Za-z0-9_-]+)""", regex.IGNORECASE)
_BLANK_LINES = regex.compile(r"\n{3,}")


def read_html(source: Path, raw: bytes) -> SourceDocument:
    """Return the page as a document: ``<main>`` or ``<article>`` where there is one, as Markdown.

    Raises:
        UnreadableDocument: the page has no text, cannot be decoded, or is nested too deeply.
    """
    declared = _CHARSET.search(raw[:4096])
    text, note = decode(raw, declared.group(1).decode("ascii") if declared else "")
    try:
        page = BeautifulSoup(text, "html.parser")
        meta = _meta(page)
        title = page.title.get_text(" ", strip=True) if page.title else ""
        content = _content(page)
        markdown = MarkdownConverter(heading_style=ATX, bullets="-", wrap=False).convert_soup(content)
    except RecursionError as error:
        raise UnreadableDocument("the page is nested too deeply; simplify it or save it as Markdown") from error
    body = _BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in markdown.splitlines()))
    return make_document(source, body, meta, title=title or source.stem, note=note)


def _meta(page: BeautifulSoup) -> dict[str, str]:
    meta = {}
    for name in _META:
        tag = page.find("meta", attrs={"name": f"groat:{name}"})
        if isinstance(tag, Tag):
            meta[name] = str(tag.get("content") or "")
    if "lang" not in meta and isinstance(page.html, Tag):
        meta["lang"] = str(page.html.get("lang") or "")
    return meta


def _content(page: BeautifulSoup) -> BeautifulSoup | Tag:
    content = page.find("main") or page.find("article") or page.body or page
    for noise in content.find_all(_NOISE):
        # A heading that stands in the <header> of an article is content; menus and banners beside it are not.
        if noise.name == "header" and (headings := noise.find_all(["h1", "h2"])):
            noise.replace_with(*[heading.extract() for heading in headings])
        else:
            noise.decompose()
    return content
