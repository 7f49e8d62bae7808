"""Two long texts that are one frame of wording, filled twice: other figures, names, code or options in the same words."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import regex

from groat.text import content_words

LEAST_WEIGHT: Final = 14.0
"""Words of the shorter text, a Han character for half of one: what is shorter is for the guard, which knows what words do."""
RUN: Final = 3
"""Tokens in a row that count as common wording."""
LEAST_SHARED: Final = 0.5
"""Share of the runs of the text with fewer of them that the other one must have."""

_TOKEN = regex.compile(r"\d+(?:[.,:/]\d+)*|[[\p{L}\p{N}]--[\p{Han}\d]]+|\p{Han}|[^\s\p{L}\p{N}]", regex.VERSION1)
_HAN = regex.compile(r"\p{Han}")
_FIGURE: Final = "0"
_LOOSE: Final = frozenset(".,;:!?'\"()[]{}…-–—、。·~`")
"""Signs that people set or leave out as they like."""
_ENDS: Final = frozenset('.!?:。\n"')
"""What a sentence begins after: a capital there is no name."""
_LIGHT: Final = frozenset(
    "的了吗呢啊呀吧我你您他她它们是在有和与或就都也很请问怎么样如何多少几哪为什可以能会要想不这那个着过得地把被给让对从到里上下中"
)
"""Han characters that say little, so that one text may lack them."""


def shared_template(asked_text: str, kept_text: str) -> bool:
    """Say whether two texts share most of their wording and differ in what fills it, so that neither may serve the other.

    Both must be long enough for shared wording to be no chance. They differ when their figures, their names in Latin letters
    or their signs differ or stand in another order, or when each has a content word that the other lacks. A word in place of
    its synonym looks so too, which costs a hit.

    Symmetric, never raises; about 0.05 ms for questions of usual length, and growing with the length.
    """
    # Most questions are too short, and are told so at once for every other one that they are held against.
    if _weight_of(asked_text) < LEAST_WEIGHT or _weight_of(kept_text) < LEAST_WEIGHT:
        return False
    a, b = _tokens(asked_text), _tokens(kept_text)
    if _shared(a, b) < LEAST_SHARED:
        return False
    if _figures_and_signs(a) != _figures_and_signs(b) or _names_differ(a, b):
        return True
    return _each_has_more(_contents(a, asked_text), _contents(b, kept_text))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(unicodedata.normalize("NFKC", text))


@lru_cache(maxsize=4096)
def _weight_of(text: str) -> float:
    return sum(0.5 if _HAN.match(token) else 1.0 for token in _tokens(text) if token.isalnum())


def _shared(a: Sequence[str], b: Sequence[str]) -> float:
    """Return the share of common runs, 0..1; figures are all alike."""
    left, right = _runs(a), _runs(b)
    return (left & right).total() / min(left.total(), right.total())


def _runs(tokens: Sequence[str]) -> Counter[tuple[str, ...]]:
    plain = [_FIGURE if token[0].isdigit() else token.casefold() for token in tokens]
    return Counter(tuple(plain[at : at + RUN]) for at in range(len(plain) - RUN + 1))


def _figures_and_signs(tokens: Sequence[str]) -> list[str]:
    return [token for token in tokens if not token[0].isalpha() and token not in _LOOSE]


def _names_differ(a: Sequence[str], b: Sequence[str]) -> bool:
    """Say whether a name stands in one text only, or two names change places; many people write no capitals."""
    left, right = _names(a), _names(b)
    if not left.keys() <= _words(b) or not right.keys() <= _words(a):
        return True
    return [name for name in left if name in right] != [name for name in right if name in left]


def _names(tokens: Sequence[str]) -> dict[str, None]:
    """Return the words with a capital inside a sentence, in the order in which they come first."""
    pairs = zip(tokens, [".", *tokens], strict=False)
    return dict.fromkeys(
        token.casefold() for token, before in pairs if token[0].isupper() and len(token) > 1 and before not in _ENDS
    )


def _words(tokens: Sequence[str]) -> set[str]:
    return {token.casefold() for token in tokens}


def _contents(tokens: Sequence[str], text: str) -> Counter[str]:
    """Return the words that say something; of Chinese the characters, since pairs change with every particle."""
    han = Counter(token for token in tokens if _HAN.match(token) and token not in _LIGHT)
    return han + Counter(word for word in content_words(text) if not _HAN.match(word))


def _each_has_more(a: Counter[str], b: Counter[str]) -> bool:
    return bool(a - b) and bool(b - a)
