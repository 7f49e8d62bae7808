"""Whether two questions say the same words with two things in each other's place: Postgres to MySQL and MySQL to Postgres."""

from collections import Counter
from functools import lru_cache
from typing import Final

import regex

from groat.text import content_words, fold

_WORD: Final = regex.compile(r"\p{Han}|[[\p{L}\p{N}]--\p{Han}]+(?:['’.+#-]+[[\p{L}\p{N}]--\p{Han}]+)*", regex.VERSION1)
_EVEN: Final = regex.compile(
    r"\b(?:or|and|vs|versus|between|difference|differences|differ|differs|different|compare|compared|relation|relationship|similar)\b"
    r"|还是|或者?|和|与|跟|及|区别|差别|不同|相比|比较|关系"
)
"""Around these nothing changes when both things change places."""
_TOWARDS: Final = regex.compile(
    r"\b(?:to|into|from)\b|兑换成|转换成|换成|转成|变成|改成|翻译成|兑换|转换|折合|转|换|兑|到|飞往|飞|至|从|由"
)
_NEXT: Final = 2
"""Content words on each side of a direction that can be the thing itself: "current account"."""


def exchanged(a: str, b: str) -> bool:
    """Say whether two things stand in each other's place in a question and a kept one. Symmetric; never raises.

    Either the questions are equal word for word when some words change places with others ("some liberals like cats because
    most conservatives like dogs"), or what stands before a direction stands behind it in the other ("from Graz to Wien").
    Where the sentence is even ("Graz or Wien", 区别) nothing is exchanged.
    """
    one, other = fold(a), fold(b)
    if one == other or (_EVEN.search(one) and _EVEN.search(other)):
        return False
    return _places_changed(_words(one), _words(other)) or _turned(one, other)


@lru_cache(maxsize=8192)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text))


def _places_changed(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if len(one) != len(other) or Counter(one) != Counter(other):
        return False
    partner: dict[str, str] = {}
    for left, right in zip(one, other, strict=True):
        # Each word stands where its partner stood, and the other way round; one that stayed is its own partner.
        if partner.setdefault(left, right) != right or partner.setdefault(right, left) != left:
            return False
    changed = {word for word, with_ in partner.items() if word != with_}
    # "Why is Delhi" and "why Delhi is", "near the hall, where" and "where near the hall": those are other ways to say it.
    return bool(changed) and all(map(content_words, changed))


def _turned(one: str, other: str) -> bool:
    for match in _TOWARDS.finditer(one):
        found = other.find(match.group())
        while found >= 0:
            before, behind = _sides(one, match.start(), match.end())
            other_before, other_behind = _sides(other, found, found + len(match.group()))
            if before & other_behind - behind - other_before and behind & other_before - before - other_behind:
                return True
            found = other.find(match.group(), found + 1)
    return False


@lru_cache(maxsize=8192)
def _sides(text: str, start: int, end: int) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(content_words(text[:start])[-_NEXT:]), frozenset(content_words(text[end:])[:_NEXT])
