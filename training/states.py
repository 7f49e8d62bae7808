"""What E5's lower layers make of each text: computed once, kept in memory in half precision."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from groat.judge.encoder import Prefix
from groat.judge.joint import unmarked
from groat.judge.judge import SIDES, Side
from training.model import Pairs
from training.rows import Row

_AT_ONCE = 256


class Lower(Protocol):
    """Runs E5's lower layers: ``groat.judge.encoder.Encoder`` does."""

    def states(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 64) -> list[NDArray[np.float32]]:
        """Return the states of each text, shape (tokens, hidden)."""
        ...


class StateStore:
    """Remembers the states of texts, about 12 KB a question.

    Args:
        lower: computes what is not remembered.
    """

    def __init__(self, lower: Lower) -> None:
        """Start empty."""
        self._lower = lower
        self._known: dict[tuple[Side, str], NDArray[np.float16]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def prepare(self, rows: Iterable[Row]) -> None:
        """Compute what these rows need and is not known yet."""
        wanted: dict[Side, dict[str, None]] = {}
        for row in rows:
            for side, text in zip(SIDES[row.head], (row.a, row.b), strict=True):
                if (side, text) not in self._known:
                    wanted.setdefault(side, {})[text] = None
        for side, texts in wanted.items():
            ordered = sorted(texts, key=len)
            for start in range(0, len(ordered), _AT_ONCE):
                part = ordered[start : start + _AT_ONCE]
                for text, states in zip(part, self._lower.states(part, prefix=side[0], most_tokens=side[1]), strict=True):
                    self._known[side, text] = unmarked(states).astype(np.float16)

    def of(self, row: Row) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
        """Return the states of both texts of a prepared row."""
        left, right = SIDES[row.head]
        return self._known[left, row.a], self._known[right, row.b]

    def length(self, row: Row) -> int:
        """Return the tokens of both texts of a prepared row."""
        left, right = self.of(row)
        return len(left) + len(right)

    def batch(self, rows: Sequence[Row], swapped: Sequence[bool] = ()) -> Pairs:
        """Lay the states of each prepared row end to end; where ``swapped``, the second text comes first."""
        pairs = [self.of(row) for row in rows]
        pairs = [(b, a) if turn else (a, b) for (a, b), turn in zip(pairs, swapped or [False] * len(rows), strict=True)]
        longest = max(len(a) + len(b) for a, b in pairs)
        states = np.zeros((len(pairs), longest, pairs[0][0].shape[1]), dtype=np.float32)
        sides = np.full((len(pairs), longest), 2, dtype=np.int64)
        for place, (a, b) in enumerate(pairs):
            states[place, : len(a)], states[place, len(a) : len(a) + len(b)] = a, b
            sides[place, : len(a)], sides[place, len(a) : len(a) + len(b)] = 0, 1
        return Pairs(torch.from_numpy(states), torch.from_numpy(sides))
