"""Rate limits: the law of the limiter at a clock that a test moves, and the queue before it."""

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.answering.limits import Gate, Limits, ProcessLimiter
from groat.errors import StorageError
from tests.fakes import FixedClock

T = TypeVar("T")
WINDOW_S = 10.0
ROUNDING_S = 1e-9
SHORT = Limits(requests=1, window_s=0.05)


@dataclass(frozen=True)
class Planned:
    """One call: when it is wanted, how long it takes, when in that time the server counts it, what it holds and uses."""

    at: float
    lasts: float
    counted: float
    holds: int
    used: float

    @property
    def uses(self) -> int:
        return int(self.holds * self.used)


@dataclass(frozen=True)
class Counted:
    """What the server counts."""

    at: float
    tokens: int


plans = st.lists(
    st.builds(
        Planned,
        at=st.floats(0, 30),
        lasts=st.floats(0, 15),
        counted=st.floats(0, 1),
        holds=st.integers(1, 120),
        used=st.floats(0, 1),
    ),
    min_size=1,
    max_size=25,
)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never waits, without the price of an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    raise AssertionError("it waited")


def fly(plan: Sequence[Planned], limits: Limits) -> list[Counted]:
    """Let simulated time pass until every call was made, each asking again when it was told to; return what the server saw."""
    clock = FixedClock(0.0)
    limiter = ProcessLimiter(clock)
    order = itertools.count()
    events: list[tuple[float, int, Callable[[], None]]] = []
    seen: list[Counted] = []

    def at(moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(events, (moment, next(order), event))

    def ask(number: int, planned: Planned) -> None:
        wait = _at_once(limiter.take("s", limits, planned.holds, str(number)))
        if wait > 0:
            at(clock.now + wait, lambda: ask(number, planned))
            return
        seen.append(Counted(clock.now + planned.lasts * planned.counted, planned.uses))
        at(clock.now + planned.lasts, lambda: _at_once(limiter.end("s", limits, str(number), planned.uses)))

    for number, planned in enumerate(plan):
        at(planned.at, lambda number=number, planned=planned: ask(number, planned))  # type: ignore[misc]  # bound per call
    for steps in itertools.count():
        if not events:
            break
        assert steps < 100_000, "some call waits for ever"
        clock.now, _, event = heapq.heappop(events)
        event()
    return seen


def windows(seen: Sequence[Counted]) -> list[list[Counted]]:
    """Return what each window that ends with an arrival holds; fuller ones do not exist."""
    return [[one for one in seen if last.at - WINDOW_S + ROUNDING_S < one.at <= last.at] for last in seen]


@settings(max_examples=60, deadline=None)
@given(plan=plans, requests=st.none() | st.integers(1, 4), tokens=st.none() | st.integers(20, 150))
def test_no_window_exceeds_a_limit_whenever_the_server_counts(
    plan: list[Planned], requests: int | None, tokens: int | None
) -> None:
    seen = fly(plan, Limits(requests=requests, tokens=tokens, window_s=WINDOW_S))
    assert len(seen) == len(plan)
    for window in windows(seen):
        assert requests is None or len(window) <= requests
        # A call that is larger than the whole limit goes alone.
        assert tokens is None or len(window) == 1 or sum(one.tokens for one in window) <= tokens


def test_a_limit_is_used_up() -> None:
    plan = [Planned(at=0, lasts=0, counted=0, holds=10, used=1)] * 12
    seen = fly(plan, Limits(requests=4, window_s=WINDOW_S))
    assert [one.at for one in seen] == [0.0] * 4 + [WINDOW_S] * 4 + [2 * WINDOW_S] * 4


def test_tokens_that_a_call_did_not_use_are_free_when_it_ends() -> None:
    plan = [Planned(at=0, lasts=1, counted=0, holds=100, used=0.1), Planned(at=2, lasts=1, counted=0, holds=90, used=1)]
    assert [one.at for one in fly(plan, Limits(tokens=100, window_s=WINDOW_S))] == [0, 2]


def test_a_call_over_the_limit_goes_alone_and_holds_up_the_next() -> None:
    plan = [Planned(at=place, lasts=1, counted=1, holds=tokens, used=1) for place, tokens in enumerate((10, 500, 10))]
    seen = fly(plan, Limits(tokens=100, window_s=WINDOW_S))
    assert [(one.at, one.tokens) for one in seen] == [(1, 10), (3, 10), (14, 500)]


async def test_a_pause_ends_when_it_was_said_to_and_counts_from_the_last_word() -> None:
    clock = FixedClock(0.0)
    limiter = ProcessLimiter(clock)
    await limiter.pause("s", 5)
    clock.now = 2
    await limiter.pause("s", 1)
    assert await limiter.take("s", Limits(), 1, "a") == 3
    await limiter.pause("s", 8)
    assert await limiter.take("s", Limits(), 1, "a") == 8
    clock.now = 10
    assert await limiter.take("s", Limits(), 1, "a") == 0


@dataclass
class Shared:
    """A limiter for all processes that can be taken down."""

    down: bool = False

    def __post_init__(self) -> None:
        self.taken: list[str] = []
        self.ended: list[str] = []
        self.paused: list[float] = []

    async def take(self, scope: str, limits: Limits, tokens: int, lease: str) -> float:
        self._reach()
        self.taken.append(lease)
        return 0.0

    async def end(self, scope: str, limits: Limits, lease: str, tokens: int) -> None:
        self._reach()
        self.ended.append(lease)

    async def pause(self, scope: str, seconds: float) -> None:
        self._reach()
        self.paused.append(seconds)

    def _reach(self) -> None:
        if self.down:
            raise StorageError("the counts cannot be reached")


async def test_callers_are_let_through_in_the_order_in_which_they_came() -> None:
    gate, entered = Gate(ProcessLimiter()), list[int]()

    async def call(number: int) -> None:
        await gate.enter("s", SHORT, 1, str(number))
        entered.append(number)
        await gate.leave("s", SHORT, str(number), 1)

    await asyncio.gather(*(call(number) for number in range(6)))
    assert entered == list(range(6))


async def test_a_large_call_is_not_overtaken_by_small_ones() -> None:
    gate, entered = Gate(ProcessLimiter()), list[str]()
    limits = Limits(tokens=100, window_s=0.1)

    async def call(name: str, tokens: int) -> None:
        await gate.enter("s", limits, tokens, name)
        entered.append(name)
        await gate.leave("s", limits, name, tokens)

    await asyncio.gather(call("first", 60), call("large", 90), call("small", 10), call("smaller", 1))
    assert entered[:2] == ["first", "large"]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_who_gives_up_leaves_the_queue_and_holds_up_nobody(place: int) -> None:
    gate, entered = Gate(ProcessLimiter()), list[int]()
    await gate.enter("s", SHORT, 1, "ahead")

    async def call(number: int) -> None:
        await gate.enter("s", SHORT, 1, str(number))
        entered.append(number)
        await gate.leave("s", SHORT, str(number), 1)

    waiting = [asyncio.create_task(call(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    waiting[place].cancel()
    await asyncio.sleep(0)
    await gate.leave("s", SHORT, "ahead", 1)
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting, return_exceptions=True)
    assert entered == [number for number in range(3) if number != place]


@pytest.mark.parametrize("steps", range(6))
async def test_who_gives_up_in_the_moment_of_its_turn_passes_it_on(steps: int) -> None:
    gate = Gate(ProcessLimiter())
    holding = asyncio.create_task(gate.enter("s", SHORT, 1, "first"))
    waiting = [asyncio.create_task(gate.enter("s", Limits(), 1, str(number))) for number in range(2)]
    for _ in range(steps):
        await asyncio.sleep(0)
    waiting[0].cancel()
    async with asyncio.timeout(5):
        await waiting[1]
    await asyncio.gather(holding, *waiting, return_exceptions=True)


async def test_another_endpoint_has_a_queue_of_its_own() -> None:
    gate = Gate(ProcessLimiter())
    await gate.enter("s", SHORT, 1, "a")
    blocked = asyncio.create_task(gate.enter("s", SHORT, 1, "b"))
    async with asyncio.timeout(1):
        await gate.enter("other", SHORT, 1, "c")
    assert not blocked.done()
    blocked.cancel()
    await asyncio.gather(blocked, return_exceptions=True)


async def test_shared_counts_go_before_those_of_the_process() -> None:
    shared = Shared()
    gate = Gate(ProcessLimiter(), shared)
    for lease in "abc":  # the process alone would let one through
        await gate.enter("s", Limits(requests=1, window_s=60), 1, lease)
        await gate.leave("s", Limits(requests=1, window_s=60), lease, 1)
    await gate.pause("s", 0.5)
    assert (shared.taken, shared.ended, shared.paused, gate.falls_back) == (["a", "b", "c"], ["a", "b", "c"], [0.5], 0)


async def test_shared_counts_that_are_down_are_replaced_by_those_of_the_process() -> None:
    shared = Shared(down=True)
    gate, limits = Gate(ProcessLimiter(), shared), Limits(requests=2, window_s=60)
    for lease in "ab":
        await gate.enter("s", limits, 1, lease)
        await gate.leave("s", limits, lease, 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(gate.enter("s", limits, 1, "c"), 0.05)
    await gate.pause("s", 0.5)
    assert gate.falls_back == 3
    shared.down = False
    await asyncio.wait_for(gate.enter("s", limits, 1, "d"), 5)
    assert shared.taken == ["d"]


def test_event_loops_in_several_threads_share_one_queue() -> None:
    gate, entered, limits = Gate(ProcessLimiter()), list[float](), Limits(requests=2, window_s=0.05)
    loop_time = asyncio.new_event_loop()

    async def call(lease: str) -> None:
        await gate.enter("s", limits, 1, lease)
        entered.append(loop_time.time())
        await gate.leave("s", limits, lease, 1)

    async def several(name: str) -> None:
        await asyncio.gather(*(call(f"{name}{number}") for number in range(4)))

    threads = [threading.Thread(target=lambda name=name: asyncio.run(several(name))) for name in "xyz"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    loop_time.close()
    assert len(entered) == 12
    entered.sort()
    assert all(entered[place + 2] - entered[place] > 0.045 for place in range(10))
