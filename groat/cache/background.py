"""Work that nobody waits for: a little at once, a bounded number waiting, and never in the way of what is waited for."""

import asyncio
import contextvars
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

_LOG = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]


@dataclass
class _Lane:
    """The work of one event loop: clients and locks of one loop are of no use to another."""

    waiting: deque[Work] = field(default_factory=deque)
    running: set[asyncio.Task[None]] = field(default_factory=set)


class Background:
    """Does work after the request that gave it is over, in the same event loop.

    Any number of event loops in any number of threads may share one object; the bounds hold for each loop.

    Args:
        at_once: how much is done at one time.
        waiting: how much may wait; what comes beyond is not taken.
    """

    def __init__(self, *, at_once: int = 2, waiting: int = 64) -> None:
        """Start nothing."""
        self._at_once = at_once
        self._most = waiting
        self._lock = threading.Lock()
        self._lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Lane] = WeakKeyDictionary()
        self.failed = 0
        """How much work ended in an error."""

    def submit(self, work: Work) -> bool:
        """Take work on and return at once; False when too much is waiting."""
        loop = asyncio.get_running_loop()
        with self._lock:
            lane = self._lanes.setdefault(loop, _Lane())
        if len(lane.waiting) >= self._most:
            return False
        lane.waiting.append(work)
        if len(lane.running) < self._at_once:
            # In a context of its own: it belongs to no trace and no stream of the request.
            task = loop.create_task(self._work_off(lane), context=contextvars.Context())
            lane.running.add(task)
            task.add_done_callback(lane.running.discard)
        return True

    async def close(self, *, within_s: float) -> int:
        """Wait for the work of the running loop, at most ``within_s`` seconds; return how much was given up."""
        with self._lock:
            lane = self._lanes.get(asyncio.get_running_loop())
        if lane is None or not lane.running:
            return 0
        _, late = await asyncio.wait(lane.running, timeout=within_s)
        given_up = len(late) + len(lane.waiting)
        lane.waiting.clear()
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return given_up

    async def _work_off(self, lane: _Lane) -> None:
        while lane.waiting:
            work = lane.waiting.popleft()
            try:
                await work()
            except Exception as error:  # nobody waits for it, so nobody else would learn of it; the next work goes on
                self.failed += 1
                # Not the message: it may hold users' text.
                _LOG.warning("work in the background failed: %s", type(error).__name__)
