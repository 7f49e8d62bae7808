"""What days are drawn by: how often things repeat, and when requests come."""

import random
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Final

HOURS: Final = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 8, 8, 9, 9, 8, 7, 7, 8, 8, 6, 4, 2)
"""How busy each hour of a day is, by its share of the sum."""


class Zipf:
    """Places from 0 to ``count`` - 1, the n-th drawn 1 / n ** ``exponent`` as often as the first (Zipf 1935).

    Args:
        count: of places, at least 1.
        exponent: 0 draws all alike.
    """

    def __init__(self, count: int, exponent: float) -> None:
        """Sum up the weights once."""
        self._sums = list(accumulate((place + 1) ** -exponent for place in range(count)))

    def draw(self, rng: random.Random) -> int:
        """Return a place."""
        return bisect_right(self._sums, rng.random() * self._sums[-1], 0, len(self._sums) - 1)


def moments_of_a_day(count: int, rng: random.Random, midnight: datetime) -> Iterator[datetime]:
    """Yield as many moments of the day from ``midnight`` on, in order, to the second, more of them in busy hours.

    Each lies in its own share of the day's traffic, so that nothing has to be sorted and none is kept.
    """
    sums = [0, *accumulate(HOURS)]
    for place in range(count):
        along = (place + rng.random()) / count * sums[-1]
        hour = min(bisect_right(sums, along) - 1, len(HOURS) - 1)
        seconds = (hour + (along - sums[hour]) / HOURS[hour]) * 3600
        yield midnight + timedelta(seconds=int(seconds))
