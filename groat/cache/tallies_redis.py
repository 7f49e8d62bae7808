"""Counts of audits in the Redis of the cache, where instances share them."""

from collections.abc import Awaitable, Mapping
from typing import Any, cast

from redis.asyncio import Redis

from groat.cache.stores.redis_calls import RedisCalls
from groat.cache.stores.redis_scripts import PREFIX
from groat.cache.tallies import Cell
from groat.errors import StorageError

_PATIENCE_S = 1.0
"""Nobody waits for a count but the first question of a process."""
_KEPT_S = 400 * 86_400
"""How long the counts of a version stay after the last one: longer than a year's pause."""


class RedisTallies:
    """Keeps counts in the Redis at ``url``, one hash for each version of the rule.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with name and password where there are such.
    """

    def __init__(self, url: str) -> None:
        """Open nothing yet."""
        self._calls = RedisCalls(url, patience_s=_PATIENCE_S, rest_s=2.0)

    async def add(self, version: str, counts: Mapping[Cell, int]) -> None:
        """Add to the counts of a version."""
        if not counts:
            return

        def send(redis: Redis) -> Awaitable[Any]:
            together = redis.pipeline(transaction=True)
            for cell, count in counts.items():
                together.hincrby(_key(version), cell.name(), count)
            together.expire(_key(version), _KEPT_S)
            return together.execute()

        await self._calls.ask(send)

    async def read(self, version: str) -> dict[Cell, int]:
        """Return the counts of a version."""
        found = await self._calls.ask(lambda redis: cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(_key(version))))
        try:
            return {Cell.named(name.decode("utf-8")): int(count) for name, count in found.items()}
        except ValueError as error:
            raise StorageError(
                f"{self._calls.name} holds no counts of audits under {_key(version)}; delete that key"
            ) from error

    async def aclose(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones."""
        await self._calls.aclose()


def _key(version: str) -> str:
    return f"{PREFIX}audits:{version}"
