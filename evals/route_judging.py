"""Judge questions by a router that was not fitted on them, and price what both models cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import regex
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from evals.route_metrics import Outcomes
from groat.costs.prices import PriceTable
from groat.embedding import Embedder, Matrix
from groat.errors import BadInput
from groat.routing.artifact import RouterArtifact
from groat.routing.estimator import Curve
from groat.routing.familiar import Known
from groat.routing.fit import FOLDS, check_enough, rising
from groat.routing.fit_familiar import known
from groat.routing.fit_heads import heads as fitted_heads
from groat.routing.fit_heads import scores
from groat.routing.fit_linear import Rows
from groat.routing.heads import Heads
from groat.routing.rows import Labelled, Side
from groat.text import count_tokens
from groat.types import Usage

MAX_CHARS = 1_200
"""Prompts are embedded up to here; the vector of a longer one hardly changes and costs seconds."""
TYPICAL_OUT = 200
"""Output tokens where none were recorded."""
OVERHEAD = 30
"""Input tokens beside the prompt's."""
REFERENCE = ("gpt-5-mini", "gpt-5.2")
"""Priced in place of a pair of which one has no list price; a report says so."""
_SHARED_LINE = 0.01
"""Lines that so many rows of a file have in common are its form, not the question."""
_MARK = regex.compile(r"(?m)^[ \t]*[(（]?[A-Ha-h][)）]?[.)）、．:：][ \t]*|[(（][A-H][)）]\s*")

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a router says of rows; all of one length."""

    gain: Numbers
    p_cheap: Numbers
    p_expensive: Numbers
    known: NDArray[np.bool_]
    apart: Numbers
    """Gains of the rows that were fitted on, from folds that did not see them; empty for an artifact."""
    by: str
    heads: Heads
    """One of the heads that judged, to be timed."""
    like: Known


async def embedded(rows: Sequence[Labelled], embedder: Embedder) -> Matrix:
    """Return the vectors of the prompts."""
    return np.asarray([await embedder.query(row.prompt[:MAX_CHARS]) for row in rows], dtype=np.float32)


def by_artifact(data: Rows, artifact: RouterArtifact) -> Judged:
    """Judge by an artifact as it is."""
    heads = scores(artifact.heads, data)
    return Judged(
        gain=heads[:, 1] - heads[:, 0],
        p_cheap=_through(artifact.cheap, heads[:, 0]),
        p_expensive=_through(artifact.expensive, heads[:, 1]),
        known=artifact.known.knows(data.surface, data.vectors),
        apart=np.zeros(0),
        by=f"artifact {artifact.version}",
        heads=artifact.heads,
        like=artifact.known,
    )


def by_fitting(data: Rows, fit_on: Rows, *, split_domain: bool = False) -> Judged:
    """Fit on ``fit_on`` so that no row is judged by heads that saw its question, or with ``split_domain`` its domain.

    What stands in both is put into folds, and each fold is judged by heads fitted on the others; the rest by heads fitted on
    all. Calibration comes from predictions for folds that were left out.

    Raises:
        BadInput: too few rows, or one class only; with ``split_domain`` fewer than five domains.
    """
    check_enough(fit_on)
    named = [row.domain if split_domain else row.question for row in fit_on.labelled]
    if len(set(named)) < FOLDS:
        raise BadInput(f"the rows have {len(set(named))} domains and --split-domain needs {FOLDS}; add rows with a domain")
    folds = np.zeros(len(fit_on), dtype=np.int64)
    for fold, (_, left_out) in enumerate(GroupKFold(FOLDS, shuffle=True, random_state=7).split(folds, groups=named)):
        folds[left_out] = fold
    fold_of = dict(zip(named, folds.tolist(), strict=True))
    at = np.array([fold_of.get(row.domain if split_domain else row.question, -1) for row in data.labelled])
    apart, values = np.zeros((len(fit_on), 2)), np.zeros((len(data), 2))
    for fold in range(FOLDS):
        heads = fitted_heads(fit_on.take(folds != fold))
        apart[folds == fold] = scores(heads, fit_on.take(folds == fold))
        if (at == fold).any():
            values[at == fold] = scores(heads, data.take(at == fold))
    if (at < 0).any():
        heads = fitted_heads(fit_on)
        values[at < 0] = scores(heads, data.take(at < 0))
    chances = np.zeros((len(data), 2))
    for fold in np.unique(at):
        others = folds != fold
        for head in range(2):
            curve = rising(apart[others, head], fit_on.quality[others, head], fit_on.weights[others])
            chances[at == fold, head] = _through(curve, values[at == fold, head])
    similar = known(fit_on.surface, fit_on.vectors, folds)
    return Judged(
        gain=values[:, 1] - values[:, 0],
        p_cheap=chances[:, 0],
        p_expensive=chances[:, 1],
        known=similar.knows(data.surface, data.vectors),
        apart=apart[:, 1] - apart[:, 0],
        by="cross-fitted" if (at >= 0).any() else "fitted",
        heads=heads,
        like=similar,
    )


def stripped(rows: Sequence[Labelled]) -> list[Labelled]:
    """Return the rows without their file's form: the letters of options, and lines that many rows have in common."""
    shared = Counter(line for row in rows for line in {line.strip() for line in row.prompt.split("\n")})
    least = max(5, _SHARED_LINE * len(rows))
    bare = []
    for row in rows:
        kept = "\n".join(line for line in row.prompt.split("\n") if line.strip() and shared[line.strip()] < least)
        text = _MARK.sub("", kept).strip() or _MARK.sub("", row.prompt).strip() or row.prompt
        bare.append(replace(row, prompt=text, same_as=row.question))
    return bare


def outcomes(rows: Sequence[Labelled], prices: PriceTable) -> tuple[Outcomes, list[str]]:
    """Return what both models did and cost at list prices, and what had to be assumed for that."""
    told: set[str] = set()
    each = np.array([_priced(row, prices, told) for row in rows])
    return (
        Outcomes(
            cheap_ok=np.array([row.cheap.ok for row in rows]),
            expensive_ok=np.array([row.expensive.ok for row in rows]),
            cheap_usd=each[:, 0],
            expensive_usd=each[:, 1],
        ),
        sorted(told),
    )


def _priced(row: Labelled, prices: PriceTable, told: set[str]) -> tuple[float, float]:
    given = count_tokens(row.prompt) + OVERHEAD
    pair = (row.cheap.model, row.expensive.model)
    if not all(prices.knows(model) for model in pair):
        told.add(f"{pair[0]} and {pair[1]} have no list prices: priced as {REFERENCE[0]} and {REFERENCE[1]}")
        pair = REFERENCE
    if row.cheap.out_tokens is None or row.expensive.out_tokens is None:
        told.add(f"no output tokens recorded: {TYPICAL_OUT} assumed for both models")
    cheap, expensive = (
        _cost(prices, model, side, given) for model, side in zip(pair, (row.cheap, row.expensive), strict=True)
    )  # fmt: skip
    return cheap, expensive


def _cost(prices: PriceTable, model: str, side: Side, given: int) -> float:
    usage: Usage = {
        "input": given if side.in_tokens is None else side.in_tokens,
        "output": TYPICAL_OUT if side.out_tokens is None else side.out_tokens,
        "cache_read": 0,
        "cache_write": 0,
        "reasoning": 0,
        "estimated": True,
    }
    cost = prices.cost(usage, model)
    if cost is None:
        raise BadInput(f"the model {model!r} has no list price; name it as the price table does")
    return float(cost)


def _through(curve: Curve, values: Numbers) -> Numbers:
    return np.asarray(np.interp(values, curve.at, curve.value), dtype=np.float64)
