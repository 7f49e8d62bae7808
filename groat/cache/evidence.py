"""What can be said about two questions before anybody decides whether one answer serves both."""

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

import numpy as np
import regex
from numpy.typing import NDArray

from groat.cache.guard import asked_kinds, differences
from groat.text import content_words, denials, detect_language, fold

EVIDENCE_VERSION = 1
"""Raise this when any value changes: a verifier that was fitted on other values is refused."""

_CODES = ("figure", "negation", "opposite", "question_word", "direction", "name", "quoted", "length", "swapped")
NAMES = (
    "logit", "cosine", "chinese", "across",
    "least_chars", "length_ratio", "pairs_shared", "pairs_held", "words_shared", "words_held",
    "only_fewer", "only_more", "longest_only", "kept_order", "edits", "replaced", "inserted",
    "asks_same", "asks_other", "limits_differ", "numbers_named", "denied",
    *_CODES,
)  # fmt: skip
"""Names of the values, in order."""
_LIMITS = regex.compile(
    r"\b(?:if|unless|until|without|with|except|only|all|every|any|both|first|last|before|after|while|when|because|more|less|most|"
    r"least|over|under|between|instead|again|still|already|back|own|other|another|same|than|too)\b|"
    r"如果|要是|除非|除了|除外|只|仅|全部|所有|都|每|任何|第一|最后|以前|之前|以后|之后|的时候|因为|更|最|以上|以下|超过|不到|之间|"
    r"而不是|还|已经|再|回来|自己|别的|其他|另|同样|比"
)
_DIGIT = regex.compile(r"\d")
_CHAR_RUN = regex.compile(r"[\p{L}\p{N}]+")


def evidence(asked: str, kept: str, *, cosine: float, logit: float) -> NDArray[np.float64]:
    """Return the values that ``NAMES`` names, shape (len(NAMES),), finite; about 0.2 ms for questions of usual length.

    Symmetric in the two questions. Never raises for texts.

    Args:
        asked: the question that was asked.
        kept: the question whose answer is kept.
        cosine: of their vectors, -1 to 1.
        logit: log odds of the probability that the judge of pairs gives; 0 when there is no judge.
    """
    a, b = sorted((fold(asked), fold(kept)))
    languages = {_language(a), _language(b)}
    grams, words = (_grams(a), _grams(b)), (_contents(a), _contents(b))
    only = sorted((len(set(words[0]) - set(words[1])), len(set(words[1]) - set(words[0]))))
    single = set(words[0]) ^ set(words[1])
    edits, replaced, inserted = _edits(*(_tokens(text) for text in (a, b)))
    kinds = asked_kinds(a), asked_kinds(b)
    limits = _limits(a), _limits(b)
    found = set(differences(asked, kept))
    short, long = sorted((len(a), len(b)))
    values = [
        np.clip(logit, -12, 12), cosine, float(languages == {"zh"}), float(len(languages) > 1),
        np.log1p(short), short / max(long, 1), _shared(*grams), _held(*grams), _shared(*words), _held(*words),
        min(only[0], 6), min(only[1], 6), min(max(map(len, single), default=0), 12), _order(*words),
        min(edits, 8), min(replaced, 6), min(inserted, 6),
        float(bool(kinds[0] & kinds[1])), float(bool(kinds[0] ^ kinds[1])), min(_apart(*limits), 4),
        float(_DIGIT.search(a + b) is not None), float(_denied(a) or _denied(b)),
        *(float(code in found) for code in _CODES),
    ]  # fmt: skip
    return np.array(values, dtype=np.float64)


def _apart(a: Sequence[str], b: Sequence[str]) -> int:
    """Return how many words stand in one list and not in the other, each as often as it does."""
    left, right = Counter(a), Counter(b)
    return ((left - right) + (right - left)).total()


@lru_cache(maxsize=4096)
def _language(text: str) -> str:
    return detect_language(text)


@lru_cache(maxsize=4096)
def _limits(text: str) -> tuple[str, ...]:
    return tuple(_LIMITS.findall(text))


@lru_cache(maxsize=4096)
def _denied(text: str) -> bool:
    return denials(text) > 0


@lru_cache(maxsize=4096)
def _grams(text: str) -> frozenset[str]:
    return frozenset(run[i : i + 2] for run in _CHAR_RUN.findall(text) for i in range(max(1, len(run) - 1)))


@lru_cache(maxsize=4096)
def _contents(text: str) -> tuple[str, ...]:
    return tuple(content_words(text))


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(regex.findall(r"\p{Han}|[[\p{L}\p{N}]--\p{Han}]+", text, flags=regex.VERSION1))


def _shared(a: Sequence[str] | frozenset[str], b: Sequence[str] | frozenset[str]) -> float:
    """Return the Jaccard index."""
    left, right = set(a), set(b)
    return len(left & right) / max(1, len(left | right))


def _held(a: Sequence[str] | frozenset[str], b: Sequence[str] | frozenset[str]) -> float:
    """Return how much of the smaller set the other one holds."""
    left, right = set(a), set(b)
    return len(left & right) / max(1, min(len(left), len(right)))


def _order(a: Sequence[str], b: Sequence[str]) -> float:
    """Return the share of the common words that stand in the same order."""
    common = set(a) & set(b)
    left, right = [word for word in a if word in common], [word for word in b if word in common]
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks()) / max(1, min(len(left), len(right))) if common else 1.0


def _edits(a: Sequence[str], b: Sequence[str]) -> tuple[int, int, int]:
    """Return how many stretches differ, how many words were put in place of others, and how many have no counterpart."""
    changes = [change for change in SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if change[0] != "equal"]
    replaced = sum(min(j - i, m - k) for _, i, j, k, m in changes)
    inserted = sum(abs((j - i) - (m - k)) for _, i, j, k, m in changes)
    return len(changes), replaced, inserted
