"""Calls to Redis that never keep a question waiting, and what a failed one means for the person who runs it."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    AuthenticationError,
    BusyLoadingError,
    ClusterCrossSlotError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

from groat.cache.stores.redis_scripts import NEWER, PREFIX, SCHEMA_VERSION
from groat.errors import StorageError
from groat.redis_link import RedisLink

_T = TypeVar("_T")

_REPLY_S = 1.0
"""Longest wait for a connection or a reply that nobody waits for any more: a far Redis is connected by then."""
_FIRST_S = 0.04
"""Shortest patience until a process has heard its first word: it needs a connection, a login and the scripts."""
_TURN_S = 0.5
"""Longest wait of a call while Redis is busy with others of this process."""
_STALLED_S = 0.005
"""An event loop that wakes so much too late was busy itself, and has not listened to Redis."""
_NO_RIGHT = f"refuses a command to this user; allow it scripts that read and write the keys {PREFIX.partition('{')[0]}*"


class RedisCalls:
    """Asks one Redis, and gives up when it is silent.

    A call ends with StorageError when Redis has said nothing to this process for ``patience_s`` (40 ms until it has said its
    first word); while it answers other calls, one waits its turn for at most half a second. Then follows a rest in which each
    call fails at once with the same sentence, and after it one call tries again. What was given up goes on by itself for a
    second at most, so that a connection that takes longer than the patience is there for the next try.

    Args:
        url: address of the Redis.
        patience_s: longest silence, in seconds.
        rest_s: how long Redis is left alone after a failure, in seconds.
    """

    def __init__(self, url: str, *, patience_s: float, rest_s: float) -> None:
        """Open nothing yet."""
        # Nothing is sent twice: another process may have forgotten in between what a repeated call would put back.
        longest_s = max(_REPLY_S, patience_s)
        self._link = RedisLink(url, "the answer cache", reply_s=longest_s, turn_s=longest_s, again=False)
        self._patience_s = patience_s
        self._rest_s = rest_s
        self._lock = threading.Lock()
        self._failure: str | None = None
        self._rests_until = 0.0
        self._trying = False
        self._heard_at = 0.0
        self._sent: set[asyncio.Future[Any]] = set()

    @property
    def name(self) -> str:
        """What is kept and where, without the password."""
        return self._link.name

    async def ask(self, work: Callable[[Redis], Awaitable[_T]], *, patience_s: float | None = None) -> _T:
        """Return what Redis says.

        Args:
            work: sends one command.
            patience_s: longest silence, when it is not that of a question that waits.

        Raises:
            StorageError: what happened and what to do.
            SettingsError: the address is none.
        """
        client = self._link.client()
        tries_again = self._admit()
        try:
            sent = asyncio.ensure_future(work(client))
            self._sent.add(sent)
            sent.add_done_callback(self._ended)
            reply = await self._reply(sent, self._patience_s if patience_s is None else patience_s)
        except ResponseError as error:
            # Redis that refuses a command is there, and may well do what the next call asks.
            self._is_there(tries_again)
            raise StorageError(f"{self.name} {_advice(error)}") from error
        except (RedisError, OSError) as error:
            raise self._lost(error) from error
        finally:
            if tries_again:
                self._trying = False
        self._is_there(tries_again)
        return reply

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._link.aclose()

    def _admit(self) -> bool:
        """Say whether this call is the one that tries again after a rest; raise while the others rest."""
        with self._lock:
            if self._failure is None:
                return False
            if self._trying or time.monotonic() < self._rests_until:
                raise StorageError(self._failure)
            self._trying = True
            return True

    async def _reply(self, sent: "asyncio.Future[_T]", patience_s: float) -> _T:
        if not self._heard_at:
            patience_s = max(patience_s, _FIRST_S)
        begun = listening_since = time.monotonic()
        turn_ends = begun + max(_TURN_S, patience_s)
        while not sent.done():
            due = min(max(listening_since, self._heard_at) + patience_s, turn_ends)
            left_s = due - time.monotonic()
            if left_s <= 0:
                if due == turn_ends and patience_s < _TURN_S:
                    raise StorageError(f"{self.name} has more to do than it can; give this Redis a core of its own")
                raise RedisTimeoutError
            await asyncio.wait({sent}, timeout=left_s)
            woken_at = time.monotonic()
            if woken_at - due > _STALLED_S:
                listening_since = woken_at
        return sent.result()

    def _ended(self, sent: "asyncio.Future[Any]") -> None:
        self._sent.discard(sent)
        if not sent.cancelled() and (sent.exception() is None or isinstance(sent.exception(), ResponseError)):
            self._heard_at = time.monotonic()

    def _is_there(self, tries_again: bool) -> None:
        if tries_again:
            self._failure = None

    def _lost(self, error: Exception) -> StorageError:
        with self._lock:
            self._failure, self._rests_until = f"{self.name} {_advice(error)}", time.monotonic() + self._rest_s
            return StorageError(self._failure)


def _advice(error: Exception) -> str:
    match error:
        case AuthenticationError():
            return "refuses this name and password; correct them in its address"
        case NoPermissionError():
            return _NO_RIGHT
        case OutOfMemoryError():
            return "is full and evicts nothing; give it more memory, or set its maxmemory-policy to allkeys-lru"
        case ReadOnlyError():
            return "is a read-only replica; name its primary"
        case BusyLoadingError():
            return "is still loading its data; wait until it is ready"
        case RedisTimeoutError() | TimeoutError():
            return "did not answer in time; check that this Redis is well and near"
        case AskError() | ClusterDownError() | ClusterCrossSlotError():
            return "is a Redis Cluster, which spreads keys that are read together; name one Redis, or one behind Sentinel"
        case ResponseError():
            return _refusal(str(error))
        case _:
            return "cannot be reached; start this Redis, or correct the address"


def _refusal(message: str) -> str:
    code = message.partition(" ")[0]
    if code == NEWER:
        version = message.split()[1]
        return f"has schema {version} and this groat reads {SCHEMA_VERSION}; upgrade groat, or name another database of Redis"
    if code == "ACL":
        return _NO_RIGHT
    if code == "MISCONF":
        return "cannot be written, since this Redis cannot save to its disk; see its log"
    told = code if code.isupper() else "ERR"
    return f"refuses a command ({told}); it must be Redis 6.2 or later, and the keys groat:cache:* the cache's alone"
