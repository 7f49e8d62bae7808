"""Leases in Redis: who leads a question, for all processes that share it."""

import asyncio
import threading
import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any, TypeVar, cast

from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from groat.errors import SettingsError, StorageError
from groat.redis_link import RedisLink, is_address, place

_T = TypeVar("_T")

_WHAT = "questions in flight"
_LISTENERS = 4
"""Connections of each event loop that wait for a landing; who finds none free looks again and again instead."""
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25
"""How soon a lease that ended without a landing is noticed; a landing is heard at once, save without a free connection."""
_WAITING_PATIENCE_S = 0.5
"""Longest wait for a reply to those who wait anyway, and for one that nobody waits for any more."""
_STALLED_S = 0.005
"""An event loop that wakes so much too late was busy itself, and may only have to read the reply: twice as long is enough."""
_TOLD_MS = 10_000
"""How long a landing can be read: much longer than any pause."""

# KEYS: 1 the lease, whose value is the run that leads; 2 how the run in ARGV[1] landed, a stream of at most one entry.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return holder end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_RELEASE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
  redis.call('XADD', KEYS[2], '*', 'kept', ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
end
return 1
"""
_FLYING, _GONE = -1, -2
_LOOK = f"""
local landed = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
if landed then return tonumber(landed[2][2]) end
if redis.call('GET', KEYS[1]) == ARGV[1] then return {_FLYING} end
return {_GONE}
"""


@dataclass(eq=False)
class _Home:
    """What belongs to one event loop."""

    led: dict[tuple[str, str], float] = field(default_factory=dict)
    """Name and run of each lease that is renewed here, with the end of its lead by the loop's clock."""
    owed: dict[tuple[str, str], str] = field(default_factory=dict)
    """Name and run of each lease that could not be released, with what is to be told of the landing."""
    listening: int = 0
    timer: asyncio.TimerHandle | None = None
    renewal: asyncio.Task[None] | None = None
    sent: set[asyncio.Future[Any]] = field(default_factory=set)
    """Steps that were given up; they go on for a moment, since the connection they make serves the next one."""

    def forget(self, step: asyncio.Future[Any]) -> None:
        self.sent.discard(step)
        if not step.cancelled():
            step.exception()  # nobody else will ask for it


class RedisLeases:
    """Leads for all processes that name the same Redis; it keeps the law of ``groat.cache.leases.Leases``.

    A lease is renewed while its event loop runs, so that a process that dies holds it for at most ``lease_s``. A Redis that
    is lost or slow delays a step by at most ``patience_s``, and then none for ``rest_s``. Nothing is opened before the first
    step; each event loop has its own connections, and ``aclose`` is awaited in each loop that asked.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with the password where there is one.
        lease_s: seconds after which the leases of a dead process are free.
        patience_s: longest time that one step takes, in seconds.
        rest_s: seconds for which a Redis that failed is not asked again.

    Raises:
        SettingsError: the address is none.
    """

    def __init__(self, url: str, *, lease_s: float = 5.0, patience_s: float = 0.05, rest_s: float = 2.0) -> None:
        """Check the address; nothing is opened yet."""
        if not is_address(url):
            raise SettingsError(f"the address of Redis for {_WHAT} cannot be used; write it as redis://host:6379/0")
        self._place = place(url)
        self._lease_s = lease_s
        self._patience_s = patience_s
        self._waiting_patience_s = max(patience_s, _WAITING_PATIENCE_S)
        self._rest_s = rest_s
        self._rests_until = 0.0
        self._failure = ""
        self._homes: dict[asyncio.AbstractEventLoop, _Home] = {}
        self._lock = threading.Lock()
        reply_s, turn_s = self._waiting_patience_s, self._waiting_patience_s
        # A step may be sent twice: Redis was restarted and a kept connection is dead.
        self._link = RedisLink(url, _WHAT, reply_s=reply_s, turn_s=turn_s, again=True)
        self._ear = RedisLink(url, _WHAT, reply_s=_LONGEST_PAUSE_S + reply_s, turn_s=turn_s, again=True)

    async def take(self, name: str, run: str, *, lead_s: float) -> str:
        """Take the name for at most ``lead_s`` seconds unless a run has it; return the run that has it now.

        A caller that is cancelled here cannot know whether it was taken: it releases it.

        Raises:
            StorageError: Redis cannot be reached, or could not be within the last seconds.
        """
        self._check_rest()
        milliseconds = _milliseconds(min(lead_s, self._lease_s))
        try:
            taken = await self._run(_TAKE, name, run, milliseconds, patience_s=self._patience_s)
        except StorageError:
            # Only the reply may be lost, and the lease is taken all the same.
            self._keep(name, run, lead_s)
            raise
        holder = taken.decode() if isinstance(taken, bytes) else str(taken)
        if holder == run:
            self._keep(name, run, lead_s)
        return holder

    async def landing(self, name: str, leader: str, *, within_s: float) -> bool | None:
        """Wait until the leader released the name; return whether its answer was kept.

        Returns:
            None when that did not happen in time, or when its lease ended, or it gave up: then the name may be free.

        Raises:
            StorageError: Redis cannot be reached.
        """
        loop = asyncio.get_running_loop()
        until, pause_s = loop.time() + within_s, _FIRST_PAUSE_S
        while True:
            patience_s = min(self._waiting_patience_s, max(0.0, until - loop.time()) + self._patience_s)
            seen = await self._run(_LOOK, name, leader, patience_s=patience_s)
            left_s = until - loop.time()
            if seen != _FLYING or left_s <= 0:
                return seen == 1 if seen in {0, 1} else None
            if self._home().listening < _LISTENERS:
                await self._listen(_keys(name, leader)[1], left_s)
            else:
                await asyncio.sleep(min(left_s, pause_s))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def release(self, name: str, run: str, *, kept: bool | None) -> None:
        """Give the name back if the run still has it; with ``kept`` None those who wait take it for one that died.

        Raises:
            StorageError: as for ``take``; it is tried once more in a moment, and else the lease ends by itself.
        """
        told = "" if kept is None else str(int(kept))
        with self._lock:
            for home in self._homes.values():
                home.led.pop((name, run), None)
        try:
            self._check_rest()
            await self._run(_RELEASE, name, run, told, _TOLD_MS, patience_s=self._patience_s)
        except (StorageError, asyncio.CancelledError):
            home = self._home()
            home.owed[name, run] = told
            self._renew_later(asyncio.get_running_loop(), home)
            raise

    async def aclose(self) -> None:
        """Close the connections of the running loop and stop renewing its leases; a later step opens new ones."""
        with self._lock:
            home = self._homes.pop(asyncio.get_running_loop(), None)
        if home is not None:
            if home.timer is not None:
                home.timer.cancel()
            pending = home.sent if home.renewal is None else home.sent | {home.renewal}
            for step in pending:
                step.cancel()
            if pending:
                await asyncio.wait(pending)
        await self._link.aclose()
        await self._ear.aclose()

    async def _run(self, script: str, name: str, run: str, *arguments: str | int, patience_s: float) -> bytes | str | int:
        step = self._link.client().register_script(script)
        # redis-py types the result as everything that any script may return.
        asked = cast("Awaitable[bytes | str | int]", step(keys=_keys(name, run), args=[run, *arguments]))
        return await self._reply(asked, patience_s)

    async def _listen(self, landed: str, left_s: float) -> None:
        """Return when there is a landing to be read, or when it is time to look at the lease again."""
        home, pause_s = self._home(), min(left_s, _LONGEST_PAUSE_S)
        patience_s = min(pause_s + self._waiting_patience_s, left_s + self._patience_s)
        home.listening += 1
        try:
            await self._reply(self._ear.client().xread({landed: "0"}, block=_milliseconds(pause_s)), patience_s)
        finally:
            home.listening -= 1

    async def _reply(self, asked: Awaitable[_T], patience_s: float) -> _T:
        sent, home = asyncio.ensure_future(asked), self._home()
        try:
            due = time.monotonic() + patience_s
            await asyncio.wait([sent], timeout=patience_s)
            if not sent.done() and time.monotonic() > due + _STALLED_S:
                await asyncio.wait([sent], timeout=2 * _STALLED_S)
            if not sent.done():
                home.sent.add(sent)
                sent.add_done_callback(home.forget)
                raise RedisTimeoutError
            return sent.result()
        except (RedisError, OSError) as error:
            self._rests_until, self._failure = time.monotonic() + self._rest_s, self._told(error)
            raise StorageError(self._failure) from error
        except asyncio.CancelledError:
            sent.cancel()
            raise

    def _check_rest(self) -> None:
        if time.monotonic() < self._rests_until:
            raise StorageError(self._failure)

    def _told(self, error: Exception) -> str:
        """Return what happened and what to do, without the password."""
        return f"equal questions share an answer within one process only, since Redis at {self._place} {_advice(error)}"

    def _home(self) -> _Home:
        loop = asyncio.get_running_loop()
        with self._lock:
            if (home := self._homes.get(loop)) is None:
                for other in [other for other in self._homes if other.is_closed()]:
                    del self._homes[other]
                home = self._homes[loop] = _Home()
        return home

    def _keep(self, name: str, run: str, lead_s: float) -> None:
        loop, home = asyncio.get_running_loop(), self._home()
        home.led[name, run] = loop.time() + lead_s
        self._renew_later(loop, home)

    def _renew_later(self, loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        # A timer, unlike a task, ends silently with its loop.
        if home.timer is None and (home.led or home.owed):
            home.timer = loop.call_later(self._lease_s / 3, self._begin_renewal, loop, home)

    def _begin_renewal(self, loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        home.renewal = loop.create_task(self._renew(loop, home))

    async def _renew(self, loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        client = self._link.client()
        renew, release = client.register_script(_RENEW), client.register_script(_RELEASE)
        owed, home.owed = home.owed, {}
        with self._lock:
            home.led = {lease: ends for lease, ends in home.led.items() if ends > loop.time()}
            led = list(home.led.items())
        # A round that fails is made up for by the next one; a lease that ends before it is only taken over.
        with suppress(RedisError, OSError):
            async with asyncio.timeout(self._lease_s / 3):
                for (name, run), told in owed.items():
                    await release(keys=_keys(name, run), args=(run, told, _TOLD_MS))
                for (name, run), ends in led:
                    milliseconds = _milliseconds(min(ends - loop.time(), self._lease_s))
                    if not await renew(keys=_keys(name, run), args=(run, milliseconds)):
                        home.led.pop((name, run), None)
        home.timer = None
        self._renew_later(loop, home)


def _keys(name: str, run: str) -> tuple[str, str]:
    # Braces put both on one node of a Redis cluster: a script may only touch one.
    return f"groat:flight:{{{name}}}", f"groat:flight:{{{name}}}:landed:{run}"


def _milliseconds(seconds: float) -> int:
    return max(1, ceil(seconds * 1000))


def _advice(error: Exception) -> str:
    match error:
        case AuthenticationError() | AuthorizationError() | NoPermissionError():
            return "is closed to this name and password, or to its scripts; correct them in the address or at Redis"
        case ResponseError():
            return "cannot keep them; it must be Redis 6 or later, with Lua scripts, with free memory, and no replica"
        case RedisTimeoutError() | TimeoutError():
            return "did not answer in time; check that it is well and near"
        case _:
            return "cannot be reached; start it, or correct the address"
