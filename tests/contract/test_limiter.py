"""The laws of ``Limiter``, in one process and through Redis."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from groat.answering.limits import Limiter, Limits, ProcessLimiter
from groat.answering.limits_redis import RedisLimiter
from groat.errors import SettingsError, StorageError
from tests.redis_server import RedisServer, serve_redis

WINDOW_S = 0.3
LATE_S = 0.15
"""How late a busy machine may run a test's step."""
_scopes = (f"scope {n} 模型" for n in range(10_000))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def scope() -> str:
    return next(_scopes)


@pytest.fixture(params=["process", "redis"])
async def limiter(request: pytest.FixtureRequest, redis_server: RedisServer) -> AsyncIterator[Limiter]:
    if request.param == "process":
        yield ProcessLimiter()
    else:
        shared = RedisLimiter(redis_server.url)
        yield shared
        await shared.aclose()


@pytest.fixture
async def shared(redis_server: RedisServer) -> AsyncIterator[tuple[RedisLimiter, RedisLimiter]]:
    """Two processes, as far as Redis can tell."""
    first, second = RedisLimiter(redis_server.url), RedisLimiter(redis_server.url)
    yield first, second
    await first.aclose()
    await second.aclose()


def limits(requests: int | None = None, tokens: int | None = None, *, window_s: float = WINDOW_S) -> Limits:
    return Limits(requests=requests, tokens=tokens, window_s=window_s)


async def taken_after(limiter: Limiter, scope: str, bounds: Limits, tokens: int, lease: str) -> float:
    """Ask as a caller does and return the seconds until the slot was given."""
    begun = time.monotonic()
    async with asyncio.timeout(5):
        while (wait := await limiter.take(scope, bounds, tokens, lease)) > 0:
            assert wait <= bounds.window_s + 0.001
            await asyncio.sleep(wait)
    return time.monotonic() - begun


async def test_calls_in_flight_hold_their_slots(limiter: Limiter, scope: str) -> None:
    bounds = limits(requests=2)
    assert [await limiter.take(scope, bounds, 0, lease) for lease in "ab"] == [0.0, 0.0]
    await asyncio.sleep(WINDOW_S * 1.2)
    assert 0 < await limiter.take(scope, bounds, 0, "c") <= WINDOW_S


async def test_a_slot_is_free_one_window_after_its_call_ended(limiter: Limiter, scope: str) -> None:
    bounds = limits(requests=1)
    await limiter.take(scope, bounds, 0, "a")
    await asyncio.sleep(WINDOW_S / 2)
    await limiter.end(scope, bounds, "a", 0)
    assert WINDOW_S - LATE_S < await limiter.take(scope, bounds, 0, "b") <= WINDOW_S
    assert WINDOW_S - 0.01 <= await taken_after(limiter, scope, bounds, 0, "b") + 0.01 < WINDOW_S + LATE_S


async def test_tokens_in_flight_and_just_ended_count_together(limiter: Limiter, scope: str) -> None:
    bounds = limits(tokens=100)
    assert await limiter.take(scope, bounds, 60, "a") == 0.0
    assert await limiter.take(scope, bounds, 41, "b") > 0
    assert await limiter.take(scope, bounds, 40, "c") == 0.0
    await limiter.end(scope, bounds, "a", 60)
    assert await limiter.take(scope, bounds, 1, "d") > 0
    await taken_after(limiter, scope, bounds, 60, "d")
    assert await limiter.take(scope, bounds, 1, "e") > 0


async def test_what_a_call_really_used_replaces_what_it_held(limiter: Limiter, scope: str) -> None:
    bounds = limits(tokens=100)
    await limiter.take(scope, bounds, 100, "a")
    await limiter.end(scope, bounds, "a", 30)
    assert await limiter.take(scope, bounds, 71, "b") > 0
    assert await limiter.take(scope, bounds, 70, "b") == 0.0
    await limiter.end(scope, bounds, "b", 700)
    assert await limiter.take(scope, bounds, 0, "c") > 0


async def test_a_call_larger_than_the_limit_goes_alone(limiter: Limiter, scope: str) -> None:
    bounds = limits(tokens=100)
    assert await limiter.take(scope, bounds, 1, "small") == 0.0
    assert await limiter.take(scope, bounds, 500, "large") > 0
    await limiter.end(scope, bounds, "small", 1)
    assert await taken_after(limiter, scope, bounds, 500, "large") > WINDOW_S - LATE_S
    assert await limiter.take(scope, bounds, 1, "next") > 0


async def test_the_wait_is_for_the_calls_whose_end_frees_enough(limiter: Limiter, scope: str) -> None:
    bounds = limits(tokens=100, window_s=1.0)
    for lease, tokens in (("a", 10), ("b", 60), ("c", 30)):
        await limiter.take(scope, bounds, tokens, lease)
    await limiter.end(scope, bounds, "a", 10)
    await asyncio.sleep(0.3)
    await limiter.end(scope, bounds, "b", 60)
    await limiter.end(scope, bounds, "c", 30)
    assert 0.7 - LATE_S < await limiter.take(scope, bounds, 10, "d") <= 0.7
    assert 1.0 - LATE_S < await limiter.take(scope, bounds, 11, "d") <= 1.0


async def test_a_large_call_gets_through_after_many_small_ones(limiter: Limiter, scope: str) -> None:
    bounds = limits(tokens=130)
    for n in range(130):
        await limiter.take(scope, bounds, 1, str(n))
        await limiter.end(scope, bounds, str(n), 1)
    assert await taken_after(limiter, scope, bounds, 130, "large") < WINDOW_S + LATE_S


async def test_no_limit_lets_everything_through(limiter: Limiter, scope: str) -> None:
    assert [await limiter.take(scope, limits(), 10**9, str(n)) for n in range(20)] == [0.0] * 20


async def test_scopes_do_not_share(limiter: Limiter, scope: str) -> None:
    bounds = limits(requests=1)
    assert await limiter.take(scope, bounds, 0, "a") == 0.0
    assert await limiter.take(f"{scope} other", bounds, 0, "a") == 0.0


async def test_a_pause_holds_for_all_and_a_shorter_one_does_not_end_it(limiter: Limiter, scope: str) -> None:
    await limiter.pause(scope, 0.4)
    await limiter.pause(scope, 0.1)
    assert 0.4 - LATE_S < await limiter.take(scope, limits(), 0, "a") <= 0.4
    await limiter.take(f"{scope} other", limits(), 0, "a")
    await asyncio.sleep(0.41)
    assert await limiter.take(scope, limits(), 0, "a") == 0.0


async def test_an_end_without_a_beginning_changes_nothing(limiter: Limiter, scope: str) -> None:
    bounds = limits(requests=1, tokens=10)
    await limiter.end(scope, bounds, "unknown", 10)
    assert await limiter.take(scope, bounds, 10, "a") == 0.0
    await limiter.end(scope, bounds, "a", 4)
    await limiter.end(scope, bounds, "a", 10)
    assert await limiter.take(scope, limits(tokens=10), 6, "b") == 0.0


async def test_a_lease_may_fly_again_and_its_last_flight_still_counts(limiter: Limiter, scope: str) -> None:
    bounds = limits(requests=2)
    for _ in range(2):
        assert await limiter.take(scope, bounds, 0, "a") == 0.0
        await limiter.end(scope, bounds, "a", 0)
    assert await limiter.take(scope, bounds, 0, "a") > 0


@dataclass(frozen=True)
class Planned:
    """One call: when it is asked for, how long it takes, when the server counts it, and what it holds and uses."""

    at_s: float
    lasts_s: float
    counted: float
    holds: int
    uses: int


@dataclass(frozen=True)
class Arrival:
    at: float
    tokens: int


async def fly(limiter: Limiter, scope: str, bounds: Limits, plan: Sequence[Planned], prefix: str = "") -> list[Arrival]:
    """Make the calls all at once and return when the server counted each."""

    async def call(number: int, planned: Planned) -> Arrival:
        await asyncio.sleep(planned.at_s)
        await taken_after(limiter, scope, bounds, planned.holds, f"{prefix}{number}")
        await asyncio.sleep(planned.lasts_s * planned.counted)
        arrival = Arrival(time.monotonic(), planned.uses)
        await asyncio.sleep(planned.lasts_s * (1 - planned.counted))
        await limiter.end(scope, bounds, f"{prefix}{number}", planned.uses)
        return arrival

    return await asyncio.gather(*[call(n, planned) for n, planned in enumerate(plan)])


def fullest_windows(arrivals: Sequence[Arrival], window_s: float) -> tuple[int, int]:
    """Return the most requests, and the most tokens of several requests, in any window that ends with an arrival."""
    windows = [[one for one in arrivals if last.at - window_s < one.at <= last.at] for last in arrivals]
    return max(map(len, windows)), max(sum(one.tokens for one in window) if len(window) > 1 else 0 for window in windows)


plans = st.lists(
    st.builds(
        Planned,
        at_s=st.floats(0, 0.1),
        lasts_s=st.floats(0, 0.05),
        counted=st.floats(0, 1),
        holds=st.integers(10, 70),
        uses=st.integers(0, 10),
    ),
    min_size=2,
    max_size=12,
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=plans, requests=st.integers(1, 4), tokens=st.integers(20, 100), kind=st.sampled_from(["process", "redis"]))
def test_no_window_is_ever_exceeded(
    redis_server: RedisServer, plan: list[Planned], requests: int, tokens: int, kind: str
) -> None:
    bounds = limits(requests, tokens, window_s=0.05)

    async def run() -> list[Arrival]:
        if kind == "process":
            return await fly(ProcessLimiter(), "plan", bounds, plan)
        shared = RedisLimiter(redis_server.url)
        try:
            return await fly(shared, next(_scopes), bounds, plan)
        finally:
            await shared.aclose()

    most_requests, most_tokens = fullest_windows(asyncio.run(run()), bounds.window_s)
    assert most_requests <= requests
    assert most_tokens <= tokens


async def test_two_processes_share_one_limit_and_use_it_up(shared: tuple[RedisLimiter, RedisLimiter], scope: str) -> None:
    draw = random.Random(7)
    plan = [Planned(draw.random() * 0.3, draw.random() * 0.05, draw.random(), 10, draw.randint(5, 10)) for _ in range(60)]
    bounds = limits(requests=20, tokens=150)
    begun = time.monotonic()
    halves = await asyncio.gather(
        fly(shared[0], scope, bounds, plan[::2]),
        fly(shared[1], scope, bounds, plan[1::2], "other "),
    )
    arrivals = [arrival for half in halves for arrival in half]
    most_requests, most_tokens = fullest_windows(arrivals, WINDOW_S)
    assert most_requests <= 20
    assert most_tokens <= 150
    assert most_tokens > 100
    assert time.monotonic() - begun < 60 / 15 * (WINDOW_S + 0.05) + 1


async def test_a_call_that_never_ends_is_given_up(redis_server: RedisServer, scope: str) -> None:
    limiter = RedisLimiter(redis_server.url, abandoned_after_s=0.2)
    bounds = limits(requests=1, tokens=10)
    assert await limiter.take(scope, bounds, 10, "dead") == 0.0
    assert 0.5 - LATE_S < await taken_after(limiter, scope, bounds, 10, "next") < 0.5 + LATE_S
    await limiter.end(scope, bounds, "dead", 10)
    assert await limiter.take(scope, limits(tokens=11), 1, "small") == 0.0
    await limiter.aclose()


async def test_a_repeated_step_takes_once(shared: tuple[RedisLimiter, RedisLimiter], scope: str) -> None:
    bounds = limits(requests=2, tokens=10)
    assert [await shared[0].take(scope, bounds, 5, "a") for _ in range(3)] == [0.0] * 3
    assert await shared[1].take(scope, bounds, 5, "b") == 0.0


async def test_redis_keeps_nothing_for_ever(
    redis_server: RedisServer, shared: tuple[RedisLimiter, RedisLimiter], scope: str
) -> None:
    bounds = limits(requests=5)
    for lease in "ab":
        await shared[0].take(scope, bounds, 5, lease)
    await shared[0].end(scope, bounds, "a", 5)
    await shared[0].pause(scope, 1.0)
    async with Redis.from_url(redis_server.url, decode_responses=True) as client:
        parts = ["flying", "ended", "tokens", "held", "pause"]
        lives_ms = [await client.pttl(f"groat:limits:{{{scope}}}:{part}") for part in parts]
        known = [key for key in await client.keys("*") if f"{{{scope}}}" in str(key)]
    assert len(known) == len(parts)
    assert all(600_000 < life_ms <= 602_000 for life_ms in lives_ms[:4])
    assert 0 < lives_ms[4] <= 1001


async def test_a_long_rest_leaves_no_tokens_behind(shared: tuple[RedisLimiter, RedisLimiter], scope: str) -> None:
    bounds = limits(tokens=100, window_s=0.1)
    for lease in "ab":
        await shared[0].take(scope, bounds, 50, lease)
    await shared[0].end(scope, bounds, "a", 50)
    await asyncio.sleep(1.2)
    assert await shared[0].take(scope, bounds, 50, "c") == 0.0


def test_it_works_in_one_event_loop_after_another(redis_server: RedisServer, scope: str) -> None:
    limiter = RedisLimiter(redis_server.url)

    async def take(lease: str) -> float:
        try:
            return await limiter.take(scope, limits(requests=1), 0, lease)
        finally:
            await limiter.aclose()

    assert asyncio.run(take("a")) == 0.0
    assert asyncio.run(take("b")) > 0


async def quickly(step: Callable[[], Awaitable[object]], expected: str) -> None:
    begun = time.monotonic()
    with pytest.raises(StorageError) as caught:
        await step()
    assert str(caught.value) == expected
    assert time.monotonic() - begun < 1.5


async def test_redis_that_dies_in_mid_run_is_told_at_once(tmp_path_factory: pytest.TempPathFactory, scope: str) -> None:
    with serve_redis(tmp_path_factory.mktemp("dying")) as server:
        limiter = RedisLimiter(server.url)
        assert await limiter.take(scope, limits(requests=5), 0, "a") == 0.0
        server.kill()
        told = f"the call limits in Redis at 127.0.0.1:{server.port} cannot be reached; start Redis, or correct the address"
        await quickly(lambda: limiter.end(scope, limits(), "a", 0), told)
        await quickly(lambda: limiter.take(scope, limits(), 0, "b"), told)
        await quickly(lambda: limiter.pause(scope, 1.0), told)
        await limiter.aclose()


async def test_redis_that_hangs_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        limiter = RedisLimiter(f"redis://127.0.0.1:{port}/0")
        told = f"the call limits in Redis at 127.0.0.1:{port} did not answer in time; check that Redis is well and near"
        await quickly(lambda: limiter.take("s", limits(), 0, "a"), told)
        await limiter.aclose()


async def test_redis_that_comes_back_is_used_again(tmp_path_factory: pytest.TempPathFactory, scope: str) -> None:
    folder = tmp_path_factory.mktemp("restarted")
    with serve_redis(folder) as first:
        limiter = RedisLimiter(first.url)
        await limiter.take(scope, limits(), 0, "a")
        first.kill()
        with serve_redis(folder, port=first.port):
            assert await limiter.take(scope, limits(), 0, "b") == 0.0
            await limiter.aclose()


async def test_a_wrong_password_is_told_without_the_password(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serve_redis(tmp_path_factory.mktemp("closed"), "--requirepass", "right") as server:
        limiter = RedisLimiter(f"redis://:wrong-secret@127.0.0.1:{server.port}/0")
        told = (
            f"the call limits in Redis at 127.0.0.1:{server.port} are closed to this name and password, "
            "or to its scripts; correct them in the address or at Redis"
        )
        await quickly(lambda: limiter.take("s", limits(), 0, "a"), told)
        await limiter.aclose()


async def test_a_full_redis_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    with serve_redis(tmp_path_factory.mktemp("full"), "--maxmemory", "1", "--maxmemory-policy", "noeviction") as server:
        limiter = RedisLimiter(server.url)
        told = f"the call limits in Redis at 127.0.0.1:{server.port} cannot be kept, since its memory is full; give it more"
        await quickly(lambda: limiter.take("s", limits(), 0, "a"), told)
        await limiter.aclose()


async def test_an_address_that_is_none_is_told_at_first_use_without_its_password() -> None:
    with pytest.raises(SettingsError) as caught:
        await RedisLimiter("http://:secret@host").take("s", limits(), 0, "a")
    assert str(caught.value) == "the address of Redis for the call limits cannot be used; write it as redis://host:6379/0"
