"""The laws of ``Tallies``, on every place."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from redis.asyncio import Redis

from groat.cache.tallies import Cell, MemoryTallies, Tallies
from groat.cache.tallies_redis import RedisTallies
from groat.cache.tallies_sqlite import SqliteTallies
from groat.errors import StorageError
from tests.redis_server import RedisServer

RIGHT = Cell("audit", "right", "zh", "judged", 28, "价格/运费")
WRONG = Cell("gray", "wrong", "across", "plain", -13, "general")
DROPPED = Cell("event", "dropped")


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Tallies, Tallies]]:
    """One place, as two processes see it."""
    match request.param:
        case "memory":
            yield (one := MemoryTallies()), one
        case "sqlite":
            path = tmp_path / "data" / "audits.sqlite"
            yield SqliteTallies(path), SqliteTallies(path)
        case _:
            server: RedisServer = request.getfixturevalue("store_server")
            async with Redis.from_url(server.url) as client:
                await client.flushall()
            async with aclosing(RedisTallies(server.url)) as here, aclosing(RedisTallies(server.url)) as there:
                yield here, there


async def test_counts_add_up_over_processes_and_come_back_under_their_cells(both: tuple[Tallies, Tallies]) -> None:
    here, there = both
    assert await here.read("v") == {}
    await here.add("v", {RIGHT: 2, WRONG: 1})
    await there.add("v", {RIGHT: 3, DROPPED: 40})
    await here.add("v", {})
    assert await here.read("v") == await there.read("v") == {RIGHT: 5, WRONG: 1, DROPPED: 40}


async def test_versions_are_counted_apart(both: tuple[Tallies, Tallies]) -> None:
    await both[0].add("v", {RIGHT: 1})
    await both[0].add("w", {RIGHT: 7})
    assert (await both[1].read("v"), await both[1].read("w")) == ({RIGHT: 1}, {RIGHT: 7})


async def test_nothing_is_lost_when_many_count_at_once(both: tuple[Tallies, Tallies]) -> None:
    await asyncio.gather(*[tallies.add("v", {RIGHT: 1, WRONG: 2}) for tallies in both for _ in range(20)])
    assert await both[0].read("v") == {RIGHT: 40, WRONG: 80}


@pytest.mark.parametrize("name", ["", "audit/right/en", "audit/right/en/judged/x/general", "other/right/en/judged/1/general"])
def test_what_is_no_cell_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"unpack|no kind|invalid literal"):
        Cell.named(name)


async def test_redis_keeps_counts_under_the_keys_of_the_cache_and_for_a_bounded_time(store_server: RedisServer) -> None:
    async with Redis.from_url(store_server.url, decode_responses=True) as client:
        await client.flushall()
        async with aclosing(RedisTallies(store_server.url)) as tallies:
            await tallies.add("v", {RIGHT: 1})
            (key,) = [name async for name in client.scan_iter("*")]
            assert key.startswith("groat:cache:")
            assert 0 < await client.ttl(key) < 500 * 86_400
            await client.hset(key, "no cell", 1)
            with pytest.raises(StorageError, match=r"holds no counts of audits under .*; delete that key"):
                await tallies.read("v")


async def test_a_damaged_or_newer_file_is_one_sentence_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "audits.sqlite"
    path.write_bytes(b"this is no database at all, only text that is long enough" * 50)
    with pytest.raises(StorageError, match=r"audits.sqlite are damaged; move the file away"):
        await SqliteTallies(path).read("v")
    path.unlink()
    tallies = SqliteTallies(path)
    await tallies.add("v", {RIGHT: 1})
    assert path.stat().st_mode & 0o077 == 0
    await tallies._file.run(lambda db: db.execute("PRAGMA user_version = 9"))
    with pytest.raises(StorageError, match="newer groat"):
        await SqliteTallies(path).read("v")
