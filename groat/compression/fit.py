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
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GroupKFold

from groat.compression import risk
from groat.compression.context import Context
from groat.compression.evidence import evidence
from groat.compression.learned import Evidence, LearnedStop, Limit, kind
from groat.compression.network_fit import Shape, fit_network, listwise, odds
from groat.compression.scorer import Looks
from groat.compression.selection import select, subset, tokens_of
from groat.compression.stopping import Order, Population
from groat.compression.trees import Trees
from groat.errors import BadInput
from groat.types import Passage

LEAST_ROWS = 40
"""Fewer rows are not fitted on."""
FOLDS = 4
LIMITS = tuple(float(one) for one in np.round(np.geomspace(0.0005, 0.7, 80), 5))
_SUM = Shape(units=0, networks=1, direct=1e-3, bent=0.0)
_BENT = Shape(units=12, networks=1, direct=1e-3, bent=2e-2)
_ANSWER = 2.0
"""Weight of a needed sentence that has the answer, beside one that leads to it."""
_LEAST_OF_A_KIND = 30
"""Fewer rows of a kind promise nothing: everything is sent."""
_FEW = 100
"""A kind of fewer rows than this borrows those of its language for what chance may add to the loss."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One question with its passages and what an answer needs."""

    id: str
    source: str
    """Where the row comes from; in what is measured each source counts the same."""
    group: str
    """Rows of one group are never on both sides of a split: one document asked about twice, one question in two languages."""
    context: Context
    population: Population
    needed: NDArray[np.bool_]
    """One a sentence: whether an answer needs it."""
    answering: NDArray[np.bool_]
    """One a sentence: whether it has the answer, or a part of it, itself."""
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
    """Share of the tokens in the sentences that were really kept."""


def fit(
    rows: Sequence[Labelled], *, embedder: str, date: str, wanted: Sequence[Evidence] = ("words", "vectors")
) -> LearnedStop:
    """Return the rule: weights of all rows, and limits measured on rows that the weights had not seen.

    Each row counts for the words alone and, where its context has vectors, for the vectors as well.

    Args:
        rows: at least ``LEAST_ROWS``.
        embedder: name of what made the vectors.
        date: for the card, ISO.
        wanted: the kinds of contexts that the rule will meet; all of them in a rule that is kept.

    Raises:
        BadInput: there are too few rows, or too few groups to leave some out.
    """
    if len(rows) < LEAST_ROWS or len({row.group for row in rows}) < FOLDS:
        raise BadInput(f"{len(rows)} rows are too few to fit on; give at least {LEAST_ROWS}, about {FOLDS} or more documents")
    looks: dict[Evidence, Looks] = {}
    risks: dict[Evidence, Trees] = {}
    limits: dict[str, tuple[Limit, ...]] = {}
    bare = [without_vectors(row) for row in rows]
    withal = [row for row in rows if row.context.similarities is not None]
    for name, part in (("words", bare), ("vectors", withal if len(withal) >= LEAST_ROWS else bare)):
        known: Evidence = "words" if name == "words" else "vectors"
        if known not in wanted:
            continue
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
    """Return the weights of both looks; every row counts the same."""
    usable = [row for row in rows if row.needed.any() and not row.needed.all()]
    if not usable:
        raise BadInput("no row says which of its sentences an answer needs")
    truth = np.concatenate([row.needed for row in usable])
    weights = np.concatenate([np.where(row.needed, 1.5 / row.needed.sum(), 4 / (~row.needed).sum()) for row in usable])
    targets = np.concatenate([_targets(row) for row in usable])
    starts = np.cumsum([0, *(len(row.needed) for row in usable[:-1])])
    first = fit_network(np.vstack([row.columns for row in usable]), odds(truth, weights), _SUM)
    looks = Looks(first=first, second=first, belief=first)
    both = np.vstack([looks.columns(row.context, row.columns) for row in usable])
    loss = listwise(targets, starts)
    return replace(looks, second=fit_network(both, loss, _BENT), belief=fit_network(both, loss, _SUM))


def _targets(row: Labelled) -> NDArray[np.float64]:
    wanted = row.needed * np.where(row.answering, _ANSWER, 1.0)
    return np.asarray(wanted / wanted.sum(), dtype=np.float64)


def outcomes(rows: Sequence[Labelled]) -> list[Outcome]:
    """Return what each share did to each row, by weights fitted on the other folds."""
    found: list[Outcome] = []
    for inside, outside in folds(rows):
        looks = fit_looks([rows[place] for place in inside])
        left = [rows[place] for place in outside]
        found += [outcome(row, looks.order(row.context, row.columns)) for row in left]
    return found


def outcome(row: Labelled, order: Order) -> Outcome:
    """Return what each share does to a row by this order."""
    context, whole = row.context, max(tokens_of(row.context.passages), 1)
    first = np.searchsorted(context.owner, np.arange(len(context.passages)))
    lost, kept = [], []
    for share in risk.SHARES:
        chosen = select(context, order.best_first, budget=int(share * whole))
        shorter = [subset(passage, chosen[i]) for i, passage in enumerate(context.passages) if chosen[i]]
        lost.append(not row.holds(shorter))
        tokens = sum(int(context.tokens[first[i] + number]) for i, numbers in enumerate(chosen) for number in numbers)
        kept.append(min(tokens / whole, 1.0))
    return Outcome(row=row, order=order, left=risk.left_out(order), lost=np.array(lost), kept=np.array(kept))


def fit_risk(seen: Sequence[Outcome]) -> Trees:
    """Return the trees that estimate the log odds of losing the answer; one number when all rows lost it, or none."""
    lost = np.concatenate([one.lost for one in seen])
    if lost.all() or not lost.any():
        return Trees.constant(float(np.log((lost.sum() + 0.5) / ((~lost).sum() + 0.5))))
    model = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=min(200, max(len(lost) // 20, 1)),
        l2_regularization=10.0, max_features=0.3, early_stopping=False, random_state=0,
    )  # fmt: skip
    model.fit(np.vstack([one.left for one in seen]), lost)
    # scikit-learn shows the nodes of its other trees, but of these only so.
    grown = [predictor.nodes for (predictor,) in model._predictors]
    roots = np.cumsum([0, *(len(nodes) for nodes in grown[:-1])])
    nodes = np.concatenate(grown)
    offset = np.repeat(roots, [len(tree) for tree in grown])
    leaf = nodes["is_leaf"].astype(bool)
    return Trees(
        roots=roots.astype(np.int64),
        feature=np.where(leaf, -1, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, 0, nodes["left"].astype(np.int64) + offset),
        right=np.where(leaf, 0, nodes["right"].astype(np.int64) + offset),
        value=np.where(leaf, nodes["value"], 0.0),
        bias=float(model._baseline_prediction.item()),
    )


def measured(seen: Sequence[Outcome]) -> dict[str, tuple[Limit, ...]]:
    """Return the limits of each kind of context, the risk of each row estimated by trees of the other folds."""
    by_kind: dict[str, list[_Judged]] = defaultdict(list)
    for inside, outside in folds([one.row for one in seen]):
        estimate = fit_risk([seen[place] for place in inside])
        for place in outside:
            one = seen[place]
            scores = estimate.of(one.left)
            falling = np.maximum.accumulate(scores[::-1])[::-1]
            by_kind[kind(one.row.context, one.row.population)].append(_judged(1 / (1 + np.exp(-falling)), one))
    found = {}
    for name, rows in sorted(by_kind.items()):
        if len(rows) >= _LEAST_OF_A_KIND:
            language = name.split("-cross")[0].split("+several")[0]
            whole = [row for other, some in by_kind.items() if other.startswith(language) for row in some]
            found[name] = tuple(_limit(limit, rows, whole if len(rows) < _FEW else rows) for limit in range(len(LIMITS)))
    return found


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """What each of ``LIMITS`` did to one row."""

    source: str
    lost: NDArray[np.bool_]
    kept: NDArray[np.float64]


def _judged(chances: NDArray[np.float64], one: Outcome) -> _Judged:
    within = chances[None, :] <= np.array(LIMITS)[:, None]
    place = np.where(within.any(axis=1), within.argmax(axis=1), len(risk.SHARES))
    return _Judged(source=one.row.source, lost=np.append(one.lost, False)[place], kept=np.append(one.kept, 1.0)[place])


def _limit(limit: int, rows: Sequence[_Judged], whole: Sequence[_Judged]) -> Limit:
    """Return what a limit did to a kind of context, and to the whole that its few rows are part of."""
    count = len(whole)
    lost = sum(bool(row.lost[limit]) for row in whole)
    upper = 1.0 if lost == count else float(beta.ppf(0.95, lost + 1, count - lost))
    # Nobody knows the mix of the questions to come: a limit that only an easy source holds would not do for a hard one.
    sources: dict[str, list[bool]] = defaultdict(list)
    for row in whole:
        sources[row.source].append(bool(row.lost[limit]))
    alike = float(np.mean([np.mean(some) for some in sources.values()]))
    own = float(np.mean([row.lost[limit] for row in rows]))
    return Limit(
        risk=LIMITS[limit],
        loss=round(lost / count, 5),
        loss_upper=round(upper, 5),
        kept=round(float(np.mean([row.kept[limit] for row in rows])), 4),
        rows=count,
        loss_apart=round(max(alike, own), 5),
    )


def folds(rows: Sequence[Labelled]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return (rows to fit on, rows left out) of each fold; groups stay together."""
    groups = [row.group for row in rows]
    return list(GroupKFold(min(FOLDS, len(set(groups)))).split(np.zeros((len(rows), 1)), groups=groups))


def card_of(stop: LearnedStop) -> Mapping[str, Any]:
    """Return what the model card shows."""
    return {**stop.card, "version": stop.version, "limits": json.loads(stop.written())["limits"]}
