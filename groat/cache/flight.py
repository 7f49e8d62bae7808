"""Equal questions that are asked at the same time share one answer: one of them leads, the others wait for it."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import takewhile

from groat.cache.flying import Flying
from groat.cache.leases import Leases
from groat.errors import StorageError

__all__ = ["Alike", "Boarding", "Flights", "Flying"]

_LOOKS = 3
"""How often a question is compared with those that came while it was compared: where many come, it would never end."""


@dataclass(frozen=True, kw_only=True)
class Boarding:
    """What a question is to do now.

    It leads: answer, then land; an answer may have come into the cache since it was last looked up there, so looking once
    more may spare a model call. Another one landed and ``kept`` its answer: look the cache up again. Anything else (landed
    without a kept answer, or nobody landed in time): answer without leading. In no case board again.
    """

    leads: bool
    landed: bool
    kept: bool
    waited_for: str | None
    """The run that led last while this one waited; None when it did not wait. Who leads with one took over from it."""
    waited_s: float


Alike = Callable[[Sequence[Flying]], Awaitable[str | None]]
"""The caller's own rule: returns the key of the one whose answer will serve, None when none will."""


@dataclass(eq=False)
class _Flight:
    """One key that is in flight, as this process sees it."""

    question: Flying
    """Of the run that leads, or that waits for a leader in another process in the name of all others here."""
    leader: str
    """The run that leads, here or in another process."""
    until: float | None = None
    """By the clock: when its leader here is given up; None while nobody here leads."""
    over: bool = False
    kept: bool | None = None
    """How it landed; None when it is not over, or ended without a landing."""
    waiting: dict[asyncio.Future[None], None] = field(default_factory=dict)
    """Signals of its end, in the order of coming: where one takes over, it is the one that waited longest."""


class Flights:
    """Lets one of several equal questions lead, and the others wait until it landed.

    Any number of event loops in any number of threads may share one object, which runs nothing in the background.

    Args:
        leases: who leads in other processes; None when there are none. When they cannot be reached, the questions of this
            process still share.
        wait_s: longest time that a question waits for others, in seconds, over all that it waits for.
        lead_s: a leader that did not land after so many seconds is given up, and one of those who wait takes over.
        clock: seconds from any moment on, for ``lead_s`` only; waiting is measured by the event loop's own clock.
    """

    def __init__(
        self,
        leases: Leases | None = None,
        *,
        wait_s: float = 10.0,
        lead_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing in flight."""
        self._leases = leases
        self._wait_s = wait_s
        self._lead_s = lead_s
        self._clock = clock
        self._lock = threading.Lock()
        self._groups: dict[str, dict[str, _Flight]] = {}
        self._led: dict[_Flight, None] = {}
        self.last_failure: str | None = None
        """Why the leases could not be reached, for a health page; None since they last could."""

    async def board(self, question: Flying, *, alike: Alike | None = None) -> Boarding:
        """Lead, at once, when nobody answers this question yet; else wait until its leader landed, at most ``wait_s``.

        A leader must land, also after a failure or a cancellation; until then it leads for at most ``lead_s``. A leader that
        boards again leads on. A caller that is cancelled while it boards leads nothing and leaves nothing behind.

        Never raises for leases that are lost. What ``alike`` raises is passed on; its own time comes on top of ``wait_s``.

        Args:
            question: what is asked.
            alike: asked for the questions of the same group that are in flight when none has the same key.
        """
        loop = asyncio.get_running_loop()
        begun = loop.time()
        deadline = begun + self._wait_s
        waited_for: str | None = None
        seen: set[_Flight] = set()
        while True:
            flight, signal = await self._join(question, alike, seen)
            if signal is not None:
                leads, kept = False, await self._follow(flight, signal, deadline)
                waited_for = flight.leader
            else:
                leads, kept, elsewhere = await self._lead(flight, alike, deadline)
                waited_for = elsewhere or waited_for
            if leads or kept is not None or loop.time() >= deadline:
                landed, waited_s = kept is not None, loop.time() - begun
                return Boarding(leads=leads, landed=landed, kept=kept is True, waited_for=waited_for, waited_s=waited_s)

    async def land(self, run: str, *, kept: bool | None) -> None:
        """Say that a run is done, whatever came of it. A run that does not lead changes nothing.

        Never raises for leases that are lost: other processes then take the leader for dead.

        Args:
            run: who led.
            kept: True when the answer is in the cache now: those who wait look it up. False when there is none or it may not
                be kept: they all answer by themselves. None when the question was given up (its asker has gone): nothing
                is known about an answer, so one of them takes over.
        """
        with self._lock:
            flights = [flight for flight in self._led if flight.question.run == run]
            for flight in flights:
                self._end(flight, kept)
        for flight in flights:
            await self._release(flight, kept)

    def count(self) -> int:
        """Return how many keys are in flight here."""
        with self._lock:
            self._give_up_late()
            return sum(len(group) for group in self._groups.values())

    async def _join(
        self, question: Flying, alike: Alike | None, seen: set[_Flight]
    ) -> tuple[_Flight, asyncio.Future[None] | None]:
        """Return the flight that will serve, and the signal of its end; or the question's own flight, and None."""
        chosen: _Flight | None = None
        looks = 0
        while True:
            with self._lock:
                self._give_up_late()
                group = self._groups.get(question.group, {})
                flight = group.get(question.key) or chosen
                if flight is not None:
                    own = flight.question.run == question.run and not flight.over
                    return flight, None if own else _signal(flight)
                fresh = [] if alike is None else [other for other in group.values() if other not in seen]
                if alike is None or not fresh or looks == _LOOKS:
                    flight = _Flight(question, question.run)
                    self._groups.setdefault(question.group, {})[question.key] = flight
                    return flight, None
            looks += 1
            seen.update(fresh)
            key = await alike([other.question for other in fresh])
            chosen = next((other for other in fresh if other.question.key == key), None)

    async def _lead(self, flight: _Flight, alike: Alike | None, deadline: float) -> tuple[bool, bool | None, str | None]:
        """Make the question's own run the leader; while another process has one, wait for that one's landing.

        Returns whether it leads, else how the other one landed, None if it did not in time; and the other one's run, if any.
        """
        loop, run = asyncio.get_running_loop(), flight.question.run
        kept: bool | None = None
        elsewhere: str | None = None
        leads = self._leases is None or flight.until is not None
        seen: set[str] = set()
        try:
            while self._leases is not None and not leads:
                leader = await self._leader(self._leases, flight.question, alike, seen)
                self.last_failure = None
                if leader.run == run:
                    leads = True
                    break
                elsewhere = flight.leader = leader.run
                kept = await self._leases.landing(leader, within_s=deadline - loop.time())
                if kept is not None or loop.time() >= deadline:
                    break
        except StorageError as error:
            self.last_failure, leads = str(error), True
        except asyncio.CancelledError:
            # The lease may be taken already; then nobody should wait for it.
            await self._release(flight, None)
            raise
        finally:
            with self._lock:
                if not leads:
                    self._end(flight, kept)
                elif flight.until is None:
                    flight.until, flight.leader = self._clock() + self._lead_s, run
                    self._led[flight] = None
        return leads, kept, elsewhere

    async def _leader(self, leases: Leases, question: Flying, alike: Alike | None, seen: set[str]) -> Flying:
        """Take the lease, or return who leads this question, or one whose answer will serve it, in another process.

        Runs that it was compared with are added to ``seen``.
        """
        for looks in range(_LOOKS + 1):
            looking = alike is not None and question.vector is not None and looks < _LOOKS
            taken = await leases.take(question, lead_s=self._lead_s, seen=seen if looking else None)
            if taken.holder is not None:
                return replace(question, run=taken.holder)
            seen.update(other.run for other in taken.others)
            others = [other for other in taken.others if other.vector is not None]
            key = await alike(others) if alike is not None and others else None
            chosen = next((other for other in others if other.key == key), None)
            if chosen is not None:
                return chosen
        raise AssertionError("who does not look takes the lease or is told who has it")

    async def _follow(self, flight: _Flight, signal: asyncio.Future[None], deadline: float) -> bool | None:
        """Wait until the flight is over, its leader is given up, or the time is; return how it landed, None if it did not."""
        left_s = deadline - asyncio.get_running_loop().time()
        # Who only now becomes the leader is given up later than this: then it is joined again.
        led_s = self._lead_s if flight.until is None else flight.until - self._clock()
        try:
            await asyncio.wait([signal], timeout=max(0.0, min(left_s, led_s)))
        finally:
            with self._lock:
                flight.waiting.pop(signal, None)
        return flight.kept

    async def _release(self, flight: _Flight, kept: bool | None) -> None:
        if self._leases is not None:
            try:
                await self._leases.release(flight.question, kept=kept)
            except StorageError as error:  # its lease ends by itself
                self.last_failure = str(error)

    def _give_up_late(self) -> None:
        now = self._clock()
        # Who led first is given up first.
        for flight in list(takewhile(lambda flight: flight.until is not None and flight.until <= now, self._led)):
            self._end(flight, None)

    def _end(self, flight: _Flight, kept: bool | None) -> None:
        """Take a flight off and wake who waits for it; the lock is held."""
        flight.over, flight.kept = True, kept
        self._led.pop(flight, None)
        group = self._groups.get(flight.question.group, {})
        if group.get(flight.question.key) is flight:
            del group[flight.question.key]
        if not group:
            self._groups.pop(flight.question.group, None)
        for signal in flight.waiting:
            with suppress(RuntimeError):  # its loop was closed: nobody waits there any more
                signal.get_loop().call_soon_threadsafe(_wake, signal)
        flight.waiting.clear()


def _signal(flight: _Flight) -> asyncio.Future[None]:
    """Return what is done when the flight is over; the lock is held."""
    signal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    if flight.over:
        signal.set_result(None)
    else:
        flight.waiting[signal] = None
    return signal


def _wake(signal: asyncio.Future[None]) -> None:
    if not signal.done():
        signal.set_result(None)
