"""Rank passages by words and by meaning, and make one ranking of both."""

import sqlite3
from collections.abc import Mapping, Sequence

from groat.knowledge.words import match_query
from groat.text import count_tokens
from groat.types import Passage

CANDIDATES = 50
"""How far down each of the two rankings is looked at."""

RANK_OFFSET = 5
"""The constant of reciprocal rank fusion, chosen among 5, 10, 20 and 60 on one half of the help centre's questions."""

SEMANTIC_WEIGHT = 1.0
LEXICAL_WEIGHT = 0.7
"""Chosen among 0.3, 0.5, 0.7, 1 and 2 together with the constant; more costs first places, less loses rare words."""

_COLUMN_WEIGHTS = (3.0, 1.0, 1.0)
"""How much a word counts in title, heading and text."""


def lexical_ranking(db: sqlite3.Connection, tenant: int, question: str, limit: int = CANDIDATES) -> list[int]:
    """Return keys of passages by BM25, best first: those that share at least one word with the question."""
    query = match_query(question)
    if not query:
        return []
    table = f"words_{tenant}"
    weights = ", ".join(str(weight) for weight in _COLUMN_WEIGHTS)
    rows = db.execute(
        f"SELECT rowid FROM {table} WHERE {table} MATCH ? ORDER BY bm25({table}, {weights}), rowid LIMIT ?", (query, limit)
    )
    return [int(key) for (key,) in rows]


def fuse(rankings: Sequence[tuple[float, Sequence[int]]]) -> dict[int, float]:
    """Return keys with their fused score, best first.

    Each ranking has a weight; a key at place ``r`` of it gets ``weight / (RANK_OFFSET + r)``. The sum is scaled so that
    1.0 means first everywhere. Equal scores stay in the order of the first ranking that holds them.
    Source: Cormack, Clarke, Buettcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods".
    """
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for place, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + weight / (RANK_OFFSET + place)
    best = sum(weight for weight, _ in rankings) / (RANK_OFFSET + 1)
    return {key: score / best for key, score in sorted(scores.items(), key=lambda item: -item[1])}


def cut(passages: Sequence[Passage], k: int, max_tokens: int) -> list[Passage]:
    """Return the first passages, at most ``k`` with at most ``max_tokens`` tokens of text in all, but at least one."""
    kept: list[Passage] = []
    tokens = 0
    for passage in passages[:k]:
        tokens += count_tokens(passage["text"])
        if kept and tokens > max_tokens:
            break
        kept.append(passage)
    return kept


def scored(passages: Mapping[int, Passage], scores: Mapping[int, float], similarities: Mapping[int, float]) -> list[Passage]:
    """Return the passages in the order of ``scores``, with score and similarity filled in."""
    return [
        Passage(**{**passages[key], "score": min(1.0, score), "similarity": similarities.get(key)})
        for key, score in scores.items()
        if key in passages
    ]
