"""Cut documents into passages, and say what is embedded for each of their sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import regex

from groat.knowledge.documents import Piece, SourceDocument
from groat.knowledge.structure import Block, Section, sections
from groat.text import count_tokens, detect_language, sentence_spans

SPLITTER = "1"
"""Version of the rules in this module and in ``structure``; another one makes every document be split anew."""

_DELIMITER_ROW = regex.compile(r"^\|(?:\s*:?-+:?\s*\|)+$")
_LIST_MARK = regex.compile(r"^\s*(?:>\s*)*(?:[-*+]|\d{1,9}[.)])\s+")
_LINK = regex.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = regex.compile(r"\*\*|__|`|(?<!\\)\*")
_CELL_BORDER = regex.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class _Atom:
    """A text that is not cut further, and what stands between it and the one before."""

    glue: str
    text: str


def split(document: SourceDocument, passage_tokens: int) -> list[Piece]:
    """Return the passages of a document in order: by headings, then at sentence borders.

    A passage is at most ``passage_tokens`` long unless one sentence, table row or line of code alone is longer. A table
    or piece of code that fits is never cut; a table that does not fit is cut between rows, and its head is repeated.
    """
    pieces = []
    for section in sections(document.text, document.title):
        heading = " > ".join(section.headings)
        for text in _packed(_atoms(section, passage_tokens), passage_tokens):
            spans = sentence_spans(text)
            pieces.append(Piece(heading, text, spans, detect_language(text, document.language)))
    return pieces


def embedded_texts(title: str, piece: Piece) -> list[str]:
    """Return what is embedded for each sentence of the piece: the title and headings it stands under, then the sentence.

    The cells of a table row are named by the table's head, and Markdown's marks are left out. With its context a sentence
    such as "It takes 5 days." is found by what the page is about.
    """
    context = " > ".join(part for part in (title, piece.heading) if part)
    texts = []
    head: list[str] = []
    sentences = [piece.text[start:end] for start, end in piece.sentences]
    for sentence, following in zip_longest(sentences, sentences[1:], fillvalue=""):
        if not sentence.startswith("|") or _DELIMITER_ROW.match(following):
            head = _cells(sentence) if sentence.startswith("|") else []
        texts.append(f"{context}: {_bare(sentence, head)}")
    return texts


def _bare(sentence: str, head: list[str]) -> str:
    if not sentence.startswith("|"):
        return _EMPHASIS.sub("", _LINK.sub(r"\1", _LIST_MARK.sub("", sentence)))
    cells = _cells(sentence)
    if cells == head or _DELIMITER_ROW.match(sentence) or len(cells) != len(head):
        return ", ".join(cell for cell in cells if cell.strip(":- "))
    return ", ".join(f"{name}: {cell}" if name else cell for name, cell in zip(head, cells, strict=True) if cell)


def _cells(row: str) -> list[str]:
    return [_EMPHASIS.sub("", _LINK.sub(r"\1", cell)).strip() for cell in _CELL_BORDER.split(row.strip().strip("|"))]


def _atoms(section: Section, passage_tokens: int) -> Iterator[_Atom]:
    for block in section.blocks:
        glue = "\n\n"
        for between, text in _parts(block, passage_tokens):
            yield _Atom(glue + between.lstrip("\n") if glue else between, text)
            glue = ""


def _parts(block: Block, passage_tokens: int) -> Iterator[tuple[str, str]]:
    """Yield what stands before each uncut text of a block, and the text."""
    if block.kind == "text":
        end = 0
        for start, following_end in sentence_spans(block.text):
            yield block.text[end:start], block.text[start:following_end]
            end = following_end
    elif count_tokens(block.text) <= passage_tokens:
        yield "", block.text
    elif block.kind == "table":
        yield from (("\n\n", part) for part in _table_parts(block.text, passage_tokens))
    else:
        yield from (("\n", line) for line in block.text.split("\n"))


def _table_parts(table: str, passage_tokens: int) -> Iterator[str]:
    rows = table.split("\n")
    head, rows = rows[:2], rows[2:]
    part = list(head)
    for row in rows:
        if len(part) > len(head) and count_tokens("\n".join([*part, row])) > passage_tokens:
            yield "\n".join(part)
            part = list(head)
        part.append(row)
    yield "\n".join(part)


def _packed(atoms: Iterator[_Atom], passage_tokens: int) -> Iterator[str]:
    text = ""
    for atom in atoms:
        longer = text + atom.glue + atom.text
        if text.strip() and count_tokens(longer.strip()) > passage_tokens:
            yield text.strip()
            text = atom.text
        else:
            text = longer
    if text.strip():
        yield text.strip()
