"""Figures of shortened rows: tokens kept, answers lost, and how far groat is ahead at the same tokens."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, median
from typing import Literal

from scipy.stats import beta
from typing_extensions import TypedDict

from evals.compression_rows import Row

_NORMAL_95 = 1.959964
MeasuredBy = Literal["answer", "gold"]
"""What must be left of a row: its answer; or all of its gold sentences, where the answer is a yes or no."""


class Beside(TypedDict):
    """What groat did to the same rows at the same tokens."""

    kept: float
    retention: float
    ahead: float
    """Its retention less that of the other way, -1..1."""
    ahead_ci: tuple[float, float]
    """95 % interval for paired rows (Bonett and Price 2012, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data")."""


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
    groat: Beside | None
    """None where these are the figures of groat itself."""


class Report(Figures):
    """One file, language and setting."""

    name: str
    lang: str
    measured_by: MeasuredBy
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
    groat: "One | None" = None
    """What groat made of the same row at the same tokens."""


def reports_of(files: Sequence[str], results: Sequence[One], *, method: str, setting: str, judged_by: str = "") -> list[Report]:
    """Return the figures of each file and language, and of all files of a language; ``files`` names each result's."""
    parts: dict[tuple[str, str, MeasuredBy], list[One]] = defaultdict(list)
    several = len(set(files)) > 1
    for file, one in zip(files, results, strict=True):
        measured_by: MeasuredBy = "answer" if one.row.by_strings else "gold"
        for name in (file, "all") if several else (file,):
            parts[name, one.row.language, measured_by].append(one)
    return [
        {
            "name": name,
            "lang": language,
            "measured_by": measured_by,
            "method": method,
            "setting": setting,
            "judged_by": judged_by,
            **figures_of(part),
            "by_kind": {kind: figures_of(some) for kind, some in _split(part, lambda one: one.row.kind).items()},
        }
        for (name, language, measured_by), part in sorted(parts.items(), key=lambda item: (item[0][0] == "all", item[0]))
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
        "groat": _beside(results),
    }


def _beside(results: Sequence[One]) -> Beside | None:
    mine = [one.groat for one in results if one.groat is not None]
    if not mine:
        return None
    won = sum(one.lost and not own.lost for one, own in zip(results, mine, strict=True))
    missed = sum(own.lost and not one.lost for one, own in zip(results, mine, strict=True))
    low, high = paired_interval(won, missed, len(mine))
    return {
        "kept": round(fmean(own.kept for own in mine), 4),
        "retention": round(1 - sum(own.lost for own in mine) / len(mine), 4),
        "ahead": round((won - missed) / len(mine), 4),
        "ahead_ci": (round(low, 4), round(high, 4)),
    }


def paired_interval(won: int, missed: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of (won - missed) / total, of which each pair can be won, missed or equal."""
    more, less = (won + 1) / (total + 2), (missed + 1) / (total + 2)
    width = _NORMAL_95 * sqrt((more + less - (more - less) ** 2) / (total + 2))
    return max(more - less - width, -1.0), min(more - less + width, 1.0)
