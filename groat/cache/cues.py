"""Wordings as people write them in ``policy.toml``, made into patterns."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import regex

from groat.text import fold
from groat.types import Language

GAPS: Final[Mapping[Language, Mapping[str, int]]] = {"en": {"..": 12, "...": 30}, "zh": {"..": 6, "...": 14}}
"""Most characters that a gap stands for."""
MOST_GAPS: Final = 3
"""Gaps of one wording: the time to look for it grows with their product."""

# Stand around Latin words until it is known whether a space makes the boundary already.
_OPEN, _CLOSE = "\x01", "\x02"
_TOKEN = regex.compile(r"\\.|\.{2,3}|\{\w+\}|[()\[\]|*#^$]|\s+|[a-z\d'-]+|.", regex.DOTALL)
_LATIN = regex.compile(r"[a-z\d]")
_HAN = regex.compile(r"\p{Han}")
_NUMBER = r"(?:\d[\d.,]*|[零〇一二两三四五六七八九十百千万]+)"
_ONE: Final[Mapping[Language, str]] = {"en": r"[^\s]+", "zh": r"[^\s]"}
_Kind = Literal["words", "maybe", "gap", "sign"]


class CueError(ValueError):
    """A wording cannot be read; the message says why and what to write."""


@dataclass(frozen=True)
class Readable:
    """A question in the form that wordings are compared with."""

    text: str
    has_latin: bool
    has_han: bool


@dataclass(frozen=True)
class Wordings:
    """Patterns of both languages, any of which may be found; None for a language without one."""

    en: regex.Pattern[str] | None
    zh: regex.Pattern[str] | None

    def found_in(self, asked: Readable) -> bool:
        """Say whether any wording stands in the question."""
        return bool(
            (self.en is not None and asked.has_latin and self.en.search(asked.text))
            or (self.zh is not None and asked.has_han and self.zh.search(asked.text))
        )

    def read_over(self, asked: Readable) -> Readable:
        """Return the question without these wordings."""
        text = asked.text
        if self.en is not None and asked.has_latin:
            text = self.en.sub(" ", text)
        if self.zh is not None and asked.has_han:
            text = self.zh.sub(" ", text)
        return asked if text == asked.text else readable(text)


def readable(text: str) -> Readable:
    """Return a text as wordings see it: width, case, apostrophes, space and outer punctuation made equal."""
    plain = _same_spelling(fold(text))
    return Readable(plain, bool(_LATIN.search(plain)), bool(_HAN.search(plain)))


def wordings(en: Sequence[str], zh: Sequence[str], lists: Mapping[str, Sequence[str]]) -> Wordings:
    """Return the patterns of wordings.

    Args:
        en: English wordings.
        zh: Chinese wordings.
        lists: the words that ``{name}`` stands for.

    Raises:
        CueError: a wording cannot be read, or names a list that there is not.
    """
    return Wordings(_either(en, "en", lists), _either(zh, "zh", lists))


def _either(cues: Sequence[str], language: Language, lists: Mapping[str, Sequence[str]]) -> regex.Pattern[str] | None:
    return regex.compile("|".join(_Reader(cue, language, lists).pattern() for cue in cues)) if cues else None


def _same_spelling(text: str) -> str:
    return text.replace("’", "'").replace("‘", "'")


def _plain(text: str) -> str:
    return _same_spelling(unicodedata.normalize("NFKC", text).casefold()).strip()


def _literal(text: str) -> str:
    """Return the pattern of plain words, which are no parts of longer Latin words."""
    first, last = (_OPEN if _LATIN.match(text[0]) else "", _CLOSE if _LATIN.match(text[-1]) else "")
    return first + regex.escape(text, special_only=True, literal_spaces=True) + last


class _Reader:
    """Reads one wording from left to right."""

    def __init__(self, cue: str, language: Language, lists: Mapping[str, Sequence[str]]) -> None:
        """Cut the wording into its signs."""
        self._cue = cue
        self._language = language
        self._lists = lists
        self._tokens = _TOKEN.findall(_plain(cue))
        self._at = 0

    def pattern(self) -> str:
        """Return the regular expression of the whole wording."""
        found = self._sequence()
        if self._at < len(self._tokens):
            raise self._wrong(f"has a {self._tokens[self._at]!r} too many")
        if not found:
            raise self._wrong("says nothing")
        if sum(token in GAPS[self._language] for token in self._tokens) > MOST_GAPS:
            raise self._wrong(f"has more than {MOST_GAPS} gaps; part it into shorter ones")
        return found.replace(f"{_CLOSE} {_OPEN}", " ").replace(_OPEN, r"(?<![a-z\d])").replace(_CLOSE, r"(?![a-z\d])")

    def _sequence(self) -> str:
        """Return the pattern up to the sign that ends an alternative, or to the end."""
        pattern, spaced = "", False
        # Nothing stands before what comes next, so that a word that may be missing brings the space behind it along.
        first, glued = True, True
        while self._at < len(self._tokens) and self._tokens[self._at] not in {"|", ")", "]"}:
            token = self._tokens[self._at]
            self._at += 1
            if token.isspace():
                spaced = self._language == "en"
                continue
            piece, kind = self._piece(token)
            if self._language == "en" and kind in {"words", "maybe"} and not (spaced or glued):
                raise self._wrong(f"needs a space before {token!r}")
            space = " " if spaced and kind in {"words", "maybe"} else ""
            if kind == "maybe":
                pattern += f"(?:{piece}{' ' if self._language == 'en' else ''})?" if first else f"(?:{space}{piece})?"
            else:
                pattern += piece if first else space + piece
                first = kind == "gap"
            spaced, glued = False, kind in {"gap", "sign"}
        return pattern

    def _piece(self, token: str) -> tuple[str, _Kind]:
        if token in GAPS[self._language]:
            return f".{{0,{GAPS[self._language][token]}}}?", "gap"
        if token in "^$":
            return token, "gap"
        if token == "#":
            return _NUMBER, "words"
        if token == "*":
            return _ONE[self._language], "words"
        if token in {"(", "["}:
            return self._group(token), "words" if token == "(" else "maybe"
        if token[0] == "{" and token[-1] == "}":
            return self._list(token[1:-1]), "words"
        if token[0] == "\\":
            return regex.escape(token[1:]), "sign"
        return _literal(token), "words" if _LATIN.match(token) else "sign"

    def _group(self, opening: str) -> str:
        alternatives = [self._sequence()]
        while self._at < len(self._tokens) and self._tokens[self._at] == "|":
            self._at += 1
            alternatives.append(self._sequence())
        closing = ")" if opening == "(" else "]"
        if self._at == len(self._tokens) or self._tokens[self._at] != closing:
            raise self._wrong(f"has a {opening!r} without its {closing!r}")
        self._at += 1
        if not all(alternatives):
            raise self._wrong("has an empty alternative")
        return f"(?:{'|'.join(alternatives)})"

    def _list(self, name: str) -> str:
        if name not in self._lists:
            raise self._wrong(f"names the list {name!r}, which [words] does not hold")
        longest_first = sorted((_plain(word) for word in self._lists[name]), key=len, reverse=True)
        if self._language == "zh":
            return f"(?:{'|'.join(map(_literal, longest_first))})"
        spelled = "|".join(regex.escape(word, special_only=True, literal_spaces=True) for word in longest_first)
        return f"{_OPEN}(?:{spelled})s?{_CLOSE}"

    def _wrong(self, why: str) -> CueError:
        return CueError(f"the wording {self._cue!r} {why}")
