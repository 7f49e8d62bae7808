"""Tell Chinese from English."""

import re

import regex

from groat.types import Language

_HAN = regex.compile(r"\p{Han}")
_LETTER = regex.compile(r"\p{Latin}")
_ASCII_LETTER = re.compile(r"[A-Za-z]")


def cjk_share(text: str) -> float:
    """Return the share of Han characters among Han characters and Latin *words*, 0..1; 0.0 for a text with neither.

    A Latin word counts about as much as two Han characters, so letters are divided by 2.5: "Leaf App 怎么登录" is Chinese.
    """
    return _cjk_share(text) or 0.0


def detect_language(text: str, default: Language = "en") -> Language:
    """Return "zh" when Han characters carry at least 30 % of the text, else "en"; ``default`` for a text without letters."""
    if text.isascii():
        return "en" if _ASCII_LETTER.search(text) else default
    share = _cjk_share(text)
    if share is None:
        return default
    return "zh" if share >= 0.3 else "en"


def _cjk_share(text: str) -> float | None:
    han, latin = len(_HAN.findall(text)), len(_LETTER.findall(text)) / 2.5
    return han / (han + latin) if han + latin else None
