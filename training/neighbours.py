"""Rows as a cache meets them: a question of a stream beside the earlier questions that its vector is nearest to.

Labelled pairs and made ones are hard on purpose. A judge that saw nothing else is unsure of what is plain: of the nearest
neighbours in a stream most are other questions about the same thing, and nobody made them to be confused.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from training.mine import Vectors
from training.rows import Row
from training.sources import StreamRow

_LEAST = 0.84
"""Cosine below which no cache would ask."""
_DOUBTED = {"qqp-en": 0.965, "lcqmc-zh": 0.96, "bq-zh": 0.94}
"""Cosine above which two questions without a link are too often duplicates that nobody linked."""
_NEAREST = 8
_OTHERS = 3
"""Different questions beside one question."""


def neighbour_rows(streams: Mapping[str, Sequence[StreamRow]], vectors: Vectors, count: int, seed: int) -> Iterator[Row]:
    """Yield up to ``count`` rows of the head ``same``: ``linked`` with label 1, ``neighbour`` with label 0.

    Args:
        streams: name -> rows in order of arrival, with answer ids that name groups of equal questions.
        vectors: returns the unit vectors of texts, shape (texts, dimension).
        count: how many rows at most.
        seed: decides every choice.
    """
    rng = random.Random(seed)
    found = [row for name, rows in streams.items() for row in _of(name, rows, vectors, rng)]
    rng.shuffle(found)
    yield from found[:count]


def _of(name: str, rows: Sequence[StreamRow], vectors: Vectors, rng: random.Random) -> Iterator[Row]:
    unique = list({row.query: row for row in rows}.values())
    matrix = vectors([row.query for row in unique]) if unique else np.zeros((0, 1), np.float32)
    doubted = _DOUBTED.get(name, 1.0)
    for place, row in enumerate(unique):
        cosines = matrix[:place] @ matrix[place]
        near = [int(other) for other in np.argsort(-cosines)[: 2 * _NEAREST] if cosines[other] >= _LEAST]
        linked = [other for other in near if unique[other].answer_id == row.answer_id]
        others = [other for other in near if unique[other].answer_id != row.answer_id and cosines[other] <= doubted][:_NEAREST]
        for label, kind, chosen in (
            (1.0, "linked", linked[:_OTHERS]),
            (0.0, "neighbour", rng.sample(others, min(_OTHERS, len(others)))),
        ):
            for other in chosen:
                a, b = rng.sample([row.query, unique[other].query], 2)
                group = f"{name}:{row.answer_id}"
                yield Row(a, b, label, "same", row.lang, f"neighbours:{name}", kind, group, open_licence=False)
