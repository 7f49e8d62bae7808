"""Measure the judge on labelled pairs of questions, beside what cosine and hand-written checks make of the same pairs."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np

from evals.judge_baselines import Embeds, cosines, guarded
from evals.pair_rows import Pair
from evals.pair_scores import (
    CUTS,
    PRECISIONS,
    TRAPS,
    Flags,
    Interval,
    Numbers,
    auc,
    auc_intervals,
    calibration_error,
    recall_at_precision,
    served_at_traps,
    share_from,
)
from groat.judge import Judged
from groat.judge.artifact import Head

_KIND_CUTS = (0.5, 0.9)

ByLevel = dict[str, float | None]


class Judges(Protocol):
    """What is asked of the judge."""

    @property
    def version(self) -> str:
        """Of the weights."""
        ...

    def judge(self, head: Head, pairs: Sequence[tuple[str, str]]) -> Judged:
        """Judge pairs of texts."""
        ...


class Served(TypedDict):
    """What passes a threshold."""

    served: float | None
    """Share of the same pairs, None without any."""
    traps_served: float | None
    """Share of the other pairs, None without any."""


class Kind(TypedDict):
    """The pairs of one kind."""

    n: int
    same: int
    served_at_p: dict[str, Served]


class Error(TypedDict):
    """A pair on which the judge is far from the label."""

    a: str
    b: str
    same: int
    p: float
    cosine: float


class Core(TypedDict):
    """What is told of a file, and of each of its languages."""

    n: int
    same: int
    """Pairs that one answer serves."""
    auc: float | None
    """None when all pairs are of one class."""
    cosine_auc: float | None
    guarded_auc: float | None
    """Of the cosine where the cache's checks find no difference, else 0."""
    recall_at_precision: ByLevel
    served_at_traps: ByLevel
    """Share of the same pairs above the threshold that lets through at most this share of the others."""
    served_at_p: dict[str, Served]
    calibration_error: float | None
    """Of the pairs in range, ten bins."""


class Report(Core):
    """The result on one file."""

    name: str
    lang: str
    """ "mixed" when the pairs have several."""
    judge: str
    """Version of the weights."""
    auc_missing: str | None
    """Why there is no AUC."""
    auc_ci: Interval | None
    """95 %, by a bootstrap of the pairs; so are the others."""
    cosine_auc_ci: Interval | None
    guarded_auc_ci: Interval | None
    lead_over_cosine_ci: Interval | None
    lead_over_guarded_ci: Interval | None
    cosine_recall_at_precision: ByLevel
    guarded_recall_at_precision: ByLevel
    cosine_served_at_traps: ByLevel
    guarded_served_at_traps: ByLevel
    out_of_range: int
    """Pairs that the judge has no opinion on: never served, p = 0."""
    out_of_range_reasons: dict[str, int]
    left_out: int
    """Broken rows."""
    ms_per_pair: float
    """Of the judge, both texts new to it."""
    cosine_ms_per_pair: float
    by_lang: dict[str, Core]
    """Empty when there is one language only."""
    by_kind: dict[str, Kind]
    errors: list[Error]
    """The farthest from their labels first, as many as were asked for."""


@dataclass(frozen=True)
class Scored:
    """Pairs with all scores, each of shape (pairs,)."""

    pairs: Sequence[Pair]
    p: Numbers
    known: Flags
    """Whether the judge has an opinion."""
    cosine: Numbers
    guarded: Numbers

    @property
    def same(self) -> Flags:
        """The labels."""
        return np.array([pair.same for pair in self.pairs], dtype=bool)

    def only(self, fits: Callable[[Pair], bool]) -> "Scored":
        """Return the pairs that fit."""
        keep = np.array([fits(pair) for pair in self.pairs], dtype=bool)
        chosen = [pair for pair, kept in zip(self.pairs, keep, strict=True) if kept]
        return Scored(chosen, self.p[keep], self.known[keep], self.cosine[keep], self.guarded[keep])


def report(
    name: str,
    pairs: Sequence[Pair],
    judge: Judges,
    encoder: Embeds,
    rng: np.random.Generator,
    *,
    left_out: int = 0,
    errors: int = 0,
) -> Report:
    """Judge the pairs of one file, at least one, and measure.

    Args:
        name: of the file.
        pairs: its rows.
        judge: what is measured.
        encoder: whose cosines stand beside it.
        rng: draws the bootstrap.
        left_out: broken rows of the file.
        errors: how many of the worst errors to tell.
    """
    begun = time.perf_counter()
    judged = judge.judge("same", [(pair.a, pair.b) for pair in pairs])
    between = time.perf_counter()
    cosine = cosines(pairs, encoder)
    ended = time.perf_counter()
    known = np.array([reason is None for reason in judged.reasons], dtype=bool)
    scored = Scored(pairs, judged.p, known, cosine, guarded(pairs, cosine))
    same = scored.same
    ends = auc_intervals(same, {"judge": scored.p, "cosine": cosine, "guarded": scored.guarded}, rng)
    languages = list(dict.fromkeys(pair.lang for pair in pairs))
    return {
        "name": name,
        "lang": languages[0] if len(languages) == 1 else "mixed",
        **_core(scored),
        "judge": judge.version,
        "auc_missing": _missing(same),
        "auc_ci": ends["judge"],
        "cosine_auc_ci": ends["cosine"],
        "guarded_auc_ci": ends["guarded"],
        "lead_over_cosine_ci": ends["judge - cosine"],
        "lead_over_guarded_ci": ends["judge - guarded"],
        "cosine_recall_at_precision": _recalls(same, cosine),
        "guarded_recall_at_precision": _recalls(same, scored.guarded),
        "cosine_served_at_traps": _at_traps(same, cosine),
        "guarded_served_at_traps": _at_traps(same, scored.guarded),
        "out_of_range": int((~known).sum()),
        "out_of_range_reasons": dict(Counter(reason for reason in judged.reasons if reason is not None)),
        "left_out": left_out,
        "ms_per_pair": round((between - begun) * 1000 / len(pairs), 2),
        "cosine_ms_per_pair": round((ended - between) * 1000 / len(pairs), 2),
        "by_lang": {lang: _core(scored.only(_of_lang(lang))) for lang in languages} if len(languages) > 1 else {},
        "by_kind": _by_kind(scored),
        "errors": _errors(scored, errors),
    }


def _core(scored: Scored) -> Core:
    same = scored.same
    return {
        "n": len(same),
        "same": int(same.sum()),
        "auc": auc(same, scored.p),
        "cosine_auc": auc(same, scored.cosine),
        "guarded_auc": auc(same, scored.guarded),
        "recall_at_precision": _recalls(same, scored.p),
        "served_at_traps": _at_traps(same, scored.p),
        "served_at_p": _served(scored, CUTS),
        "calibration_error": calibration_error(same[scored.known], scored.p[scored.known]),
    }


def _recalls(same: Flags, scores: Numbers) -> ByLevel:
    return {str(level): recall_at_precision(same, scores, level) for level in PRECISIONS}


def _at_traps(same: Flags, scores: Numbers) -> ByLevel:
    return {str(share): served_at_traps(same, scores, share) for share in TRAPS}


def _served(scored: Scored, cuts: Sequence[float]) -> dict[str, Served]:
    right, wrong = scored.p[scored.same], scored.p[~scored.same]
    return {str(cut): {"served": share_from(cut, right), "traps_served": share_from(cut, wrong)} for cut in cuts}


def _by_kind(scored: Scored) -> dict[str, Kind]:
    kinds = [kind for kind in dict.fromkeys(pair.kind for pair in scored.pairs) if kind is not None]
    parts = {kind: scored.only(_of_kind(kind)) for kind in kinds}
    return {
        kind: {"n": len(part.pairs), "same": int(part.same.sum()), "served_at_p": _served(part, _KIND_CUTS)}
        for kind, part in parts.items()
    }


def _errors(scored: Scored, most: int) -> list[Error]:
    gaps = np.abs(scored.p - scored.same)
    worst = [place for place in np.argsort(-gaps, kind="stable")[:most] if gaps[place] > 0.5]
    return [
        {
            "a": scored.pairs[place].a,
            "b": scored.pairs[place].b,
            "same": int(scored.pairs[place].same),
            "p": round(float(scored.p[place]), 4),
            "cosine": round(float(scored.cosine[place]), 4),
        }
        for place in worst
    ]


def _of_lang(lang: str) -> Callable[[Pair], bool]:
    return lambda pair: pair.lang == lang


def _of_kind(kind: str) -> Callable[[Pair], bool]:
    return lambda pair: pair.kind == kind


def _missing(same: Flags) -> str | None:
    if 0 < same.sum() < len(same):
        return None
    return f"every pair has same={int(same[0])}; an AUC needs pairs of both classes"
