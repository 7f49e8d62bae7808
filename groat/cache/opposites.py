"""Words with opposites, read from ``opposites.toml``, and whether two questions stand on different sides of one."""

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
    left, right = (_PARTED.sub(r"\g<verb> \g<particle> \g<object>", text) for text in (a, b))
    return any(_differ(group, left, right) for group in _groups())


def _differ(group: _Group, a: str, b: str) -> bool:
    left, right = group.named(a), group.named(b)
    if left == right:
        return False
    return group.strict or bool(left and right)


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
