"""Whether a sentence says what another one says, word for word but for what carries no meaning."""

import unicodedata
from collections import defaultdict
from functools import lru_cache
from itertools import takewhile
from typing import Final

import regex

from groat.text.numerals import HAN_NUMERAL, han_number
from groat.text.quantities import quantities

POINTS_BACK: Final = regex.compile(
    r"^(?:it|he|she|they|this|that|these|those|its|his|her|their)\b|^(?:他们|她们|它们|他|她|它|其|此|该)", regex.IGNORECASE
)
"""Begins a sentence that cannot be understood without the one before."""
_PERCENT: Final = regex.compile(r"百分之([零〇一二两三四五六七八九十百]+)")
_LEADING: Final = regex.compile(
    r"^(?:(?:however|moreover|furthermore|in addition|additionally|also|besides|in fact|of course|therefore|thus|and|but|so|"
    r"please note(?: that)?|note(?: that)?)\b[\s,:]*|"
    r"(?:此外|另外|同时|而且|并且|不过|但是|但|因此|所以|其实|事实上|请注意|注意|请)[，,：:\s]*|[-*•#>\s]+)+"
)
_EMPTY: Final = frozenset("a an the that please kindly".split())
"""Words that change nothing where a sentence has them and its twin has not."""
_FIGURE: Final = (
    rf"\d+(?:[.,:]\d+)*|[{HAN_NUMERAL}]+"
    r"|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million)\b"
)
_PIECE: Final = regex.compile(
    rf"(?P<figure>(?:{_FIGURE})(?:[\s-]*(?:{_FIGURE}))*)|[\p{{Han}}--[{HAN_NUMERAL}]]+"
    r"|[[\p{L}\p{N}]--\p{Han}]+(?:['’][\p{L}]+)*|[%‰$€£¥°+<>=@/\\]",
    regex.VERSION1,
)
_HOLE: Final = "\0"


class Said:
    """The sentences that are kept already."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)

    def add(self, sentence: str, under: str) -> None:
        """Note a sentence that is kept, and the title and heading that it stands under."""
        words, amounts = _form(sentence)
        self._known[under, *words].append(amounts)

    def has(self, sentence: str, under: str) -> bool:
        """Tell whether a sentence noted under the same title and heading says the same.

        The same words stand in the same order, so names, negations and conditions agree; figures may be spelled otherwise
        (20 and twenty, 两小时 and 2 小时) where they are equal amounts; case, width, marks, articles, 的 and a leading
        "however" or 此外 make no difference. Anything else does, a synonym too: two sentences that a meter of meaning takes
        for equal may still differ in the one word that was asked for. And "Price: 5 euros" under another title is the price
        of another thing, as "it" may be another thing in any two places.
        """
        words, amounts = _form(sentence)
        if not words:
            return False
        return any(all(map(_equal, amounts, known, _behind(words))) for known in self._known.get((under, *words), ()))


@lru_cache(maxsize=8192)
def _form(sentence: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the pieces of a sentence, a hole in place of each figure, and the figures; nothing of one that points back."""
    # Not groat.text.fold, which takes the sign of a percentage at the end for punctuation.
    flat = _LEADING.sub("", unicodedata.normalize("NFKC", sentence).casefold().replace("的", ""))
    if POINTS_BACK.match(flat):
        return (), ()
    flat = _PERCENT.sub(lambda match: f"{han_number(match[1])}%", flat)
    pieces: list[str] = []
    figures: list[str] = []
    for match in _PIECE.finditer(flat):
        if match["figure"]:
            pieces.append(_HOLE)
            figures.append(match.group())
        elif match.group() not in _EMPTY:
            pieces.append(match.group())
    return tuple(pieces), tuple(figures)


def _behind(words: tuple[str, ...]) -> list[str]:
    """Return what stands behind each hole, up to the next one: the unit."""
    return [
        " ".join(takewhile(lambda piece: piece != _HOLE, words[place + 1 : place + 4]))
        for place, word in enumerate(words)
        if word == _HOLE
    ]


def _equal(one: str, other: str, unit: str) -> bool:
    if one == other:
        return True
    amounts = _amounts(f"{one} {unit}")
    return bool(amounts) and amounts == _amounts(f"{other} {unit}")


def _amounts(text: str) -> list[tuple[float, str]]:
    return sorted((each.value * each.size, each.unit) for each in quantities(text))
