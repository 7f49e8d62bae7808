"""Hold the router's promise against rows that it was not chosen on, many times over."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

from evals.route_judging import Judged, Numbers
from evals.route_run import Judgement
from groat.routing.fit_linear import Rows
from groat.routing.promise import operating_points

_SEED = 11


class Kept(TypedDict):
    """How often a promise was kept on rows that its operating point was not chosen on."""

    name: str
    promised: float
    """Largest loss of quality, as a share of the expensive model's."""
    resplits: int
    labels: int
    """Rows that the point was chosen on in each resplit; the others judge it."""
    judged: int
    broken: float
    """Share of the resplits in which the loss was larger."""
    loss: float
    """Mean loss."""
    strong_share: float
    """Mean share that went to the expensive model."""
    hindsight_share: float
    """The same for the best threshold on the very rows that judge."""
    without_point: float
    """Share of the resplits in which nothing could be proven, so that everything went to the expensive model."""


def resplit(
    name: str, rows: Rows, judged: Judged, promises: Sequence[float], *, resplits: int, labels: int | None = None
) -> list[Kept]:
    """Choose the point on half of the rows, or on ``labels`` of them, and judge it on the rest; again and again.

    The rows are split by question, and each row's gain comes from heads that did not see it.
    """
    rng = np.random.default_rng(_SEED)
    questions, at = np.unique(rows.questions, return_inverse=True)
    quality = rows.quality
    found: dict[float, list[tuple[float, float, float, bool]]] = {promise: [] for promise in promises}
    count = 0
    for _ in range(resplits):
        drawn = rng.permutation(len(questions))[: len(questions) // 2 if labels is None else labels]
        chosen = np.isin(at, drawn)
        count = int(chosen.sum())
        points = dict(operating_points(judged.gain[chosen], quality[chosen, 0], quality[chosen, 1], losses=promises))
        for promise in promises:
            cut = points.get(promise)
            strong = ~judged.known[~chosen] | (judged.gain[~chosen] > (-np.inf if cut is None else cut))
            loss = _loss(quality[~chosen], strong)
            best = hindsight(judged.gain[~chosen], quality[~chosen], promise)
            found[promise].append((loss, float(strong.mean()), best, cut is None))
    return [
        {
            "name": name,
            "promised": promise,
            "resplits": resplits,
            "labels": count,
            "judged": len(rows) - count,
            "broken": round(float(np.mean([loss > promise + 1e-12 for loss, _, _, _ in each])), 4),
            "loss": round(float(np.mean([loss for loss, _, _, _ in each])), 4),
            "strong_share": round(float(np.mean([share for _, share, _, _ in each])), 4),
            "hindsight_share": round(float(np.mean([best for _, _, best, _ in each])), 4),
            "without_point": round(float(np.mean([none for _, _, _, none in each])), 4),
        }
        for promise, each in found.items()
    ]


class Shifted(TypedDict):
    """A promise proven on some questions and held against others."""

    name: str
    promised: float
    fitted_on: int
    judged: int
    loss: float
    strong_share: float
    hindsight_share: float
    unlike: float
    """Share taken for unlike what was learned from."""


def held(
    judgements: Sequence[Judgement], fitted: Rows, promises: Sequence[float], *, resplits: int, labels: int | None
) -> tuple[list[Kept], list[Shifted]]:
    """Hold promises against each file: by resplits where its questions were fitted on, else as it was proven on the others."""
    kept: list[Kept] = []
    moved: list[Shifted] = []
    known = set(fitted.questions.tolist())
    for one in judgements:
        if known & set(one.rows.questions.tolist()):
            kept += resplit(one.path.name, one.rows, one.judged, promises, resplits=resplits, labels=labels)
        else:
            moved += _shifted(one, fitted, promises)
    return kept, moved


def _shifted(one: Judgement, fitted: Rows, promises: Sequence[float]) -> list[Shifted]:
    apart, quality = one.judged.apart, fitted.quality
    points = dict(operating_points(apart, quality[:, 0], quality[:, 1], weights=fitted.weights, losses=promises))
    table: list[Shifted] = []
    for promise in promises:
        cut = points.get(promise)
        strong = ~one.judged.known | (one.judged.gain > (-np.inf if cut is None else cut))
        table.append(
            {
                "name": one.path.name,
                "promised": promise,
                "fitted_on": len(fitted),
                "judged": len(one.rows),
                "loss": round(_loss(one.rows.quality, strong), 4),
                "strong_share": round(float(strong.mean()), 4),
                "hindsight_share": round(hindsight(one.judged.gain, one.rows.quality, promise), 4),
                "unlike": round(float(1 - one.judged.known.mean()), 4),
            }
        )
    return table


def hindsight(gain: Numbers, quality: Numbers, promise: float) -> float:
    """Return the least share for the expensive model with which some threshold keeps the promise on these rows."""
    order = np.argsort(gain, kind="stable")
    lost = np.concatenate([[0.0], np.cumsum(quality[order, 1] - quality[order, 0])])
    kept = np.flatnonzero(lost <= promise * quality[:, 1].sum() + 1e-12)
    return 1 - int(kept.max()) / len(gain)


def _loss(quality: Numbers, strong: NDArray[np.bool_]) -> float:
    return float(np.where(strong, 0.0, quality[:, 1] - quality[:, 0]).sum() / max(quality[:, 1].sum(), 1e-12))
