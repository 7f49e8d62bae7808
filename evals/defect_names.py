"""Swap one name of a text for another of the same kind: products, plans, menu paths, quoted words, places."""

import random
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import regex

from evals.defect_words import INVENTED
from groat.types import Language

_QUOTED = r"[“「『《\"][^“”「」『』《》\"\n]{2,30}[”」』》\"]"
_PATTERNS: Final[dict[Language, tuple[tuple[str, str], ...]]] = {
    "en": (
        ("path", r"\b[A-Z]\w+(?: [a-z]+)?(?: > [A-Z]\w+(?: [a-z]+\b(?! (?:and|or)\b)|(?: [A-Z]\w+))?)+"),
        ("quoted", _QUOTED),
        ("compound", r"(?<=[\p{Ll},:(] )[A-Z][\w-]+(?: [A-Z][\w-]*| \d+(?:\.\d+)+)+"),
        ("single", r"(?<=[\p{Ll},:(] )[A-Z][a-zA-Z]{2,}\b(?! [A-Z]| >)"),
    ),
    "zh": (
        ("path", r"“[^”]* > [^”]*”"),
        ("quoted", _QUOTED),
        ("plan", r"(?<![\p{Han}])\p{Han}{2}版(?!本)|(?<=[^\p{Han}]|的|从|到|和)\p{Han}{2}版(?!本)"),
        ("product", r"瓦叶(?:电表|插座|电池|音箱)"),
        ("latin", r"(?<![\w.])[A-Za-z][A-Za-z-]{2,}(?![\w.])"),
        ("place", r"(?<!\p{Han})\p{Han}{2}(?:公司|平台|套餐|系统|店)"),
    ),
}
_NO_NAMES = frozenset(
    "The This That These Those You Your Yes When With Use And For From App Open Press Each Then January February March April "
    "June July August September October November December Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
)


class Names:
    """The names of a collection, by language and kind."""

    def __init__(self, texts: Iterable[tuple[Language, str]]) -> None:
        """Collect the names that stand at least twice in ``texts``: once is often no name."""
        counts: dict[tuple[Language, str, str], int] = defaultdict(int)
        for language, text in texts:
            for kind, name, _ in find_names(text, language):
                counts[language, kind, name] += 1
        self._found: dict[tuple[Language, str], list[str]] = defaultdict(list)
        for (language, kind, name), count in sorted(counts.items()):
            if count >= 2:
                self._found[language, kind].append(name)

    def of(self, language: Language, kind: str) -> list[str]:
        """Return the names of one kind, sorted."""
        return self._found[language, kind]

    def any(self, language: Language, rng: random.Random) -> str:
        """Return a name of a product or plan."""
        kinds = ("compound", "single") if language == "en" else ("product", "plan")
        return rng.choice([name for kind in kinds for name in self.of(language, kind)])


def find_names(text: str, language: Language) -> list[tuple[str, str, int]]:
    """Return the names of a text as (kind, name, where it starts), without overlaps."""
    found: list[tuple[str, str, int]] = []
    covered: set[int] = set()
    for kind, pattern in _PATTERNS[language]:
        for match in regex.finditer(pattern, text):
            if covered.isdisjoint(range(match.start(), match.end())) and match.group() not in _NO_NAMES:
                found.append((kind, match.group(), match.start()))
                covered.update(range(match.start(), match.end()))
    return found


def swap_name(text: str, language: Language, names: Names, rng: random.Random) -> str | None:
    """Return ``text`` with one name swapped, half of the time for an invented one; None when it has no name."""
    spots = find_names(text, language)
    if language == "en":  # a name may open the sentence
        opening = regex.match(r"[A-Z]\w+(?: [A-Z]\w+)*", text)
        if opening is not None:
            kind = "compound" if " " in opening.group() else "single"
            if opening.group() in names.of(language, kind):
                spots.append((kind, opening.group(), 0))
    if not spots:
        return None
    kind, name, start = rng.choice(spots)
    known = [other for other in names.of(language, kind) if other not in text and other[:-3] not in name]
    invented = [other for other in INVENTED[language].get(kind, ()) if other not in text]
    other = rng.choice(known if known and (not invented or rng.random() < 0.5) else invented)
    return text[:start] + other + text[start + len(name) :]
