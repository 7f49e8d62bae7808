"""Requests and tokens per minute, counted in Redis for all processes that share it."""

import asyncio
from collections.abc import Awaitable, Sequence
from math import ceil
from typing import cast

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from groat.answering.limits import Limits
from groat.errors import StorageError
from groat.redis_link import RedisLink
from groat.tracing.spans import call_spans

_SOCKET_S = 0.5
"""Longest wait for one reply: a script takes some 0.1 ms, so a Redis this slow is worth less than counting alone."""
_DEADLINE_S = 1.0
"""Longest wait for one answer, with the way through the pool, a new connection and a second try."""
_LEAST_WAIT_S = 0.001
_ASK_AGAIN_US = 50_000
"""A call in flight may end with fewer tokens than it held, and nobody knows when."""
_SEEN_ENDED = 100
"""How many ended calls a refused one looks at; when all of them are too few, it asks again after the last of these."""

# KEYS: 1 flying (score: when it counts as abandoned), 2 ended (score: when it expires), 3 tokens of each member of the two,
# 4 sum of 3, 5 end of the pause. Times are microseconds of Redis's own clock, which all processes share; they are below
# 2^53, so that Lua's and the scores' doubles hold them exactly.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""
# All four keys live equally long: the sum must not outlive what it adds up.
_KEEP = """
local function keep(ms)
  for n = 1, 4 do ms = math.max(ms, redis.call('PTTL', KEYS[n])) end
  for n = 1, 4 do redis.call('PEXPIRE', KEYS[n], ms) end
end
"""
_TAKE = f"""{_NOW}{_KEEP}
local lease, tokens = ARGV[1], tonumber(ARGV[2])
local requests, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
local window, abandoned = tonumber(ARGV[5]), tonumber(ARGV[6])
local paused = tonumber(redis.call('GET', KEYS[5]) or 0)
if paused > now then return paused - now end
for n = 1, 2 do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[n], '-inf', now)) do
    redis.call('DECRBY', KEYS[4], redis.call('HGET', KEYS[3], member))
    redis.call('HDEL', KEYS[3], member)
    redis.call('ZREM', KEYS[n], member)
  end
end
if redis.call('ZSCORE', KEYS[1], lease) then return 0 end
local flying, ended = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2])
local held = tonumber(redis.call('GET', KEYS[4]) or 0)
local function few(count) return requests < 0 or count < requests end
local function fits(count, held)
  return count == 0 or (few(count) and (limit < 0 or held + tokens <= limit))
end
if fits(flying + ended, held) then
  redis.call('ZADD', KEYS[1], now + abandoned, lease)
  redis.call('HSET', KEYS[3], lease, ARGV[2])
  redis.call('INCRBY', KEYS[4], ARGV[2])
  keep(math.ceil(abandoned / 1000) + 1000)
  return 0
end
local wait = window
if flying > 0 then
  wait = math.min(wait, redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] - now)
  if few(flying + ended) then wait = math.min(wait, {_ASK_AGAIN_US}) end
end
local members = redis.call('ZRANGE', KEYS[2], 0, {_SEEN_ENDED} - 1, 'WITHSCORES')
local count = flying + ended
for n = 1, #members, 2 do
  count, held = count - 1, held - redis.call('HGET', KEYS[3], members[n])
  if fits(count, held) or n + 1 == 2 * {_SEEN_ENDED} then return math.max(1, math.min(wait, members[n + 1] - now)) end
end
return math.max(1, wait)
"""
# An ended call gets a name of its own: the same lease may fly again while its last flight still counts.
_END = f"""{_NOW}{_KEEP}
local lease, tokens, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('ZREM', KEYS[1], lease) == 0 then return 0 end
local reserved = redis.call('HGET', KEYS[3], lease)
redis.call('HDEL', KEYS[3], lease)
local member = string.format('%.0f ', now) .. lease
redis.call('ZADD', KEYS[2], now + window, member)
redis.call('HSET', KEYS[3], member, tokens)
redis.call('INCRBY', KEYS[4], tokens - reserved)
keep(math.ceil(window / 1000) + 1000)
return 1
"""
_PAUSE = f"""{_NOW}
local paused = now + ARGV[1]
if paused > tonumber(redis.call('GET', KEYS[5]) or 0) then
  redis.call('SET', KEYS[5], string.format('%.0f', paused), 'PX', math.ceil(ARGV[1] / 1000) + 1)
end
return 1
"""


@call_spans("limits", "redis", "take", "end", "pause")
class RedisLimiter:
    """Counts for all processes that name the same Redis; every step is one script, so that none sees half of another's.

    It keeps the law of ``groat.answering.limits.Limiter``. Each request over the wire needs a lease of its own: asked again
    for a lease that is in flight, it says "taken" without counting twice, so that a step whose reply was lost can be
    repeated. Each call costs one round trip. Nothing is opened before the first one; each event loop has its own
    connections, and ``aclose`` is awaited in each loop that asked.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with the password where there is one.
        abandoned_after_s: a call that never ended is taken for dead so long after its window, and its slot is free.
    """

    def __init__(self, url: str, *, abandoned_after_s: float = 600.0) -> None:
        """Keep the address; nothing is opened yet."""
        # A step may be sent twice: Redis was restarted and a kept connection is dead.
        self._link = RedisLink(url, "the call limits", reply_s=_SOCKET_S, turn_s=_DEADLINE_S, again=True)
        self._abandoned_after_s = abandoned_after_s

    async def take(self, scope: str, limits: Limits, tokens: int, lease: str) -> float:
        """Take a slot for one call; return 0 when it was taken, else seconds (> 0) after which to ask again.

        Asking earlier is in vain, save that the calls in flight may end with fewer tokens than they hold: then 0.05 s.
        A caller that is cancelled here cannot know whether it was taken: it ends the lease.

        Raises:
            StorageError: Redis cannot be reached or does not count, known after at most 1 s.
            SettingsError: the address is none.
        """
        wait_us = await self._run(
            _TAKE,
            scope,
            lease,
            tokens,
            -1 if limits.requests is None else limits.requests,
            -1 if limits.tokens is None else limits.tokens,
            _microseconds(limits.window_s),
            _microseconds(limits.window_s + self._abandoned_after_s),
        )
        return max(wait_us / 1e6, _LEAST_WAIT_S) if wait_us else 0.0

    async def end(self, scope: str, limits: Limits, lease: str, tokens: int) -> None:
        """Say that the call of a lease is over and used ``tokens``; a lease that is not in flight changes nothing.

        Raises:
            StorageError: as for ``take``; the slot then frees itself when the call counts as abandoned.
            SettingsError: the address is none.
        """
        await self._run(_END, scope, lease, tokens, _microseconds(limits.window_s))

    async def pause(self, scope: str, seconds: float) -> None:
        """Give no slot of a scope for so long; a longer pause that is in force stays.

        Raises:
            StorageError: as for ``take``.
            SettingsError: the address is none.
        """
        await self._run(_PAUSE, scope, _microseconds(seconds))

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later call opens new ones."""
        await self._link.aclose()

    async def _run(self, script: str, scope: str, *arguments: str | int) -> int:
        run = self._link.client().register_script(script)
        try:
            async with asyncio.timeout(_DEADLINE_S):
                # redis-py types the result as everything that any script may return; these return integers.
                return await cast("Awaitable[int]", run(keys=_keys(scope), args=list(arguments)))
        except (RedisError, OSError) as error:  # the deadline's TimeoutError is an OSError
            raise StorageError(f"{self._link.name} {_advice(error)}") from error


def _keys(scope: str) -> Sequence[str]:
    # Braces put the keys of a scope on one node of a Redis cluster: a script may only touch one.
    return [f"groat:limits:{{{scope}}}:{part}" for part in ("flying", "ended", "tokens", "held", "pause")]


def _microseconds(seconds: float) -> int:
    return ceil(seconds * 1e6)


def _advice(error: Exception) -> str:
    match error:
        case AuthenticationError() | AuthorizationError() | NoPermissionError():
            return "are closed to this name and password, or to its scripts; correct them in the address or at Redis"
        case OutOfMemoryError():
            return "cannot be kept, since its memory is full; give it more"
        case ReadOnlyError():
            return "cannot be kept by a read-only replica; name its primary"
        case ResponseError():
            return "cannot be kept there; it must be Redis 6 or later, with Lua scripts"
        case RedisTimeoutError() | TimeoutError():
            return "did not answer in time; check that Redis is well and near"
        case _:
            return "cannot be reached; start Redis, or correct the address"
