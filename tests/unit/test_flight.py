"""Equal questions in flight share one answer; time jumps in these tests, so that ten seconds take no time."""

import asyncio
import functools
import gc
import random
import selectors
import threading
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache.flight import Boarding, Flights, Flying
from groat.cache.leases import Taken
from groat.embedding import Vector
from groat.errors import StorageError
from groat.types import Language
from tests.fakes import WordEmbedder

WAIT_S = 10.0
LEAD_S = 60.0
SOON_S = 0.01
"""All that is done without waiting takes less, in the time of these tests."""
P = ParamSpec("P")


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its time jumps to the next timer as soon as nothing else can run; each step takes a microsecond."""

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def pass_time(self, seconds: float) -> None:
        self._now += seconds + 1e-6


class JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        assert ready or timeout is not None, "everybody waits, and nothing will ever wake them"
        self._loop.pass_time(0.0 if ready or timeout is None else timeout)
        return ready


def jumping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


def new_flights(leases: "SharedLeases | None" = None, *, wait_s: float = WAIT_S, lead_s: float = LEAD_S) -> Flights:
    return Flights(leases, wait_s=wait_s, lead_s=lead_s, clock=now)


def asked(run: str, key: str = "k", *, group: str = "g", text: str = "", language: Language = "en") -> Flying:
    return Flying(run=run, group=group, key=key, text=text or key, language=language, vector=np.ones(1, dtype=np.float32))


async def start(*boards: Coroutine[Any, Any, Boarding]) -> list[asyncio.Task[Boarding]]:
    """Begin to board, one after the other, and return when each of them leads or waits."""
    tasks = [asyncio.create_task(board) for board in boards]
    await asyncio.sleep(SOON_S)
    return tasks


def led(boarding: Boarding) -> bool:
    assert not (boarding.leads and boarding.landed)
    return boarding.leads


@dataclass
class SharedLeases:
    """What Redis does, for several ``Flights`` in one event loop: each step takes a millisecond; it can be lost."""

    lost: bool = False
    holders: dict[tuple[str, str], tuple[Flying, float]] = field(default_factory=dict)
    landings: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    waiting: int = 0

    async def take(self, question: Flying, *, lead_s: float, seen: Collection[str] | None = None) -> Taken:
        await self._step()
        name = question.group, question.key
        holder, until = self.holders.get(name, (question, 0.0))
        if holder.run == question.run or until <= now():
            others = [one for one, ends in self.holders.values() if one.group == question.group and ends > now()]
            fresh = tuple(one for one in others if one.vector is not None and one.run not in {question.run, *(seen or ())})
            if seen is not None and fresh and name not in self.holders:
                await self._step()
                return Taken(None, fresh)
            self.holders[name] = question, now() + lead_s
        await self._step()
        return Taken(self.holders[name][0].run)

    async def landing(self, leader: Flying, *, within_s: float) -> bool | None:
        until, name = now() + within_s, (leader.group, leader.key)
        self.waiting += 1
        try:
            while True:
                await self._step()
                if (*name, leader.run) in self.landings:
                    return self.landings[*name, leader.run]
                holder, lead_until = self.holders.get(name, (None, 0.0))
                if holder is None or holder.run != leader.run or lead_until <= now() or until <= now():
                    return None
                await asyncio.sleep(min(0.05, until - now()))
        finally:
            self.waiting -= 1

    async def release(self, question: Flying, *, kept: bool | None) -> None:
        await self._step()
        name = question.group, question.key
        if name in self.holders and self.holders[name][0].run == question.run:
            del self.holders[name]
            if kept is not None:
                self.landings[*name, question.run] = kept

    async def _step(self) -> None:
        await asyncio.sleep(0.001)
        if self.lost:
            raise StorageError("the leases are lost")


@pytest.mark.parametrize(("text", "language"), [("How do I return a lamp?", "en"), ("怎么退台灯？", "zh")])
@jumping
async def test_of_equal_questions_one_leads_and_the_others_have_its_answer(text: str, language: Language) -> None:
    flights = new_flights()
    tasks = await start(*[flights.board(asked(str(n), text=text, language=language)) for n in range(50)])
    assert [task.done() for task in tasks] == [True] + [False] * 49
    await asyncio.sleep(2)
    await flights.land("0", kept=True)
    boardings = await asyncio.gather(*tasks)
    assert boardings[0] == Boarding(leads=True, landed=False, kept=False, waited_for=None, waited_s=0.0)
    for boarding in boardings[1:]:
        assert boarding == Boarding(leads=False, landed=True, kept=True, waited_for="0", waited_s=boarding.waited_s)
        assert boarding.waited_s == pytest.approx(2, abs=0.1)
    assert flights.count() == 0


@jumping
async def test_who_comes_after_the_landing_leads() -> None:
    flights = new_flights()
    for run in "abc":
        assert led(await flights.board(asked(run)))
        await flights.land(run, kept=True)


@jumping
async def test_other_groups_never_wait_even_for_an_equal_key() -> None:
    flights = new_flights()

    async def all_alike(flying: Sequence[Flying]) -> str:
        return flying[0].key

    for group in ("tenant a", "tenant b", "租户"):
        assert led(await flights.board(asked(group, group=group), alike=all_alike))
    assert flights.count() == 3
    assert now() < 1000 + SOON_S


@jumping
async def test_other_questions_of_a_group_do_not_wait() -> None:
    flights = new_flights()
    assert [led(await flights.board(asked(key, key))) for key in "abc"] == [True] * 3


@jumping
async def test_all_who_wait_go_on_by_themselves_when_the_leader_has_no_answer_to_keep() -> None:
    flights = new_flights()
    tasks = await start(*[flights.board(asked(str(n))) for n in range(20)])
    await flights.land("0", kept=False)
    landed = now()
    boardings = (await asyncio.gather(*tasks))[1:]
    assert now() < landed + SOON_S
    assert {(boarding.leads, boarding.landed, boarding.kept) for boarding in boardings} == {(False, True, False)}
    assert led(await flights.board(asked("next")))


@jumping
async def test_one_of_those_who_wait_takes_over_from_a_leader_that_gives_up() -> None:
    flights = new_flights()
    tasks = await start(*[flights.board(asked(str(n))) for n in range(20)])
    await flights.land("0", kept=None)
    await asyncio.sleep(SOON_S)
    assert [n for n, task in enumerate(tasks) if task.done()] == [0, 1]
    second = await tasks[1]
    assert (second.leads, second.waited_for) == (True, "0")
    await flights.land("1", kept=True)
    assert all(boarding.kept and boarding.waited_for == "1" for boarding in await asyncio.gather(*tasks[2:]))


@jumping
async def test_nobody_waits_for_a_slow_leader_longer_than_told() -> None:
    flights = new_flights()
    tasks = await start(*[flights.board(asked(str(n))) for n in range(3)])
    boardings = (await asyncio.gather(*tasks))[1:]
    assert now() == pytest.approx(1000 + WAIT_S, abs=SOON_S)
    for boarding in boardings:
        assert (boarding.leads, boarding.landed, boarding.kept, boarding.waited_for) == (False, False, False, "0")
        assert boarding.waited_s == pytest.approx(WAIT_S, abs=SOON_S)
    # They did not take the lead: the slow one may still be waited for.
    third = (await start(flights.board(asked("late"))))[0]
    await flights.land("0", kept=True)
    assert (await third).kept


@jumping
async def test_one_takes_over_from_a_leader_that_never_lands_and_the_others_wait_on() -> None:
    flights = new_flights()
    await flights.board(asked("dead"))
    await asyncio.sleep(LEAD_S - 4)
    tasks = await start(*[flights.board(asked(str(n))) for n in range(3)])
    await asyncio.sleep(4)
    done = [n for n, task in enumerate(tasks) if task.done()]
    assert len(done) == 1
    successor = tasks.pop(done[0])
    assert led(await successor)
    assert (await successor).waited_for == "dead"
    await flights.land("dead", kept=True)
    for boarding in await asyncio.gather(*tasks):
        assert (boarding.landed, boarding.waited_for) == (False, str(done[0]))
        assert boarding.waited_s == pytest.approx(WAIT_S, abs=SOON_S)


@jumping
async def test_leaders_that_never_land_are_forgotten() -> None:
    flights = new_flights()
    for n in range(100):
        assert led(await flights.board(asked(str(n), str(n), group=str(n % 7))))
    assert flights.count() == 100
    await asyncio.sleep(LEAD_S)
    assert flights.count() == 0


@jumping
async def test_a_short_lead_is_passed_on_within_the_wait() -> None:
    flights = new_flights(lead_s=3)
    tasks = await start(*[flights.board(asked(str(n))) for n in range(5)])
    boardings = await asyncio.gather(*tasks)
    assert sorted((round(boarding.waited_s), boarding.leads) for boarding in boardings) == [
        (0, True),
        (3, True),
        (6, True),
        (9, True),
        (10, False),
    ]


@jumping
async def test_landing_twice_or_without_having_led_changes_nothing() -> None:
    flights = new_flights()
    await flights.land("unknown", kept=True)
    assert led(await flights.board(asked("a")))
    follower = (await start(flights.board(asked("b"))))[0]
    await flights.land("b", kept=True)
    await asyncio.sleep(SOON_S)
    assert not follower.done()
    await flights.land("a", kept=False)
    await flights.land("a", kept=True)
    assert not (await follower).kept


@jumping
async def test_a_leader_that_boards_again_leads_on() -> None:
    flights = new_flights()
    assert [led(await flights.board(asked("a"))) for _ in range(3)] == [True] * 3
    assert flights.count() == 1


@jumping
async def test_followers_that_are_cancelled_leave_no_trace() -> None:
    flights = new_flights()
    tasks = await start(*[flights.board(asked(str(n))) for n in range(4)])
    tasks[1].cancel()
    tasks[3].cancel()
    await asyncio.sleep(SOON_S)
    assert tasks[1].cancelled()
    assert tasks[3].cancelled()
    await flights.land("0", kept=True)
    assert (await tasks[2]).kept
    assert flights.count() == 0


@jumping
async def test_memory_does_not_grow_with_followers_that_left_and_groups_that_landed() -> None:
    flights = new_flights()
    await flights.board(asked("leader"))
    futures = _futures()
    for n in range(50):
        follower = (await start(flights.board(asked(str(n)))))[0]
        follower.cancel()
        await asyncio.wait([follower])
        assert led(await flights.board(asked(f"other {n}", group=f"group {n}")))
        await flights.land(f"other {n}", kept=True)
    assert _futures() < futures + 10
    assert list(flights._groups) == ["g"]


def _futures() -> int:
    gc.collect()
    return sum(type(one) is asyncio.Future for one in gc.get_objects())


@jumping
async def test_a_leader_that_was_cancelled_can_be_landed() -> None:
    flights = new_flights()

    async def answer() -> None:
        try:
            assert led(await flights.board(asked("a")))
            await asyncio.sleep(30)
        finally:
            await flights.land("a", kept=None)

    leader = asyncio.create_task(answer())
    follower = (await start(flights.board(asked("b"))))[0]
    leader.cancel()
    assert led(await follower)


def first_word(question: Flying, *, takes_s: float = 0.0) -> Callable[[Sequence[Flying]], Coroutine[Any, Any, str | None]]:
    """Return a rule by which questions of one language are alike when they begin with the same word."""

    async def alike(flying: Sequence[Flying]) -> str | None:
        await asyncio.sleep(takes_s)
        return next(
            (
                other.key
                for other in flying
                if other.language == question.language and other.text.split()[0] == question.text.split()[0]
            ),
            None,
        )

    return alike


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["return a lamp", "return lamps", "return my lamp"], "en"),
        (["退货 怎么办", "退货 流程", "退货 怎样做"], "zh"),
    ],
)
@pytest.mark.parametrize("takes_s", [0.0, 0.1])
@jumping
async def test_questions_that_are_alike_share_one_answer(texts: list[str], language: Language, takes_s: float) -> None:
    flights = new_flights()
    questions = [asked(text, text, text=text, language=language) for text in texts]
    tasks = await start(*[flights.board(one, alike=first_word(one, takes_s=takes_s)) for one in questions])
    other = asked("other", "other", text="pay a bill", language=language)
    assert led(await flights.board(other, alike=first_word(other, takes_s=takes_s)))
    await asyncio.sleep(1)
    await flights.land(texts[0], kept=True)
    boardings = await asyncio.gather(*tasks)
    assert [boarding.leads for boarding in boardings] == [True, False, False]
    assert all(boarding.kept and boarding.waited_for == texts[0] for boarding in boardings[1:])


@jumping
async def test_the_rule_sees_all_that_is_in_flight_in_the_group_and_only_that() -> None:
    flights = new_flights()
    vectors: dict[str, Vector] = {text: await WordEmbedder().query(text) for text in ("lamp", "台灯")}
    for text, language in (("lamp", "en"), ("台灯", "zh")):
        question = Flying(run=text, group="g", key=text, text=text, language=language, vector=vectors[text])  # type: ignore[arg-type]  # a tuple of literals
        assert led(await flights.board(question))
    await flights.board(asked("x", group="elsewhere"))
    seen: list[Flying] = []

    async def none(flying: Sequence[Flying]) -> None:
        seen.extend(flying)

    assert led(await flights.board(asked("new", "new"), alike=none))
    assert [(one.run, one.text, one.language, one.vector is vectors[one.text]) for one in seen] == [
        ("lamp", "lamp", "en", True),
        ("台灯", "台灯", "zh", True),
    ]


@jumping
async def test_an_equal_question_is_found_without_the_rule() -> None:
    flights = new_flights()
    await flights.board(asked("a"))

    async def never(flying: Sequence[Flying]) -> str | None:
        raise AssertionError("it was asked")

    follower = (await start(flights.board(asked("b"), alike=never)))[0]
    await flights.land("a", kept=True)
    assert (await follower).kept


@jumping
async def test_a_flight_that_lands_while_it_is_compared_is_told_as_landed() -> None:
    flights = new_flights()
    await flights.board(asked("a", "one", text="lamp 1"))
    second = asked("b", "two", text="lamp 2")
    follower = (await start(flights.board(second, alike=first_word(second, takes_s=1))))[0]
    await flights.land("a", kept=True)
    boarding = await follower
    assert (boarding.leads, boarding.kept, boarding.waited_for) == (False, True, "a")
    assert boarding.waited_s == pytest.approx(1, abs=0.1)


@jumping
async def test_where_many_come_the_comparing_ends() -> None:
    flights = new_flights()
    asks = 0

    async def slow(flying: Sequence[Flying]) -> None:
        nonlocal asks
        asks += 1
        await flights.board(asked(f"newcomer {asks}", f"newcomer {asks}"))

    await flights.board(asked("a", "a"))
    assert led(await flights.board(asked("b", "b"), alike=slow))
    assert asks == 3


@jumping
async def test_a_rule_that_fails_is_told_and_leaves_no_trace() -> None:
    flights = new_flights()
    await flights.board(asked("a", "a"))

    async def broken(flying: Sequence[Flying]) -> str | None:
        raise StorageError("no vectors")

    with pytest.raises(StorageError):
        await flights.board(asked("b", "b"), alike=broken)
    await flights.land("a", kept=True)
    assert flights.count() == 0


@jumping
async def test_processes_share_one_answer_and_each_waits_once() -> None:
    leases = SharedLeases()
    flights = [new_flights(leases) for _ in range(3)]
    tasks = await start(*[flights[n % 3].board(asked(str(n))) for n in range(30)])
    await asyncio.sleep(0.1)
    assert [task.done() for task in tasks] == [True] + [False] * 29
    assert leases.waiting == 2
    await flights[0].land("0", kept=True)
    boardings = await asyncio.gather(*tasks)
    assert all(boarding.kept and boarding.waited_for == "0" for boarding in boardings[1:])
    assert [one.count() for one in flights] == [0, 0, 0]
    assert leases.holders == {}


@pytest.mark.parametrize(
    ("texts", "language"),
    [(["return a lamp", "return lamps", "return my lamp"], "en"), (["退货 怎么办", "退货 流程", "退货 怎样做"], "zh")],
)
@jumping
async def test_questions_that_are_alike_share_one_answer_in_whatever_processes(texts: list[str], language: Language) -> None:
    leases = SharedLeases()
    flights = [new_flights(leases) for _ in range(3)]
    questions = [asked(text, text, text=text, language=language) for text in texts]
    tasks = await start(*[flights[n].board(one, alike=first_word(one, takes_s=0.001)) for n, one in enumerate(questions)])
    other = asked("other", "other", text="pay a bill", language=language)
    assert led(await flights[0].board(other, alike=first_word(other)))
    elsewhere = asked("elsewhere", texts[1], group="another tenant", text=texts[1], language=language)
    assert led(await flights[1].board(elsewhere, alike=first_word(elsewhere)))
    assert [task.done() for task in tasks] == [True, False, False]
    await flights[0].land(texts[0], kept=True)
    boardings = await asyncio.gather(*tasks)
    assert [boarding.leads for boarding in boardings] == [True, False, False]
    assert all(boarding.kept and boarding.waited_for == texts[0] for boarding in boardings[1:])
    assert [one.count() for one in flights] == [1, 1, 0]


@jumping
async def test_who_waits_for_a_question_alike_in_another_process_leads_when_that_one_gives_up() -> None:
    leases = SharedLeases()
    here, there = new_flights(leases), new_flights(leases)
    await there.board(asked("a", "one", text="lamp 1"))
    second, third = asked("b", "two", text="lamp 2"), asked("c", "three", text="lamp 3")
    tasks = await start(*[here.board(one, alike=first_word(one)) for one in (second, third)])
    await there.land("a", kept=None)
    first = await tasks[0]
    assert (first.leads, first.waited_for) == (True, "a")
    await here.land("b", kept=True)
    assert (await tasks[1]).kept


@jumping
async def test_where_many_come_in_other_processes_the_comparing_ends() -> None:
    leases = SharedLeases()
    here, there = new_flights(leases), new_flights(leases)
    asks = 0

    async def slow(flying: Sequence[Flying]) -> None:
        nonlocal asks
        asks += 1
        await there.board(asked(f"newcomer {asks}", f"newcomer {asks}"))

    await there.board(asked("a", "a"))
    assert led(await here.board(asked("b", "b"), alike=slow))
    assert asks == 3


@jumping
async def test_followers_in_another_process_go_on_when_there_is_no_answer_to_keep() -> None:
    leases = SharedLeases()
    here, there = new_flights(leases), new_flights(leases)
    await there.board(asked("a"))
    tasks = await start(*[here.board(asked(str(n))) for n in range(5)])
    await there.land("a", kept=False)
    boardings = await asyncio.gather(*tasks)
    assert {(boarding.leads, boarding.landed, boarding.kept) for boarding in boardings} == {(False, True, False)}


@pytest.mark.parametrize("ends", ["gives up", "never lands"])
@jumping
async def test_one_in_another_process_takes_over(ends: str) -> None:
    leases = SharedLeases()
    here, there = new_flights(leases, lead_s=5), new_flights(leases, lead_s=5)
    await there.board(asked("a"))
    tasks = await start(*[here.board(asked(str(n))) for n in range(5)])
    if ends == "gives up":
        await there.land("a", kept=None)
    await asyncio.sleep(0.5 if ends == "gives up" else 5.5)
    assert [task.done() for task in tasks] == [True] + [False] * 4
    first = await tasks[0]
    assert (first.leads, first.waited_for) == (True, "a")
    await here.land("0", kept=True)
    assert all(boarding.kept and boarding.waited_for == "0" for boarding in (await asyncio.gather(*tasks))[1:])


@pytest.mark.parametrize("leaves", ["cancelled", "late"])
@jumping
async def test_when_the_one_that_waits_for_another_process_leaves_the_others_here_wait_on(leaves: str) -> None:
    leases = SharedLeases()
    here, there = new_flights(leases), new_flights(leases)
    await there.board(asked("a"))
    first = (await start(here.board(asked("first"))))[0]
    await asyncio.sleep(WAIT_S - 1)
    others = await start(*[here.board(asked(str(n))) for n in range(3)])
    if leaves == "cancelled":
        first.cancel()
    await asyncio.sleep(2)
    assert first.done()
    assert leases.waiting == 1
    await there.land("a", kept=True)
    assert all(boarding.kept for boarding in await asyncio.gather(*others))
    assert here.count() == 0


@jumping
async def test_who_is_cancelled_while_it_takes_the_lease_gives_it_back() -> None:
    leases = SharedLeases()
    flights = new_flights(leases)
    leader = asyncio.create_task(flights.board(asked("a")))
    await asyncio.sleep(0.0015)
    assert [one.run for one, _ in leases.holders.values()] == ["a"]
    follower = asyncio.create_task(flights.board(asked("b")))
    await asyncio.sleep(0)
    leader.cancel()
    assert led(await follower)
    assert [one.run for one, _ in leases.holders.values()] == ["b"]


@jumping
async def test_without_the_leases_this_process_still_shares_and_says_why() -> None:
    leases = SharedLeases(lost=True)
    flights = new_flights(leases)
    tasks = await start(*[flights.board(asked(str(n))) for n in range(5)])
    assert flights.last_failure == "the leases are lost"
    await flights.land("0", kept=True)
    assert [boarding.leads for boarding in await asyncio.gather(*tasks)] == [True] + [False] * 4
    leases.lost = False
    assert led(await flights.board(asked("next")))
    assert flights.last_failure is None


@jumping
async def test_who_loses_the_leases_while_it_waits_leads_here() -> None:
    leases = SharedLeases()
    here, there = new_flights(leases), new_flights(leases)
    await there.board(asked("a"))
    tasks = await start(*[here.board(asked(str(n))) for n in range(3)])
    leases.lost = True
    assert led(await tasks[0])
    await here.land("0", kept=True)
    assert all(boarding.kept for boarding in (await asyncio.gather(*tasks))[1:])
    await there.land("a", kept=True)


def test_event_loops_in_several_threads_share() -> None:
    flights = Flights(wait_s=30)
    ready = threading.Barrier(5)
    boardings: list[Boarding] = []

    async def lead() -> None:
        assert led(await flights.board(asked("leader")))
        await asyncio.to_thread(ready.wait, 10)
        await asyncio.sleep(0.2)
        await flights.land("leader", kept=True)

    async def follow(thread: int) -> None:
        await asyncio.to_thread(ready.wait, 10)
        boardings.extend(await asyncio.gather(*[flights.board(asked(f"{thread} {n}")) for n in range(25)]))

    threads = [threading.Thread(target=asyncio.run, args=[lead()])]
    threads += [threading.Thread(target=asyncio.run, args=[follow(n)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    followed = [boarding for boarding in boardings if not boarding.leads]
    assert len(boardings) == 100
    assert all(boarding.kept and boarding.waited_s < 15 for boarding in followed)


def test_a_loop_that_was_closed_with_its_followers_does_not_disturb_the_landing() -> None:
    flights = Flights()
    loop = asyncio.new_event_loop()
    assert led(loop.run_until_complete(flights.board(asked("a"))))
    follower = loop.create_task(flights.board(asked("b")))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert not follower.done()
    asyncio.run(flights.land("a", kept=True))
    assert flights.count() == 0


@dataclass(frozen=True)
class Planned:
    """One question: when and where it is asked, what its asker does then."""

    at_s: float
    process: int
    key: str
    answers_s: float
    kept: bool | None
    ends: str
    """"lands", "vanishes" (never lands) or "cancelled"."""
    cancelled_after_s: float


plans = st.lists(
    st.builds(
        Planned,
        at_s=st.floats(0, 20),
        process=st.integers(0, 2),
        key=st.sampled_from(["a 1", "a 2", "b 1", "退 1", "退 2"]),
        answers_s=st.floats(0, 15),
        kept=st.sampled_from([True, False, None]),
        ends=st.sampled_from(["lands", "lands", "lands", "vanishes", "cancelled"]),
        cancelled_after_s=st.floats(0, 12),
    ),
    min_size=2,
    max_size=25,
)


@dataclass
class Watched:
    """Plays a plan and holds it against what must never happen."""

    flights: Sequence[Flights]
    one_leader_over_all: bool
    leaders: dict[tuple[int, str], tuple[str, float]] = field(default_factory=dict)
    landings: dict[str, bool | None] = field(default_factory=dict)

    async def play(self, plan: Sequence[Planned], *, alike: bool) -> None:
        await asyncio.gather(*[self._ask(str(n), one, alike) for n, one in enumerate(plan)])
        # Leaders that vanished are given up in the end.
        await asyncio.sleep(LEAD_S)
        assert [one.count() for one in self.flights] == [0] * len(self.flights)

    async def _ask(self, run: str, one: Planned, alike: bool) -> None:
        await asyncio.sleep(one.at_s)
        answering = asyncio.create_task(self._answer(run, one, alike))
        if one.ends == "cancelled":
            await asyncio.wait([answering], timeout=one.cancelled_after_s)
            answering.cancel()
        await asyncio.wait([answering])
        if not answering.cancelled():
            answering.result()

    async def _answer(self, run: str, one: Planned, alike: bool) -> None:
        flights, begun = self.flights[one.process % len(self.flights)], now()
        question = asked(run, one.key)
        try:
            boarding = await flights.board(question, alike=first_word(question, takes_s=0.01) if alike else None)
            # Comparing comes on top of the waiting.
            assert now() - begun <= WAIT_S + 0.5
            if not led(boarding):
                self._check(boarding)
                return
            self._lead(run, one)
            await asyncio.sleep(one.answers_s)
        finally:
            if one.ends != "vanishes":
                self._land(run, one)
                await flights.land(run, kept=one.kept)

    def _lead(self, run: str, one: Planned) -> None:
        place = -1 if self.one_leader_over_all else one.process, one.key
        _, until = self.leaders.get(place, ("", 0.0))
        assert until <= now() + SOON_S, "two lead at the same time"
        self.leaders[place] = run, now() + LEAD_S

    def _land(self, run: str, one: Planned) -> None:
        place = -1 if self.one_leader_over_all else one.process, one.key
        if self.leaders.get(place, ("", 0.0))[0] == run:
            del self.leaders[place]
            self.landings[run] = one.kept

    def _check(self, boarding: Boarding) -> None:
        assert boarding.waited_for is not None
        if boarding.landed:
            assert self.landings[boarding.waited_for] is boarding.kept
        else:
            assert boarding.waited_s >= WAIT_S - SOON_S


@settings(max_examples=60, deadline=None)
@given(plan=plans, alike=st.booleans(), processes=st.sampled_from([1, 3]))
def test_whatever_happens_one_leads_and_nobody_waits_too_long(plan: list[Planned], alike: bool, processes: int) -> None:
    @jumping
    async def play() -> None:
        leases = SharedLeases() if processes > 1 else None
        watched = Watched([new_flights(leases) for _ in range(processes)], one_leader_over_all=True)
        await watched.play(plan, alike=alike)

    play()


@settings(max_examples=30, deadline=None)
@given(plan=plans, seed=st.integers(0, 1000))
def test_whatever_happens_to_the_leases_one_leads_in_each_process(plan: list[Planned], seed: int) -> None:
    draw = random.Random(seed)

    async def disturb(leases: SharedLeases) -> None:
        while True:
            await asyncio.sleep(draw.uniform(0, 5))
            leases.lost = not leases.lost

    @jumping
    async def play() -> None:
        leases = SharedLeases()
        disturbing = asyncio.create_task(disturb(leases))
        watched = Watched([new_flights(leases) for _ in range(3)], one_leader_over_all=False)
        await watched.play(plan, alike=False)
        disturbing.cancel()

    play()
