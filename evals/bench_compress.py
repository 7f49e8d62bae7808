"""How often the answer is still there, and at how many tokens: groat's compressor beside simpler ones and LangChain's."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold

from evals.compression_anchors import SETTINGS, Anchors
from evals.compression_figures import One, Report, reports_of
from evals.compression_rows import Row, grouped
from evals.fit_compression import labelled, vectors_of
from groat.compression import Calibration, LearnedStop
from groat.compression.compressor import Compressor, fitting
from groat.compression.context import Context
from groat.compression.evidence import bm25
from groat.compression.fit import FOLDS, fit
from groat.compression.learned import Evidence
from groat.compression.selection import select, subset, tokens_of
from groat.embedding import Embedder, Matrix, Vector
from groat.text import words
from groat.types import Asked, Passage

METHODS = ("truncation", "tfidf", "bm25", "vectors", "fused", "gold")
"""What stands beside groat at a fixed share: the first sentences, words in two ways, vectors, the ranking that groat had
before, and what people named."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """One row with its vectors."""

    file: str
    row: Row
    question: Vector | None
    matrices: list[Matrix | None]
    stop: LearnedStop


async def given(
    files: Mapping[str, Sequence[Row]], fit_on: Sequence[Row], embedder: Embedder | None, date: str
) -> tuple[list[Given], str]:
    """Return the rows to judge, each with a rule that has not seen it, and how the rule came about.

    Without ``fit_on`` that is the shipped rule. Rows that share a document with ``fit_on`` are judged by a rule fitted on the
    other rows, in folds.
    """
    rows = [(name, row) for name, some in files.items() for row in some]
    stops = (
        [LearnedStop.load()] * len(rows)
        if not fit_on
        else await _cross_fitted([row for _, row in rows], fit_on, embedder, date)
    )
    found = []
    for (name, row), stop in zip(rows, stops, strict=True):
        question = None if embedder is None else await embedder.query(row.question)
        matrices: list[Matrix | None] = [] if embedder is None else await vectors_of(row, embedder)
        found.append(Given(file=name, row=row, question=question, matrices=matrices, stop=stop))
    return found, "fitted on other rows" if fit_on else f"shipped {LearnedStop.load().version}"


async def _cross_fitted(rows: Sequence[Row], fit_on: Sequence[Row], embedder: Embedder | None, date: str) -> list[LearnedStop]:
    groups = grouped([*rows, *fit_on])
    judged, learned = groups[: len(rows)], groups[len(rows) :]
    examples = [replace(one, group=group) for one, group in zip(await labelled(fit_on, embedder), learned, strict=True)]
    name = "none" if embedder is None else embedder.name
    wanted: tuple[Evidence, ...] = ("words",) if embedder is None else ("vectors",)
    if not set(judged) & set(learned):
        return [fit(examples, embedder=name, date=date, wanted=wanted)] * len(rows)
    stops: dict[int, LearnedStop] = {}
    for _, outside in GroupKFold(min(FOLDS, len(set(judged)))).split(np.zeros((len(rows), 1)), groups=judged):
        away = {judged[place] for place in outside}
        stop = fit([one for one in examples if one.group not in away], embedder=name, date=date, wanted=wanted)
        stops |= dict.fromkeys(outside.tolist(), stop)
    return [stops[place] for place in range(len(rows))]


def at_shares(rows: Sequence[Given], shares: Sequence[float], judged_by: str) -> list[Report]:
    """Return what each way of ranking keeps at fixed shares of the tokens."""
    found: list[Report] = []
    files = [one.file for one in rows]
    for share in shares:
        mine = [_at_share(one, "groat", share) for one in rows]
        setting = f"keep {share:g}"
        found += reports_of(files, mine, method="groat", setting=setting, judged_by=judged_by)
        for method in METHODS:
            if method != "vectors" or all(one.question is not None for one in rows):
                theirs = [replace(_at_share(one, method, share), groat=own) for one, own in zip(rows, mine, strict=True)]
                found += reports_of(files, theirs, method=method, setting=setting)
    return found


async def at_anchors(rows: Sequence[Given], anchors: Anchors) -> list[Report]:
    """Return what LangChain's compressors keep, and beside each what groat keeps in as many tokens of the same row."""
    files = [one.file for one in rows]
    results: dict[str, list[One]] = defaultdict(list)
    for one in rows:
        shorten = await anchors.prepare(one.row)
        for setting in SETTINGS:
            begun = time.process_time()
            shorter = shorten(setting)
            theirs = _result(one.row, shorter, tokens_of(one.row.passages), time.process_time() - begun)
            results[setting.name].append(replace(theirs, groat=_within(one, tokens_of(shorter))))
    return [
        report
        for name, theirs in results.items()
        for report in reports_of(files, theirs, method=name.split(maxsplit=2)[0], setting=name.split(maxsplit=1)[1])
    ]


def asked_of(row: Row) -> Asked:
    """Return the row's question as the graph would hand it on."""
    return {
        "text": row.question,
        "language": row.language,
        "answer_language": row.language,
        "search_text": row.question,
        "history": [],
        "tenant": "default",
    }


def at_losses(rows: Sequence[Given], losses: Sequence[float], judged_by: str) -> list[Report]:
    """Return what the stop rule keeps for each promised loss."""
    found: list[Report] = []
    files = [one.file for one in rows]
    for loss in losses:
        results = [_at_loss(one, loss) for one in rows]
        found += reports_of(files, results, method="groat", setting=f"max_loss {loss:g}", judged_by=judged_by)
    return found


def _at_share(one: Given, method: str, share: float) -> One:
    begun = time.process_time()
    context = Context.take_apart(one.row.question, one.row.language, one.row.passages, one.question, one.matrices)
    whole = tokens_of(one.row.passages)
    budget = max(int(share * whole), 1)
    if method == "truncation":
        inside = np.cumsum(context.tokens) <= budget
        chosen = [{j for (owner, j), kept in zip(context.places, inside, strict=True) if kept and owner == i}
                  for i in range(len(one.row.passages))]  # fmt: skip
    else:
        chosen = select(context, np.argsort(-_ranked(one, context, method), kind="stable"), budget=budget)
    shorter = [subset(passage, chosen[i]) for i, passage in enumerate(one.row.passages) if chosen[i]]
    return _result(one.row, shorter, whole, time.process_time() - begun)


def _within(one: Given, budget: int) -> One:
    """Return what groat's order makes of a row in so many tokens, marks included."""
    begun = time.process_time()
    context = Context.take_apart(one.row.question, one.row.language, one.row.passages, one.question, one.matrices)
    chosen = fitting(context, one.stop.order(context).best_first, max(budget, 1))
    shorter = [subset(passage, chosen[i]) for i, passage in enumerate(one.row.passages) if chosen[i]]
    return _result(one.row, shorter, tokens_of(one.row.passages), time.process_time() - begun)


def _ranked(one: Given, context: Context, method: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if method == "groat":
        return one.stop.order(context).scores
    if method == "fused":
        return Calibration(version="", points={}).order(context).scores
    if method == "vectors" and context.similarities is not None:
        return context.similarities
    if method == "gold":
        needed = [flag for passage in one.row.needed() for flag in passage]
        return np.asarray(needed, dtype=np.float64)
    if method == "tfidf":
        rows = TfidfVectorizer(analyzer=words).fit_transform([*context.texts, context.question])
        return np.asarray((rows[:-1] @ rows[-1].T).todense(), dtype=np.float64).ravel()
    return bm25(dict.fromkeys(context.asked, 1.0), context.bags)


def _at_loss(one: Given, loss: float) -> One:
    begun = time.process_time()
    shortened = Compressor(one.stop).shorten(
        asked_of(one.row), one.row.passages, tier="expensive", max_loss=loss,
        question_vector=one.question, sentence_vectors=one.matrices,
    )  # fmt: skip
    return _result(one.row, shortened["passages"], shortened["tokens_before"], time.process_time() - begun)


def _result(row: Row, shorter: Sequence[Passage], whole: int, seconds: float) -> One:
    return One(
        row=row,
        lost=not row.holds_answer(shorter),
        kept=tokens_of(shorter) / max(whole, 1),
        gold_recall=row.gold_recall(shorter),
        ms=seconds * 1000,
        empty=not shorter,
    )
