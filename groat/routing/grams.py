"""The wording of a question, hashed: words with their pairs, and runs of characters, for the linear part of the router."""

import re
import zlib

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 15
"""Size of each table. Two pieces that share a bucket share a coefficient."""
READ = 500
"""Characters that are read of the beginning, and of the end, where the question of a long prompt mostly stands."""
RUNS = (3, 4, 5)
_TOKEN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W\d_]+|\d+|[^\s\w]")
_DIGITS = re.compile(r"\d+")
_SPACE = re.compile(r"\s+")
_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(17)

Buckets = NDArray[np.int64]
Weights = NDArray[np.float64]


def glimpse(text: str) -> str:
    """Return what is read of a text: beginning and end, so that a long one takes no more time than a page."""
    return text if len(text) <= 2 * READ else f"{text[:READ]}\n{text[-READ:]}"


def words(text: str) -> tuple[Buckets, Weights]:
    """Return the buckets of the words and neighbouring pairs of a text, each once, and the logarithm of how often they occur.

    Chinese is read by characters, whose pairs are mostly words; figures count by their length alone, since which number it is
    says nothing. Pure; about 0.3 ms for 1,000 characters.
    """
    tokens = [_plain(token) for token in _TOKEN.findall(glimpse(text).casefold())]
    single = np.array([zlib.crc32(token.encode("utf-8", "replace")) for token in tokens], dtype=np.uint64)
    pairs = (single[:-1] * _MIX + single[1:]) >> _SHIFT
    return _counted(np.concatenate([single, pairs]))


def runs(text: str) -> tuple[Buckets, Weights]:
    """Return the same for runs of three to five characters, across words; figures by their length. About 0.5 ms."""
    folded = _SPACE.sub(" ", f" {glimpse(text).casefold()} ")
    folded = _DIGITS.sub(lambda found: "#" * min(len(found.group()), 6), folded)
    codes = np.frombuffer(folded.encode("utf-32-le", "replace"), dtype=np.uint32).astype(np.uint64)
    hashed = []
    for length in RUNS:
        count = max(len(codes) - length + 1, 0)
        mixed = np.zeros(count, dtype=np.uint64)
        for place in range(length):
            mixed = mixed * _MIX + codes[place : place + count] + np.uint64(length)
        hashed.append(mixed >> _SHIFT)
    return _counted(np.concatenate(hashed))


def _counted(hashes: NDArray[np.uint64]) -> tuple[Buckets, Weights]:
    buckets, counts = np.unique(hashes % np.uint64(BUCKETS), return_counts=True)
    return buckets.astype(np.int64), np.log1p(counts)


def _plain(token: str) -> str:
    return "#" * min(len(token), 6) if token[0].isdecimal() else token
