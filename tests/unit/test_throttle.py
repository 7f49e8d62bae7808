"""What a batch may send, at a clock that a test moves."""

import asyncio

import pytest

from groat.answering.limits import UNLIMITED, Gate, Limits, ProcessLimiter
from groat.answering.throttle import Throttle
from tests.fakes import FixedClock

SCOPE = "here|model"


def _throttle(at_once: int = 8, limits: Limits = UNLIMITED, clock: FixedClock | None = None) -> Throttle:
    clock = clock or FixedClock()
    return Throttle(Gate(ProcessLimiter(clock)), limits=limits, at_once=at_once, clock=clock)


async def _enter(throttle: Throttle, *leases: str) -> None:
    for lease in leases:
        await asyncio.wait_for(throttle.enter(SCOPE, UNLIMITED, 10, lease), 5)


async def test_a_refusal_halves_what_may_be_under_way_once_for_all_that_were_sent_before() -> None:
    throttle = _throttle()
    await _enter(throttle, *"abcdefgh")
    for lease in "abc":
        await throttle.refused(SCOPE, lease)
        await throttle.leave(SCOPE, UNLIMITED, lease, 0)
    assert (throttle.room, throttle.refusals) == (4, 3)


async def test_what_ends_well_lets_more_in_until_all_may_be_under_way_again() -> None:
    clock = FixedClock()
    throttle = _throttle(at_once=4, clock=clock)
    await _enter(throttle, "a")
    await throttle.refused(SCOPE, "a")
    await throttle.leave(SCOPE, UNLIMITED, "a", 0)
    assert throttle.room == 2
    clock.now += 1
    for number in range(12):
        await _enter(throttle, f"good-{number}")
        await throttle.leave(SCOPE, UNLIMITED, f"good-{number}", 10)
    assert throttle.room == 4


async def test_each_further_refusal_pauses_twice_as_long() -> None:
    clock = FixedClock()
    throttle = _throttle(clock=clock)
    for pause_s in (0.5, 1.0, 2.0):
        await _enter(throttle, "a")
        await throttle.refused(SCOPE, "a")
        await throttle.leave(SCOPE, UNLIMITED, "a", 0)
        entering = asyncio.create_task(throttle.enter(SCOPE, UNLIMITED, 10, "b"))
        await asyncio.sleep(0.01)
        assert not entering.done()
        entering.cancel()
        clock.now += pause_s + 0.001
    await _enter(throttle, "c")


async def test_no_more_than_that_many_are_under_way_and_who_gives_up_makes_room() -> None:
    throttle = _throttle(at_once=2)
    await _enter(throttle, "a", "b")
    waiting = [asyncio.create_task(throttle.enter(SCOPE, UNLIMITED, 10, lease)) for lease in "cde"]
    await asyncio.sleep(0.01)
    assert not any(task.done() for task in waiting)
    waiting[0].cancel()
    await throttle.leave(SCOPE, UNLIMITED, "a", 10)
    await asyncio.wait_for(waiting[1], 5)
    assert not waiting[2].done()
    await throttle.leave(SCOPE, UNLIMITED, "b", 10)
    await asyncio.wait_for(waiting[2], 5)
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]


async def test_the_limits_of_an_endpoint_hold_beside_those_of_the_batch() -> None:
    clock = FixedClock()
    throttle = _throttle(limits=Limits(requests=3, window_s=60), clock=clock)
    own = Limits(requests=1, window_s=60)
    await throttle.enter(SCOPE, own, 10, "a")
    second = asyncio.create_task(throttle.enter(SCOPE, own, 10, "b"))
    await asyncio.sleep(0.01)
    assert not second.done()
    await throttle.enter("other|model", UNLIMITED, 10, "c")
    third = asyncio.create_task(throttle.enter("other|model", UNLIMITED, 10, "d"))
    await asyncio.sleep(0.01)
    assert not third.done()
    for task in (second, third):
        task.cancel()
