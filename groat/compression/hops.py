"""The second look: what the best sentences of the first look lead to."""

from collections import Counter

import numpy as np
import regex
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.compression.evidence import bm25, ranks, rarity, scaled
from groat.text import content_words, words

SEEDS = 4
"""So many of the best sentences are followed."""
_NEW_WORDS = 24

_NAME = regex.compile(r"\p{Lu}[\p{L}\p{N}.'’&-]*")

NAMES = (
    "first", "first_rank", "first_gap", "passage_first", "passage_rank", "before_first", "after_first", "title_led_to",
    "words_led_to", "names_led_to", "near_seed", "leads_from_title", "same_passage", "seed_before", "seed_after",
)  # fmt: skip
"""Columns of ``led_to``, in order."""


def led_to(context: Context, first: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one row a sentence, one column for each of ``NAMES``: how it hangs together with the best sentences.

    A question of two steps names only the first: the answer stands with a person, place or thing that the first step's
    sentence introduces. So sentences are held against the words, names and vectors of the best ``SEEDS`` sentences, and
    passages against what those sentences name.

    Args:
        context: the question and the passages.
        first: scores of the first look, higher is better, one a sentence.
    """
    count = len(context.texts)
    if not count:
        return np.zeros((0, len(NAMES)))
    owner = context.owner
    seeds = np.argsort(-first, kind="stable")[:SEEDS]
    best = np.full(len(context.passages), -np.inf)
    np.maximum.at(best, owner, first)
    best[np.isinf(best)] = first.min()
    passage_ranks = ranks(best)
    before, after = _neighbours(first, owner)
    chosen = np.zeros(count)
    chosen[seeds] = 1.0
    seed_before, seed_after = _neighbours(chosen, owner, missing=0.0)
    columns = [
        first,
        1 / (1 + ranks(first)),
        first - first.max(),
        best[owner],
        (1 / (1 + passage_ranks))[owner],
        before,
        after,
        *_followed(context, seeds),
        np.isin(owner, owner[seeds]).astype(np.float64),
        seed_before,
        seed_after,
    ]
    return np.asarray(np.nan_to_num(np.column_stack(columns)), dtype=np.float64)


def _neighbours(
    column: NDArray[np.float64], owner: NDArray[np.intp], missing: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low = float(column.min()) if missing is None else missing
    before, after = np.full(len(column), low), np.full(len(column), low)
    same = owner[1:] == owner[:-1]
    before[1:] = np.where(same, column[:-1], low)
    after[:-1] = np.where(same, column[1:], low)
    return before, after


def _followed(context: Context, seeds: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """Return what the seeds name and introduce: titles, new words, new names, closeness, and the way back from a title."""
    owner = context.owner
    asked = set(context.asked)
    idf = rarity(context.bags)
    bags = [context.bags[seed] for seed in seeds]
    titles = [set(content_words(passage["title"])) for passage in context.passages]
    new = Counter[str]()
    for weight, seed in zip(1 / (1 + np.arange(len(seeds))), seeds, strict=True):
        for word in {*context.bags[seed], *titles[owner[seed]]}:
            if word not in asked and word in idf:
                new[word] += weight * idf[word]
    known = set(words(context.question))
    named = [
        max((len(title & bag.keys()) / len(title - known) if title - known else 0.0) for bag in bags) if title else 0.0
        for title in ((one - known) for one in titles)
    ]
    names = {name for seed in seeds for name in _NAME.findall(context.texts[seed])} - set(_NAME.findall(context.question))
    shared = np.array([len(names & set(_NAME.findall(text))) for text in context.texts], dtype=np.float64)
    back = [max((len(titles[owner[seed]] & bag.keys()) / (len(titles[owner[seed]]) or 1) for seed in seeds if owner[seed] != i),
                default=0.0) for bag, i in zip(context.bags, owner, strict=True)]  # fmt: skip
    return [
        np.array(named)[owner],
        scaled(bm25(dict(new.most_common(_NEW_WORDS)), context.bags)),
        np.log1p(shared),
        _near(context, seeds),
        np.array(back),
    ]


def _near(context: Context, seeds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the closeness to the nearest seed that is another sentence; 0 everywhere without vectors."""
    if context.vectors is None:
        return np.zeros(len(context.texts))
    close = np.asarray(context.vectors @ context.vectors[seeds].T, dtype=np.float64)
    close[seeds, np.arange(len(seeds))] = -1.0
    return scaled(np.maximum(close.max(axis=1), 0.0)) * 10 - 9
