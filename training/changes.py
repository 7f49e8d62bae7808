"""Change one thing in a statement so that what supported it no longer does, in Chinese and English."""

import random
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import regex

from evals.defect_names import Names, find_names, swap_name
from evals.defect_numbers import change_number
from evals.defect_words import FLIPS, INVENTED
from groat.types import Language

_FIGURE: Final = regex.compile(r"(?<![A-Za-z\d.,:])\d+(?:[.,:]\d+)*(?![A-Za-z\d])")
_FOREIGN_NAME: Final = regex.compile(r"\p{Han}{1,5}(?:[·•]\p{Han}{1,6})+")
_TRANSLITERATED: Final = tuple(
    "阿尔伯特·霍尔姆 玛丽亚·科瓦奇 约翰·彭伯顿 卡洛斯·雷耶斯 伊万·索罗金 埃琳娜·罗西 托马斯·林德".split()
)
_ALIAS = regex.compile(r"known as|called|named|nickname|born|or \"|称|又名|别名|原名|简称|俗称|即|译")
_TRIES: Final = 12
_INVENTED_WEIGHT: Final = 8
"""Invented names stand in true pairs as well, so that they do not tell a wrong one."""
_COMPARISON: Final = regex.compile(r" (?:more|less|longer|later|earlier|fewer|over|under)\b")


@dataclass(frozen=True, slots=True)
class Changed:
    """A statement with one thing changed."""

    kind: str
    text: str


_Way = Callable[[str, str, Language, Names, random.Random], Changed | None]


def change(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    """Return ``text`` with one thing changed, so that ``passage`` does not say it; None when nothing in it can change.

    Args:
        text: a statement that the passage supports.
        passage: what supports it; its other names and figures may take the place of the right ones.
        lang: of both.
        names: names of the collection, to swap.
        rng: chooses.
    """
    ways = list(_WAYS)
    for _ in range(_TRIES):
        way = rng.choices(ways, weights=[_WAYS[one] for one in ways])[0]
        changed = way(text, passage, lang, names, rng)
        if changed is not None and changed.text != text:
            return changed
        ways.remove(way)
        if not ways:
            break
    return None


def change_alike(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> tuple[str, str, str] | None:
    """Return the kind, the statement and the passage with one word, name or figure changed alike in both; None without one."""
    spots = [(kind, old, new) for kind, old, new in _swaps(text, passage, lang, names, rng) if _stands(old, passage)]
    if not spots:
        return None
    kind, old, new = rng.choice(spots)
    return f"{kind}_alike", _put(text, old, new), _put(passage, old, new)


def _swaps(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Iterator[tuple[str, str, str]]:
    for match in _FIGURE.finditer(text):
        changed = _other_figure(match.group(), f"{text} {passage}", lang, rng)
        if changed is not None:
            yield "number", match.group(), changed
    for name_kind, name, _ in find_names(text, lang):
        known = (*names.of(lang, name_kind), *INVENTED[lang].get(name_kind, ()) * _INVENTED_WEIGHT)
        others = [other for other in known if other not in passage and name not in other]
        if others and name_kind != "path":
            yield "name", name, rng.choice(others)
    yield from _in_class(text, passage, lang, rng)


def _stands(word: str, text: str) -> bool:
    return regex.search(_whole(word), text) is not None


def _put(text: str, old: str, new: str) -> str:
    return regex.sub(_whole(old), lambda _: new, text)


def _whole(word: str) -> str:
    left = r"(?<![A-Za-z\d.,])" if word[:1].isascii() and word[:1].isalnum() else ""
    right = r"(?![A-Za-z\d])(?![.,]\d)" if word[-1:].isascii() and word[-1:].isalnum() else ""
    return left + regex.escape(word) + right


@cache
def _classes(lang: Language) -> tuple[tuple[str, tuple[str, ...]], ...]:
    table: Mapping[str, Sequence[Sequence[str]]] = tomllib.loads(
        Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    )[lang]
    return tuple((kind, tuple(members)) for kind, rows in table.items() for members in rows)


@cache
def _finder(lang: Language) -> regex.Pattern[str]:
    """Return a pattern that finds the words of all classes, the longest first."""
    members = sorted({word for _, row in _classes(lang) for word in row}, key=lambda word: (-len(word), word))
    joined = "|".join(regex.escape(word) for word in members)
    return regex.compile(rf"\b(?:{joined})\b" if lang == "en" else joined)


@cache
def _classes_of(lang: Language) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for kind, row in _classes(lang):
        for word in row:
            found.setdefault(word, []).append((kind, row))
    return found


def _in_class(text: str, passage: str, lang: Language, rng: random.Random) -> list[tuple[str, str, str]]:
    """Return (kind, word, another word of its class that the passage does not hold) for the words of the text."""
    found = []
    for match in _finder(lang).finditer(text):
        kind, row = rng.choice(_classes_of(lang)[match.group()])
        others = [word for word in row if word not in text and word not in passage and match.group() not in word]
        if others:
            found.append((kind, match.group(), rng.choice(others)))
    return found


def _number(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    spots = list(_FIGURE.finditer(text))
    if spots and rng.random() < 0.6:
        match = rng.choice(spots)
        other = _other_figure(match.group(), f"{text} {passage}", lang, rng)
        return None if other is None else Changed("number", text[: match.start()] + other + text[match.end() :])
    changed = change_number(text, lang, f"{text} {passage}", rng)
    return None if changed is None else Changed("number", changed)


def _other_figure(figure: str, taken: str, lang: Language, rng: random.Random) -> str | None:
    """Return another figure that does not stand in ``taken``; for a year, one close to it."""
    if regex.fullmatch(r"1\d{3}|20\d\d", figure):
        years = [str(int(figure) + step) for step in (-100, -20, -10, -4, -3, -2, -1, 1, 2, 3, 4, 10, 20)]
        left = [year for year in years if year not in taken]
        return rng.choice(left) if left else None
    other = change_number(figure, lang, taken, rng)
    return None if other == figure else other


def _number_inside(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    """Put another figure of the passage in a figure's place."""
    mine = list(_FIGURE.finditer(text))
    held = {match.group() for match in mine}
    others = sorted({match.group() for match in _FIGURE.finditer(passage)} - held)
    pairs = [(match, other) for match in mine for other in others if _same_form(match.group(), other)]
    if not pairs:
        return None
    match, other = rng.choice(pairs)
    return Changed("number_inside", text[: match.start()] + other + text[match.end() :])


def _same_form(one: str, other: str) -> bool:
    return (len(one) == 4) == (len(other) == 4) and (":" in one) == (":" in other)


def _name(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    if lang == "zh" and (found := list(_FOREIGN_NAME.finditer(text))):
        match = rng.choice(found)
        others = [name for name in _TRANSLITERATED if name not in passage and name != match.group()]
        if others:
            return Changed("name", text[: match.start()] + rng.choice(others) + text[match.end() :])
    if rng.random() < 0.6 and (spots := find_names(text, lang)):
        kind, name, start = rng.choice(spots)
        known = [other for other in names.of(lang, kind) if other not in passage and name not in other and other not in name]
        if known:
            return Changed("name", text[:start] + rng.choice(known) + text[start + len(name) :])
    try:
        changed = swap_name(text, lang, names, rng)
    except IndexError:  # neither a known nor an invented name of its kind is left
        return None
    return None if changed is None else Changed("name", changed)


def _name_inside(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    """Put another name of the passage in a name's place, where no alias is in sight."""
    if _ALIAS.search(passage):
        return None
    mine = find_names(text, lang)
    others = [(kind, name) for kind, name, _ in find_names(passage, lang) if name not in text]
    pairs = [
        (name, start, other)
        for kind, name, start in mine
        for other_kind, other in others
        if kind == other_kind and not set(name.split()) & set(other.split()) and name not in other
    ]
    if not pairs:
        return None
    name, start, other = rng.choice(pairs)
    return Changed("name_inside", text[:start] + other + text[start + len(name) :])


def _exchanged(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    """Exchange two names or two figures of the statement that no "and" joins."""
    spots = [(start, start + len(name), kind) for kind, name, start in find_names(text, lang)]
    spots += [(match.start(), match.end(), "figure") for match in _FIGURE.finditer(text)]
    pairs = [
        (one, other)
        for one in spots
        for other in spots
        if one[1] + 3 < other[0]
        and one[2] == other[2]
        and text[slice(*one[:2])] != text[slice(*other[:2])]
        and not regex.search(r"\b(?:and|or|with|between|neither|nor)\b|[和与及、跟或]", text[one[1] : other[0]])
    ]
    if not pairs:
        return None
    (a, b, _), (c, d, _) = rng.choice(pairs)
    return Changed("exchanged", text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:])


def _negation(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    ways = [(pattern, other) for pattern, other in FLIPS[lang] if regex.search(pattern, text)]
    if not ways:
        return None
    pattern, other = rng.choice(ways)
    match = rng.choice(list(regex.finditer(pattern, text)))
    if match.group().strip() == "no" and _COMPARISON.match(text, match.end() - 1):
        return None
    return Changed("negation", text[: match.start()] + match.expand(other) + text[match.end() :])


def _word(text: str, passage: str, lang: Language, names: Names, rng: random.Random) -> Changed | None:
    found = _in_class(text, passage, lang, rng)
    if not found:
        return None
    kind, old, new = rng.choice(found)
    match = rng.choice(list(regex.finditer(_whole(old), text)) or [None])
    return None if match is None else Changed(kind, text[: match.start()] + new + text[match.end() :])


_WAYS: Final[dict[_Way, float]] = {
    _number: 2.5,
    _number_inside: 1.5,
    _name: 1.5,
    _name_inside: 1.5,
    _exchanged: 1.0,
    _negation: 2.0,
    _word: 3.0,
}
