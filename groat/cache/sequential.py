"""Is a promised share of wrong outcomes broken, or surely kept? Both may be asked after every outcome.

A bound that is looked at after each audit is many tests, and Clopper-Pearson is made for one: a rule that acts the first time
it says so acts too often. Here wealth is bet on the outcomes instead. Each bettor stakes on one alternative rate, at odds that
are fair when the rate is exactly the promised one; while the hypothesis holds, the wealth of all together is a supermartingale
that starts at 1, so that it ever reaches ``1 / level`` with a probability of at most ``level`` (Ville 1939). Mixing a few
likelihood ratios is Robbins's method of mixtures (1970, "Statistical methods related to the law of the iterated logarithm");
reading it as betting is Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting". The rate may
change from outcome to outcome as long as each one keeps to the hypothesis. Only counts are needed, in any order.
"""

import math
from collections.abc import Sequence
from typing import Final

LEVEL: Final = 0.05
"""Largest probability of an error, over all looks together."""

_WORSE: Final = tuple((odds, 1 / 8) for odds in (1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 50.0))
"""Odds of a wrong outcome, as multiples of the promised ones, that are bet on against the promise; and the stakes."""
_BETTER: Final = ((1 / 1000, 1 / 2), *((1 / odds, 1 / 8) for odds in (1.5, 2.0, 4.0, 10.0)))
"""The same for the promise. Half is staked on hardly any wrong outcome: what a rule worth having shows."""


def breaks(wrong: float, seen: float, promise: float, *, level: float = LEVEL) -> bool:
    """Say whether the outcomes show, with confidence ``1 - level`` at any time, that the rate exceeds the promise."""
    return wealth(wrong, seen, promise, _WORSE) >= -math.log(level)


def suspects(wrong: float, seen: float, promise: float) -> bool:
    """Say whether the outcomes speak against the promise rather than for it: reason to look closer, and for nothing else."""
    return wealth(wrong, seen, promise, _WORSE) >= 0


def keeps(wrong: float, seen: float, promise: float, *, level: float = LEVEL) -> bool:
    """Say whether the outcomes show, with confidence ``1 - level`` at any time, that the rate is below the promise."""
    return wealth(wrong, seen, promise, _BETTER) >= -math.log(level)


def upper(wrong: float, seen: float, *, level: float = LEVEL) -> float:
    """Return a bound, 0 to 1, that the rate exceeds with a probability of at most ``level`` over all looks together."""
    low, high = (wrong / seen if seen else 0.0), 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if keeps(wrong, seen, middle, level=level) else (middle, high)
    return high


def wealth(wrong: float, seen: float, promise: float, bets: Sequence[tuple[float, float]]) -> float:
    """Return the natural logarithm of what the bettors have after these outcomes, who began with 1 together.

    Args:
        wrong: wrong outcomes, 0 to ``seen``; fractions are allowed, for outcomes that count for less.
        seen: outcomes.
        promise: the rate at which all bets are fair, 0 to 1. At 0 any wrong outcome, at 1 any right one ends the matter.
        bets: odds as multiples of the promised odds, all above 1 or all below; and stakes that sum up to 1.
    """
    worse = bets[0][0] > 1
    if promise <= 0 or promise >= 1:
        refuted = wrong > 0 if promise <= 0 else seen > wrong
        return math.inf if refuted and worse == (promise <= 0) else 0.0
    fair = promise / (1 - promise)
    logs = []
    for multiple, stake in bets:
        # With odds o' = m o the rates are o' / (1 + o') and o / (1 + o).
        won = math.log1p(fair) - math.log1p(multiple * fair)
        logs.append(math.log(stake) + wrong * math.log(multiple) + seen * won)
    best = max(logs)
    return best + math.log(sum(math.exp(one - best) for one in logs))
