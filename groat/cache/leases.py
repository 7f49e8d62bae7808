"""What single flight asks of a place that all processes share."""

from typing import Protocol


class Leases(Protocol):
    """Says for several processes who leads under a name. Every method may raise ``StorageError``, and soon.

    The laws, which ``tests/contract/test_flight_redis.py`` checks:

    - Of all runs that take a name, one has it, until it releases it, its process dies or its time to lead is over.
    - Whoever waits for a landing is told of it in less than a second, also when the release came before the waiting.
    - A name can be taken again as soon as it was released, and a few seconds after its process died.
    """

    async def take(self, name: str, run: str, *, lead_s: float) -> str:
        """Take the name for at most ``lead_s`` seconds unless a run has it; return the run that has it now."""
        ...

    async def landing(self, name: str, leader: str, *, within_s: float) -> bool | None:
        """Wait until the leader released the name; return whether its answer was kept.

        None when that did not happen in time, or when the leader lost the name otherwise: then the name may be free.
        """
        ...

    async def release(self, name: str, run: str, *, kept: bool | None) -> None:
        """Give the name back if the run still has it; with ``kept`` None those who wait take it for one that died."""
        ...
