"""What speaks for a sentence: numbers between the question, the sentence, its passage and its neighbours."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise

import numpy as np
import regex
from numpy.typing import NDArray

from groat.compression.columns import Column, beside, best_of_passages, ranks, scaled, standard
from groat.compression.context import Context, line_of
from groat.compression.surface import FIGURE, TIME
from groat.embedding import Matrix
from groat.text import figures, fold, words

K1, B = 1.2, 0.75

_POINTS_BACK = regex.compile(
    r"^(?:it|he|she|they|this|that|these|those|its|his|her|their|such|however|also|both|then|there|here)\b"
    r"|^[“\"]?(?:他|她|它|他们|她们|它们|其|此|该|这|那|但|不过|同时|此外|另外|并|而)",
    regex.IGNORECASE,
)

_HALF = 0.5
"""Weight of the neighbours in a window of three sentences."""

NAMES = (
    "bm25", "bm25_passage", "bm25_title", "bm25_before", "bm25_after", "bm25_window", "bm25_in_passage", "tfidf",
    "grams", "coverage", "coverage_title", "run", "run_title", "rarest", "relation", "relation_coverage", "figures",
    "names", "names_title", "entities", "figure_wanted", "time_wanted", "name_wanted", "figures_new", "figures_dense",
    "times", "names_new", "novel", "asks_figure", "asks_time", "asks_name", "asks_way", "place", "place_share", "rank",
    "first_passage", "length", "points_back", "heading", "question", "copies", "sentences", "chinese", "cosine",
    "cosine_gap", "cosine_rank", "cosine_passage", "cosine_passage_best", "cosine_passage_two", "cosine_before",
    "cosine_after", "cosine_window", "cosine_in_passage",
)  # fmt: skip
"""Columns of ``evidence``, in order."""
_OF_VECTORS = 10
"""So many of them, the last, need vectors."""


def evidence(context: Context) -> NDArray[np.float64]:
    """Return one row a sentence, one column for each of ``NAMES``; all finite. Without vectors the cosines are 0."""
    owner, count = context.owner, len(context.texts)
    if not count:
        return np.zeros((0, len(NAMES)))
    titles, title_bags, idf = context.titles, context.title_bags, context.rarity
    asking = context.asking
    asked = dict.fromkeys(context.asked, 1.0)
    own = scaled(bm25_here(asked, context))
    before, after = beside(own, owner, -1), beside(own, owner, 1)
    places = np.array([place for _, place in context.places], dtype=np.float64)
    sizes = np.bincount(owner, minlength=len(context.passages)).astype(np.float64)[owner]
    rarest = sorted((word for word in context.asked if word in idf), key=lambda word: (-idf[word], word))[:3]
    copies = Counter(context.texts)
    columns = [
        own,
        scaled(_bm25_passages(asked, context))[owner],
        scaled(bm25(asked, title_bags))[owner],
        before,
        after,
        own + _HALF * (before + after),
        own - best_of_passages(own, owner, len(context.passages))[owner],
        _tfidf(context, idf),
        _grams(context),
        _coverage(context.asked, context),
        _coverage(context.asked, context, with_titles=True),
        *_runs(context),
        sum(((context.counts(word) > 0) / len(rarest) for word in rarest), np.zeros(count)),
        scaled(bm25_here(dict.fromkeys(asking.relation, 1.0), context)),
        _coverage(asking.relation, context),
        _figures(context),
        _named(asking.names, context.texts),
        _named(asking.names, titles)[owner],
        _named(asking.entities, context.texts),
        *_wanted(context),
        1 / (1 + places),
        places / np.maximum(sizes - 1, 1),
        1 / (1 + owner),
        (owner == 0).astype(np.float64),
        np.log1p(context.tokens),
        np.array([bool(_POINTS_BACK.search(text)) for text in context.texts], dtype=np.float64),
        np.array([_is_heading(text) for text in context.texts], dtype=np.float64),
        np.array([text.rstrip().endswith(("?", "？")) for text in context.texts], dtype=np.float64),
        np.array([copies[text] for text in context.texts], dtype=np.float64),
        np.log1p(sizes),
        np.full(count, float(context.language == "zh")),
        *_meaning(context),
    ]
    return np.asarray(np.nan_to_num(np.column_stack(columns)), dtype=np.float64)


def bm25(asked: Mapping[str, float], bags: Sequence[Counter[str]]) -> Column:
    """Return BM25 (Robertson and Zaragoza 2009) of each text, the texts being the collection; words weigh what they map to."""
    lengths = np.array([sum(bag.values()) for bag in bags], dtype=np.float64)
    return _bm25(asked, lambda word: np.array([bag.get(word, 0) for bag in bags], dtype=np.float64), lengths)


def bm25_here(asked: Mapping[str, float], context: Context) -> Column:
    """Return ``bm25`` of the context's sentences."""
    return _bm25(asked, context.counts, context.lengths)


def _bm25(asked: Mapping[str, float], counts_of: Callable[[str], Column], lengths: Column) -> Column:
    mean = lengths.mean() if lengths.size and lengths.any() else 1.0
    damped = K1 * (1 - B + B * lengths / mean)
    scores = np.zeros(len(lengths))
    for word, weight in asked.items():
        counts = counts_of(word)
        holding = int(np.count_nonzero(counts))
        if holding:
            idf = math.log(1 + (len(lengths) - holding + 0.5) / (holding + 0.5))
            scores += weight * idf * counts * (K1 + 1) / (counts + damped)
    return scores


def _bm25_passages(asked: Mapping[str, float], context: Context) -> Column:
    """Return BM25 of each passage, its title included."""
    owner, count = context.owner, len(context.passages)
    titles = np.array([sum(bag.values()) for bag in context.title_bags], dtype=np.float64)

    def counts_of(word: str) -> Column:
        inside = np.bincount(owner, weights=context.counts(word), minlength=count)
        above = np.array([bag.get(word, 0) for bag in context.title_bags], dtype=np.float64)
        return np.asarray(inside + above, dtype=np.float64)

    return _bm25(asked, counts_of, np.bincount(owner, weights=context.lengths, minlength=count) + titles)


def _tfidf(context: Context, idf: Mapping[str, float]) -> Column:
    rare = max(idf.values(), default=1.0)
    weights = {word: idf.get(word, rare) for word in context.asked}
    size = math.sqrt(sum(weight**2 for weight in weights.values())) or 1.0
    scores = np.zeros(len(context.bags))
    for place, bag in enumerate(context.bags):
        dot = sum(weight * bag[word] * weight for word, weight in weights.items() if word in bag)
        if dot:
            scores[place] = dot / (size * math.sqrt(sum((number * idf[word]) ** 2 for word, number in bag.items())))
    return scores


def _grams(context: Context) -> Column:
    """Return the share of the question's pieces (four letters, or two where it is not ASCII) in the sentence: endings aside."""
    flat = fold(context.question)
    size = 4 if flat.isascii() else 2
    asked = {flat[i : i + size] for i in range(len(flat) - size + 1)}
    return np.array([sum(map(text.__contains__, asked)) / (len(asked) or 1) for text in context.folded])


def _coverage(asked: Sequence[str], context: Context, *, with_titles: bool = False) -> Column:
    """Return the share of the words, by rarity, that a sentence has, its passage's title helping if wished."""
    rare = max(context.rarity.values(), default=1.0)
    covered, whole = np.zeros(len(context.texts)), 0.0
    for word in asked:
        weight = context.rarity.get(word, rare)
        found = context.counts(word) > 0
        if with_titles:
            found = found | np.array([word in bag for bag in context.title_bags])[context.owner]
        covered += weight * found
        whole += weight
    return covered / (whole or 1.0)


def _figures(context: Context) -> Column:
    """Return the share of the question's figures that the sentence has, in whatever spelling."""
    asked = figures(context.question)
    if not asked:
        return np.zeros(len(context.texts))
    return np.array([len(asked & figures(text)) / len(asked) for text in context.texts])


def _runs(context: Context) -> list[Column]:
    """Return the longest run of the question's words, or letters in Chinese, in each sentence and its title, as a share."""
    flat = fold(context.question)
    if flat.isascii():
        asked = words(context.question)
        ends = np.cumsum([0, *(len(word) + 1 for word in asked)]).tolist()
        line, lines = line_of(asked), context.lines
        titles = [line_of(words(title)) for title in context.titles]
        pieces = len(asked)
    else:
        line, lines, pieces = flat, tuple(context.folded), len(flat)
        titles = [title.casefold() for title in context.titles]
        ends = []
    longest = [_longest(line, ends, pieces, text) / max(pieces, 1) for text in lines]
    in_titles = np.array([_longest(line, ends, pieces, text) / max(pieces, 1) for text in titles])
    return [np.array(longest), in_titles[context.owner]]


def _longest(line: str, ends: Sequence[int], pieces: int, text: str) -> int:
    """Return how many pieces of the line follow each other in the text as well; pieces are letters without ``ends``."""
    best = start = 0
    while start + best < pieces:
        end = start + best + 1
        while end <= pieces and (line[ends[start] : ends[end] + 1] if ends else line[start:end]) in text:
            end += 1
        best = max(best, end - 1 - start)
        start += 1
    return best


def _named(names: AbstractSet[str], texts: Sequence[str]) -> Column:
    return np.array([sum(map(text.__contains__, names)) / len(names) if names else 0.0 for text in texts])


def _wanted(context: Context) -> list[Column]:
    """Return what a sentence has of what questions ask for (figures, times, new names), and what this one asks for."""
    asking, count = context.asking, len(context.texts)
    known = set(FIGURE.findall(context.question))
    found = [set(FIGURE.findall(text)) - known for text in context.texts]
    figure = np.array([len(one) for one in found], dtype=np.float64)
    time = np.array([len(TIME.findall(text)) for text in context.texts], dtype=np.float64)
    name = np.log1p(np.array([len(names - asking.known) for names in context.names], dtype=np.float64))
    asks = [np.full(count, float(wish)) for wish in (asking.figure, asking.time, asking.name, asking.way)]
    held = sum((context.counts(word) > 0 for word in context.asked), np.zeros(count))
    novel = 1 - held / np.maximum(np.array([len(bag) for bag in context.bags]), 1)
    return [
        asks[0] * (figure > 0),
        asks[1] * (time > 0),
        asks[2] * name,
        np.log1p(figure),
        figure / (1 + context.tokens),
        np.log1p(time),
        name,
        novel,
        *asks,
    ]


def _is_heading(text: str) -> float:
    return float(text.lstrip().startswith("#") or (len(text) < 40 and text.rstrip().endswith((":", "："))))


def _meaning(context: Context) -> list[Column]:
    if context.similarities is None or context.vectors is None:
        return [np.zeros(len(context.texts))] * _OF_VECTORS
    cosine, owner = context.similarities, context.owner
    own = standard(cosine)
    count = len(context.passages)
    means = np.bincount(owner, weights=own, minlength=count) / np.maximum(np.bincount(owner, minlength=count), 1)
    best = best_of_passages(own, owner, len(context.passages))
    return [
        own,
        (cosine - cosine.max(initial=-1.0)) * 10,
        1 / (1 + ranks(cosine)),
        means[owner],
        best[owner],
        _two_best(own, context)[owner],
        beside(own, owner, -1),
        beside(own, owner, 1),
        _window(context.vectors, cosine, owner),
        own - best[owner],
    ]


def _two_best(column: Column, context: Context) -> Column:
    """Return the mean of the two largest values of each passage."""
    bounds = np.searchsorted(context.owner, np.arange(len(context.passages) + 1))
    parts = [np.sort(column[start:end])[-2:] for start, end in pairwise(bounds)]
    return np.array([part.mean() if part.size else 0.0 for part in parts])


def _window(vectors: Matrix, cosine: Column, owner: NDArray[np.intp]) -> Column:
    """Return the cosine of the question with the sum of a sentence and, at half their weight, its neighbours; standardised."""
    same = (owner[1:] == owner[:-1]).astype(np.float32) * np.float32(_HALF)
    whole, numerator = vectors.copy(), cosine.copy()
    whole[1:] += same[:, None] * vectors[:-1]
    whole[:-1] += same[:, None] * vectors[1:]
    numerator[1:] += same * cosine[:-1]
    numerator[:-1] += same * cosine[1:]
    return standard(numerator / np.maximum(np.linalg.norm(whole, axis=1), 1e-9))
