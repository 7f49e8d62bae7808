"""Requests and tokens per minute, kept exactly: no window at the server ever holds more than its limit.

A provider counts a request when it arrives, and nobody here knows when that is: only that it lies between the sending and
the reply. So a slot is held from before the call is sent until one window after its reply. Then, whichever moment the
provider counts from, the requests of one of its windows were all held here at once, and those never exceed the limit. The
common libraries count the moment of asking, and so exceed it by whatever arrives late; those with an exact log also write one
entry for each token (docs/decisions/0005).
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from groat.errors import StorageError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an endpoint may be asked for in any window; None for no limit."""

    requests: int | None = None
    tokens: int | None = None
    """Input and output together, as providers count."""
    window_s: float = 60.0


UNLIMITED = Limits()


class Limiter(Protocol):
    """Counts what is in flight and what ended within the last window, for each scope (an endpoint)."""

    async def take(self, scope: str, limits: Limits, tokens: int, lease: str) -> float:
        """Take a slot for one call; return 0 when it was taken, else seconds (> 0) after which to ask again.

        A call of more tokens than the whole limit is let through alone, when nothing else is counted: else it would wait for
        ever. Raises StorageError when the counts cannot be reached.
        """
        ...

    async def end(self, scope: str, limits: Limits, lease: str, tokens: int) -> None:
        """Say that the call of a lease is over and used ``tokens``: its slot is free one window from now."""
        ...

    async def pause(self, scope: str, seconds: float) -> None:
        """Give no slot of a scope for so long: the provider told us to wait."""
        ...


_ASK_AGAIN_S = 0.05
"""When only calls in flight hold the slots, nobody knows when they end."""


@dataclass
class _Counts:
    """One scope: the calls in flight, and those that ended, in the order in which they expire."""

    flying: dict[str, int] = field(default_factory=dict)
    ended: deque[tuple[float, int]] = field(default_factory=deque)
    tokens: int = 0
    paused_until: float = 0.0

    def forget(self, now: float) -> None:
        while self.ended and self.ended[0][0] <= now:
            self.tokens -= self.ended.popleft()[1]

    def fits(self, limits: Limits, tokens: int) -> bool:
        count = len(self.flying) + len(self.ended)
        if count == 0:
            return True
        few = limits.requests is None or count < limits.requests
        return few and (limits.tokens is None or self.tokens + tokens <= limits.tokens)

    def wait(self, limits: Limits, tokens: int, now: float) -> float:
        """Return the seconds until enough of what ended has expired."""
        count, held = len(self.flying) + len(self.ended), self.tokens
        for expires, freed in self.ended:
            count, held = count - 1, held - freed
            few = limits.requests is None or count < limits.requests
            if few and (limits.tokens is None or held + tokens <= limits.tokens or count == 0):
                return max(expires - now, 0.001)
        return _ASK_AGAIN_S


class ProcessLimiter:
    """Counts for all questions of this process, whichever thread or event loop asks.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Count nothing yet."""
        self._clock = clock
        self._scopes: dict[str, _Counts] = {}
        self._lock = threading.Lock()

    async def take(self, scope: str, limits: Limits, tokens: int, lease: str) -> float:
        """Take a slot; see ``Limiter``."""
        now = self._clock()
        with self._lock:
            counts = self._scopes.setdefault(scope, _Counts())
            counts.forget(now)
            if counts.paused_until > now:
                return counts.paused_until - now
            if not counts.fits(limits, tokens):
                return counts.wait(limits, tokens, now)
            counts.flying[lease] = tokens
            counts.tokens += tokens
            return 0.0

    def adopt(self, scope: str, tokens: int, lease: str) -> None:
        """Count a call that another limiter let through, so that its slot is known here should that one be lost."""
        with self._lock:
            counts = self._scopes.setdefault(scope, _Counts())
            counts.flying[lease] = tokens
            counts.tokens += tokens

    async def end(self, scope: str, limits: Limits, lease: str, tokens: int) -> None:
        """Give a slot back, one window from now; a lease that is not known changes nothing."""
        now = self._clock()
        with self._lock:
            counts = self._scopes.setdefault(scope, _Counts())
            reserved = counts.flying.pop(lease, None)
            if reserved is not None:
                counts.tokens += tokens - reserved
                counts.ended.append((now + limits.window_s, tokens))

    async def pause(self, scope: str, seconds: float) -> None:
        """Give no slot of a scope for so long."""
        until = self._clock() + seconds
        with self._lock:
            counts = self._scopes.setdefault(scope, _Counts())
            counts.paused_until = max(counts.paused_until, until)


Waiting = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]


class Gate:
    """Lets calls through in the order in which they came, as fast as the limiter allows.

    Args:
        shared: counts for all processes; None when each counts for itself.
        own: counts of this process, asked when the shared ones cannot be reached: the question is still answered.
    """

    def __init__(self, own: ProcessLimiter, shared: Limiter | None = None) -> None:
        """Nobody waits yet."""
        self._own = own
        self._shared = shared
        self._queues: dict[str, deque[Waiting]] = {}
        self._lock = threading.Lock()
        self.falls_back = 0
        """How often the shared counts could not be reached."""

    def limits(self, limits: Limits) -> bool:
        """Tell whether calls of an endpoint with these limits stand in line here."""
        return limits.requests is not None or limits.tokens is not None

    async def enter(self, scope: str, limits: Limits, tokens: int, lease: str) -> None:
        """Return when the call may be sent. Whoever gives up waiting, by cancellation, leaves the queue."""
        queue = self._queues.setdefault(scope, deque())
        loop = asyncio.get_running_loop()
        mine: Waiting = (loop, loop.create_future())
        with self._lock:
            queue.append(mine)
            first = queue[0] is mine
        try:
            if not first:
                await mine[1]
            # Time itself frees the slots: there is no event to wait for.
            while (wait := await self.try_enter(scope, limits, tokens, lease)) > 0:  # noqa: ASYNC110
                await asyncio.sleep(wait)
        finally:
            self._leave(queue, mine)

    async def leave(self, scope: str, limits: Limits, lease: str, tokens: int) -> None:
        """Say that the call is over, to both: only the one that gave the slot knows the lease."""
        await self._own.end(scope, limits, lease, tokens)
        if self._shared is not None:
            with suppress(StorageError):  # the slot then frees itself after a while
                await self._shared.end(scope, limits, lease, tokens)

    async def pause(self, scope: str, seconds: float) -> None:
        """Pass on that the provider told us to wait."""
        await self._own.pause(scope, seconds)
        if self._shared is not None:
            with suppress(StorageError):  # the other processes will be told by the provider themselves
                await self._shared.pause(scope, seconds)

    async def refused(self, scope: str, lease: str) -> None:
        """Hear that the provider refused a call for too many requests; the limits of an endpoint do not change for it."""

    async def try_enter(self, scope: str, limits: Limits, tokens: int, lease: str) -> float:
        """Take a slot without standing in line; return 0, else the seconds after which to ask again, as ``Limiter.take``."""
        if self._shared is not None:
            try:
                wait = await self._shared.take(scope, limits, tokens, lease)
            except StorageError:
                self.falls_back += 1
            else:
                if wait == 0:
                    self._own.adopt(scope, tokens, lease)
                return wait
        return await self._own.take(scope, limits, tokens, lease)

    def _leave(self, queue: deque[Waiting], mine: Waiting) -> None:
        with self._lock:
            was_first = queue[0] is mine
            queue.remove(mine)
            while was_first and queue:
                loop, future = queue[0]
                try:
                    loop.call_soon_threadsafe(_wake, future)
                    return
                except RuntimeError:  # its loop was closed: nobody waits there any more
                    queue.popleft()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
