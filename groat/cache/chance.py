"""What can hardly be chance: bounds on how often something happens, and tests on how often it happened lately.

All by the Chernoff bound of the binomial distribution, which is never below the exact probability and needs no tables.
"""

import math
from dataclasses import dataclass
from typing import Final

RARE: Final = 1e-6
"""Largest probability of a false alarm, for each run without a hit."""
ENOUGH: Final = 200
"""Lookups of the past below which there is nothing to compare with."""
FEW_ERRORS: Final = 10
"""Errors below which there is no alarm."""
_USUAL_ERRORS: Final = 0.01
"""Share of errors that is never an alarm."""
_USUAL_REFUSAL: Final = 0.9
"""Share of one refusal among all that is taken for usual when there is no past."""


@dataclass
class Share:
    """How often something happened among how many lookups."""

    of: int = 0
    happened: int = 0

    def __add__(self, other: "Share") -> "Share":
        return Share(self.of + other.of, self.happened + other.happened)


def tail(share: float, of: int, p: float) -> float:
    """Return the logarithm of the Chernoff bound on seeing at least, or at most, this share when ``p`` is the probability."""
    if share == p or of == 0:
        return 0.0
    p = min(max(p, 1e-12), 1 - 1e-12)
    kin = share * math.log(share / p) if share else 0.0
    return -of * (kin + ((1 - share) * math.log((1 - share) / (1 - p)) if share < 1 else 0.0))


def least(share: Share, rare: float = RARE) -> float:
    """Return a lower bound of a probability, wrong with a probability of at most ``rare``."""
    return _bound(share, rare, 0.0)


def most(share: Share, rare: float = RARE) -> float:
    """Return an upper bound of a probability, wrong with a probability of at most ``rare``."""
    return _bound(share, rare, 1.0)


def _bound(share: Share, rare: float, far: float) -> float:
    if not share.of:
        return far
    seen = share.happened / share.of
    near, limit = seen, math.log(rare)
    for _ in range(30):
        middle = (near + far) / 2
        if tail(seen, share.of, middle) > limit:
            near = middle
        else:
            far = middle
    return far


def fell_to_nothing(now: Share, past: Share, rare: float = RARE) -> float | None:
    """Return the least share that was usual, when what is seen now cannot be half of it or more; else None.

    A tenth of what was usual is taken for nothing.
    """
    if past.of < ENOUGH or not past.happened or not now.of:
        return None
    seen, limit = now.happened / now.of, math.log(rare)
    # The bound is below what was seen, so that most looks end here.
    if tail(seen, now.of, past.happened / past.of / 2) > limit:
        return None
    usual = least(past, rare)
    return usual if seen <= usual / 10 and tail(seen, now.of, usual / 2) <= limit else None


def always(times: int, past: Share, *, normal: bool, rare: float = RARE) -> float | None:
    """Return the largest share that a refusal usually has, when it cannot be by chance that it is the only one; else None.

    Args:
        times: how often it came without another one between.
        past: how often it came among how many before.
        normal: whether a cache without a past may well have no other.
        rare: largest probability of a mistake.
    """
    if past.of < ENOUGH and normal:
        return None
    usual = _USUAL_REFUSAL if past.of < ENOUGH else (1 + most(past, rare)) / 2
    return usual if usual < 1 and times * math.log(usual) <= math.log(rare) else None


def errors_jumped(now: Share, past: Share, rare: float = RARE) -> float | None:
    """Return the largest usual share of errors, when there are far more now; else None."""
    usual = max(_USUAL_ERRORS, 2 * most(past, rare) if past.of >= ENOUGH else 0.0)
    if now.happened < FEW_ERRORS or now.happened / now.of <= usual:
        return None
    return usual if tail(now.happened / now.of, now.of, usual) <= math.log(rare) else None
