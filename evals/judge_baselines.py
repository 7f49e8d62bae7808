"""What the judge is compared with: the cosine of E5's vectors, alone and behind the cache's checks by hand."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from evals.pair_rows import Pair
from evals.pair_scores import Numbers
from groat.cache.guard import differences
from groat.embedding.protocol import Matrix
from groat.judge.encoder import Prefix, States

_MOST_TOKENS = 512
"""All that E5 reads."""
_TEXTS_AT_ONCE = 64
"""A text of 512 tokens takes 0.8 MB of states."""


class Embeds(Protocol):
    """What is asked of the encoder."""

    def states(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 64) -> list[States]:
        """Return the states of each text."""
        ...

    def vectors(self, states: Sequence[States]) -> Matrix:
        """Return the vectors of texts, each of unit length."""
        ...


def cosines(pairs: Sequence[Pair], encoder: Embeds) -> Numbers:
    """Return the cosine of the vectors of both questions, shape (pairs,), not below 0: what embeddings alone know."""
    numbers = {text: place for place, text in enumerate(dict.fromkeys(text for pair in pairs for text in (pair.a, pair.b)))}
    texts = list(numbers)
    parts = [
        encoder.vectors(encoder.states(texts[start : start + _TEXTS_AT_ONCE], prefix="query: ", most_tokens=_MOST_TOKENS))
        for start in range(0, len(texts), _TEXTS_AT_ONCE)
    ]
    vectors = np.concatenate(parts).astype(np.float64)
    left = vectors[[numbers[pair.a] for pair in pairs]]
    right = vectors[[numbers[pair.b] for pair in pairs]]
    found: Numbers = np.maximum((left * right).sum(axis=1), 0.0)
    return found


def guarded(pairs: Sequence[Pair], cosine: Numbers) -> Numbers:
    """Return the cosine where the checks of the cache find no difference, else 0: never served."""
    passed = np.array([not differences(pair.a, pair.b) for pair in pairs], dtype=bool)
    return np.where(passed, cosine, 0.0)
