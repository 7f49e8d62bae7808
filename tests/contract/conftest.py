"""One real Redis for all tests of stores, emptied before each test that uses it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from redis.asyncio import Redis

from groat.cache import RedisStore
from tests.redis_server import RedisServer, serve_redis
from tests.redis_stores import patient


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("stores")) as server:
        yield server


@pytest.fixture
async def redis(store_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of the server, which is empty."""
    async with Redis.from_url(store_server.url, decode_responses=True) as client:
        await client.flushall()
        yield client


@pytest.fixture
async def redis_store(store_server: RedisServer, redis: Redis) -> AsyncIterator[RedisStore]:
    """A store in the server, which is empty."""
    async with aclosing(patient(store_server.url)) as store:
        yield store


@pytest.fixture
def store(redis_store: RedisStore) -> RedisStore:
    """The store under test, where a module has no other."""
    return redis_store
