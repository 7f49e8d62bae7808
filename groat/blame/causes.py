"""What may have gone wrong in a run, and what each lever would then show: the model that verdicts are inferred from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

from groat.blame.snapshot import Finding

Cause = Literal[
    "wrong_hit",
    "stale",
    "kept_cheap_slip",
    "kept_expensive_slip",
    "not_the_cache",
    "retrieval",
    "compression",
    "router",
    "cheap_slip",
    "expensive_slip",
    "expensive_lasting",
    "both_lasting",
    "validation",
    "knowledge_wrong",
    "knowledge_missing",
    "none",
]
"""One thing that may have gone wrong, finer than an origin: a model that slipped answers well when it is asked again, one that
lastingly fails does not. ``not_the_cache``: asked afresh, the question is answered badly too."""

Hypothesis = frozenset[Cause]
"""One or two causes at once."""

ORIGIN: Final[Mapping[Cause, Finding]] = {
    "wrong_hit": "wrong_hit",
    "stale": "stale",
    "kept_cheap_slip": "model_cheap",
    "kept_expensive_slip": "model_expensive",
    "not_the_cache": "unclear",
    "retrieval": "retrieval",
    "compression": "compression",
    "router": "router",
    "cheap_slip": "model_cheap",
    "expensive_slip": "model_expensive",
    "expensive_lasting": "model_expensive",
    "both_lasting": "model_cheap",
    "validation": "validation",
    "knowledge_wrong": "knowledge",
    "knowledge_missing": "knowledge",
    "none": "no_fault",
}
"""What a cause is called in a verdict. A kept slip is that of the model that wrote the kept answer."""

_OF_HITS: Final[frozenset[Cause]] = frozenset({"wrong_hit", "stale", "kept_cheap_slip", "kept_expensive_slip", "not_the_cache"})

Context = Literal["same", "full", "gold", "told"]
"""What the model reads: what it read; everything that was found; the passages that hold the answer, however they are found; or
the right answer itself, as if a document said it."""


@dataclass(frozen=True, kw_only=True)
class Lever:
    """One way to run a question again: everything as it was but for what is named."""

    name: str
    fresh: Literal["no", "question", "stored"] = "no"
    """"question": the whole graph today, with the cache bypassed; "stored": likewise, for the question that the kept answer
    was given to."""
    tier: Literal["same", "expensive"] = "same"
    context: Context = "same"


AGAIN: Final = Lever(name="again")
EXPENSIVE: Final = Lever(name="expensive", tier="expensive")
FULL: Final = Lever(name="full_context", context="full")
GOLD: Final = Lever(name="gold_passages", context="gold")
TOLD: Final = Lever(name="told_the_answer", context="told")
FULL_EXPENSIVE: Final = Lever(name="full_context+expensive", context="full", tier="expensive")
GOLD_EXPENSIVE: Final = Lever(name="gold_passages+expensive", context="gold", tier="expensive")
TOLD_EXPENSIVE: Final = Lever(name="told_the_answer+expensive", context="told", tier="expensive")
BYPASS: Final = Lever(name="cache_bypassed", fresh="question")
STORED: Final = Lever(name="stored_question", fresh="stored")
SUFFIXES: Final = (AGAIN, EXPENSIVE, FULL, GOLD, TOLD, FULL_EXPENSIVE, GOLD_EXPENSIVE, TOLD_EXPENSIVE)
"""Levers that begin in the middle of the graph, on what was there; singles first."""

RIGHT: Final = 0.96
"""Probability that a question is answered rightly when nothing is wrong with it."""
_MENDED: Final = 0.94
"""Probability that a lever which takes a cause away takes its effect away."""
_STAYS: Final = 0.05
"""Probability that the answer comes out right although the cause is still there."""
_SLIP: Final = 0.88
"""Probability that a model which slipped answers well when it is asked again."""

_READS: Final[Mapping[Context, frozenset[Cause]]] = {
    "same": frozenset(),
    "full": frozenset({"compression"}),
    "gold": frozenset({"compression", "retrieval"}),
    "told": frozenset({"compression", "retrieval", "knowledge_wrong", "knowledge_missing"}),
}
"""Causes that are gone with a context."""
SLIPS: Final[frozenset[Cause]] = frozenset({"cheap_slip", "expensive_slip"})
"""Causes that are gone, mostly, when the same is asked again."""

_WEIGHTS: Final[Mapping[Cause, float]] = {
    "wrong_hit": 0.45,
    "stale": 0.25,
    "kept_cheap_slip": 0.08,
    "kept_expensive_slip": 0.08,
    "not_the_cache": 0.12,
    "retrieval": 0.15,
    "compression": 0.12,
    "router": 0.15,
    "cheap_slip": 0.15,
    "expensive_slip": 0.10,
    "expensive_lasting": 0.06,
    "both_lasting": 0.02,
    "validation": 0.10,
    "knowledge_wrong": 0.10,
    "knowledge_missing": 0.06,
    "none": 0.0,
}
"""How often each is met before anything is known: rough, and soon outweighed by what is seen."""
_TOGETHER: Final = 0.5
"""How much rarer two causes at once are than chance alone would have them: a single fault explains most bad answers."""
_APART: Final[Sequence[frozenset[Cause]]] = (
    frozenset({"cheap_slip", "router", "both_lasting", "validation"}),
    frozenset({"expensive_slip", "expensive_lasting", "both_lasting", "validation"}),
    frozenset({"knowledge_wrong", "knowledge_missing", "retrieval"}),
)
"""Of each group at most one is thought of at a time."""


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What kind of run it was, as far as that decides which causes there can be."""

    hit: bool
    tier: Literal["cheap", "expensive"] = "cheap"
    """Of the last attempt; of a hit the one that wrote the kept answer."""
    routed: bool = True
    """The router chose the tier; neither the caller nor a budget did."""
    documents: bool = True
    """The question needs documents."""
    shortened: bool = True
    """Something was left out of the context."""
    rejected: bool = False
    """Validation rejected an attempt."""
    answerable: bool = True
    """The reference says that there is an answer."""

    def causes(self) -> list[Cause]:
        """Return what may have gone wrong."""
        cheap = self.tier == "cheap"
        if self.hit:
            return ["wrong_hit", "stale", "kept_cheap_slip" if cheap else "kept_expensive_slip", "not_the_cache"]
        possible: dict[Cause, bool] = {
            "retrieval": self.documents and self.answerable,
            "compression": self.documents and self.shortened and self.answerable,
            "router": cheap and self.routed,
            "cheap_slip": cheap,
            "both_lasting": cheap,
            "expensive_slip": not cheap,
            "expensive_lasting": not cheap,
            "validation": self.rejected,
            "knowledge_wrong": self.documents and self.answerable,
            "knowledge_missing": self.documents and self.answerable,
        }
        return [cause for cause, there in possible.items() if there]


def prior(situation: Situation, *, mistaken: float) -> dict[Hypothesis, float]:
    """Return the probability of each hypothesis before anything is looked at; they sum to 1.

    Args:
        situation: what kind of run it was.
        mistaken: probability that the answer was right and whoever marked it was wrong.
    """
    causes = situation.causes()
    weights: dict[Hypothesis, float] = {frozenset({cause}): _WEIGHTS[cause] for cause in causes}
    if not situation.hit:
        for one, other in combinations(causes, 2):
            pair: Hypothesis = frozenset({one, other})
            if not any(len(pair & group) > 1 for group in _APART):
                weights[pair] = _WEIGHTS[one] * _WEIGHTS[other] * _TOGETHER
    whole = sum(weights.values())
    found = {hypothesis: weight / whole * (1 - mistaken) for hypothesis, weight in weights.items()}
    return {**found, frozenset({"none"}): mistaken}


def chance(hypothesis: Hypothesis, lever: Lever) -> float:
    """Return the probability that the lever gives a right answer when the hypothesis holds, 0..1.

    Each cause spoils the answer by itself, so that a lever must take all of them away.
    """
    p = RIGHT
    for cause in hypothesis:
        p *= _unspoilt(cause, lever)
    return p


def _unspoilt(cause: Cause, lever: Lever) -> float:
    """Return the probability that a cause does not spoil what the lever gives."""
    if cause == "none":
        return 1.0
    if cause in _OF_HITS:
        return _STAYS if cause == "not_the_cache" else _MENDED
    if cause in SLIPS:
        return _MENDED if cause == "cheap_slip" and lever.tier == "expensive" else _SLIP
    if cause == "router":
        return _MENDED if lever.tier == "expensive" else _STAYS
    if cause == "validation":
        # What was rejected was right; what came in its place was not, and comes again.
        return 2 * _STAYS
    return _MENDED if cause in _READS[lever.context] else _STAYS


def expected_same(hypothesis: Hypothesis, *, one_question: bool) -> float:
    """Return the probability that the stored question, asked anew, is answered as the kept answer has it.

    Args:
        hypothesis: of a hit.
        one_question: the stored question is the one that was asked.
    """
    (cause,) = hypothesis
    if cause == "wrong_hit":
        return 0.1 if one_question else 0.92
    return {"stale": 0.06, "not_the_cache": 0.5, "none": 0.95}.get(cause, 0.1)


def marginals(beliefs: Mapping[Hypothesis, float]) -> dict[Cause, float]:
    """Return for each cause the probability that it took part."""
    found: dict[Cause, float] = {}
    for hypothesis, p in beliefs.items():
        for cause in hypothesis:
            found[cause] = found.get(cause, 0.0) + p
    return found


def by_origin(causes: Iterable[tuple[Cause, float]]) -> dict[Finding, float]:
    """Sum the probabilities of causes under what they are called."""
    found: dict[Finding, float] = {}
    for cause, p in causes:
        found[ORIGIN[cause]] = found.get(ORIGIN[cause], 0.0) + p
    return found
