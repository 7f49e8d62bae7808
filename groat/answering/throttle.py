"""What a batch may send, to all models together: so many at once, so many a minute, and less while providers refuse."""

import asyncio
import time
from collections import deque
from collections.abc import Callable

from groat.answering.limits import Gate, Limits, ProcessLimiter

_ALL = "batch"
"""The one scope of a batch's own limits."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Throttle(Gate):
    """Stands before the gate of the endpoints and lets through what the batch's own limits allow.

    Additive increase, multiplicative decrease, as TCP does it (Chiu and Jain 1989): a refusal for too many requests halves how
    many may be under way, and nothing is sent for a while, twice as long at each further refusal until a call ends well; every
    such end then allows a little more. Refusals of requests that were sent before the last cut say nothing new.

    Args:
        inner: the limits of each endpoint, which hold beside these.
        limits: of all requests together.
        at_once: most requests under way.
        clock: seconds, never going back.
    """

    def __init__(self, inner: Gate, *, limits: Limits, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing is under way yet."""
        super().__init__(ProcessLimiter(clock))
        self._inner = inner
        self._limits = limits
        self._at_once = at_once
        self._room = float(at_once)
        self._under_way: dict[str, int] = {}
        """Number in the order of sending, by lease."""
        self._sent = 0
        self._cut_after = 0
        """Requests up to this number were sent before the last cut."""
        self._pause_s = _FIRST_PAUSE_S
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.refusals = 0
        """How often a provider refused for too many requests."""

    @property
    def room(self) -> int:
        """How many requests may be under way now, at least 1."""
        return max(1, int(self._room))

    def limits(self, limits: Limits) -> bool:
        """Tell that every call stands in line here, whatever its endpoint allows."""
        return True

    async def enter(self, scope: str, limits: Limits, tokens: int, lease: str) -> None:
        """Return when the call may be sent."""
        await self._find_room(lease)
        await super().enter(_ALL, self._limits, tokens, lease)
        if self._inner.limits(limits):
            await self._inner.enter(scope, limits, tokens, lease)
        self._sent += 1
        self._under_way[lease] = self._sent

    async def leave(self, scope: str, limits: Limits, lease: str, tokens: int) -> None:
        """Say that the call is over; one of no tokens was refused, or never sent."""
        if self._under_way.pop(lease, None) is not None and tokens:
            self._pause_s = _FIRST_PAUSE_S
            self._room = min(self._room + 1 / self._room, float(self._at_once))
        self._let_in()
        await super().leave(_ALL, self._limits, lease, tokens)
        if self._inner.limits(limits):
            await self._inner.leave(scope, limits, lease, tokens)

    async def pause(self, scope: str, seconds: float) -> None:
        """Pass on that a provider told us to wait."""
        await self._inner.pause(scope, seconds)
        await super().pause(_ALL, seconds)

    async def refused(self, scope: str, lease: str) -> None:
        """Send less from now on."""
        self.refusals += 1
        if self._under_way.get(lease, 0) <= self._cut_after:
            return
        self._cut_after = self._sent
        self._room = max(self._room / 2, 1.0)
        await super().pause(_ALL, self._pause_s)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    async def hold(self, seconds: float) -> None:
        """Send nothing for so long."""
        await super().pause(_ALL, seconds)

    async def _find_room(self, lease: str) -> None:
        while len(self._under_way) >= self.room:
            mine = asyncio.get_running_loop().create_future()
            self._waiting.append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                # It may have been let in already: then another one can go in its place.
                self._under_way.pop(lease, None)
                self._let_in()
                raise
            finally:
                if mine in self._waiting:
                    self._waiting.remove(mine)
        self._under_way[lease] = self._sent + 1

    def _let_in(self) -> None:
        for _ in range(max(0, self.room - len(self._under_way))):
            if not self._waiting:
                return
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
