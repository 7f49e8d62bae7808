"""Words of one language that may be exchanged for others of their kind, read from ``perturb/*.toml``."""

import random
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import regex

CLASSES = ("place", "city", "language", "currency", "weekday", "month", "brand", "product", "person", "unit")
_COUNTED = {
    "en": r"(?:\d|how many|how much|a few|two|three|four|five|six|seven|eight|nine|ten|per|\ban?) ?$",
    "zh": r"(?<!\d{3})\d$|[一两二三四五六七八九十几每多半]$|多少$",
}


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a question that can be made in each text that has what it changes."""

    kind: str
    apply: Callable[[str], str | None]
    """Return the changed text, or None where it does not hold what is changed."""
    keeps: bool = False
    """Whether the sense stays the same: the order of two things that are compared."""


@dataclass(frozen=True, slots=True)
class _Swap:
    kind: str
    forms: frozenset[str]
    """Ways of writing what goes, in lower case."""
    target: str
    avoid: tuple[str, ...]
    """Lower-case words which must not stand in the text already."""


@cache
def data(lang: str) -> Mapping[str, Any]:
    """Return the word lists and rules of ``en`` or ``zh``."""
    return tomllib.loads((Path(__file__).parent / "perturb" / f"{lang}.toml").read_text(encoding="utf-8"))


def spaced(word: str) -> str:
    """Return a word of the lists as it is written in a text."""
    return word.replace("_", " ")


def bounded(pattern: str, lang: str) -> str:
    """Return a pattern that matches whole words only; Chinese has no bounds between words."""
    return rf"(?<![\w'-])(?:{pattern})(?![\w'-])" if lang == "en" else f"(?:{pattern})"


@cache
def _swaps(lang: str) -> Mapping[str, tuple[_Swap, ...]]:
    table: dict[str, list[_Swap]] = defaultdict(list)
    for left, right in _antonyms(lang):
        table[left.lower()].append(_Swap("antonym", frozenset({left.lower()}), right, (right.lower(),)))
    for kind in CLASSES:
        given = data(lang)[kind]
        for group in [given] if isinstance(given, str) else given:
            _add_class(table, kind, [[spaced(form) for form in entry.split("|")] for entry in group.split()])
    return {word: tuple(swaps) for word, swaps in table.items()}


def _add_class(table: dict[str, list[_Swap]], kind: str, entries: list[list[str]]) -> None:
    for entry in entries:
        forms = frozenset(form.lower() for form in entry)
        for other in entries:
            if other is not entry:
                avoid = tuple(form.lower() for form in other)
                for index, form in enumerate(form.lower() for form in entry):
                    # Counted things are listed in the plural and the singular.
                    target = other[index] if kind in {"unit", "currency"} and index < len(other) else other[0]
                    table[form].append(_Swap(kind, forms, target, avoid))


def _antonyms(lang: str) -> Iterator[tuple[str, str]]:
    pairs = [_sides(entry) for entry in data(lang)["words"].split()]
    for left, right, both in (_sides(entry) for entry in data(lang).get("verbs", "").split()):
        for ending in ("", "s", "ing", "ed"):
            pairs.append((_inflected(left, ending), _inflected(right, ending), both))
    for left, right, both in pairs:
        yield left, right
        if both:
            yield right, left


def _sides(entry: str) -> tuple[str, str, bool]:
    left, mark, right = entry.partition("/") if "/" in entry else entry.partition(">")
    return spaced(left), spaced(right), mark == "/"


def _inflected(verb: str, ending: str) -> str:
    first, _, rest = verb.partition(" ")
    if ending == "s":
        first += "es" if first.endswith(("s", "sh", "ch", "x")) else "s"
    elif ending:
        first = _IRREGULAR.get((first, ending), (first[:-1] if first.endswith("e") else first) + ending)
    return f"{first} {rest}".strip()


_IRREGULAR = {
    ("log", "ing"): "logging",
    ("log", "ed"): "logged",
    ("stop", "ing"): "stopping",
    ("stop", "ed"): "stopped",
    ("top", "ing"): "topping",
    ("top", "ed"): "topped",
    ("zip", "ing"): "zipping",
    ("zip", "ed"): "zipped",
    ("unzip", "ing"): "unzipping",
    ("unzip", "ed"): "unzipped",
    ("plug", "ing"): "plugging",
    ("plug", "ed"): "plugged",
    ("unplug", "ing"): "unplugging",
    ("unplug", "ed"): "unplugged",
    ("lend", "ed"): "lent",
    ("hide", "ed"): "hid",
    ("show", "ed"): "showed",
    ("deny", "ed"): "denied",
    ("speed", "ed"): "sped",
}


@cache
def _words(lang: str) -> regex.Pattern[str]:
    """Return a pattern of all words and guards, the longest first, for texts in lower case."""
    return regex.compile(bounded(r"\L<known>", lang), known=sorted({*_guarded(lang), *_swaps(lang)}))


@cache
def _guarded(lang: str) -> frozenset[str]:
    return frozenset(spaced(guard).lower() for guard in data(lang)["guards"].split())


@cache
def _acronyms(lang: str) -> frozenset[str]:
    """Return English names that are other words in small letters: US, CAT, GATE."""
    names = " ".join([data(lang)["place"], *data(lang)["brand"]]) if lang == "en" else ""
    return frozenset(form.lower() for entry in names.split() for form in entry.split("|") if form.isupper() and form.isalpha())


def word_edits(text: str, lang: str, rng: random.Random) -> list[Edit]:
    """Return one edit for each word of the text and each kind it may be exchanged as; ``rng`` chooses the other word."""
    edits: list[Edit] = []
    seen: set[str] = set()
    lowered = text.lower()
    for match in _words(lang).finditer(lowered):
        word = match[0]
        if word in seen or word in _guarded(lang):
            continue
        seen.add(word)
        kinds: dict[str, list[_Swap]] = defaultdict(list)
        for swap in _swaps(lang).get(word, ()):
            if word in _acronyms(lang) and not text[match.start() : match.end()].isupper():
                continue
            if not any(_holds(lowered, form, lang) for form in swap.avoid) and _counts(text, match.start(), swap.kind, lang):
                kinds[swap.kind].append(swap)
        edits.extend(_edit(rng.choice(swaps), lang) for swaps in kinds.values())
    return edits


def _holds(lowered: str, form: str, lang: str) -> bool:
    return form in lowered if lang == "zh" else f" {form} " in f" {_BREAKS.sub(' ', lowered)} "


_BREAKS = regex.compile(r"[^\w'.+#-]+|[.]+$")


def _counts(text: str, start: int, kind: str, lang: str) -> bool:
    """Say whether a unit stands after a number; words of other kinds may stand anywhere."""
    return kind != "unit" or regex.search(_COUNTED[lang], text[:start].lower()) is not None


def _edit(swap: _Swap, lang: str) -> Edit:
    def apply(text: str) -> str | None:
        lowered = text.lower()
        if any(_holds(lowered, form, lang) for form in swap.avoid):
            return None

        parts, end = [], 0
        for match in _words(lang).finditer(lowered):
            if match[0] in _acronyms(lang) and not text[match.start() : match.end()].isupper():
                continue
            if match[0] in swap.forms and _counts(text, match.start(), swap.kind, lang):
                parts += [text[end : match.start()], cased(swap.target, text[match.start() : match.end()], text)]
                end = match.end()
        return with_articles("".join([*parts, text[end:]]), swap.target) if parts else None

    return Edit(swap.kind, apply)


def cased(word: str, model: str, text: str) -> str:
    """Return ``word`` in lower case in a text without capitals, and with a capital where its ``model`` has one."""
    if text.islower():
        return word.lower()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word


def with_articles(text: str, target: str) -> str:
    """Return the text with ``a`` or ``an`` as the word before ``target`` needs it."""
    if not target[:1].isascii() or not target[:1].isalpha():
        return text
    article = "an" if target[0].lower() in "aeiou" and not target.lower().startswith(("us", "uni", "eu", "one")) else "a"
    return regex.sub(rf"\ban?(?= {regex.escape(target)}\b)", article, text, flags=regex.IGNORECASE)
