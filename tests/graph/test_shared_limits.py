"""Rate limits that several processes share, measured where they count: at the server."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from groat.answering import Answerer, Gate, Limits, Patience, ProcessLimiter
from groat.answering.limits_redis import RedisLimiter
from tests.model_server import Limits as Enforced
from tests.model_server import ModelServer, Says, serve_model
from tests.redis_server import RedisServer, serve_redis
from tests.served import served

LIMITS = Limits(requests=8, window_s=0.4)
SERVED_LIMITS = Enforced(requests=8, tokens=10**9, window_s=0.4)
CALLS = 20


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with serve_redis(tmp_path) as server:
        yield server


async def ask_all(url: str, redis_url: str, calls: int) -> list[str]:
    """Ask the model on ``url`` so often, all at once, within the limits that Redis counts; return what it said."""
    shared = RedisLimiter(redis_url)

    endpoint = served(ModelServer([], url=url), limits=LIMITS)
    answerer = Answerer(
        {"cheap": endpoint, "expensive": endpoint}, gate=Gate(ProcessLimiter(), shared), patience=Patience(tries=1)
    )
    replies = await asyncio.gather(*(answerer.answer([HumanMessage("hi")], tier="cheap") for _ in range(calls)))
    await shared.aclose()
    return [reply.text for reply, _ in replies]


def _process(url: str, redis_url: str) -> "subprocess.Popen[bytes]":
    code = (
        "import asyncio, json, sys; from tests.graph.test_shared_limits import ask_all;"
        "json.dump(asyncio.run(ask_all(sys.argv[1], sys.argv[2], int(sys.argv[3]))), sys.stdout)"
    )
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", code, url, redis_url, str(CALLS)], cwd=root, stdout=subprocess.PIPE)


def test_two_processes_together_never_exceed_a_limit_that_they_share(redis: RedisServer) -> None:
    with serve_model(Says(text="yes"), limits=SERVED_LIMITS) as server:
        processes = [_process(server.url, redis.url) for _ in range(2)]
        said = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
        assert said == [["yes"] * CALLS] * 2
        assert (server.violations, len(server.bill)) == (0, 2 * CALLS)
        assert max(traced.requests_in_window for traced in server.trace()) > 1


async def test_with_redis_gone_each_process_keeps_its_own_limit_and_every_call_is_answered(redis: RedisServer) -> None:
    with serve_model(Says(text="yes"), limits=SERVED_LIMITS) as server:
        asking = asyncio.create_task(ask_all(server.url, redis.url, CALLS))
        await asyncio.sleep(0.5)
        redis.kill()
        assert await asking == ["yes"] * CALLS
        assert (server.violations, len(server.bill)) == (0, CALLS)
