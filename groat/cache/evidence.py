"""What can be said about two questions before anybody decides whether one answer serves both."""

import operator
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import regex
from numpy.typing import NDArray

from groat.cache.alignment import matching_blocks
from groat.cache.guard import asked_kinds, differences, folded, language_of
from groat.text import content_words, denials

EVIDENCE_VERSION = 1
"""Raise this when any value changes: a verifier that was fitted on other values is refused."""

CODES = ("figure", "negation", "opposite", "question_word", "direction", "name", "quoted", "length", "swapped")
"""What the checks by hand may find."""
NAMES = (
    "logit", "cosine", "chinese", "across",
    "least_chars", "length_ratio", "pairs_shared", "pairs_held", "words_shared", "words_held",
    "only_fewer", "only_more", "longest_only", "kept_order", "edits", "replaced", "inserted",
    "asks_same", "asks_other", "limits_differ", "numbers_named", "denied",
    *CODES,
)  # fmt: skip
"""Names of the values, in order."""
_LIMITS = regex.compile(
    r"\b(?:if|unless|until|without|with|except|only|all|every|any|both|first|last|before|after|while|when|because|more|less|most|"
    r"least|over|under|between|instead|again|still|already|back|own|other|another|same|than|too)\b|"
    r"如果|要是|除非|除了|除外|只|仅|全部|所有|都|每|任何|第一|最后|以前|之前|以后|之后|的时候|因为|更|最|以上|以下|超过|不到|之间|"
    r"而不是|还|已经|再|回来|自己|别的|其他|另|同样|比"
)
_LIMIT_WORDS = frozenset(
    "if unless until without with except only all every any both first last before after while when because more less most "
    "least over under between instead again still already back own other another same than too".split()
)
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_ASCII_RUN = re.compile(r"[A-Za-z0-9]+")
_DIGIT = regex.compile(r"\d")
_CHAR_RUN = regex.compile(r"[\p{L}\p{N}]+")
_TOKEN = regex.compile(r"\p{Han}|[[\p{L}\p{N}]--\p{Han}]+", regex.VERSION1)
_REMEMBERED = 4096
"""Texts whose parts are remembered, of some kilobytes each: a question is held against several, and kept ones come again."""


@dataclass(frozen=True, slots=True)
class _Text:
    """What one folded question brings to any comparison."""

    language: str
    grams: frozenset[str]
    words: tuple[str, ...]
    word_set: frozenset[str]
    tokens: tuple[str, ...]
    kinds: set[str]
    limits: Counter[str]
    denied: bool
    has_digit: bool


def evidence(asked: str, kept: str, *, cosine: float, logit: float) -> NDArray[np.float64]:
    """Return the values that ``NAMES`` names, shape (len(NAMES),), finite; about 0.2 ms for questions of usual length.

    Symmetric in the two questions. Never raises for texts.

    Args:
        asked: the question that was asked.
        kept: the question whose answer is kept.
        cosine: of their vectors, -1 to 1.
        logit: log odds of the probability that the judge of pairs gives; 0 when there is no judge.
    """
    a, b = sorted((folded(asked), folded(kept)))
    one, other = _of(a), _of(b)
    single = one.word_set ^ other.word_set
    missing = len(other.word_set - one.word_set)
    only = sorted((len(single) - missing, missing))
    edits, replaced, inserted = _edits(one.tokens, other.tokens)
    found = differences(asked, kept)
    short, long = sorted((len(a), len(b)))
    values = [
        min(max(logit, -12.0), 12.0), cosine, float(one.language == other.language == "zh"),
        float(one.language != other.language), _log1p(short), short / max(long, 1),
        *_shared_and_held(one.grams, other.grams), *_shared_and_held(one.word_set, other.word_set),
        min(only[0], 6), min(only[1], 6), min(max(map(len, single), default=0), 12), _order(one, other),
        min(edits, 8), min(replaced, 6), min(inserted, 6),
        float(not one.kinds.isdisjoint(other.kinds)), float(one.kinds != other.kinds), min(_apart(one.limits, other.limits), 4),
        float(one.has_digit or other.has_digit), float(one.denied or other.denied),
        *(float(code in found) for code in CODES),
    ]  # fmt: skip
    return np.array(values, dtype=np.float64)


@lru_cache(maxsize=_REMEMBERED)
def _of(text: str) -> _Text:
    words = tuple(content_words(text))
    return _Text(
        language=language_of(text),
        grams=frozenset(pair for run in _runs(text) for pair in (map(operator.add, run, run[1:]) if len(run) > 1 else (run,))),
        words=words,
        word_set=frozenset(words),
        tokens=tuple(_ASCII_RUN.findall(text) if text.isascii() else _TOKEN.findall(text)),
        kinds=asked_kinds(text),
        limits=Counter(_limits(text)),
        denied=denials(text) > 0,
        has_digit=_DIGIT.search(text) is not None,
    )


def _runs(text: str) -> list[str]:
    return _ASCII_RUN.findall(text) if text.isascii() else _CHAR_RUN.findall(text)


def _limits(text: str) -> list[str]:
    if text.isascii():
        return [word for word in _ASCII_WORD.findall(text) if word in _LIMIT_WORDS]
    return _LIMITS.findall(text)


@lru_cache(maxsize=_REMEMBERED)
def _log1p(number: int) -> float:
    return float(np.log1p(number))


def _apart(left: Counter[str], right: Counter[str]) -> int:
    """Return how many words stand in one list and not in the other, each as often as it does."""
    return sum(abs(left[word] - right[word]) for word in left.keys() | right.keys())


def _shared_and_held(left: Collection[str], right: frozenset[str]) -> tuple[float, float]:
    """Return the Jaccard index, and how much of the smaller set the other one holds."""
    common = len(right.intersection(left))
    return common / max(1, len(left) + len(right) - common), common / max(1, min(len(left), len(right)))


def _order(one: _Text, other: _Text) -> float:
    """Return the share of the common words that stand in the same order."""
    common = one.word_set & other.word_set
    left, right = [word for word in one.words if word in common], [word for word in other.words if word in common]
    if left == right:
        return 1.0
    return sum(size for _, _, size in matching_blocks(left, right)) / max(1, min(len(left), len(right)))


def _edits(a: Sequence[str], b: Sequence[str]) -> tuple[int, int, int]:
    """Return how many stretches differ, how many words were put in place of others, and how many have no counterpart."""
    edits = replaced = inserted = done_a = done_b = 0
    for start_a, start_b, size in [*matching_blocks(a, b), (len(a), len(b), 0)]:
        gone, come = start_a - done_a, start_b - done_b
        if gone or come:
            edits += 1
            replaced += min(gone, come)
            inserted += abs(gone - come)
        done_a, done_b = start_a + size, start_b + size
    return edits, replaced, inserted
