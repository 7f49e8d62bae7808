"""The laws of ``Leases``, and flights that several processes share, through a real Redis."""

import asyncio
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from groat.cache.flight import Flights, Flying
from groat.cache.flight_redis import RedisLeases
from groat.errors import SettingsError, StorageError
from tests.redis_server import RedisServer, serve_redis

PATIENCE_S = 5.0
"""A busy machine may take longer for a step than is allowed in earnest."""
_names = (f"question {n} 问题" for n in range(10_000))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def name() -> str:
    return next(_names)


@asynccontextmanager
async def leases_at(url: str, *, lease_s: float = 5.0, patience_s: float = PATIENCE_S) -> AsyncIterator[RedisLeases]:
    leases = RedisLeases(url, lease_s=lease_s, patience_s=patience_s)
    try:
        yield leases
    finally:
        await leases.aclose()


@pytest.fixture
async def leases(redis_server: RedisServer) -> AsyncIterator[tuple[RedisLeases, RedisLeases]]:
    """Two processes, as far as Redis can tell."""
    async with leases_at(redis_server.url) as first, leases_at(redis_server.url) as second:
        yield first, second


@pytest.fixture
def flights(leases: tuple[RedisLeases, RedisLeases]) -> tuple[Flights, Flights]:
    return Flights(leases[0], wait_s=20), Flights(leases[1], wait_s=20)


def asked(run: str, key: str) -> Flying:
    return Flying(run=run, group="g", key=key, text=key, language="en")


def told(port: int, advice: str) -> str:
    return f"questions share an answer within one process only, since Redis at 127.0.0.1:{port} {advice}"


async def test_one_run_has_a_name_until_it_gives_it_back(leases: tuple[RedisLeases, RedisLeases], name: str) -> None:
    first, second = leases
    assert (await first.take(asked("a", name), lead_s=30)).holder == "a"
    assert (await first.take(asked("a", name), lead_s=30)).holder == "a"
    assert (await second.take(asked("b", name), lead_s=30)).holder == "a"
    await second.release(asked("b", name), kept=True)
    assert (await second.take(asked("b", name), lead_s=30)).holder == "a"
    await first.release(asked("a", name), kept=True)
    assert (await second.take(asked("b", name), lead_s=30)).holder == "b"
    assert (await first.take(asked("a", f"{name} other"), lead_s=30)).holder == "a"


@pytest.mark.parametrize("kept", [True, False, None])
@pytest.mark.parametrize("first_waits", [True, False], ids=["waits first", "lands first"])
async def test_who_waits_is_told_how_the_leader_landed(
    leases: tuple[RedisLeases, RedisLeases], name: str, kept: bool | None, first_waits: bool
) -> None:
    first, second = leases
    await first.take(asked("a", name), lead_s=30)
    begun = time.monotonic()
    waiting = asyncio.create_task(second.landing(asked("a", name), within_s=20))
    if first_waits:
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await first.release(asked("a", name), kept=kept)
    assert await waiting is kept
    assert time.monotonic() - begun < 5


async def test_a_landing_can_be_told_while_another_run_leads(leases: tuple[RedisLeases, RedisLeases], name: str) -> None:
    first, second = leases
    await first.take(asked("a", name), lead_s=30)
    await first.release(asked("a", name), kept=True)
    await first.take(asked("b", name), lead_s=30)
    assert await second.landing(asked("a", name), within_s=20) is True
    assert await second.landing(asked("never led", name), within_s=20) is None


async def test_nobody_waits_longer_than_told(leases: tuple[RedisLeases, RedisLeases], name: str) -> None:
    first, second = leases
    await first.take(asked("a", name), lead_s=30)
    begun = time.monotonic()
    assert await second.landing(asked("a", name), within_s=0.6) is None
    assert 0.6 <= time.monotonic() - begun < 3


async def test_more_can_wait_than_there_are_connections_to_wait_with(
    redis_server: RedisServer, leases: tuple[RedisLeases, RedisLeases], name: str
) -> None:
    first, second = leases
    names = [f"{name} {n}" for n in range(40)]
    for one in names:
        await first.take(asked("a", one), lead_s=30)
    waiting = [asyncio.create_task(second.landing(asked("a", one), within_s=20)) for one in names]
    listening = []
    async with Redis.from_url(redis_server.url) as client:
        for _ in range(10):
            await asyncio.sleep(0.05)
            listening.append((await client.info("clients"))["blocked_clients"])
    assert 0 < max(listening) <= 4
    for one in names:
        await first.release(asked("a", one), kept=True)
    assert await asyncio.gather(*waiting) == [True] * 40


async def test_a_lease_is_renewed_until_the_time_to_lead_is_over(redis_server: RedisServer, name: str) -> None:
    async with leases_at(redis_server.url, lease_s=0.9) as first, leases_at(redis_server.url) as second:
        begun = time.monotonic()
        await first.take(asked("a", name), lead_s=3)
        await asyncio.sleep(2)
        if time.monotonic() - begun < 2.5:
            assert (await second.take(asked("b", name), lead_s=30)).holder == "a"
        assert await second.landing(asked("a", name), within_s=20) is None
        assert time.monotonic() - begun < 6
        assert (await second.take(asked("b", name), lead_s=30)).holder == "b"


async def test_redis_keeps_nothing_for_ever(
    redis_server: RedisServer, leases: tuple[RedisLeases, RedisLeases], name: str
) -> None:
    await leases[0].take(asked("a", name), lead_s=30)
    await leases[0].take(asked("b", f"{name} other"), lead_s=30)
    await leases[0].release(asked("b", f"{name} other"), kept=True)
    async with Redis.from_url(redis_server.url, decode_responses=True) as client:
        lives_ms = {key: await client.pttl(key) for key in await client.keys("*") if name in str(key)}
    assert len(lives_ms) == 2
    assert all(0 < life_ms <= 10_000 for life_ms in lives_ms.values())


@pytest.mark.parametrize("key", ["how do i return a lamp", "怎么退台灯"])
async def test_of_equal_questions_in_two_processes_one_leads(flights: tuple[Flights, Flights], name: str, key: str) -> None:
    key = f"{name} {key}"
    tasks = [asyncio.create_task(flights[n % 2].board(asked(str(n), key))) for n in range(40)]
    leader = (await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))[0].pop()
    await asyncio.sleep(0.5)
    assert [task for task in tasks if task.done()] == [leader]
    run = tasks.index(leader)
    landed = time.monotonic()
    await flights[run % 2].land(str(run), kept=True)
    boardings = await asyncio.gather(*tasks)
    assert time.monotonic() - landed < 5
    assert sum(boarding.leads for boarding in boardings) == 1
    assert all(boarding.kept and boarding.waited_for == str(run) for boarding in boardings if not boarding.leads)


async def test_all_go_on_at_once_when_the_leader_in_another_process_fails(flights: tuple[Flights, Flights], name: str) -> None:
    await flights[0].board(asked("a", name))
    tasks = [asyncio.create_task(flights[1].board(asked(str(n), name))) for n in range(10)]
    await asyncio.sleep(0.2)
    failed = time.monotonic()
    await flights[0].land("a", kept=False)
    boardings = await asyncio.gather(*tasks)
    assert time.monotonic() - failed < 5
    assert {(boarding.leads, boarding.landed, boarding.kept) for boarding in boardings} == {(False, True, False)}


async def test_one_takes_over_when_the_leader_in_another_process_gives_up(flights: tuple[Flights, Flights], name: str) -> None:
    await flights[0].board(asked("a", name))
    tasks = [asyncio.create_task(flights[1].board(asked(str(n), name))) for n in range(5)]
    await asyncio.sleep(0.2)
    await flights[0].land("a", kept=None)
    boarding = await tasks[0]
    assert (boarding.leads, boarding.waited_for) == (True, "a")
    assert not any(task.done() for task in tasks[1:])
    await flights[1].land("0", kept=True)
    assert all(boarding.kept for boarding in (await asyncio.gather(*tasks))[1:])


async def test_a_slow_leader_in_another_process_is_not_waited_for(leases: tuple[RedisLeases, RedisLeases], name: str) -> None:
    slow, quick = Flights(leases[0]), Flights(leases[1], wait_s=0.5)
    await slow.board(asked("a", name))
    begun = time.monotonic()
    boarding = await quick.board(asked("b", name))
    assert (boarding.leads, boarding.landed) == (False, False)
    assert 0.5 <= time.monotonic() - begun < 3


async def test_a_follower_that_is_cancelled_leaves_the_leader_its_lease(flights: tuple[Flights, Flights], name: str) -> None:
    await flights[0].board(asked("a", name))
    follower = asyncio.create_task(flights[1].board(asked("b", name)))
    await asyncio.sleep(0.3)
    follower.cancel()
    await asyncio.wait([follower])
    other = asyncio.create_task(flights[1].board(asked("c", name)))
    await asyncio.sleep(0.3)
    assert not other.done()
    await flights[0].land("a", kept=True)
    assert (await other).kept


_LEADER = """
import asyncio, sys
from groat.cache.flight import Flights, Flying
from groat.cache.flight_redis import RedisLeases

async def lead(url, name):
    flights = Flights(RedisLeases(url, lease_s=1.5, patience_s=5))
    boarding = await flights.board(Flying(run="other process", group="g", key=name, text=name, language="en"))
    print(boarding.leads, flush=True)
    await asyncio.sleep(60)

asyncio.run(lead(*sys.argv[1:]))
"""


async def test_one_takes_over_from_a_process_that_was_killed(
    redis_server: RedisServer, leases: tuple[RedisLeases, RedisLeases], name: str
) -> None:
    command = [sys.executable, "-c", _LEADER, redis_server.url, name]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            assert (await process.stdout.readline()).strip() == b"True"
        flights = Flights(leases[0], wait_s=20)
        tasks = [asyncio.create_task(flights.board(asked(str(n), name))) for n in range(3)]
        # Longer than a lease: a living leader keeps it.
        await asyncio.sleep(3)
        assert not any(task.done() for task in tasks)
    finally:
        process.kill()
        await process.wait()
    killed = time.monotonic()
    boarding = await tasks[0]
    assert (boarding.leads, boarding.waited_for) == (True, "other process")
    assert time.monotonic() - killed < 5
    assert not any(task.done() for task in tasks[1:])
    await flights.land("0", kept=True)
    assert all(boarding.kept for boarding in (await asyncio.gather(*tasks))[1:])


async def test_a_redis_that_dies_while_one_waits_is_no_obstacle(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with serve_redis(tmp_path_factory.mktemp("dying")) as server:
        async with leases_at(server.url) as first, leases_at(server.url) as second:
            there, here = Flights(first, wait_s=20), Flights(second, wait_s=20)
            await there.board(asked("a", name))
            tasks = [asyncio.create_task(here.board(asked(str(n), name))) for n in range(3)]
            await asyncio.sleep(0.3)
            server.kill()
            killed = time.monotonic()
            assert (await tasks[0]).leads
            assert here.last_failure == told(server.port, "cannot be reached; start it, or correct the address")
            await here.land("0", kept=True)
            assert all(boarding.kept for boarding in (await asyncio.gather(*tasks))[1:])
            await there.land("a", kept=True)
            assert (await there.board(asked("b", name))).leads
            assert time.monotonic() - killed < 5


async def test_a_redis_that_comes_back_is_used_again(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("restarted")
    with serve_redis(folder) as server:
        async with leases_at(server.url) as first, leases_at(server.url) as second:
            await first.take(asked("a", name), lead_s=30)
            await second.take(asked("a", f"{name} other"), lead_s=30)
            server.kill()
            with pytest.raises(StorageError):
                await first.take(asked("a", name), lead_s=30)
            with serve_redis(folder, port=server.port):
                with pytest.raises(StorageError):  # it rests
                    await first.take(asked("a", name), lead_s=30)
                await asyncio.sleep(2.1)
                assert (await first.take(asked("a", name), lead_s=30)).holder == "a"
                assert (await second.take(asked("b", name), lead_s=30)).holder == "a"
                # Before the server ends, or its clients see the connection break while they close it.
                await first.aclose()
                await second.aclose()


async def test_a_landing_that_could_not_be_told_is_told_in_a_moment(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    with serve_redis(tmp_path_factory.mktemp("closed for a while")) as server:
        async with (
            leases_at(server.url, lease_s=3) as first,
            leases_at(server.url) as second,
            Redis.from_url(server.url) as client,
        ):
            await first.take(asked("a", name), lead_s=30)
            await client.acl_setuser("default", enabled=True, nopass=True, commands=["-evalsha"])
            with pytest.raises(StorageError):
                await first.release(asked("a", name), kept=True)
            await client.acl_setuser("default", enabled=True, nopass=True, commands=["+evalsha"])
            assert await second.landing(asked("a", name), within_s=10) is True


async def test_a_redis_that_hangs_delays_one_step_and_then_none(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        async with leases_at(f"redis://127.0.0.1:{port}/0", patience_s=0.05) as leases:
            flights = Flights(leases)
            begun = time.monotonic()
            assert (await flights.board(asked("a", name))).leads
            assert flights.last_failure == told(port, "did not answer in time; check that it is well and near")
            for n in range(200):
                assert (await flights.board(asked(str(n), f"{name} {n}"))).leads
                await flights.land(str(n), kept=True)
            # Each of them waiting would take 20 seconds.
            assert time.monotonic() - begun < 5
        assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_wrong_password_is_told_without_the_password(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with serve_redis(tmp_path_factory.mktemp("closed"), "--requirepass", "right") as server:
        async with leases_at(f"redis://:wrong-secret@127.0.0.1:{server.port}/0") as leases:
            flights = Flights(leases)
            assert (await flights.board(asked("a", name))).leads
            advice = "is closed to this name and password, or to its scripts; correct them in the address or at Redis"
            assert flights.last_failure == told(server.port, advice)


async def test_a_full_redis_is_told(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    with serve_redis(tmp_path_factory.mktemp("full"), "--maxmemory", "1", "--maxmemory-policy", "noeviction") as server:
        async with leases_at(server.url) as leases:
            flights = Flights(leases)
            assert (await flights.board(asked("a", name))).leads
            assert flights.last_failure is not None
            assert "free memory" in flights.last_failure


def test_an_address_that_is_none_is_told_when_it_is_given_without_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        RedisLeases("http://:secret@host")
    expected = "the address of Redis for questions in flight cannot be used; write it as redis://host:6379/0"
    assert str(caught.value) == expected


def test_it_works_in_one_event_loop_after_another(redis_server: RedisServer, name: str) -> None:
    leases = RedisLeases(redis_server.url, patience_s=PATIENCE_S)
    flights = Flights(leases, wait_s=0.2)

    async def board(run: str) -> bool:
        try:
            return (await flights.board(asked(run, name))).leads
        finally:
            await leases.aclose()

    async def land(run: str) -> None:
        try:
            await flights.land(run, kept=True)
        finally:
            await leases.aclose()

    assert asyncio.run(board("a"))
    assert not asyncio.run(board("b"))
    asyncio.run(land("a"))
    assert asyncio.run(board("c"))


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_one_leads_over_all_processes(redis_server: RedisServer, name: str, seed: int) -> None:
    draw = random.Random(seed)
    leading: dict[str, str] = {}

    async def ask(flights: Flights, run: str, key: str) -> None:
        await asyncio.sleep(draw.uniform(0, 2))
        kept = draw.choice([True, False, None])
        try:
            begun = time.monotonic()
            boarding = await flights.board(asked(run, key))
            assert time.monotonic() - begun < 15
            if boarding.leads:
                assert key not in leading
                leading[key] = run
                await asyncio.sleep(draw.uniform(0, 0.5))
        finally:
            if leading.get(key) == run:
                del leading[key]
            await flights.land(run, kept=kept)

    async def ask_and_maybe_leave(flights: Flights, run: str) -> None:
        asking = asyncio.create_task(ask(flights, run, f"{name} {draw.randrange(3)}"))
        await asyncio.wait([asking], timeout=draw.choice([0.5, 1.5, 30]))
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled():
            asking.result()

    async with leases_at(redis_server.url) as a, leases_at(redis_server.url) as b, leases_at(redis_server.url) as c:
        processes = [Flights(one, wait_s=10) for one in (a, b, c)]
        await asyncio.gather(*[ask_and_maybe_leave(draw.choice(processes), f"{name} {n}") for n in range(60)])
        assert [one.count() for one in processes] == [0, 0, 0]
    async with Redis.from_url(redis_server.url, decode_responses=True) as client:
        keys = [str(key) for key in await client.keys("*") if f"g:{name} " in str(key)]
    assert [key for key in keys if ":landed:" not in key] == []
