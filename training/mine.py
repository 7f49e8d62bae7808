"""Hard pairs mined from streams of questions: near neighbours with another answer, and questions that share one."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import regex
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from training.rows import Row
from training.sources import StreamRow

Vectors: TypeAlias = Callable[[Sequence[str]], np.ndarray[Any, np.dtype[np.float32]]]
"""Texts to unit vectors, shape (texts, dimension)."""

Key: TypeAlias = frozenset[str]

INTENTS = frozenset({"banking77", "clinc150"})
"""Streams whose answer ids are intents: two questions of one intent need not have one answer. Both are CC BY."""
_NEIGHBOURS = 50
_CHUNK = 512
_NEAR = (0.3, 0.75)
_BANDS = {"bq": (0.28, 0.48), "lcqmc": (0.25, 0.62), "qqp": (0.28, 0.7)}
"""Range of similarity for a negative: above it stand duplicates that nobody has marked."""
_WEIGHTS = {"bq": 0.4}
"""How many negatives a stream gives, compared with the others."""
_COMPONENT = {True: 20, False: 800}
"""Most answers in one group, for intents and for clusters."""
_DECIDES = 0.3
"""A word decides if, of the like pairs that hold it, at most this share holds it on one side only."""
_ALIKE = {"bq": 0.5}
"""Least share of common words for a positive, where clusters are loose."""
_MARGIN = 1.02
"""How much more a question must be like its own intent than like the next."""
_TOKEN = regex.compile(r"[a-z0-9]+|\p{Han}")
_FILLERS = {
    "en": regex.compile(
        r"\b(?:a|an|the|is|are|am|was|were|be|been|do|does|did|can|could|would|should|will|i|you|we|one|my|your|to|of|in|on|for|at|by|and|it|its|s"
        r"|how|what|which|please|there|that|this|some|any|so|just|me|get|have|has|way|ways|best|good)\b"
    ),
    "zh": regex.compile(
        r"请问|怎么|如何|怎样|什么|为什么|为啥|为何|可以|能不能|是不是|有没有|一下|知道|我想|我的|这个|那个|[的了吗呢啊呀么吧是在我你要会能有就都也还啥咋请]"
    ),
}


def stream_texts(streams: Mapping[str, Sequence[StreamRow]]) -> list[tuple[str, str, str, bool]]:
    """Return each distinct question with its language, its group and whether its source is CC BY."""
    found = {
        (row.query, row.lang): (row.query, row.lang, f"{name}:{row.answer_id}", name in INTENTS)
        for name, rows in streams.items()
        for row in rows
    }
    return list(found.values())


def mined_rows(streams: Mapping[str, Sequence[StreamRow]], vectors: Vectors | None, count: int, seed: int) -> Iterator[Row]:
    """Yield up to ``count`` distinct rows of the head ``same``: ``near`` with label 0, ``cluster`` with label 1.

    Args:
        streams: rows by the name of their stream; each stream in one language.
        vectors: if given, its cosine counts half of the similarity.
        count: how many rows at most.
        seed: decides every choice.
    """
    rng = random.Random(seed)
    mined = {name: _stream_rows(name, rows, vectors, rng) for name, rows in streams.items() if rows}
    total = sum(len(rows) for rows in mined.values())
    share = min(1.0, count / total) if total else 0.0
    chosen = [row for rows in mined.values() for row in rng.sample(rows, int(len(rows) * share))]
    rng.shuffle(chosen)
    yield from chosen


def _stream_rows(name: str, rows: Sequence[StreamRow], vectors: Vectors | None, rng: random.Random) -> list[Row]:
    unique = list({row.query: row for row in rows}.values())
    keys = [_key(row.query, row.lang) for row in unique]
    linked = [] if name in INTENTS else _linked(name, unique, keys, rng)
    near = _near(name, unique, keys, linked, vectors)
    components = _components([row.answer_id for row in unique], near, _COMPONENT[name in INTENTS])
    near = [pair for pair in near if components[unique[pair[0]].answer_id] == components[unique[pair[1]].answer_id]]
    near = rng.sample(near, int(len(near) * _WEIGHTS.get(name, 1.0)))
    found = []
    for pairs, label, kind in ((near, 0.0, "near"), (linked, 1.0, "cluster")):
        for pair in pairs:
            a, b = (unique[index] for index in rng.sample(pair, 2))
            group = f"{name}:{components[a.answer_id]}"
            found.append(Row(a.query, b.query, label, "same", a.lang, f"mined:{name}", kind, group, name in INTENTS))
    return found


def _near(
    name: str, rows: Sequence[StreamRow], keys: Sequence[Key], linked: Sequence[tuple[int, int]], vectors: Vectors | None
) -> list[tuple[int, int]]:
    """Return pairs of rows with different answers, the most alike first."""
    if len(rows) < 2:
        return []
    matrix = _matrix([row.query for row in rows], rows[0].lang)
    dense = None if vectors is None else vectors([row.query for row in rows])
    clear = _clear(matrix, [row.answer_id for row in rows]) if name in INTENTS else [True] * len(rows)
    loose = _loose([(keys[one], keys[other]) for one, other in linked])
    told = [key - loose for key in keys]
    found: dict[tuple[int, int], float] = {}
    for one, other, likeness in _neighbours(matrix, dense, _BANDS.get(name, _NEAR)):
        # Intents often differ by a word that one of them has not: with or without "disposable".
        apart = told[one] != told[other] if name in INTENTS else told[one] - told[other] and told[other] - told[one]
        if apart and rows[one].answer_id != rows[other].answer_id and clear[one] and clear[other]:
            found[min(one, other), max(one, other)] = likeness
    return sorted(found, key=lambda pair: (-found[pair], pair))


def _clear(matrix: sparse.csr_matrix, answers: Sequence[str]) -> list[bool]:
    """Say of each row whether the other rows of its intent are more like it than those of any other intent."""
    numbers = {answer: number for number, answer in enumerate(dict.fromkeys(answers))}
    columns = np.array([numbers[answer] for answer in answers])
    rows = np.arange(len(answers))
    member = sparse.csr_matrix((np.ones(len(answers), np.float32), (rows, columns)))
    sizes = np.bincount(columns)
    sums = (matrix @ (member.T @ matrix).T).toarray()
    likeness = sums / sizes
    # Its own likeness to itself is 1.
    own = (sums[rows, columns] - 1) / np.maximum(sizes[columns] - 1, 1)
    likeness[rows, columns] = -1
    lone = sizes[columns] == 1
    return (lone | (own > _MARGIN * likeness.max(axis=1))).tolist()  # type: ignore[no-any-return]


def _key(text: str, lang: str) -> Key:
    """Return the words, in Chinese the characters, that are left of a question without fillers and marks."""
    return frozenset(_TOKEN.findall(_FILLERS[lang].sub(" ", text.lower())))


def _loose(alike: Sequence[tuple[Key, Key]]) -> Key:
    """Return the words that come and go between questions with one answer, and so do not tell two answers apart."""
    held = Counter(word for one, other in alike for word in one | other)
    alone = Counter(word for one, other in alike for word in one ^ other)
    return frozenset(word for word, times in held.items() if times >= 3 and alone[word] > _DECIDES * times)


def _matrix(texts: Sequence[str], lang: str) -> sparse.csr_matrix:
    """Return unit rows of TF-IDF over Chinese characters, or English words and letters."""
    if lang == "zh":
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, dtype=np.float32).fit_transform(texts)
    kinds = [("char_wb", (3, 4)), ("word", (1, 2))]
    parts = [
        TfidfVectorizer(analyzer=unit, ngram_range=sizes, sublinear_tf=True, dtype=np.float32).fit_transform(texts)
        for unit, sizes in kinds
    ]
    return sparse.hstack(parts).tocsr() * np.float32(0.5**0.5)


def _neighbours(
    matrix: sparse.csr_matrix, dense: np.ndarray[Any, np.dtype[np.float32]] | None, band: tuple[float, float]
) -> Iterator[tuple[int, int, float]]:
    """Yield each row's nearest others within a band of similarity: two row numbers and the similarity, 0 to 1."""
    total = matrix.shape[0]
    for start in range(0, total, _CHUNK):
        likeness = (matrix[start : start + _CHUNK] @ matrix.T).toarray()
        if dense is not None:
            likeness = (likeness + dense[start : start + _CHUNK] @ dense.T) / 2
        likeness[(likeness < band[0]) | (likeness > band[1])] = 0
        size = min(_NEIGHBOURS, total - 1)
        best = np.argpartition(-likeness, size, axis=1)[:, : size + 1]
        for row, columns in enumerate(best.tolist()):
            yield from ((start + row, other, float(likeness[row, other])) for other in columns if likeness[row, other] > 0)


def _components(answers: Sequence[str], near: Sequence[tuple[int, int]], most: int) -> dict[str, str]:
    """Return the component of each answer: joined over near pairs, the nearest first, up to ``most`` answers in one."""
    parent = {answer: answer for answer in answers}
    size = dict.fromkeys(parent, 1)

    def root(answer: str) -> str:
        while parent[answer] != answer:
            parent[answer] = parent[parent[answer]]
            answer = parent[answer]
        return answer

    for one, other in near:
        left, right = root(answers[one]), root(answers[other])
        if left != right and size[left] + size[right] <= most:
            parent[right] = left
            size[left] += size[right]
    return {answer: root(answer) for answer in parent}


def _linked(name: str, rows: Sequence[StreamRow], keys: Sequence[Key], rng: random.Random) -> list[tuple[int, int]]:
    """Return pairs of rows with one answer and the same figures; of a large cluster, as many as three for each row."""
    clusters: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        clusters[row.answer_id].append(index)
    pairs: list[tuple[int, int]] = []
    for members in clusters.values():
        members = rng.sample(members, min(len(members), 60))
        every = [pair for pair in combinations(members, 2) if _alike(keys[pair[0]], keys[pair[1]], _ALIKE.get(name, 0.0))]
        pairs.extend(rng.sample(every, min(len(every), 3 * len(members))))
    return pairs


def _alike(one: Key, other: Key, least: float) -> bool:
    figures = [{word for word in words if word.isdigit()} for words in (one, other)]
    return figures[0] == figures[1] and len(one & other) >= least * len(one | other)
