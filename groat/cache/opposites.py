"""Words with opposites, read from ``opposites.toml``, and whether two questions stand on different sides of one."""

import operator
import re
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import regex

# "turn the schedule off" is "turn off the schedule".
_PARTED = regex.compile(
    r"\b(?P<verb>turn|turned|turning|switch|switched|switching|send|sent|give|log|"
    r"sign) (?P<object>.{1,40}?) (?P<particle>on|off|back|in|out)\b"
)
_PARTED_VERB = re.compile(r"turn|switch|sen[dt]|give|log|sign")


@dataclass(frozen=True)
class _Group:
    """One group of opposites; ``words`` finds its words, ``sides`` tells on which side each one stands."""

    words: regex.Pattern[str]
    sides: dict[str, int]
    strict: bool

    def named(self, text: str) -> frozenset[int]:
        """Return the sides that the folded text names."""
        found = (self.sides.get(match.group()) for match in self.words.finditer(text))
        return frozenset(side for side in found if side is not None)


def opposite_sides(a: str, b: str) -> bool:
    """Say whether two folded questions name different sides of any group of opposites.

    A question may name several sides ("opened or unopened"); then the other must name the same ones. In a strict group,
    naming none differs from naming one.
    """
    one, other = _named(a), _named(b)
    groups = _groups()
    for number in one.keys() | other.keys():
        left, right = one.get(number), other.get(number)
        if left != right and (groups[number].strict or (left and right)):
            return True
    return False


@lru_cache(maxsize=8192)
def _named(text: str) -> dict[int, frozenset[int]]:
    """Return number of a group -> the sides that the text names, of the groups of which it names any."""
    joined = _PARTED.sub(r"\g<verb> \g<particle> \g<object>", text) if _PARTED_VERB.search(text) else text
    # Most texts hold a word of few groups, and finding these takes a twentieth of what all patterns would.
    pairs = list(map(operator.add, joined, joined[1:]))
    starts = {*joined, *pairs, *map(operator.add, pairs, joined[2:])} & _starts().keys()
    likely = {number for start in starts for word, number in _starts()[start] if word in joined}
    found = {number: _groups()[number].named(joined) for number in likely}
    return {number: sides for number, sides in found.items() if sides}


@lru_cache(maxsize=1)
def _starts() -> dict[str, list[tuple[str, int]]]:
    """Return the first three characters of each word, or all it has -> the words with the number of their group."""
    found: dict[str, list[tuple[str, int]]] = {}
    for number, group in enumerate(_groups()):
        for word in group.sides:
            found.setdefault(word[:3], []).append((word, number))
    return found


@lru_cache(maxsize=1)
def _groups() -> tuple[_Group, ...]:
    table = tomllib.loads(resources.files("groat.cache").joinpath("opposites.toml").read_text(encoding="utf-8"))
    return tuple(
        _group(group.get("en", []), group["zh"], group.get("ignore", []), group.get("strict", False))
        for group in table.values()
    )


def _group(en: list[list[str]], zh: list[list[str]], ignore: list[str], strict: bool) -> _Group:
    sides = {word: side for language in (en, zh) for side, words in enumerate(language) for word in words}
    longest_first = sorted([*sides, *ignore], key=len, reverse=True)
    return _Group(regex.compile("|".join(_spelling(word) for word in longest_first)), sides, strict)


def _spelling(word: str) -> str:
    return rf"\b{regex.escape(word)}\b" if word.isascii() else regex.escape(word)
