"""See the sections, tables and code of a Markdown text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

import regex
from markdown_it import MarkdownIt
from markdown_it.token import Token

_FULL_LINE_COLUMNS = 40
"""A shorter line was broken on purpose (a list without marks, an address) and not because the column was full."""

_WIDE = regex.compile(r"[\p{Han}\u3000-\u303f\uff00-\uffef]")
_ENDS = regex.compile(r"[.!?:;|。！？：；…]['\"”’」』）)】*_]*$")
_HARD_BREAK = regex.compile(r"(?: {2,}|\\)$")
_TAG = regex.compile(r"<!--.*?-->|</?[A-Za-z][^>]*>", regex.DOTALL)


@dataclass(frozen=True)
class Block:
    """A paragraph, list, quotation, table or piece of code."""

    kind: Literal["text", "table", "code"]
    text: str


@dataclass(frozen=True)
class Section:
    """What stands below one heading, down to the next."""

    headings: tuple[str, ...]
    """Headings above the blocks, the outermost first, without a heading that repeats the title."""
    blocks: tuple[Block, ...]


def first_heading(markdown: str) -> str:
    """Return the first heading of level 1, empty when there is none."""
    tokens = _parser().parse(markdown)
    for place, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h1":
            return _plain(tokens[place + 1])
    return ""


def sections(markdown: str, title: str) -> list[Section]:
    """Return the sections of a text in order, none without blocks.

    Lines that were only wrapped are joined. A heading with neither text nor smaller headings below it joins what follows;
    at the end of the text it is a block of its own.
    """
    lines = markdown.split("\n")
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    blocks: list[Block] = []
    bare: list[Block] = []
    tokens = _parser().parse(markdown)

    def close() -> None:
        if blocks:
            found.append(Section(tuple(text for _, text in path if text != title), tuple(bare + blocks)))
            blocks.clear()
            bare.clear()

    for place, token in enumerate(tokens):
        if token.level or token.map is None or token.nesting < 0:
            continue
        if token.type == "heading_open":
            level = int(token.tag[1])
            if not blocks and path and path[-1][0] >= level and path[-1][1] != title and not _has_text(found, path):
                bare.append(Block("text", path[-1][1]))
            close()
            path = [(above, text) for above, text in path if above < level] + [(level, _plain(tokens[place + 1]))]
        elif (block := _block(tokens, place, lines)) is not None:
            blocks.append(block)
    if not blocks and path and not _has_text(found, path):
        blocks.append(Block("text", path.pop()[1]))
    close()
    return found


def _has_text(found: Sequence[Section], path: Sequence[tuple[int, str]]) -> bool:
    """Tell whether the newest section stands below the last heading of ``path``."""
    return bool(found) and bool(path) and path[-1][1] in found[-1].headings


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _plain(inline: Token) -> str:
    parts = [" " if child.type.endswith("break") else child.content for child in inline.children or []]
    return " ".join("".join(parts).split())


def _block(tokens: Sequence[Token], place: int, lines: Sequence[str]) -> Block | None:
    token = tokens[place]
    start, end = token.map or (0, 0)
    own = [line.rstrip("\n") for line in lines[start:end]]
    if token.type in {"fence", "code_block"}:
        return Block("code", "\n".join(own).strip("\n"))
    if token.type == "table_open":
        return Block("table", "\n".join(_piped(line) for line in own if line.strip()))
    if token.type == "html_block":
        text = _TAG.sub(" ", "\n".join(own))
    elif token.type == "hr":
        return None
    else:
        text = _unwrapped(own, start, _wrapped_lines(islice(tokens, place, None), end))
    return Block("text", text.strip()) if text.strip() else None


def _piped(row: str) -> str:
    """Give a table row its outer bars, which GitHub lets people leave out."""
    row = row.strip()
    return row if row.startswith("|") else f"| {row} |"


def _wrapped_lines(tokens: Iterable[Token], end: int) -> set[int]:
    """Return the numbers of the lines that continue in the next line of the same paragraph."""
    wrapped: set[int] = set()
    for token in tokens:
        if token.map is not None and token.map[0] >= end:
            break
        if token.type == "inline" and token.map is not None:
            wrapped.update(range(token.map[0], token.map[1] - 1))
    return wrapped


def _unwrapped(own: Sequence[str], start: int, wrapped: set[int]) -> str:
    text = own[0]
    line = own[0]
    for place, following in enumerate(own[1:], start=start):
        if place in wrapped and _was_wrapped(line):
            rest = following.lstrip(" \t>")
            glue = "" if _WIDE.match(text[-1:]) and _WIDE.match(rest[:1]) else " "
            text = text.rstrip() + glue + rest
        else:
            text += "\n" + following
        line = following
    return "\n".join(line.rstrip() for line in text.split("\n"))


def _was_wrapped(line: str) -> bool:
    columns = len(line) + len(_WIDE.findall(line))
    return columns >= _FULL_LINE_COLUMNS and not _ENDS.search(line.rstrip()) and not _HARD_BREAK.search(line)
