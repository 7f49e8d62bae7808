"""How often the answer is still there, and at how many tokens: groat's compressor beside simpler ones."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

import numpy as np
from scipy.stats import beta
from sklearn.model_selection import GroupKFold
from typing_extensions import TypedDict

from evals.compression_rows import Row, grouped
from evals.fit_compression import labelled, vectors_of
from groat.compression import Calibration, LearnedStop
from groat.compression.compressor import Compressor
from groat.compression.context import Context
from groat.compression.evidence import bm25
from groat.compression.fit import FOLDS, fit
from groat.compression.learned import Evidence
from groat.compression.selection import select, subset, tokens_of
from groat.embedding import Embedder, Matrix, Vector
from groat.types import Asked, Passage

METHODS = ("bm25", "vectors", "fused", "gold")
"""What stands beside groat at a fixed share: words, vectors, the ranking that groat had before, and what people named."""


class Figures(TypedDict):
    """What one way of shortening did to some rows."""

    n: int
    kept: float
    """Mean share of tokens kept, 0..1."""
    retention: float
    """Share of rows, 0..1, whose answer is still there."""
    lost: float
    lost_ci: tuple[float, float]
    """95 % Clopper-Pearson interval of ``lost``."""
    gold_recall: float | None
    """Mean share of the gold sentences kept; None where nobody named any."""
    ms_p50: float
    """Processor time of one context, splitting and ranking included, embedding not."""
    empty: int


class Report(Figures):
    """One file, language and setting."""

    name: str
    lang: str
    method: str
    setting: str
    judged_by: str
    by_kind: dict[str, Figures]


@dataclass(frozen=True, kw_only=True)
class One:
    """What became of one row."""

    row: Row
    lost: bool
    kept: float
    gold_recall: float | None
    ms: float
    empty: bool


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
    for share in shares:
        for method in ("groat", *METHODS):
            results = [
                (one.file, _at_share(one, method, share)) for one in rows if method != "vectors" or one.question is not None
            ]
            found += _reports(
                results, method=method, setting=f"keep {share:g}", judged_by=judged_by if method == "groat" else ""
            )
    return found


def at_losses(rows: Sequence[Given], losses: Sequence[float], judged_by: str) -> list[Report]:
    """Return what the stop rule keeps for each promised loss."""
    found: list[Report] = []
    for loss in losses:
        results = [(one.file, _at_loss(one, loss)) for one in rows]
        found += _reports(results, method="groat", setting=f"max_loss {loss:g}", judged_by=judged_by)
    return found


def _at_share(one: Given, method: str, share: float) -> One:
    begun = time.process_time()
    context = Context.take_apart(one.row.question, one.row.language, one.row.passages, one.question, one.matrices)
    order = np.argsort(-_ranked(one, context, method), kind="stable")
    whole = tokens_of(one.row.passages)
    chosen = select(context, order, budget=max(int(share * whole), 1))
    shorter = [subset(passage, chosen[i]) for i, passage in enumerate(one.row.passages) if chosen[i]]
    return _result(one.row, shorter, whole, time.process_time() - begun)


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
    return bm25(dict.fromkeys(context.asked, 1.0), context.bags)


def _at_loss(one: Given, loss: float) -> One:
    asked: Asked = {
        "text": one.row.question,
        "language": one.row.language,
        "answer_language": one.row.language,
        "search_text": one.row.question,
        "history": [],
        "tenant": "default",
    }
    begun = time.process_time()
    shortened = Compressor(one.stop).shorten(
        asked, one.row.passages, tier="expensive", max_loss=loss,
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


def _reports(results: Sequence[tuple[str, One]], *, method: str, setting: str, judged_by: str) -> list[Report]:
    parts: dict[tuple[str, str], list[One]] = defaultdict(list)
    for name, one in results:
        parts[name, one.row.language].append(one)
        if len({file for file, _ in results}) > 1:
            parts["all", one.row.language].append(one)
    return [
        {
            "name": name,
            "lang": language,
            "method": method,
            "setting": setting,
            "judged_by": judged_by,
            **figures_of(part),
            "by_kind": {kind: figures_of(some) for kind, some in _split(part, lambda one: one.row.kind).items()},
        }
        for (name, language), part in sorted(parts.items(), key=lambda item: (item[0][0] == "all", item[0]))
    ]


def _split(results: Sequence[One], by: Callable[[One], str]) -> dict[str, list[One]]:
    parts: dict[str, list[One]] = defaultdict(list)
    for one in results:
        parts[by(one)].append(one)
    return dict(sorted(parts.items()))


def figures_of(results: Sequence[One]) -> Figures:
    """Return the figures of at least one row."""
    lost, total = sum(one.lost for one in results), len(results)
    recalls = [one.gold_recall for one in results if one.gold_recall is not None]
    low = 0.0 if lost == 0 else float(beta.ppf(0.025, lost, total - lost + 1))
    high = 1.0 if lost == total else float(beta.ppf(0.975, lost + 1, total - lost))
    return {
        "n": total,
        "kept": round(fmean(one.kept for one in results), 4),
        "retention": round(1 - lost / total, 4),
        "lost": round(lost / total, 4),
        "lost_ci": (round(low, 4), round(high, 4)),
        "gold_recall": round(fmean(recalls), 4) if recalls else None,
        "ms_p50": round(median(one.ms for one in results), 2),
        "empty": sum(one.empty for one in results),
    }
