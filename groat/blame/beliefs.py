"""What is believed about the causes of a bad answer, and how each look and each replay changes it: Bayes' rule."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from groat.blame.causes import ORIGIN, SLIPS, Cause, Hypothesis, Lever, chance, expected_same
from groat.blame.facts import Facts, likelihood, seen
from groat.blame.snapshot import Finding

Beliefs = Mapping[Hypothesis, float]
"""Probabilities of hypotheses; they sum to 1."""

_REPEATED_SLIP = 0.3
"""Share of repeated slips that come out word for word."""
_WORTH = 0.01
"""Bits for each unit of cost that a lever must be expected to tell."""
_ANOTHER_RIGHT = 0.04
"""Probability that a right answer, asked for again, comes out as another one."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a lever gave, as far as beliefs depend on it."""

    right: bool | None
    """By the judge; None when it had no opinion."""
    same: bool | None = None
    """It says what the blamed answer says; None when that cannot be told."""
    verbatim: bool = False
    """It is the blamed answer word for word."""
    error: float = 0.0
    """Probability that the judge erred, 0..0.5."""


def looked(beliefs: Beliefs, facts: Facts, *, error: float) -> dict[Hypothesis, float]:
    """Return the beliefs after a look at the record."""
    return _weighed(beliefs, lambda hypothesis: likelihood(facts, hypothesis, error=error))


def replayed(beliefs: Beliefs, lever: Lever, outcome: Outcome) -> dict[Hypothesis, float]:
    """Return the beliefs after a replay.

    A replay that says what the blamed answer says is a second opinion on that answer; under a hypothesis by which the blamed
    answer is bad, it is bad too, whatever the judge says. Word for word the same answer is judged once: a judge who errs about
    it would err again.

    Args:
        beliefs: before.
        lever: what was run.
        outcome: what came of it.
    """
    return _weighed(beliefs, lambda hypothesis: _likelihood(hypothesis, lever, outcome))


def stored_asked(beliefs: Beliefs, same: bool, *, one_question: bool) -> dict[Hypothesis, float]:
    """Return the beliefs after the stored question was asked anew: is it answered as the kept answer has it?"""

    def weight(hypothesis: Hypothesis) -> float:
        p = expected_same(hypothesis, one_question=one_question)
        return p if same else 1 - p

    return _weighed(beliefs, weight)


def _likelihood(hypothesis: Hypothesis, lever: Lever, outcome: Outcome) -> float:
    p, right = chance(hypothesis, lever), outcome.right
    good = "none" in hypothesis
    # What validation rejected is right, and says nothing about what came in its place.
    if outcome.same is None or "validation" in hypothesis or (not outcome.same and not good):
        return 1.0 if right is None else seen(right, p, error=outcome.error)
    if not outcome.same:
        return _ANOTHER_RIGHT if right is None else _ANOTHER_RIGHT * seen(right, 0.5, error=outcome.error)
    said = 1.0 if right is None or outcome.verbatim else seen(right, 1.0 if good else 0.0, error=outcome.error)
    if good:
        return p * said
    return (1 - p) * said * (_REPEATED_SLIP if outcome.verbatim and hypothesis & SLIPS else 1.0)


def _weighed(beliefs: Beliefs, weight: Callable[[Hypothesis], float]) -> dict[Hypothesis, float]:
    found = {hypothesis: p * weight(hypothesis) for hypothesis, p in beliefs.items()}
    whole = sum(found.values())
    # Where nothing explains what was seen, nothing was learned.
    return {hypothesis: p / whole for hypothesis, p in found.items()} if whole > 0 else dict(beliefs)


def named(beliefs: Beliefs) -> tuple[Cause, float]:
    """Return the cause that most probably took part, and the probability that its origin did."""
    shares: dict[Finding, float] = {}
    single: dict[Cause, float] = {}
    for hypothesis, p in beliefs.items():
        for origin in {ORIGIN[cause] for cause in hypothesis}:
            shares[origin] = shares.get(origin, 0.0) + p
        for cause in hypothesis:
            single[cause] = single.get(cause, 0.0) + p
    cause = max(single, key=lambda one: (round(shares[ORIGIN[one]], 9), single[one]))
    return cause, min(shares[ORIGIN[cause]], 1.0)


def accomplice(beliefs: Beliefs, first: Cause) -> Cause | None:
    """Return the second cause of the most probable hypothesis that the first takes part in; None when it acted alone."""
    likeliest = max((one for one in beliefs if first in one), key=lambda one: beliefs[one])
    return next(iter(likeliest - {first}), None)


def most_telling(beliefs: Beliefs, levers: Sequence[Lever], costs: Mapping[str, float], *, error: float) -> Lever | None:
    """Return the lever that tells most about the hypotheses for its cost; None when none of them tells anything.

    Args:
        beliefs: now.
        levers: what may be run.
        costs: of each lever, by name, in any one unit above 0.
        error: probability that the judge errs.
    """
    gains = {lever: _gain(beliefs, lever, error) / costs[lever.name] for lever in levers}
    best = max(gains, key=lambda lever: gains[lever], default=None)
    return best if best is not None and gains[best] > _WORTH else None


def _gain(beliefs: Beliefs, lever: Lever, error: float) -> float:
    """Return by how many bits the outcome of a lever is expected to narrow down what is to be named."""
    expected = 0.0
    for right in (True, False):
        joint = {
            hypothesis: p * seen(right, chance(hypothesis, lever), error=error) for hypothesis, p in beliefs.items()
        }  # fmt: skip
        whole = sum(joint.values())
        expected += whole * _entropy(one / whole for one in _named_shares(joint)) if whole > 0 else 0.0
    return _entropy(_named_shares(beliefs)) - expected


def _named_shares(beliefs: Beliefs) -> list[float]:
    """Return the probabilities of what would be named: causes of one origin are one."""
    found: dict[frozenset[Finding], float] = {}
    for hypothesis, p in beliefs.items():
        named = frozenset(ORIGIN[cause] for cause in hypothesis)
        found[named] = found.get(named, 0.0) + p
    return list(found.values())


def _entropy(probabilities: Iterable[float]) -> float:
    return -sum(p * math.log2(p) for p in probabilities if p > 0)
