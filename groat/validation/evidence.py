"""What the documents say, taken apart so that an answer can be held against it sentence by sentence."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import regex

from groat.text import content_words, fold, sentence_spans
from groat.text.quantities import Quantity, quantities
from groat.types import Asked, Passage
from groat.validation.poles import Signs, signs

_CLAUSE: Final = regex.compile(
    r"[,，、;；:：。.!?！？](?=\s|\p{Han}|$)|\s[-–—]+\s|\b(?:but|so|and then|while|whereas)\b|但是?|所以|否则|不过"
    r"|然而|而(?=不|没|无)"
)
_CUTS: Final = (
    regex.compile(r"[;；]"),
    regex.compile(r"[,，;；:：](?=\s|\p{Han}|$)|\s[-–—]+\s"),
    regex.compile(r"[,，、;；:：](?=\s|\p{Han}|$)|\s[-–—]+\s|\b(?:and|but)\b|和|并且?|而且"),
)
_HAN: Final = regex.compile(r"(?![的了是在您你我也就都和与或要会能可以不请把被])\p{Han}")
_OPENING: Final = regex.compile(
    r"^\s*(?:yes|no|correct|right|sure|是的?|对的?|不是的?|不|可以的?|不可以|能|不能|会|不会|需要|不需要|没有"
    r"|有)\s*[,，。.!！;；:：]\s*",
    regex.IGNORECASE,
)
_LIST_MARK: Final = regex.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•])\s+")
_CANDIDATES: Final = 16
"""Sentences with the most words in common that are looked at more closely."""
_BESIDE: Final = 0.5
"""Weight of a word that stands beside a sentence (in its neighbours, its title or its heading) and not in it."""
_CLOSE: Final = 0.75
_FAR: Final = 0.35
"""What a word of an answer counts that stands beside the sentence or in the question, and elsewhere in the documents."""
_SELF_STANDING: Final = 3
"""Least content words of a part of a sentence that can be held against the documents by itself."""
_NEAR: Final = 0.8
"""Sentences that match at least this share as well as the best one are asked too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A sentence of a passage and what stands beside it."""

    passage: int
    text: str
    window: str
    """The sentence with its neighbours, title and heading."""
    around: tuple[str, ...]
    """The same, apart."""
    words: frozenset[str]
    beside: frozenset[str]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities of the window."""
        return tuple(one for text in self.around for one in quantities(text))


@dataclass(frozen=True, kw_only=True)
class Clause:
    """A part of a sentence that asserts or denies one thing."""

    signs: Signs
    words: frozenset[str]
    """Content words, signs left out."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The documents given with a question, by sentence."""

    places: tuple[Place, ...]
    passages: tuple[str, ...]
    """Each passage with its title and heading, folded."""
    titles: str
    """Titles and headings, folded."""
    question: frozenset[str]
    said: str
    """The question and the turns before it, folded."""
    index: Mapping[str, Sequence[int]]
    """In which sentences a word stands."""
    headings: frozenset[str]
    """Words of titles and headings."""

    @cached_property
    def text(self) -> str:
        """Everything given, folded."""
        return "\n".join([self.said, *self.passages])

    @cached_property
    def told(self) -> str:
        """The sentences of the documents, as they were written."""
        return "\n".join(place.text for place in self.places)

    @cached_property
    def asked(self) -> tuple[Quantity, ...]:
        """Quantities of the question and of the turns before it."""
        return quantities(self.said)

    @cached_property
    def given(self) -> frozenset[Quantity]:
        """Quantities of everything given."""
        return frozenset(self.asked).union(*(quantities(passage) for passage in self.passages))

    def rarity(self, word: str) -> float:
        """Return the weight of a word: rare words of the documents tell more. Words that stand nowhere weigh as the rarest."""
        found = len(self.index.get(word, ()))
        return math.log(1 + (len(self.places) + 1) / (found + 1))

    def nearest(self, words: frozenset[str]) -> list[tuple[float, Place]]:
        """Return the sentences most alike, best first, each with the share of the words' weight that it holds, 0..1."""
        scores: dict[int, float] = defaultdict(float)
        rarity = {word: self.rarity(word) for word in words}
        for word, weight in rarity.items():
            for number in self.index.get(word, ()):
                scores[number] += weight
        likely = sorted(scores, key=lambda number: -scores[number])[:_CANDIDATES]
        for number in likely:
            place = self.places[number]
            scores[number] += _BESIDE * sum(rarity[word] for word in (words & place.beside) - place.words)
        likely.sort(key=lambda number: -scores[number])
        whole = sum(rarity.values())
        return [(scores[one] / whole, self.places[one]) for one in likely[:8] if scores[one] >= _NEAR * scores[likely[0]]]

    def support(self, sentence: str) -> float | None:
        """Return the share of a sentence's weight that the documents hold close together, 0..1.

        A word counts whole in the one sentence that is most alike, less beside it or in the question, little elsewhere in the
        documents: a sentence should stand on one place, not on crumbs of ten. Chinese counts half by pairs of characters and
        half by characters, of which other wording keeps more. None for a sentence of fewer than three content words: it says
        too little either way.
        """
        words = frozenset(stems(sentence))
        if len(words) < 3:
            return None
        whole = sum(self.rarity(word) for word in words)
        best = 0.0
        for place in self.near(sentence):
            share = sum(self._held(word, place) for word in words) / whole
            han = _HAN.findall(sentence)
            if han:
                around = place.window + self.said
                share = (share + sum(char in around for char in han) / len(han)) / 2
            best = max(best, share)
        return best

    def _held(self, word: str, place: Place) -> float:
        if word in place.words:
            return self.rarity(word)
        if word in place.beside or word in self.question:
            return self.rarity(word) * _CLOSE
        return self.rarity(word) * _FAR if word in self.index or word in self.headings else 0.0

    def likeness(self, sentence: str) -> float:
        """Return the share of a sentence's weight that the sentence most like it holds with what is beside it, 0..1."""
        return next((share for share, _ in self.nearest(frozenset(stems(sentence)))), 0.0)

    def near(self, part: str) -> list[Place]:
        """Return the sentences of the documents that a sentence is most like, best first."""
        return [place for _, place in self.nearest(frozenset(stems(part)))]

    def splittings(self, sentence: str) -> Iterator[list[str]]:
        """Yield ways to cut a sentence into parts that may stand on different sentences of the documents."""
        seen: set[int] = set()
        for cut in _CUTS:
            parts = [part for part in cut.split(sentence) if part and part.strip()]
            if len(parts) > 1 and len(parts) not in seen and all(self._stands_alone(part) for part in parts):
                seen.add(len(parts))
                yield parts

    def _stands_alone(self, part: str) -> bool:
        return len(stems(part)) >= _SELF_STANDING or bool(quantities(part))


def gather(asked: Asked, passages: Sequence[Passage]) -> Evidence:
    """Take the passages and the question apart; about 8 ms for 2,000 tokens, nearly nothing for passages seen before."""
    said = " ".join([asked["text"], *(turn["content"] for turn in asked["history"])])
    places: list[Place] = []
    index: dict[str, list[int]] = defaultdict(list)
    headings: set[str] = set()
    texts = []
    for number, passage in enumerate(passages):
        spans = tuple((start, end) for start, end in passage["sentences"])
        folded, about, found = _taken_apart(number, passage["title"], passage["heading"], passage["text"], spans)
        texts.append(folded)
        for place in found:
            here = len(places)
            places.append(place)
            for word in place.words:
                index[word].append(here)
        headings |= about
    return Evidence(
        places=tuple(places),
        passages=tuple(texts),
        titles=fold("\n".join(dict.fromkeys(f"{passage['title']}\n{passage['heading']}" for passage in passages))),
        question=frozenset(stems(said)),
        said=fold(said),
        index=index,
        headings=frozenset(headings),
    )


@lru_cache(maxsize=512)
def _taken_apart(
    number: int, title: str, heading: str, text: str, spans: tuple[tuple[int, int], ...]
) -> tuple[str, frozenset[str], tuple[Place, ...]]:
    head = f"{title} {heading}"
    about = frozenset(stems(head))
    told = [text[start:end] for start, end in spans]
    words = [frozenset(stems(sentence)) for sentence in told]
    places = []
    for here, sentence in enumerate(told):
        around = slice(max(0, here - 1), here + 2)
        places.append(
            Place(
                passage=number,
                text=sentence,
                window="\n".join([head, *told[around]]),
                around=(head, *told[around]),
                words=words[here],
                beside=about.union(*words[around]),
            )
        )
    return fold(f"{head} {text}"), about, tuple(places)


def sentences(prose: str) -> list[str]:
    """Return the sentences of an answer, without list marks and emphasis."""
    plain = prose.replace("**", "").replace("__", "")
    return [_LIST_MARK.sub("", plain[start:end]) for start, end in sentence_spans(plain)]


@lru_cache(maxsize=4096)
def clauses(sentence: str) -> tuple[Clause, ...]:
    """Return the clauses of a sentence that say something, without an opening yes or no."""
    return tuple(_clauses(sentence))


def _clauses(sentence: str) -> Iterator[Clause]:
    for part in _CLAUSE.split(_OPENING.sub("", sentence)):
        if part and part.strip():
            found = signs(part)
            words = frozenset(stems(found.rest))
            if words:
                yield Clause(signs=found, words=words)


def stems(text: str) -> list[str]:
    """Return the content words of a text, English ones without their commonest endings."""
    return [_stem(word) for word in content_words(text)]


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return _ENDING.sub("", word) if len(word) > 4 and word.isascii() else word


_ENDING: Final = regex.compile(r"(?:'s|ing|ed|es|ly|e|s)$")
