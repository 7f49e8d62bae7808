"""Questions that are alike, in flight in several processes, through a real Redis."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from itertools import count

import numpy as np
import pytest
from redis.asyncio import Redis

from groat.cache import flight_scripts
from groat.cache.flight import Boarding, Flights, Flying
from groat.cache.flight_redis import RedisLeases
from groat.types import Language
from tests.redis_server import RedisServer

PATIENCE_S = 5.0
SOON_S = 120.0
"""A busy machine may take so long to start a process."""
EN = ("return a lamp", "return my lamp", "return lamps")
ZH = ("退货 怎么办", "退货 流程", "退货 怎样做")
_numbers = count()


@pytest.fixture
def group() -> str:
    return f"identity {next(_numbers)}"


@pytest.fixture
async def two(store_server: RedisServer) -> AsyncIterator[tuple[Flights, Flights]]:
    """Two processes, as far as Redis can tell."""
    async with at(store_server) as first, at(store_server) as second:
        yield Flights(first, wait_s=20), Flights(second, wait_s=20)


@asynccontextmanager
async def at(server: RedisServer, *, lease_s: float = 5.0) -> AsyncIterator[RedisLeases]:
    async with aclosing(RedisLeases(server.url, lease_s=lease_s, patience_s=PATIENCE_S)) as leases:
        yield leases


def asked(run: str, text: str, group: str, *, language: Language = "en", embedder: str = "nano") -> Flying:
    vector = np.array([0.6, 0.8], dtype=np.float32)
    return Flying(run=run, group=group, key=f"{group} {text}", text=text, language=language, vector=vector, embedder=embedder)


async def first_word(flying: Sequence[Flying], text: str) -> str | None:
    """By this rule questions are alike that begin with the same word."""
    return next((other.key for other in flying if other.text.split()[0] == text.split()[0]), None)


async def never(flying: Sequence[Flying]) -> str | None:
    raise AssertionError(f"it was asked for {flying}")


_ASKER = """
import asyncio, json, sys
import numpy as np
from groat.cache.flight import Boarding, Flights, Flying
from groat.cache.flight_redis import RedisLeases

async def ask(flights, run, text, group, answers_s):
    language = "en" if text.isascii() else "zh"
    vector = np.array([0.6, 0.8], dtype=np.float32)
    question = Flying(run=run, group=group, key=text, text=text, language=language, vector=vector, embedder="nano")

    async def alike(flying):
        return next((one.key for one in flying if one.text.split()[0] == text.split()[0]), None)

    boarding = await flights.board(question, alike=alike)
    print(json.dumps([run, boarding.leads, boarding.kept, boarding.waited_for]), flush=True)
    if boarding.leads:
        await asyncio.sleep(float(answers_s))
        await flights.land(run, kept=True)

async def main(url, name, group, answers_s, *texts):
    flights = Flights(RedisLeases(url, lease_s=1.5, patience_s=5), wait_s=30)
    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*[ask(flights, f"{name} {text}", text, group, answers_s) for text in texts])

asyncio.run(main(*sys.argv[1:]))
"""


async def process(server: RedisServer, name: str, group: str, *texts: str, answers_s: float) -> Process:
    """Start a process that asks these questions at once when it is told to."""
    command = [sys.executable, "-c", _ASKER, server.url, name, group, str(answers_s), *texts]
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)


async def line(one: Process) -> str:
    assert one.stdout is not None
    async with asyncio.timeout(SOON_S):
        return (await one.stdout.readline()).decode().strip()


def go(one: Process) -> None:
    assert one.stdin is not None
    one.stdin.write(b"go\n")


async def test_of_processes_that_ask_the_same_in_other_words_at_once_one_leads_in_each_language(
    store_server: RedisServer, group: str
) -> None:
    texts = list(zip(EN, ZH, strict=True))
    asking = [await process(store_server, f"{n}", group, *both, answers_s=2) for n, both in enumerate(texts)]
    try:
        assert await asyncio.gather(*map(line, asking)) == ["ready"] * 3
        for one in asking:
            go(one)
        boardings = [json.loads(await line(one)) for one in asking for _ in range(2)]
    finally:
        for one in asking:
            with suppress(ProcessLookupError):  # it may be done
                one.kill()
            await one.wait()
    for language in (EN, ZH):
        own = [one for one in boardings if one[0][2:] in language]
        (leader,) = [run for run, leads, _, _ in own if leads]
        assert [one[1:] for one in own if one[0] != leader] == [[False, True, leader]] * 2


async def test_who_waits_for_a_process_that_was_killed_leads_when_its_lease_is_over(
    store_server: RedisServer, two: tuple[Flights, Flights], group: str
) -> None:
    leader = await process(store_server, "other", group, EN[0], ZH[0], answers_s=60)
    try:
        await line(leader)
        go(leader)
        assert [json.loads(await line(leader))[1] for _ in range(2)] == [True, True]
        questions = [asked("b", EN[1], group), asked("c", ZH[1], group, language="zh")]
        followers = [asyncio.create_task(board(two[0], one)) for one in questions]
        # Longer than a lease: a living leader keeps it.
        await asyncio.sleep(2.5)
        assert not any(one.done() for one in followers)
    finally:
        leader.kill()
        await leader.wait()
    killed = time.monotonic()
    boardings = await asyncio.gather(*followers)
    assert [(one.leads, one.waited_for) for one in boardings] == [(True, f"other {EN[0]}"), (True, f"other {ZH[0]}")]
    assert time.monotonic() - killed < 5
    for one in questions:
        await two[0].land(one.run, kept=True)


async def board(flights: Flights, question: Flying) -> Boarding:
    return await flights.board(question, alike=lambda flying: first_word(flying, question.text))


async def test_another_identity_another_embedder_and_other_questions_are_never_waited_for(
    two: tuple[Flights, Flights], group: str
) -> None:
    assert (await board(two[0], asked("a", EN[0], group))).leads
    assert (await two[1].board(asked("b", EN[1], f"{group} of another tenant"), alike=never)).leads
    assert (await two[1].board(asked("c", EN[1], group, embedder="other"), alike=never)).leads
    assert (await board(two[1], asked("d", "pay a bill", group))).leads


async def test_a_question_that_only_an_equal_one_may_share_is_neither_shown_nor_compared(
    two: tuple[Flights, Flights], group: str
) -> None:
    alone = Flying(run="a", group=group, key="one", text=EN[0], language="en")
    assert (await two[0].board(alone, alike=never)).leads
    assert (await two[1].board(asked("b", EN[1], group), alike=never)).leads
    other = Flying(run="c", group=group, key="two", text=EN[2], language="en")
    assert (await two[0].board(other)).leads


async def test_a_question_that_landed_is_not_waited_for(two: tuple[Flights, Flights], group: str) -> None:
    assert (await board(two[0], asked("a", EN[0], group))).leads
    await two[0].land("a", kept=True)
    assert (await two[1].board(asked("b", EN[1], group), alike=never)).leads


async def test_redis_keeps_no_question_longer_than_a_lease(
    store_server: RedisServer, redis: Redis, two: tuple[Flights, Flights], group: str
) -> None:
    for n in range(3):
        await board(two[n % 2], asked(str(n), f"{n} 问题", group))
    names = [str(name) async for name in redis.scan_iter("*") if ":flying:" in str(name)]
    assert len(names) == 1
    assert await redis.hlen(names[0]) == 3
    assert 0 < await redis.pttl(names[0]) <= 5000
    await two[0].land("0", kept=True)
    assert await redis.hlen(names[0]) == 2


async def test_no_more_questions_are_shown_than_can_be_compared_and_the_others_lead_all_the_same(
    store_server: RedisServer, redis: Redis, group: str
) -> None:
    async with at(store_server, lease_s=60) as leases:
        flights = Flights(leases)
        for n in range(flight_scripts.MOST_SHOWN + 5):
            assert (await board(flights, asked(str(n), f"{n} question", group))).leads
        names = [str(name) async for name in redis.scan_iter("*") if ":flying:" in str(name)]
        assert [await redis.hlen(name) for name in names] == [flight_scripts.MOST_SHOWN]


@pytest.mark.parametrize(
    "content",
    [
        "run a\n", "run a\n{}\n", 'run a\n{"text": "return a lamp", "language": "en"}\nxxx',
        'run a\n{"text": "return a lamp", "language": "en"}\nxxxxxxxxxxxx', 'run a\n{"text": 1, "language": "en"}\nxxxxxxxx',
        'run a\n{"text": "return a lamp", "language": "fr"}\nxxxxxxxx', "run a\n[]\nxxxxxxxx",
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_not_waited_for(
    store_server: RedisServer, redis: Redis, two: tuple[Flights, Flights], group: str, content: str
) -> None:
    leader = asked("run a", EN[0], group)
    assert (await board(two[0], leader)).leads
    await redis.hset(flight_scripts.keys(leader)[2], leader.key, content)
    assert (await board(two[1], asked("b", EN[1], group))).leads
