"""Bring a question into a form that can be compared, and refuse what cannot be asked."""

import unicodedata
from functools import lru_cache

import regex

from groat.errors import BadInput

MAX_QUESTION_CHARS = 20_000
"""Longest question, in characters: about 5,000 English or 14,000 Chinese tokens, well inside every model's window."""

_EDGE = regex.compile(r"[\s\p{P}]")
_ASCII_EDGE = "".join(char for char in map(chr, range(128)) if _EDGE.match(char))
_SPACE = regex.compile(r"\s+")
_INVISIBLE = regex.compile(r"[\p{Cf}]")
_HAN_SPACE = regex.compile(r"(?<=\p{Han})\s+(?=\p{Han})")


def clean_question(text: object) -> str:
    """Return the question without outer white space.

    Raises:
        BadInput: it is not text, blank, longer than ``MAX_QUESTION_CHARS``, or holds control or surrogate characters.
    """
    if not isinstance(text, str):
        raise BadInput(f"a question must be text, not {type(text).__name__}")
    if len(text) > MAX_QUESTION_CHARS:
        raise BadInput(
            f"the question has {len(text):,} characters and at most {MAX_QUESTION_CHARS:,} can be asked; "
            "put long material into a document and ingest it"
        )
    for place, char in enumerate(text):
        if unicodedata.category(char) in {"Cc", "Cs"} and char not in "\t\n\r":
            raise BadInput(f"the question holds the control character U+{ord(char):04X} at position {place}; remove it")
    if not _INVISIBLE.sub("", text).strip():
        raise BadInput("the question is empty; write what you want to know")
    return text.strip()


def fold(text: str) -> str:
    """Return the text with width, case, outer punctuation, invisible characters and repeated space made equal.

    Inner punctuation stays, because "5.6" and "56" differ. The result may be empty for a text of punctuation alone.
    """
    flat = unicodedata.normalize("NFKC", text)
    # What can be printed holds nothing invisible, and no white space but the plain one.
    if not flat.isprintable():
        flat = _INVISIBLE.sub("", flat)
    flat = flat.casefold()
    if "  " in flat or not flat.isprintable():
        flat = _SPACE.sub(" ", flat)
    if flat.isascii():
        return flat.strip(_ASCII_EDGE) or flat.strip()
    if " " in flat:
        flat = _HAN_SPACE.sub("", flat)
    return _inner(flat) or flat.strip()


def _inner(text: str) -> str:
    begin, end = 0, len(text)
    while begin < end and _is_edge(text[begin]):
        begin += 1
    while begin < end and _is_edge(text[end - 1]):
        end -= 1
    return text[begin:end]


@lru_cache(maxsize=8192)
def _is_edge(char: str) -> bool:
    return _EDGE.match(char) is not None
