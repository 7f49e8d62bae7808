"""What speaks for a sentence: numbers between the question, the sentence, its passage and its neighbours."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import regex
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.text import figures, fold, words

Column = NDArray[np.float64]

K1, B = 1.2, 0.75

_NAME = regex.compile(r"\p{Lu}[\p{L}\p{N}.'’&-]*")
_QUOTED = regex.compile(r"[“\"「『《‘]([^”\"」』》’]{1,60})[”\"」』》’]")
_FIGURE = regex.compile(
    r"\d+(?:[.,]\d+)*|[一二两三四五六七八九十百千万亿]+(?=[个年天名次位岁倍种部条座层米元人])"
    r"|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|hundred|thousand|million|half)\b",
    regex.IGNORECASE,
)
_WANTS_FIGURE = regex.compile(
    r"\bhow (?:many|much|long|old|far|high|large|big|tall|fast|often)\b"
    r"|\bwhat (?:\w+ )?(?:number|percentage|amount|population|size|age)\b"
    r"|多少|几[个年天次名位岁倍种]|多[大长高久远重快]|比例|百分之",
    regex.IGNORECASE,
)
_WANTS_TIME = regex.compile(
    r"\bwhen\b|\b(?:what|which|in what|in which) (?:year|date|day|month|century|decade|time|season)\b"
    r"|何时|什么时[候间]|哪[一]?[年天日月]|几[月号日点]|时间|日期|年份",
    regex.IGNORECASE,
)
_WANTS_NAME = regex.compile(
    r"\bwho(?:se|m)?\b|\bwhere\b|\bwhat (?:is|was|are|were) the (?:\w+ )?names?\b|\bwhich\b|\bin what\b"
    r"|谁|哪[里儿位个些国家座所]|何[人地处]|什么(?:地方|名字|人)|叫什么|名[字称]",
    regex.IGNORECASE,
)
_TIME = regex.compile(
    r"\b(?:1\d{3}|20\d{2})\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|century)\b"
    r"|\d+\s*(?:年|月|日|世纪)|[一二三四五六七八九十〇零]{1,4}[年月日]",
    regex.IGNORECASE,
)
_POINTS_BACK = regex.compile(
    r"^(?:it|he|she|they|this|that|these|those|its|his|her|their|such|however|also|both|then|there|here)\b"
    r"|^[“\"]?(?:他|她|它|他们|她们|它们|其|此|该|这|那|但|不过|同时|此外|另外|并|而)",
    regex.IGNORECASE,
)

NAMES = (
    "bm25", "bm25_passage", "bm25_title", "bm25_before", "bm25_after", "tfidf", "grams", "coverage", "coverage_title",
    "figures", "names", "names_title", "figure_wanted", "time_wanted", "name_wanted", "place", "place_share", "rank",
    "first_passage", "length", "points_back", "heading", "sentences", "cosine", "cosine_gap", "cosine_rank", "cosine_passage",
    "cosine_passage_best", "cosine_before", "cosine_after",
)  # fmt: skip
"""Columns of ``evidence``, in order."""


def evidence(context: Context) -> NDArray[np.float64]:
    """Return one row a sentence, one column for each of ``NAMES``; all finite. Without vectors the last seven are 0."""
    owner, count = context.owner, len(context.texts)
    titles = [f"{passage['title']} {passage['heading']}".strip() for passage in context.passages]
    title_bags = [Counter(words(title)) for title in titles]
    passage_bags = pooled(context.bags, owner, title_bags)
    idf = rarity(context.bags)
    asked = {word: 1.0 for word in context.asked}
    lexical = bm25(asked, context.bags)
    own = scaled(lexical)
    places = np.array([place for _, place in context.places], dtype=np.float64)
    sizes = np.bincount(owner, minlength=len(context.passages)).astype(np.float64)[owner]
    names = _names(context.question)
    columns = [
        own,
        scaled(bm25(asked, passage_bags))[owner],
        scaled(bm25(asked, title_bags))[owner],
        beside(own, owner, -1),
        beside(own, owner, 1),
        _tfidf(context, idf),
        _grams(context),
        _coverage(context.asked, [bag.keys() for bag in context.bags], idf),
        _coverage(context.asked, [bag.keys() | title_bags[i].keys() for bag, i in zip(context.bags, owner, strict=True)], idf),
        _figures(context),
        _named(names, context.texts),
        _named(names, titles)[owner],
        *_wanted(context),
        1 / (1 + places),
        places / np.maximum(sizes - 1, 1),
        1 / (1 + owner),
        (owner == 0).astype(np.float64),
        np.log1p(context.tokens),
        np.array([bool(_POINTS_BACK.search(text)) for text in context.texts], dtype=np.float64),
        np.array([_is_heading(text) for text in context.texts], dtype=np.float64),
        np.log1p(sizes),
        *_meaning(context),
    ]
    return np.nan_to_num(np.column_stack(columns)) if count else np.zeros((0, len(NAMES)))


def bm25(asked: Mapping[str, float], bags: Sequence[Counter[str]]) -> Column:
    """Return BM25 (Robertson and Zaragoza 2009) of each text, the texts being the collection; words weigh what they map to."""
    lengths = np.array([sum(bag.values()) for bag in bags], dtype=np.float64)
    mean = lengths.mean() if lengths.size and lengths.any() else 1.0
    scores = np.zeros(len(bags))
    for word, weight in asked.items():
        counts = np.array([bag[word] for bag in bags], dtype=np.float64)
        holding = int((counts > 0).sum())
        if holding:
            idf = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
            scores += weight * idf * counts * (K1 + 1) / (counts + K1 * (1 - B + B * lengths / mean))
    return scores


def rarity(bags: Sequence[Counter[str]]) -> dict[str, float]:
    """Return for each word how few of the texts hold it, above 0."""
    holding = Counter(word for bag in bags for word in bag)
    return {word: math.log(1 + len(bags) / (1 + number)) for word, number in holding.items()}


def pooled(bags: Sequence[Counter[str]], owner: NDArray[np.intp], titles: Sequence[Counter[str]]) -> list[Counter[str]]:
    """Return the words of each passage, its title included."""
    whole = [Counter(title) for title in titles]
    for bag, i in zip(bags, owner, strict=True):
        whole[i].update(bag)
    return whole


def scaled(column: Column) -> Column:
    """Return the column divided by its largest value; as it is when none is above 0."""
    top = float(column.max(initial=0.0))
    return column / top if top > 0 else column


def beside(column: Column, owner: NDArray[np.intp], step: int) -> Column:
    """Return the value of the sentence before (-1) or after (1) within the passage; 0 where there is none."""
    moved = np.zeros_like(column)
    if len(column) < 2:
        return moved
    same = owner[1:] == owner[:-1]
    if step < 0:
        moved[1:] = np.where(same, column[:-1], 0.0)
    else:
        moved[:-1] = np.where(same, column[1:], 0.0)
    return moved


def ranks(scores: Column) -> Column:
    """Return ranks from 0, best first; equal scores share their mean rank, so that ties do not favour what comes first."""
    _, inverse, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(means[inverse], dtype=np.float64)


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
    folded = [text.casefold() for text in context.texts]
    return np.array([sum(piece in text for piece in asked) / (len(asked) or 1) for text in folded])


def _coverage(asked: Sequence[str], found: Sequence[AbstractSet[str]], idf: Mapping[str, float]) -> Column:
    rare = max(idf.values(), default=1.0)
    weights = {word: idf.get(word, rare) for word in asked}
    whole = sum(weights.values()) or 1.0
    return np.array([sum(weight for word, weight in weights.items() if word in one) / whole for one in found])


def _figures(context: Context) -> Column:
    """Return the share of the question's figures that the sentence has, in whatever spelling."""
    asked = figures(context.question)
    if not asked:
        return np.zeros(len(context.texts))
    return np.array([len(asked & figures(text)) / len(asked) for text in context.texts])


def _names(question: str) -> set[str]:
    """Return capitalised words after the first one, and what stands in quotation marks."""
    first = question.split(" ", 1)[0]
    return {name for name in _NAME.findall(question) if name != first} | set(_QUOTED.findall(question))


def _named(names: set[str], texts: Sequence[str]) -> Column:
    return np.array([sum(name in text for name in names) / len(names) if names else 0.0 for text in texts])


def _wanted(context: Context) -> list[Column]:
    """Return whether the sentence has what the question asks for: a figure, a time, a name that the question lacks."""
    known = set(_NAME.findall(context.question))
    wants = [bool(kind.search(context.question)) for kind in (_WANTS_FIGURE, _WANTS_TIME, _WANTS_NAME)]
    digits = set(_FIGURE.findall(context.question))
    figure = [bool(set(_FIGURE.findall(text)) - digits) if wants[0] else False for text in context.texts]
    time = [bool(_TIME.search(text)) if wants[1] else False for text in context.texts]
    name = [len(set(_NAME.findall(text)[1:]) - known) if wants[2] else 0 for text in context.texts]
    return [np.array(figure, dtype=np.float64), np.array(time, dtype=np.float64), np.log1p(np.array(name, dtype=np.float64))]


def _is_heading(text: str) -> float:
    return float(text.lstrip().startswith("#") or (len(text) < 40 and text.rstrip().endswith((":", "："))))


def _meaning(context: Context) -> list[Column]:
    if context.similarities is None:
        return [np.zeros(len(context.texts))] * 7
    cosine, owner = context.similarities, context.owner
    spread = float(cosine.std()) or 1.0
    standard = (cosine - cosine.mean()) / spread
    count = len(context.passages)
    means = np.bincount(owner, weights=standard, minlength=count) / np.maximum(np.bincount(owner, minlength=count), 1)
    best = np.full(count, standard.min(initial=0.0))
    np.maximum.at(best, owner, standard)
    return [
        standard,
        (cosine - cosine.max(initial=-1.0)) * 10,
        1 / (1 + ranks(cosine)),
        means[owner],
        best[owner],
        beside(standard, owner, -1),
        beside(standard, owner, 1),
    ]
