"""Fit the order of sentences and the stop rule on labelled rows."""

import hashlib
import importlib.metadata
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from groat.compression import risk
from groat.compression.context import Context
from groat.compression.evidence import evidence
from groat.compression.hops import led_to
from groat.compression.learned import Evidence, LearnedStop, Limit, kind, share_within
from groat.compression.scorer import Linear, Looks
from groat.compression.selection import select, subset, tokens_of
from groat.compression.stopping import Order, Population
from groat.errors import BadInput
from groat.types import Passage

LEAST_ROWS = 40
"""Fewer rows are not fitted on."""
FOLDS = 4
LIMITS = tuple(float(one) for one in np.round(np.geomspace(0.002, 0.6, 40), 5))
_PENALTY = 0.3
_LEAST_OF_A_KIND = 20


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One question with its passages and what an answer needs."""

    id: str
    group: str
    """Rows of one group are never on both sides of a split: one document asked about twice, one question in two languages."""
    context: Context
    population: Population
    needed: NDArray[np.bool_]
    """One a sentence: whether an answer needs it."""
    holds: Callable[[Sequence[Passage]], bool]
    """Whether the answer is in these passages."""

    @cached_property
    def columns(self) -> NDArray[np.float64]:
        """Return the evidence of the context, computed once for all folds."""
        return evidence(self.context)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What keeping each of ``risk.SHARES`` did to one row, by an order that had not seen it."""

    row: Labelled
    order: Order
    left: NDArray[np.float64]
    """``risk.left_out`` of the order."""
    lost: NDArray[np.bool_]
    kept: NDArray[np.float64]
    """Share of the tokens that was really kept."""


def fit(rows: Sequence[Labelled], *, embedder: str, date: str) -> LearnedStop:
    """Return the rule: weights of all rows, and limits measured on rows that the weights had not seen.

    Each row counts for the words alone and, where its context has vectors, for the vectors as well.

    Args:
        rows: at least ``LEAST_ROWS``.
        embedder: name of what made the vectors.
        date: for the card, ISO.

    Raises:
        BadInput: there are too few rows, or too few groups to leave some out.
    """
    if len(rows) < LEAST_ROWS or len({row.group for row in rows}) < FOLDS:
        raise BadInput(f"{len(rows)} rows are too few to fit on; give at least {LEAST_ROWS}, about {FOLDS} or more documents")
    looks: dict[Evidence, Looks] = {}
    risks: dict[Evidence, Linear] = {}
    limits: dict[str, tuple[Limit, ...]] = {}
    bare = [without_vectors(row) for row in rows]
    withal = [row for row in rows if row.context.similarities is not None]
    for name, part in (("words", bare), ("vectors", withal if len(withal) >= LEAST_ROWS else bare)):
        known: Evidence = "words" if name == "words" else "vectors"
        looks[known] = fit_looks(part)
        seen = outcomes(part)
        risks[known] = fit_risk(seen)
        if part is not bare or known == "words":
            limits |= measured(seen)
    digest = hashlib.sha256("\n".join(sorted(row.id for row in rows)).encode()).hexdigest()
    card = {
        "date": date,
        "embedder": embedder,
        "rows": len(rows),
        "rows_with_vectors": len(withal),
        "data_sha256": digest,
        "libraries": {name: importlib.metadata.version(name) for name in ("numpy", "scikit-learn")},
    }
    stop = LearnedStop(version="", looks=looks, risks=risks, limits=limits, card=card)
    version = hashlib.sha256(stop.written().encode()).hexdigest()[:8]
    return LearnedStop(version=f"{date}/{version}", looks=looks, risks=risks, limits=limits, card=card)


def without_vectors(row: Labelled) -> Labelled:
    """Return the row as it is when nobody stored vectors."""
    return replace(row, context=replace(row.context, vectors=None, similarities=None))


def fit_looks(rows: Sequence[Labelled]) -> Looks:
    """Return the weights of both looks; every row counts the same, and so do its needed sentences and the others."""
    usable = [row for row in rows if row.needed.any() and not row.needed.all()]
    if not usable:
        raise BadInput("no row says which of its sentences an answer needs")
    truth = np.concatenate([row.needed for row in usable])
    weights = np.concatenate([np.where(row.needed, 1.5 / row.needed.sum(), 4 / (~row.needed).sum()) for row in usable])
    columns = [row.columns for row in usable]
    first = _logistic(np.vstack(columns), truth, weights)
    second = [np.hstack([one, led_to(row.context, first.of(one))]) for one, row in zip(columns, usable, strict=True)]
    return Looks(first=first, second=_logistic(np.vstack(second), truth, weights))


def outcomes(rows: Sequence[Labelled]) -> list[Outcome]:
    """Return what each share did to each row, by weights fitted on the other folds."""
    found: list[Outcome] = []
    for inside, outside in folds(rows):
        looks = fit_looks([rows[place] for place in inside])
        left = [rows[place] for place in outside]
        found += [outcome(row, Order.by(row.context, looks.scores(row.context, row.columns))) for row in left]
    return found


def outcome(row: Labelled, order: Order) -> Outcome:
    """Return what each share does to a row by this order."""
    whole = max(tokens_of(row.context.passages), 1)
    lost, kept = [], []
    for share in risk.SHARES:
        chosen = select(row.context, order.best_first, budget=int(share * whole))
        shorter = [subset(passage, chosen[i]) for i, passage in enumerate(row.context.passages) if chosen[i]]
        lost.append(not row.holds(shorter))
        kept.append(tokens_of(shorter) / whole)
    return Outcome(row=row, order=order, left=risk.left_out(order), lost=np.array(lost), kept=np.array(kept))


def fit_risk(seen: Sequence[Outcome]) -> Linear:
    """Return the weights that estimate the log odds of losing the answer; only a bias when all rows lost it, or none."""
    lost = np.concatenate([one.lost for one in seen])
    if lost.all() or not lost.any():
        odds = (lost.sum() + 0.5) / ((~lost).sum() + 0.5)
        return Linear(weights=np.zeros(len(risk.NAMES)), bias=float(np.log(odds)))
    return _logistic(np.vstack([one.left for one in seen]), lost, np.ones(len(lost)))


def measured(seen: Sequence[Outcome]) -> dict[str, tuple[Limit, ...]]:
    """Return the limits of each kind of context, the risk of each row estimated by weights of the other folds."""
    by_kind: dict[str, list[tuple[NDArray[np.float64], Outcome]]] = defaultdict(list)
    for inside, outside in folds([one.row for one in seen]):
        estimate = fit_risk([seen[place] for place in inside])
        for place in outside:
            scores = estimate.of(seen[place].left)
            falling = np.maximum.accumulate(scores[::-1])[::-1]
            by_kind[kind(seen[place].row.context, seen[place].row.population)].append((1 / (1 + np.exp(-falling)), seen[place]))
    return {
        name: tuple(_limit(limit, rows) for limit in LIMITS)
        for name, rows in sorted(by_kind.items())
        if len(rows) >= _LEAST_OF_A_KIND
    }


def folds(rows: Sequence[Labelled]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return (rows to fit on, rows left out) of each fold; groups stay together."""
    groups = [row.group for row in rows]
    return list(GroupKFold(min(FOLDS, len(set(groups)))).split(np.zeros((len(rows), 1)), groups=groups))


def at_limit(chances: NDArray[np.float64], one: Outcome, limit: float) -> tuple[bool, float]:
    """Return (answer lost, share kept) of a row when the risk may be ``limit``."""
    share = share_within(dict(zip(risk.SHARES, chances, strict=True)), limit)
    if share >= 1:
        return False, 1.0
    place = risk.SHARES.index(share)
    return bool(one.lost[place]), float(one.kept[place])


def _limit(limit: float, rows: Sequence[tuple[NDArray[np.float64], Outcome]]) -> Limit:
    results = [at_limit(chances, one, limit) for chances, one in rows]
    lost, total = sum(result[0] for result in results), len(results)
    upper = 1.0 if lost == total else float(beta.ppf(0.95, lost + 1, total - lost))
    kept = float(np.mean([result[1] for result in results]))
    return Limit(risk=limit, loss=round(lost / total, 5), loss_upper=round(upper, 5), kept=round(kept, 4), rows=total)


def _logistic(columns: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> Linear:
    scaler = StandardScaler().fit(columns)
    model = LogisticRegression(C=_PENALTY, max_iter=500)
    model.fit(scaler.transform(columns), truth, sample_weight=weights / weights.mean())
    slope = model.coef_[0] / scaler.scale_
    return Linear(weights=slope, bias=float(model.intercept_[0] - slope @ scaler.mean_))


def card_of(stop: LearnedStop) -> Mapping[str, Any]:
    """Return what the model card shows."""
    return {**stop.card, "version": stop.version, "limits": json.loads(stop.written())["limits"]}
