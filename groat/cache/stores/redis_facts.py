"""What a Redis that keeps answers is, for the person who runs it."""

import time
from dataclasses import dataclass
from statistics import median
from typing import Any, Final, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from groat.errors import StorageError
from groat.redis_link import RedisLink

_PINGS: Final = 5
_SLOW_MS: Final = 5.0
"""A round trip that is felt: questions wait for two or three of them."""


@dataclass(frozen=True)
class RedisFacts:
    """One Redis server as it says of itself."""

    version: str
    policy: str
    """What it does when it is full: its maxmemory-policy."""
    memory_limit: int
    """Bytes that it may take; 0 for all there is."""
    memory_used: int
    """Bytes."""
    evicted: int
    """Keys that it threw away since it started, to make place."""
    ping_ms: float
    """Median of five round trips, in milliseconds."""

    def summary(self) -> str:
        """Return what it is in one line."""
        limit = f"of {_megabytes(self.memory_limit)} MB" if self.memory_limit else "without a limit"
        return (
            f"Redis {self.version}, {self.ping_ms:.1f} ms away, {_megabytes(self.memory_used)} MB used {limit}, "
            f"when full: {self.policy}, {self.evicted} keys evicted"
        )

    def advice(self) -> list[str]:
        """Return what to change, each in a sentence; nothing when all is right."""
        found = []
        if not self.memory_limit:
            found.append("set its maxmemory, about 6 KB for each answer: without a limit it takes what the machine has")
        elif self.policy == "noeviction":
            found.append("set its maxmemory-policy to allkeys-lru: as it is, a full Redis keeps no new answers")
        elif self.policy.startswith("volatile"):
            found.append(
                f"set its maxmemory-policy to allkeys-lru: {self.policy} spares what does not expire, so a full Redis keeps no "
                "new answers"
            )
        if self.ping_ms > _SLOW_MS:
            found.append("bring it nearer: a question waits for two or three round trips, and gives up after 16 ms")
        return found


async def redis_facts(url: str) -> RedisFacts:
    """Ask a Redis what it is.

    Raises:
        StorageError: it cannot be asked; the message holds no password.
        SettingsError: the address is none.
    """
    link = RedisLink(url, "the answer cache", reply_s=2.0, turn_s=2.0, again=True)
    try:
        redis = link.client()
        pings = [await _ping_ms(redis) for _ in range(_PINGS)]
        told = await redis.info()
    except (RedisError, OSError) as error:
        raise StorageError(
            f"{link.name} does not say what it is ({type(error).__name__}); start it, or allow its user INFO and PING"
        ) from error
    finally:
        await link.aclose()
    return RedisFacts(
        version=str(told.get("redis_version", "of an unknown version")),
        policy=str(told.get("maxmemory_policy", "unknown")),
        memory_limit=int(told.get("maxmemory", 0)),
        memory_used=int(told.get("used_memory", 0)),
        evicted=int(told.get("evicted_keys", 0)),
        ping_ms=median(pings),
    )


async def _ping_ms(redis: Redis) -> float:
    begun = time.perf_counter()
    await cast("Any", redis.ping())  # redis-py types both its clients in one
    return (time.perf_counter() - begun) * 1000


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.0f}"
