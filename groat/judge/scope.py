"""What the judge was trained for, and what lies beyond it."""

import tomllib
from pathlib import Path

import regex

from groat.text import cjk_share

MOST_CHARS = 2_000
"""Of a text; what lies beyond the judge's tokens is not read, and longer texts are not judged at all."""
_LETTER = regex.compile(r"\p{Letter}")
_KNOWN = regex.compile(r"[\p{Latin}\p{Han}]")
_WORD = regex.compile(r"[\p{Latin}']+")
_FOREIGN_SHARE = 0.3
_FEW_WORDS = 4
_LISTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_ENGLISH = frozenset(_LISTS["english"].split())
_OTHERS = frozenset(" ".join(_LISTS["others"].values()).split()) - _ENGLISH


def out_of_range(text: str) -> str | None:
    """Return why the judge has no opinion on a text: a reason in words, or None when it has one.

    It was trained on Chinese and English. Other scripts are told by their letters, other languages in Latin letters by
    their commonest words, so that a short one may pass.
    """
    if not text.strip():
        return "the text is empty"
    if len(text) > MOST_CHARS:
        return f"the text is longer than {MOST_CHARS:,} characters"
    letters = _LETTER.findall(text)
    if not letters:
        return "the text has no words"
    foreign = sum(_KNOWN.match(letter) is None for letter in letters)
    if foreign > _FOREIGN_SHARE * len(letters) or _in_other_words(text):
        return "the text is neither Chinese nor English"
    return None


def _in_other_words(text: str) -> bool:
    """Tell whether a text in Latin letters has more common words of other languages than of English, at least two."""
    words = [word.casefold() for word in _WORD.findall(text)]
    if cjk_share(text) >= _FOREIGN_SHARE or len(words) < _FEW_WORDS:
        return False
    english, others = (sum(word in known for word in words) for known in (_ENGLISH, _OTHERS))
    return others > english and others >= 2
