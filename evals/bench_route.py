"""Measure a router on recorded outcomes, beside a random one, a rule by length and the best there could be."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import TypedDict

from evals.route_judging import Judged, Numbers, outcomes
from evals.route_metrics import (
    CurvePoint,
    Figures,
    Interval,
    Outcomes,
    curve,
    figures,
    intervals,
    oracle_score,
    random_figures,
)
from groat.costs.prices import PriceTable
from groat.routing.estimator import Sight
from groat.routing.fit_linear import Rows, surface_of

_TIMED = 300
_SEED = 5
"""Of the bootstrap."""
_BINS = 10


class Bin(TypedDict):
    """Questions with about the same expected quality."""

    n: int
    expected: float
    found: float


class Reliability(TypedDict):
    """Whether expected qualities come true: bins of equal count, and the mean distance between expected and found."""

    error: float
    bins: list[Bin]


class Part(Figures):
    """One set of rows."""

    n: int
    quality_cheap: float
    quality_expensive: float
    ci: Interval
    baselines: dict[str, Figures]


class Report(Part):
    """The result on one file."""

    name: str
    by_lang: dict[str, Part]
    judged_by: str
    """The artifact's version, "fitted", or "cross-fitted" where --fit holds the same questions."""
    seen_by_artifact: int
    """Rows whose question the artifact was fitted on: for these the result is in-sample."""
    unlike: float
    """Share of the rows that the router takes for unlike all it knows: they go to the expensive model whatever their gain."""
    assumed: list[str]
    """What had to be assumed about prices and tokens."""
    p95_ms: float
    """Milliseconds of one core for one decision, without the vector of the question; 95 of 100 take less."""
    reliability: dict[str, Reliability]
    curve: list[CurvePoint]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is judged, and by whom."""

    name: str
    judged: Judged
    seen: int
    prices: PriceTable


def report(rows: Rows, setting: Setting) -> Report:
    """Return the figures of one file."""
    judged = setting.judged
    known, assumed = outcomes(rows.labelled, setting.prices)
    whole = _part(judged.gain, known, rows)
    languages = np.array([row.language for row in rows.labelled])
    by_lang = {
        str(language): _part(judged.gain[here], known.take(here), rows.take(here))
        for language in np.unique(languages)
        if (here := languages == language).any()
    }
    return {
        **whole,
        "name": setting.name,
        "by_lang": by_lang,
        "judged_by": judged.by,
        "seen_by_artifact": setting.seen,
        "unlike": round(float(1 - judged.known.mean()), 4),
        "assumed": assumed,
        "p95_ms": round(p95_ms(rows, judged), 3),
        "reliability": {
            "cheap": reliability(judged.p_cheap, known.cheap_ok),
            "expensive": reliability(judged.p_expensive, known.expensive_ok),
        },
        "curve": curve(judged.gain, known),
    }


def _part(gain: Numbers, known: Outcomes, rows: Rows) -> Part:
    length = np.array([float(len(row.prompt)) for row in rows.labelled])
    return {
        **figures(gain, known),
        "n": len(rows),
        "quality_cheap": round(float(known.cheap_ok.mean()), 4),
        "quality_expensive": round(float(known.expensive_ok.mean()), 4),
        "ci": intervals(gain, known, np.random.default_rng(_SEED)),
        "baselines": {
            "random": random_figures(known),
            "length": figures(length, known),
            "oracle": figures(oracle_score(known), known),
        },
    }


def reliability(expected: Numbers, found: Numbers) -> Reliability:
    """Return bins of about equal count from low to high expectation."""
    order = np.argsort(expected, kind="stable")
    bins: list[Bin] = [
        {"n": len(part), "expected": round(float(expected[part].mean()), 4), "found": round(float(found[part].mean()), 4)}
        for part in np.array_split(order, min(_BINS, len(order)))
    ]
    apart = sum(one["n"] * abs(one["expected"] - one["found"]) for one in bins) / len(expected)
    return {"error": round(apart, 4), "bins": bins}


def p95_ms(rows: Rows, judged: Judged) -> float:
    """Return the processor time of one decision: features, heads, and whether the question is known."""
    took: list[float] = []
    chosen: Sequence[int] = range(0, len(rows), max(1, len(rows) // _TIMED))
    for place in chosen:
        row, vector = rows.labelled[place], rows.vectors[place]
        begun = time.thread_time()
        seen = Sight.of(row.prompt, surface_of(row), vector, str(rows.domains[place]))
        judged.heads.scores(seen)
        judged.like.knows(seen.surface[None, :], vector[None, :])
        took.append(time.thread_time() - begun)
    return float(np.quantile(took, 0.95)) * 1_000
