"""Citations of an answer: names of documents in square brackets, several of them parted by commas or semicolons."""

import regex

_CITATION = regex.compile(r"\[([^\[\]\n]{1,120})\]")
_BETWEEN = regex.compile(r"[,;，；、]")


def citations(text: str) -> list[str]:
    """Return the names cited, in order, repeated ones repeated."""
    return [name.strip() for group in _CITATION.findall(text) for name in _BETWEEN.split(group)]


def without_citations(text: str) -> str:
    """Return the text with a space in place of each citation."""
    return _CITATION.sub(" ", text)
