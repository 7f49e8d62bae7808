"""Leases in Redis: who leads a question, for all processes that share it."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, TypeVar, cast

from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from groat.cache import flight_scripts as scripts
from groat.cache.flying import Flying, packed, unpacked
from groat.cache.leases import Taken
from groat.errors import SettingsError, StorageError
from groat.redis_link import RedisLink, is_address, place
from groat.tracing.spans import call_spans

_T = TypeVar("_T")
_Said = bytes | str | int | list[bytes]

_WHAT = "questions in flight"
_LISTENERS = 4
"""Connections of each event loop that wait for a landing; who finds none free looks again and again instead."""
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 0.25
"""How soon a lease that ended without a landing is noticed; a landing is heard at once, save without a free connection."""
_FIRST_S = 0.04
"""Shortest patience until a process has heard its first word: it needs a connection, a login and the scripts."""
_WAITING_PATIENCE_S = 0.5
"""Longest wait for a reply to those who wait anyway, and for one that nobody waits for any more."""
_STALLED_S = 0.005
"""An event loop that wakes so much too late was busy itself, and may only have to read the reply: twice as long is enough."""
_TOLD_MS = 10_000
"""How long a landing can be read: much longer than any pause."""


@dataclass(eq=False)
class _Home:
    """What belongs to one event loop."""

    led: dict[Flying, float] = field(default_factory=dict)
    """Each question whose lease is renewed here, with the end of its lead by the loop's clock."""
    owed: dict[Flying, str] = field(default_factory=dict)
    """Each question whose lease could not be released, with what is to be told of the landing."""
    listening: int = 0
    timer: asyncio.TimerHandle | None = None
    renewal: asyncio.Task[None] | None = None
    sent: set[asyncio.Future[Any]] = field(default_factory=set)
    """Steps that were given up; they go on for a moment, since the connection they make serves the next one."""

    def forget(self, step: asyncio.Future[Any]) -> None:
        self.sent.discard(step)
        if not step.cancelled():
            step.exception()  # nobody else will ask for it


@call_spans("leases", "redis", "take", "landing", "release")
class RedisLeases:
    """Leads for all processes that name the same Redis; it keeps the law of ``groat.cache.leases.Leases``.

    A lease is renewed while its event loop runs, so that a process that dies holds it for at most ``lease_s``. A Redis that
    is lost or slow delays a step by at most ``patience_s`` (40 ms before its first word), and then none for ``rest_s``.
    Nothing is opened before the first step; each event loop has its own connections, and ``aclose`` is awaited in each loop
    that asked.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with the password where there is one.
        lease_s: seconds after which the leases of a dead process are free.
        patience_s: longest time that one step takes, in seconds.
        rest_s: seconds for which a Redis that failed is not asked again.

    Raises:
        SettingsError: the address is none.
    """

    def __init__(self, url: str, *, lease_s: float = 5.0, patience_s: float = 0.016, rest_s: float = 2.0) -> None:
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
        self._heard = False
        self._homes: dict[asyncio.AbstractEventLoop, _Home] = {}
        self._lock = threading.Lock()
        reply_s, turn_s = self._waiting_patience_s, self._waiting_patience_s
        # A step may be sent twice: Redis was restarted and a kept connection is dead.
        self._link = RedisLink(url, _WHAT, reply_s=reply_s, turn_s=turn_s, again=True)
        self._ear = RedisLink(url, _WHAT, reply_s=_LONGEST_PAUSE_S + reply_s, turn_s=turn_s, again=True)

    async def take(self, question: Flying, *, lead_s: float, seen: Collection[str] | None = None) -> Taken:
        """Take the question for its run for at most ``lead_s`` seconds unless another run has it; return who has it now.

        With ``seen``, a question with a vector is not taken while others of its group and embedder fly that are not among
        these runs: they are returned. A caller that is cancelled here cannot know whether it was taken: it releases it.

        Raises:
            StorageError: Redis cannot be reached, or could not be within the last seconds.
        """
        self._check_rest()
        milliseconds, life_ms = _milliseconds(min(lead_s, self._lease_s)), _milliseconds(self._lease_s)
        shown = b"" if question.vector is None else packed(question)
        looks = str(int(seen is not None))
        arguments: list[str | int | bytes] = [milliseconds, question.key, shown, life_ms, looks, scripts.prefix(question)]
        arguments += seen or ()
        try:
            taken = await self._run(scripts.TAKE, question, *arguments, patience_s=self._patience_s)
        except StorageError:
            # Only the reply may be lost, and the lease is taken all the same.
            self._keep(question, lead_s)
            raise
        if isinstance(taken, list):
            return Taken(None, _others(taken, question))
        holder = taken.decode() if isinstance(taken, bytes) else str(taken)
        if holder == question.run:
            self._keep(question, lead_s)
        return Taken(holder)

    async def landing(self, leader: Flying, *, within_s: float) -> bool | None:
        """Wait until the leader released its question; return whether its answer was kept.

        Returns:
            None when that did not happen in time, or when its lease ended, or it gave up: then the question may be free.

        Raises:
            StorageError: Redis cannot be reached.
        """
        loop = asyncio.get_running_loop()
        until, pause_s = loop.time() + within_s, _FIRST_PAUSE_S
        while True:
            patience_s = min(self._waiting_patience_s, max(0.0, until - loop.time()) + self._patience_s)
            seen = await self._run(scripts.LOOK, leader, patience_s=patience_s)
            left_s = until - loop.time()
            if seen != scripts.FLYING or left_s <= 0:
                return seen == 1 if seen in {0, 1} else None
            if self._home().listening < _LISTENERS:
                await self._listen(scripts.keys(leader)[1], left_s)
            else:
                await asyncio.sleep(min(left_s, pause_s))
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def release(self, question: Flying, *, kept: bool | None) -> None:
        """Give the question back if its run still has it; with ``kept`` None those who wait take it for one that died.

        Raises:
            StorageError: as for ``take``; it is tried once more in a moment, and else the lease ends by itself.
        """
        told = "" if kept is None else str(int(kept))
        with self._lock:
            for home in self._homes.values():
                home.led.pop(question, None)
        try:
            self._check_rest()
            await self._run(scripts.RELEASE, question, told, _TOLD_MS, question.key, patience_s=self._patience_s)
        except (StorageError, asyncio.CancelledError):
            home = self._home()
            home.owed[question] = told
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

    async def _run(self, script: str, question: Flying, *arguments: str | int | bytes, patience_s: float) -> _Said:
        step = self._link.client().register_script(script)
        # redis-py types the result as everything that any script may return.
        asked = cast("Awaitable[_Said]", step(keys=scripts.keys(question), args=[question.run, *arguments]))
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
        patience_s = patience_s if self._heard else max(patience_s, _FIRST_S)
        try:
            due = time.monotonic() + patience_s
            await asyncio.wait([sent], timeout=patience_s)
            if not sent.done() and time.monotonic() > due + _STALLED_S:
                await asyncio.wait([sent], timeout=2 * _STALLED_S)
            if not sent.done():
                home.sent.add(sent)
                sent.add_done_callback(home.forget)
                raise RedisTimeoutError
            reply = sent.result()
            self._heard = True
            return reply
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
        return f"questions share an answer within one process only, since Redis at {self._place} {_advice(error)}"

    def _home(self) -> _Home:
        loop = asyncio.get_running_loop()
        with self._lock:
            if (home := self._homes.get(loop)) is None:
                for other in [other for other in self._homes if other.is_closed()]:
                    del self._homes[other]
                home = self._homes[loop] = _Home()
        return home

    def _keep(self, question: Flying, lead_s: float) -> None:
        loop, home = asyncio.get_running_loop(), self._home()
        home.led[question] = loop.time() + lead_s
        self._renew_later(loop, home)

    def _renew_later(self, loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        # A timer, unlike a task, ends silently with its loop.
        if home.timer is None and (home.led or home.owed):
            home.timer = loop.call_later(self._lease_s / 3, self._begin_renewal, loop, home)

    def _begin_renewal(self, loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        home.renewal = loop.create_task(self._renew(loop, home))

    async def _renew(self, loop: asyncio.AbstractEventLoop, home: _Home) -> None:
        client = self._link.client()
        renew, release = client.register_script(scripts.RENEW), client.register_script(scripts.RELEASE)
        owed, home.owed = home.owed, {}
        with self._lock:
            home.led = {question: ends for question, ends in home.led.items() if ends > loop.time()}
            led = list(home.led.items())
        # A round that fails is made up for by the next one; a lease that ends before it is only taken over.
        with suppress(RedisError, OSError):
            async with asyncio.timeout(self._lease_s / 3):
                for question, told in owed.items():
                    await release(keys=scripts.keys(question), args=(question.run, told, _TOLD_MS, question.key))
                for question, ends in led:
                    milliseconds = _milliseconds(min(ends - loop.time(), self._lease_s))
                    renewed = (question.run, milliseconds, _milliseconds(self._lease_s))
                    if not await renew(keys=scripts.keys(question), args=renewed):
                        home.led.pop(question, None)
        home.timer = None
        self._renew_later(loop, home)


def _others(found: list[bytes], question: Flying) -> tuple[Flying, ...]:
    """Return what flies beside the question; what cannot be read is known by its run alone, and not asked for again."""
    others = []
    for key, content in zip(found[::2], found[1::2], strict=True):
        name = key.decode("utf-8", "replace")
        run = content.partition(b"\n")[0].decode("utf-8", "replace")
        unreadable = replace(question, run=run, key=name, text="", vector=None)
        others.append(unpacked(content, name, question) or unreadable)
    return tuple(others)


def _milliseconds(seconds: float) -> int:
    return max(1, ceil(seconds * 1000))


def _advice(error: Exception) -> str:
    match error:
        case AuthenticationError() | AuthorizationError() | NoPermissionError():
            return "is closed to this name and password, or to its scripts; correct them in the address or at Redis"
        case ResponseError():
            return "cannot keep them; it must be Redis 6 or later, with Lua scripts, free memory and a sound disk, no replica"
        case RedisTimeoutError() | TimeoutError():
            return "did not answer in time; check that it is well and near"
        case _:
            return "cannot be reached; start it, or correct the address"
