"""Names of an answer: capitalised words, quoted words, menu paths, Chinese names by their endings, and terms of the titles."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Final

import regex

from groat.text import fold
from groat.text.quantities import Quantity, quantities, supports
from groat.validation.evidence import Evidence, Place
from groat.validation.poles import signs

_QUOTED: Final = regex.compile(
    r"“([^”\n]{1,60})”|「([^」\n]{1,60})」|『([^』\n]{1,60})』|《([^》\n]{1,60})》|(?<!\w)\"([^\"\n]{1,60})\"(?!\w)"
    r"|`([^`\n]{1,60})`"
)
_PATH: Final = regex.compile(
    r"[A-Z]\w*(?: \w+)?(?:\s?>\s?[^>.,;，。]+?)*?\s?>\s?\p{Latin}+|\p{Han}{2,}(?:\s?>\s?[^>.,;，。]+?)*?\s?>\s?\p{Han}{2}"
)
_LATIN: Final = regex.compile(r"(?<![\p{L}\p{N}'’])\p{Lu}[\p{Latin}\p{N}]*(?:[-+.][\p{Latin}\p{N}]+)*")
_INNER: Final = regex.compile(r"(?<=[\p{Ll}\p{N},:;(|>] |[“\"(])\p{Lu}[\p{Latin}\p{N}]+")
_ANY_LATIN: Final = regex.compile(r"(?<![A-Za-z0-9'’_./@])[A-Za-z][A-Za-z0-9+-]{1,}")
_NOT_IN_NAME: Final = "的在和与或是用把对从到按为由给请可能该此本这那每各您你我他其高新旧原任有不没两多同单"
_HAN_NAME: Final = regex.compile(
    rf"(?:(?![{_NOT_IN_NAME}])\p{{Han}}){{2}}(?:版(?!本|权)|套餐|公司|门店|分店|平台|系列|计划|系统|网关|城市店|\p{{Han}}店)"
)
# Words with a capital that name nothing.
_NO_NAME: Final = frozenset(
    "i i'm yes no the a an this that these those it you your we our they if when to for on in at by as and or but please note "
    "ok "
    "open tap press select choose click enter go use first then next after before up only not sure hello hi thanks thank "
    "according each every all both one two three monday tuesday wednesday thursday friday saturday sunday january "
    "february march "
    "april may june july august september october november december mon tue wed thu fri sat sun faq".split()
)
_DRESS: Final = regex.compile(r"[\s*_`“”\"'‘’「」『』《》]")
_SLOT: Final = 6
"""Most characters of Chinese, or words of English times two, that one name takes."""
_OFTEN: Final = 4
_PLACED: Final = 0.62
"""Least likeness of a sentence to one of the documents: freer wording does not tell which one it comes from."""
_SAME: Final = 0.55
"""Least share of a sentence that must be equal before what differs is taken for a swap."""
_ALMOST_SAME: Final = 0.65
"""The same where what differs stands nowhere: it may be a synonym."""
_PIECE: Final = regex.compile(r"\p{Han}|[[\p{L}\p{N}]--\p{Han}]+(?:[.:][\p{N}]+)*|>", regex.VERSION1)


def names(sentence: str) -> Iterator[str]:
    """Yield the names of a sentence, folded, without a capitalised word that opens it."""
    for match in _QUOTED.finditer(sentence):
        yield fold(next(group for group in match.groups() if group))
    for match in _PATH.finditer(sentence):
        yield fold(match.group())
    han = bool(regex.search(r"\p{Han}{2}", sentence))
    for match in (_ANY_LATIN if han else _LATIN).finditer(sentence):
        name = fold(match.group())
        opens = not han and not sentence[: match.start()].strip("“\"'*-• ")
        if name not in _NO_NAME and not opens:
            yield name
    for match in _HAN_NAME.finditer(sentence):
        yield match.group()


def foreign_names(evidence: Evidence, sentence: str, *, latin_only: bool = False) -> int:
    """Return how many names of the sentence stand nowhere in what was given."""
    found = {name for name in names(sentence) if not latin_only or name.isascii()}
    return sum(not _stands(name, evidence.text) for name in found)


def is_misplaced(evidence: Evidence, sentence: str) -> bool:
    """Tell whether the sentence says of one thing what the documents say of another.

    Names and figures must stand together: near one sentence of the documents that is most like the answer's, with no name
    of it swapped. A sentence that draws on several is held against them part by part.
    """
    if _has_stranger(evidence, sentence):
        return True
    if _is_told(evidence, sentence) or evidence.likeness(sentence) < _PLACED:
        return False
    return not any(all(_is_told(evidence, part) for part in parts) for parts in evidence.splittings(sentence))


def _has_stranger(evidence: Evidence, sentence: str) -> bool:
    """Tell whether a word that stands nowhere took the place of a name or a term in a sentence that is equal otherwise."""
    return any(
        not _stands(mine, evidence.text) and _is_swap(evidence, fold(place.window), mine, theirs, frozenset())
        for place in evidence.near(sentence)[:3]
        for mine, theirs in _slots(sentence, place.text, _ALMOST_SAME)
    )


def _is_told(evidence: Evidence, part: str) -> bool:
    used = [one for one in quantities(part) if not supports(evidence.asked, one)]
    near = evidence.near(part)
    return not near or any(_fits(evidence, part, used, place) for place in near)


def _fits(evidence: Evidence, part: str, used: list[Quantity], place: Place) -> bool:
    window = fold(place.window)
    given = place.quantities
    named = {*names(part), *_opening_name(evidence, part)}
    capitals = frozenset(fold(match.group()) for match in _LATIN.finditer(part))
    return (
        all(supports(given, one) for one in used)
        and all(_stands(name, window) or _stands(name, evidence.said) for name in named)
        and not any(_is_swap(evidence, window, mine, theirs, capitals) for mine, theirs in _slots(part, place.text, _SAME))
    )


def _opening_name(evidence: Evidence, part: str) -> set[str]:
    """Return the word that opens a sentence when the documents use it as a name elsewhere."""
    match = _LATIN.match(part.strip())
    return {fold(match.group())} & known_names(evidence.told) if match else set()


@lru_cache(maxsize=64)
def known_names(told: str) -> frozenset[str]:
    """Return the capitalised words that stand inside the sentences of the documents."""
    return frozenset(match.group().casefold() for match in _INNER.finditer(told)) - _NO_NAME


def _slots(part: str, told: str, same: float) -> Iterator[tuple[str, str]]:
    """Yield what stands in the one sentence where something else stands in the other, when the two are mostly equal."""
    mine, theirs = _pieces(part), _pieces(told)
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    blocks = matcher.get_matching_blocks()
    if sum(block.size for block in blocks) < same * len(mine):
        return
    for tag, start, end, other_start, other_end in matcher.get_opcodes():
        if tag == "replace":
            one, other = mine[start:end], theirs[other_start:other_end]
            if _length(one) <= _SLOT and _length(other) <= 2 * _SLOT:
                yield _joined(one), _joined(other)


def _is_swap(evidence: Evidence, window: str, mine: str, theirs: str, capitals: frozenset[str]) -> bool:
    """Tell whether ``mine`` names another thing than ``theirs``.

    It does when it is a name, or a term of other titles, or stands nowhere, and what it replaced is a name or term as well.
    Other words may differ, since answers are worded freely.
    """
    if len(mine) < 2 or mine in _NO_NAME or regex.search(r"\d", mine) or _stands(mine, window) or _stands(mine, evidence.said):
        return False
    if signs(mine).rest != fold(mine):
        return False
    terms = _terms(theirs)
    if any(_stands(term, evidence.titles) for term in terms) or not known_names(evidence.told).isdisjoint(terms):
        return mine.split()[0] in capitals or _stands(mine, evidence.titles) or not _stands(mine, evidence.text)
    # A thing that is spoken of again and again is a term, title or not.
    return not _stands(mine, evidence.text) and any(evidence.text.count(term) >= _OFTEN for term in terms)


def _terms(text: str) -> list[str]:
    if not text.isascii():
        return [text[place : place + 2] for place in range(len(text) - 1)]
    return [word for word in text.split() if len(word) > 2 and word not in _NO_NAME]


@lru_cache(maxsize=4096)
def _pieces(sentence: str) -> tuple[str, ...]:
    return tuple(_PIECE.findall(fold(sentence)))


def _length(pieces: tuple[str, ...]) -> int:
    return sum(1 if len(piece) == 1 else 2 for piece in pieces)


def _joined(pieces: tuple[str, ...]) -> str:
    return (
        "".join(piece if len(piece) == 1 and not piece.isascii() else f" {piece} " for piece in pieces)
        .replace("  ", " ")
        .strip()
    )


def _stands(name: str, text: str) -> bool:
    return _bare(name) in _bare(text)


@lru_cache(maxsize=1024)
def _bare(text: str) -> str:
    """Return a text without what may differ in how a name is written: space, emphasis, quotation marks."""
    return _DRESS.sub("", text)
