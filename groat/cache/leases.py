"""What single flight asks of a place that all processes share."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from groat.cache.flying import Flying


@dataclass(frozen=True)
class Taken:
    """What came of a wish to lead."""

    holder: str | None
    """The run that leads the question now; None when nobody does, since there are others to be compared with first."""
    others: tuple[Flying, ...] = ()
    """Questions of the same group that are led elsewhere and were not seen before; without a vector where it cannot be read."""


class Leases(Protocol):
    """Says for several processes who leads a question. Every method may raise ``StorageError``, and soon.

    A question is known by its group and key; the lease is its run's. The laws, which ``tests/contract/test_flight_redis.py``
    and ``test_flight_meaning.py`` check:

    - Of all runs that take one question, one has it, until it releases it, its process dies or its time to lead is over.
    - Of all that take questions of one group with vectors at the same time, each but the first is shown those before it, as
      long as they are led.
    - Whoever waits for a landing is told of it in less than a second, also when the release came before the waiting.
    - A question can be taken again as soon as it was released, and a few seconds after its process died.
    """

    async def take(self, question: Flying, *, lead_s: float, seen: Collection[str] | None = None) -> Taken:
        """Take the question for its run for at most ``lead_s`` seconds unless another run has it.

        With ``seen``, it is not taken while others of its group fly that are not among these runs: they are returned. None
        takes it whoever flies.
        """
        ...

    async def landing(self, leader: Flying, *, within_s: float) -> bool | None:
        """Wait until the leader released its question; return whether its answer was kept.

        None when that did not happen in time, or when the leader lost the question otherwise: then it may be free.
        """
        ...

    async def release(self, question: Flying, *, kept: bool | None) -> None:
        """Give the question back if its run still has it; with ``kept`` None those who wait take it for one that died."""
        ...
