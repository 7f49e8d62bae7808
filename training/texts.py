"""Documents cut into sentences, and the groups of documents that one split must not part."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import regex

from groat.errors import BadInput
from groat.text import content_words, detect_language, figures, sentence_spans

OPEN: Final = frozenset({"musique"})
"""Sources under CC BY."""
MOST_CHARS: Final = 300
"""A longer sentence is cut to a window of so many characters."""
_LATIN = regex.compile(r"\b[A-Z][A-Za-z]{2,}")


@dataclass(frozen=True, slots=True)
class Text:
    """A document."""

    title: str
    """Empty when it has none."""
    text: str
    lang: str
    """``en`` or ``zh``."""
    source: str
    group: str
    open_licence: bool


def check(row: Mapping[str, Any]) -> None:
    """Refuse a row that may not be trained on, or has not the fields.

    Raises:
        BadInput: the source is RGB, whose licence forbids commercial use, or a field is missing.
    """
    missing = {"id", "source", "lang", "question", "docs", "gold_sentences"} - row.keys()
    if missing:
        raise BadInput(f"a row has no {', '.join(sorted(missing))}; see the README beside the compression rows")
    if str(row["source"]).startswith("rgb"):
        raise BadInput(f"row {row['id']}: RGB is CC BY-NC-SA, measure with it and train on something else")


@lru_cache(maxsize=8192)
def sentences(text: str) -> tuple[str, ...]:
    """Return the sentences as the compressor cuts them, in order."""
    return tuple(text[start:end] for start, end in sentence_spans(text))


def key(text: str) -> str:
    """Return a short name for a text, white space aside."""
    return hashlib.sha256("".join(text.split()).encode("utf-8", "replace")).hexdigest()[:12]


def crop(sentence: str, around: str = "") -> str:
    """Return at most ``MOST_CHARS`` characters of a sentence, with ``around`` in them when it stands in the sentence."""
    if len(sentence) <= MOST_CHARS:
        return sentence
    place = max(0, sentence.casefold().find(around.casefold())) if around else 0
    start = max(0, min(place - MOST_CHARS // 2, len(sentence) - MOST_CHARS))
    end = start + MOST_CHARS
    while 0 < start < place and sentence[start - 1].isascii() and sentence[start - 1].isalnum():
        start += 1
    while end < len(sentence) and end > place + len(around) and sentence[end].isascii() and sentence[end].isalnum():
        end -= 1
    return sentence[start:end].strip()


def titled(title: str, sentence: str) -> str:
    """Return the sentence with the title before it, unless it holds the title."""
    return sentence if not title or title.casefold() in sentence.casefold() else f"{title}: {sentence}"


def alike(one: str, other: str, share: float = 0.8) -> bool:
    """Tell whether ``other`` holds at least this share of the words of ``one``."""
    mine = word_set(one)
    return bool(mine) and len(mine & word_set(other)) >= share * len(mine)


@lru_cache(maxsize=65536)
def word_set(text: str) -> frozenset[str]:
    """Return the content words of a text, each once."""
    return frozenset(content_words(text))


class Groups:
    """Which documents one split must not part: gold together for one question, or translations of each other."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Join the documents of ``rows``."""
        self._parent: dict[str, str] = {}
        self.translations = translations(rows)
        for row in rows:
            gold = [key(document["text"]) for document in row["docs"] if document["gold"]]
            for name in gold:
                self._join(gold[0], name)
        for one, other in self.translations.items():
            self._join(key(one), key(other))

    def of(self, text: str) -> str:
        """Return the group of a document."""
        return f"text:{self._root(key(text))}"

    def _root(self, name: str) -> str:
        while (above := self._parent.get(name, name)) != name:
            name = above
        return name

    def _join(self, one: str, other: str) -> None:
        a, b = self._root(one), self._root(other)
        # The smaller name stays on top, so that a group's name depends on its documents alone.
        self._parent[max(a, b)] = min(a, b)


def translations(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the paragraphs of XQuAD that say the same in both languages, English -> Chinese.

    Known by a question that both share; else by the figures and Latin names that stand in both and nowhere else as well.
    """
    gold: dict[str, dict[str, str]] = {}
    texts: dict[str, dict[str, None]] = {"en": {}, "zh": {}}
    for row in rows:
        if not str(row["source"]).startswith("xquad"):
            continue
        for document in row["docs"]:
            lang = detect_language(document["text"])
            texts[lang][document["text"]] = None
            if document["gold"]:
                gold.setdefault(str(row["id"]).split("-", 1)[1], {})[lang] = document["text"]
    found = {pair["en"]: pair["zh"] for pair in gold.values() if len(pair) == 2}
    left = {lang: [text for text in texts[lang] if text not in found and text not in found.values()] for lang in texts}
    return found | _by_signs(left["en"], left["zh"])


def _by_signs(english: Sequence[str], chinese: Sequence[str]) -> dict[str, str]:
    signs = {text: frozenset(figures(text) | set(_LATIN.findall(text))) for text in (*english, *chinese)}

    def best(one: str, others: Sequence[str]) -> str:
        return max(others, key=lambda other: _shared(signs[one], signs[other]), default="")

    found = {one: best(one, chinese) for one in english}
    return {
        one: other
        for one, other in found.items()
        if other
        and _shared(signs[one], signs[other]) >= 0.5
        and len(signs[one] & signs[other]) >= 3
        and best(other, english) == one
    }


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the share of the figures of the smaller set that stand in both; Latin names count where Chinese keeps them."""
    a, b = ({sign for sign in signs if sign[:1].isdigit()} for signs in (one, other))
    a |= one & other
    b |= one & other
    return len(a & b) / max(1, len(a | b)) if len(a & b) >= 2 else 0.0
