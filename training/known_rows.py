"""Rows of what the shipped judge knows: some are repeated while it learns more, others show whether it forgot."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from training.frames import frame_rows
from training.relevance import helpcentre_relevance
from training.rows import Row
from training.sources import portion
from training.support import support_rows

_MEASURED_GROUPS = 0.3
"""Share of the frames and documents that only measure."""
_OTHER_SEEDS = 7_000
"""Added to the seed, so that the rows are others than those of the shipped weights."""
_NEGATIVES = 3
_FRAMES, _SUPPORTS = 6_000, 2_000


@dataclass(frozen=True, kw_only=True)
class Known:
    """By name: frames (head same), answers, supports; English and Chinese in each."""

    replayed: Mapping[str, Sequence[Row]]
    measured: Mapping[str, Sequence[Row]]
    """Of other frames and other documents."""


def known_rows(seed: int, *, most: int = 800) -> Known:
    """Make the rows, about 20 seconds.

    Args:
        seed: of every choice.
        most: rows of each name to measure.
    """
    made = {
        "frames": list(frame_rows(_FRAMES, seed + _OTHER_SEEDS)),
        "answers": list(helpcentre_relevance(seed + _OTHER_SEEDS, _NEGATIVES)),
        "supports": list(support_rows(seed + _OTHER_SEEDS, _SUPPORTS)),
    }
    return divided(made, seed, most)


def divided(made: Mapping[str, Sequence[Row]], seed: int, most: int) -> Known:
    """Divide rows by their groups into those to repeat and at most so many of each name to measure."""
    chance = random.Random(seed)
    replayed = {name: [row for row in rows if portion(row.group) >= _MEASURED_GROUPS] for name, rows in made.items()}
    measured = {}
    for name, rows in made.items():
        held = [_as_served(row) for row in rows if portion(row.group) < _MEASURED_GROUPS]
        measured[name] = chance.sample(held, min(most, len(held)))
    return Known(replayed=replayed, measured=measured)


def _as_served(row: Row) -> Row:
    """Put two questions in the order in which the judge is asked about them."""
    return replace(row, a=min(row.a, row.b), b=max(row.a, row.b)) if row.head == "same" else row
