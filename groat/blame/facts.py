"""What the record of a run shows without running anything again, and how likely that is under each hypothesis."""

from dataclasses import dataclass
from typing import Final

from groat.blame.causes import Cause, Hypothesis

_MISSED: Final = 0.05
"""Probability that a sign shows although its cause is not there, or the other way round."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What can be seen for the price of a look; None stands for what cannot be told."""

    signs_err: float = 0.04
    """How often what is looked for in passages is taken to be there, or not, by mistake."""
    right: bool | None = None
    """The answer given, by the judge."""
    verified: bool = True
    """Validation accepted it."""
    rejected_right: bool | None = None
    """An attempt that validation rejected is right, by the judge."""
    found: bool | None = None
    """What a right answer needs stands in the passages found."""
    sent: bool | None = None
    """It stands in what the model read."""
    stands: bool | None = None
    """It stands somewhere in the tenant's documents today."""
    one_question: bool | None = None
    """Of a hit: the kept answer was given to this very question."""
    fits: bool | None = None
    """Of a hit: today's documents support the kept answer for its own question."""
    changed: bool | None = None
    """Of a hit: a document that the kept answer stood on is another one today, or gone."""


def likelihood(facts: Facts, hypothesis: Hypothesis, *, error: float) -> float:
    """Return how likely what is seen is when the hypothesis holds, each sign by itself.

    Args:
        facts: what is seen.
        hypothesis: what may have gone wrong.
        error: probability that the judge errs.
    """
    p = _of_answer(facts, hypothesis, error)
    p *= _sign(facts.stands, not hypothesis & _NOT_IN_THE_BASE, facts.signs_err)
    p *= _sign(facts.found, not hypothesis & _NOT_FOUND, facts.signs_err)
    if facts.found is not False:
        p *= _sign(facts.sent, not hypothesis & (_NOT_FOUND | {"compression"}), facts.signs_err)
    if facts.one_question is not None and "wrong_hit" in hypothesis:
        p *= 0.02 if facts.one_question else 0.98
    if facts.fits is not None:
        p *= _expected(facts.fits, _FITS, hypothesis)
    if facts.changed is not None:
        p *= _expected(facts.changed, _CHANGED, hypothesis)
    return p


_NOT_IN_THE_BASE: Final[frozenset[Cause]] = frozenset({"knowledge_wrong", "knowledge_missing"})
_NOT_FOUND: Final[frozenset[Cause]] = _NOT_IN_THE_BASE | {"retrieval"}
_FITS: Final[dict[str, float]] = {"kept": 0.4, "wrong_hit": 0.9, "stale": 0.2, "not_the_cache": 0.6, "none": 0.9}
_CHANGED: Final[dict[str, float]] = {"kept": 0.06, "wrong_hit": 0.06, "stale": 0.85, "not_the_cache": 0.1, "none": 0.06}


def _of_answer(facts: Facts, hypothesis: Hypothesis, error: float) -> float:
    p = 1.0
    if facts.right is not None:
        # A right answer that was not accepted reads as a bad one: it comes with a warning, or not at all.
        spoilt = not ("none" in hypothesis or ("validation" in hypothesis and not facts.verified))
        p *= seen(facts.right, 0.0 if spoilt else 1.0, error=error)
    if "none" in hypothesis and not facts.verified:
        # A right answer that comes with a warning is not what was wanted.
        p *= _MISSED
    if facts.rejected_right is not None:
        p *= seen(facts.rejected_right, 0.97 if "validation" in hypothesis else _MISSED, error=error)
    return p


def seen(right: bool, p: float, *, error: float) -> float:
    """Return the probability of a judge's word about an answer that is right with probability ``p``."""
    said_right = p * (1 - error) + (1 - p) * error
    return said_right if right else 1 - said_right


def _sign(seen_there: bool | None, there: bool, slip: float) -> float:
    if seen_there is None:
        return 1.0
    return 1 - slip if seen_there == there else slip


def _expected(there: bool, table: dict[str, float], hypothesis: Hypothesis) -> float:
    p = 1.0
    for cause in hypothesis:
        expected = table.get(cause, table["kept"])
        p *= expected if there else 1 - expected
    return p
