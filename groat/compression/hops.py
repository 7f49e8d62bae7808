"""The second look: what the best sentences of the first look lead to."""

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from groat.compression.columns import ranks, scaled, standard
from groat.compression.context import Context
from groat.compression.evidence import bm25_here
from groat.compression.surface import entities_of, is_name, without_asides
from groat.embedding import Matrix
from groat.text import content_words, words

SEEDS = 4
"""So many of the best sentences are followed."""
_TOP = 2
"""What so many of the best do not say of the question is what is left of it."""
_APART = 3
"""So many seeds have a closeness of their own."""
_NEW_WORDS = 24

NAMES = (
    "first", "first_rank", "first_gap", "first_share", "passage_first", "passage_rank", "rank_in_passage", "gap_in_passage",
    "before_first", "after_first", "title_led_to", "words_led_to", "names_led_to", "near_seed", "leads_from_title",
    "same_passage", "seed_before", "seed_after", "near_1", "near_2", "near_3", "near_and_asked", "left_meaning", "left_words",
    "left_coverage", "title_in_seed", "seed_title_here", "entities_led_to", "entities_shared", "relation_led_to",
    "passages_of_seeds",
)  # fmt: skip
"""Columns of ``led_to``, in order."""


def led_to(context: Context, first: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return one row a sentence, one column for each of ``NAMES``: how it hangs together with the best sentences.

    A question of two steps names only the first: the answer stands with a person, place or thing that the first step's
    sentence introduces. So sentences are held against the words, names and vectors of the best ``SEEDS`` sentences, and
    passages against what those sentences name. A question that asks for several things is not done with the first: what the
    best sentences leave of its words and its meaning is looked for as well.

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
    chances = np.exp(first - first.max())
    columns = [
        first,
        1 / (1 + ranks(first)),
        first - first.max(),
        chances / chances.sum(),
        best[owner],
        (1 / (1 + passage_ranks))[owner],
        _ranks_inside(first, context),
        first - best[owner],
        before,
        after,
        *_followed(context, seeds),
        np.isin(owner, owner[seeds]).astype(np.float64),
        seed_before,
        seed_after,
        *_meant(context, seeds),
        *_left(context, seeds),
        *_named(context, seeds),
        np.full(count, float(len(set(owner[seeds].tolist())))),
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
    idf = context.rarity
    bags = [context.bags[seed] for seed in seeds]
    titles = [set(content_words(passage["title"])) for passage in context.passages]
    new = Counter[str]()
    for weight, seed in zip(1 / (1 + np.arange(len(seeds))), seeds, strict=True):
        for word in {*context.bags[seed], *titles[owner[seed]]}:
            if word not in asked and word in idf:
                new[word] += weight * idf[word]
    # Sorted, since the words came out of sets, whose order differs from process to process.
    strongest = dict(sorted(new.items(), key=lambda item: (-item[1], item[0]))[:_NEW_WORDS])
    known = set(words(context.question))
    named = [
        max((len(title & bag.keys()) / len(title - known) if title - known else 0.0) for bag in bags) if title else 0.0
        for title in ((one - known) for one in titles)
    ]
    names = frozenset[str]().union(*(context.names[seed] for seed in seeds)) - context.asking.known
    shared = np.array([len(names & found) for found in context.names], dtype=np.float64)
    back = [max((len(titles[owner[seed]] & bag.keys()) / (len(titles[owner[seed]]) or 1) for seed in seeds if owner[seed] != i),
                default=0.0) for bag, i in zip(context.bags, owner, strict=True)]  # fmt: skip
    return [
        np.array(named)[owner],
        scaled(bm25_here(strongest, context)),
        np.log1p(shared),
        _near(context, seeds),
        np.array(back),
    ]


def _near(context: Context, seeds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the closeness to the nearest seed that is another sentence; 0 everywhere without vectors."""
    if context.vectors is None:
        return np.zeros(len(context.texts))
    close = _closeness(context.vectors, seeds)
    return scaled(np.maximum(close.max(axis=1), 0.0)) * 10 - 9


def _closeness(vectors: Matrix, seeds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the cosine of each sentence with each seed, shape (sentences, seeds); -1 with itself."""
    close = np.asarray(vectors @ vectors[seeds].T, dtype=np.float64)
    close[seeds, np.arange(len(seeds))] = -1.0
    return close


def _meant(context: Context, seeds: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """Return the closeness to each of the best seeds, to the question with a seed, and to what the question means beyond them.

    0 everywhere without vectors.
    """
    nothing = np.zeros(len(context.texts))
    if context.vectors is None or context.similarities is None:
        return [nothing] * (_APART + 2)
    close = _closeness(context.vectors, seeds)
    apart = [nothing] * _APART
    for number, seed in enumerate(seeds[:_APART]):
        others = np.arange(len(nothing)) != seed
        if others.sum() > 1:
            apart[number] = nothing.copy()
            apart[number][others] = standard(close[others, number])
    top = context.vectors[seeds[:_TOP]].mean(axis=0)
    top = top / max(float(np.linalg.norm(top)), 1e-9)
    # What is left of the question once its part along the seeds is taken away; its length does not change the order.
    along = float(context.similarities[seeds[:_TOP]].mean())
    beyond = context.similarities - along * np.asarray(context.vectors @ top, dtype=np.float64)
    both = (close + context.similarities[:, None]).max(axis=1)
    return [*apart, standard(both), standard(beyond)]


def _left(context: Context, seeds: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """Return how much of the question's words that the best seeds lack a sentence has: BM25, and share by rarity."""
    idf = context.rarity
    said = set[str]().union(*(context.bags[seed].keys() for seed in seeds[:_TOP]))
    left = [word for word in context.asked if word in idf and word not in said]
    whole = sum(idf.get(word, 0.0) for word in context.asked) or 1.0
    covered = np.zeros(len(context.texts))
    for word in left:
        covered += idf[word] / whole * (context.counts(word) > 0)
    return [scaled(bm25_here(dict.fromkeys(left, 1.0), context)), covered]


def _named(context: Context, seeds: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """Return how the seeds and a sentence hang together by names.

    Titles that a seed spells out, titles of seeds spelt out here, new names of seeds, weighted by rarity and counted; and
    these together with what is asked about names.
    """
    owner, folded, count = context.owner, context.folded, len(context.texts)
    question = context.question.casefold()
    titles = [without_asides(passage["title"]).casefold() for passage in context.passages]
    weights = 1 / (1 + np.arange(len(seeds)))
    ranked = list(zip(weights.tolist(), seeds.tolist(), strict=True))
    spelt = np.array(
        [
            max((weight for weight, seed in ranked if owner[seed] != i and title in folded[seed]), default=0.0)
            if len(title) > 2 and title not in question
            else 0.0
            for i, title in enumerate(titles)
        ]
    )[owner]
    sources = [(weight, owner[seed], titles[owner[seed]]) for weight, seed in ranked if len(titles[owner[seed]]) > 2]
    here = [
        max((weight for weight, source, title in sources if source != i and title in text), default=0.0)
        for text, i in zip(folded, owner, strict=True)
    ]
    new: dict[str, float] = {}
    for weight, seed in ranked:
        for entity in (*entities_of(context.texts[seed]), context.passages[owner[seed]]["title"]):
            name = without_asides(entity)
            if is_name(name) and name not in context.question:
                new.setdefault(name.casefold(), weight)
    inside = np.array([list(map(text.__contains__, new)) for text in folded], dtype=np.float64).reshape(count, len(new))
    rare = np.array(list(new.values())) * np.log((count + 1) / (inside.sum(axis=0) + 0.5))
    shared = scaled(inside @ rare)
    relation = scaled(bm25_here(dict.fromkeys(context.asking.relation, 1.0), context))
    return [spelt, np.array(here), shared, np.log1p(inside.sum(axis=1)), relation * (spelt + shared)]


def _ranks_inside(first: NDArray[np.float64], context: Context) -> NDArray[np.float64]:
    """Return 1 / (1 + rank) of each sentence among those of its passage."""
    bounds = np.searchsorted(context.owner, np.arange(len(context.passages) + 1))
    parts = [1 / (1 + ranks(first[start:end])) for start, end in pairwise(bounds) if end > start]
    return np.concatenate(parts)
