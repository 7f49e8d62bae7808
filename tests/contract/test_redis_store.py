"""What stands in Redis for the answer cache: the keys, their lives, and who may change them at one time."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from groat.cache import RedisStore
from groat.cache.stores import redis_scripts
from groat.errors import SettingsError
from tests.contract.test_answer_store import entry, ids_near, put, unit, wording
from tests.redis_server import RedisServer
from tests.redis_stores import ENTRIES, PATIENCE_S, SCHEMA, SLOTS, every_call, found, key_of, keys, patient, told


async def test_entries_of_a_newer_groat_are_refused_and_of_an_older_one_ignored(
    redis: Redis, store: RedisStore, store_server: RedisServer
) -> None:
    await put(store, entry("a"))
    assert await redis.get(SCHEMA) == "1"
    await redis.set(SCHEMA, 7)
    for call in every_call(store):
        with told(
            store_server,
            "has schema 7 and this groat reads 1; upgrade groat, or name another database of Redis",
        ):
            await call()
    await redis.set(SCHEMA, 0)
    await redis.hset(f"{redis_scripts.PREFIX}0:slots", "a", "b")
    await put(store, entry("b"))
    assert await store.count() == 2


@pytest.mark.parametrize("damage", [b"no json", b"[]", b'{"entry_id": "x"}'])
async def test_a_damaged_entry_is_told(redis: Redis, store: RedisStore, store_server: RedisServer, damage: bytes) -> None:
    await put(store, entry("a"))
    await redis.hset(await key_of(redis, "entry:*"), "body", damage)
    with told(store_server, "holds an entry that cannot be read; forget all its entries"):
        await store.exact("identity", "问题 a", now=200.0)


async def test_keys_of_others_in_the_way_are_told(redis: Redis, store: RedisStore, store_server: RedisServer) -> None:
    await redis.set(SLOTS, "somebody else's")
    told_so = "refuses a command (WRONGTYPE); it must be Redis 6.2 or later, and the keys groat:cache:* the cache's alone"
    with told(store_server, told_so):
        await store.count()


async def test_no_key_holds_a_name_or_a_text(redis: Redis, store: RedisStore) -> None:
    await put(
        store, entry("a", identity="身份", tenant="acme", embedder="nano", documents=[{"id": "handbook", "version": "v"}])
    )
    names = await keys(redis)
    assert all(name.startswith("groat:cache:") for name in names)
    told_apart = "\n".join([*names, *map(str, (await redis.hgetall(SLOTS)).values())])
    assert [word for word in ("身份", "acme", "nano", "handbook", "问题", "id-a") if word in told_apart] == []


async def test_redis_drops_an_entry_when_its_time_is_over_and_a_hit_adds_nothing(redis: Redis, store: RedisStore) -> None:
    now = time.time()
    await put(store, entry("a", created_at=now, expires_at=now + 1.5), entry("b", created_at=now))
    (lives_ms,) = [ms for ms in await lives(redis) if ms > 0]
    assert 0 < lives_ms <= 1500
    await store.mark_used("id-a", now=now)
    assert max(await lives(redis)) <= 1500
    await asyncio.sleep(1.6)
    assert await redis.exists(await key_of(redis, "entry:*")) == 1
    assert await store.exact("identity", "问题 a", now=now) is None
    assert await ids_near(store, unit(1, 0, 0), now=now) == ["id-b"]


async def test_an_alias_goes_with_its_entry_whatever_part_redis_drops_by_itself(redis: Redis, store: RedisStore) -> None:
    for part in ("entry:*", ":used", ":aliases", ":aliases:*", "near:*"):
        await redis.flushall()
        await put(store, entry("a"))
        owner = await key_of(redis, "entry:*")
        assert await store.add_alias("id-a", wording("x", vector=unit(1, 1, 0)))
        await redis.delete(owner if part == "entry:*" else await key_of(redis, part))
        alike = await ids_near(store, unit(1, 1, 0))
        if part != "near:*":
            assert await store.exact("identity", "说法 x", now=200.0) is None
        assert alike == (["id-a"] if part.startswith(":aliases") else [])
        await put(store, entry("a"), entry("x", exact_text="说法 x", vector=unit(1, 1, 0)))
        assert await ids_near(store, unit(1, 1, 0)) == ["id-x", "id-a"]


async def test_an_alias_leaves_nothing_behind_and_lives_no_longer_than_its_entry(redis: Redis, store: RedisStore) -> None:
    now = time.time()
    await put(store, entry("a", created_at=now, expires_at=now + 900))
    assert await store.add_alias("id-a", wording("x"))
    one, other = await lives(redis)
    assert 0 < one <= 900_000
    assert abs(one - other) < 60_000
    assert await store.delete(["id-a"]) == 1
    assert await keys(redis) == [SLOTS, SCHEMA]


async def lives(redis: Redis) -> list[int]:
    return [await redis.pttl(name) for name in await keys(redis, ENTRIES)]


@pytest.mark.parametrize("life_s", [0.0, -5.0, 1e-9, 1e12, float("inf")])
async def test_any_length_of_life_is_taken(store: RedisStore, life_s: float) -> None:
    await put(store, entry("a", expires_at=100.0 + life_s))
    kept = await store.exact("identity", "问题 a", now=101.0)
    assert (kept is not None) == (life_s > 1)


async def test_what_is_removed_leaves_nothing_behind(redis: Redis, store: RedisStore) -> None:
    await put(store, *[entry(f"{n}", expires_at=500.0 + n) for n in range(50)])
    assert await store.delete([f"id-{n}" for n in range(25)]) == 25
    assert await store.forget(documents=["other"]) == 25
    assert await keys(redis) == [SLOTS, SCHEMA]
    await put(store, entry("a"), entry("b", tenant="globex"))
    await redis.set("somebody else's", "value")
    assert await store.forget() == 2
    assert await keys(redis) == [SCHEMA, "somebody else's"]


class Overtaken(RedisStore):
    """Another process keeps an entry while everything is being forgotten."""

    async def _clear_away(self, cursor: int, generation: int) -> int:
        await put(self, entry("late"))
        return await super()._clear_away(cursor, generation)


async def test_forgetting_everything_leaves_what_is_kept_meanwhile(store_server: RedisServer, redis: Redis) -> None:
    async with aclosing(Overtaken(store_server.url, patience_s=PATIENCE_S)) as store:
        await put(store, *[entry(f"{n}") for n in range(200)])
        assert await store.forget() == 200
        assert await found(store, "late") == "id-late"
        assert await ids_near(store, unit(1, 0, 0)) == ["id-late"]
        assert await store.count() == 1
        assert len(await keys(redis, ENTRIES)) == 1


async def test_a_smaller_bound_holds_at_once(store: RedisStore) -> None:
    await put(store, *[entry(f"{n:03}", created_at=float(n)) for n in range(100)])
    await store.put(entry("last", created_at=200.0), max_entries=10)
    assert await store.count() == 10
    assert sorted(await ids_near(store, unit(1, 0, 0), limit=20)) == [*(f"id-{n:03}" for n in range(91, 100)), "id-last"]
    await store.put(entry("none"), max_entries=0)
    assert await store.count() == 0


async def test_the_entry_just_kept_is_never_the_one_that_makes_place(store: RedisStore) -> None:
    await put(store, entry("a", created_at=9.0), max_entries=1)
    await put(store, entry("b", created_at=1.0), max_entries=1)
    assert await ids_near(store, unit(1, 0, 0)) == ["id-b"]


_WRITER = """
import asyncio, sys
from tests.redis_stores import keep_on_putting
asyncio.run(keep_on_putting(sys.argv[1], sys.argv[2]))
"""


async def test_processes_that_race_and_are_killed_leave_no_entry_half_there(redis: Redis, store_server: RedisServer) -> None:
    root = Path(__file__).resolve().parents[2]
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, store_server.url, name, cwd=root, stdout=PIPE)
        for name in ("acme", "globex")
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            for _ in range(40):
                assert await writer.stdout.readline()
    finally:
        for writer in writers:
            writer.kill()
            await writer.communicate()
    async with aclosing(patient(store_server.url)) as store:
        kept = await keys(redis, ENTRIES)
        near = await ids_near(store, unit(1, 0, 0), limit=20)
        assert 0 < len(near) == len(kept) == await store.count() <= 7
        assert sum([await store.forget(tenant=name) for name in ("acme", "globex")]) == len(kept)
        assert await keys(redis) == [SLOTS, SCHEMA]


async def test_what_one_process_removed_no_other_returns_while_both_race(store_server: RedisServer, redis: Redis) -> None:
    async with aclosing(patient(store_server.url)) as here, aclosing(patient(store_server.url)) as there:
        for n in range(30):
            one = entry("a", entry_id=f"id-{n}")
            await asyncio.gather(here.put(one, max_entries=10), there.put(replace(one, entry_id=f"id-x{n}"), max_entries=10))
            removed = await asyncio.gather(here.delete([f"id-{n}"]), there.delete([f"id-{n}", f"id-x{n}"]))
            assert sum(removed) == 1
            assert await found(here, "a") is None
            assert await ids_near(there, unit(1, 0, 0)) == []


async def test_two_processes_see_at_once_what_the_other_kept(store_server: RedisServer, redis: Redis) -> None:
    async with aclosing(patient(store_server.url)) as here, aclosing(patient(store_server.url)) as there:
        await put(here, entry("a"))
        assert await found(there, "a") == "id-a"
        assert await ids_near(there, unit(1, 0, 0)) == ["id-a"]
        assert await there.forget(tenant="acme") == 1
        assert await ids_near(here, unit(1, 0, 0)) == []


def test_one_store_serves_one_event_loop_after_another(store_server: RedisServer) -> None:
    store = patient(store_server.url)

    async def once(name: str) -> str | None:
        async with aclosing(store):
            await put(store, entry(name))
            return await found(store, name)

    assert [asyncio.run(once(name)) for name in ("a", "b")] == ["id-a", "id-b"]


async def test_broken_text_is_kept_and_found(store: RedisStore) -> None:
    broken = entry("a", exact_text="坏\ud800\0 text", question="坏\ud800?", tenant="\udfff", entry_id="\ud800")
    await put(store, broken)
    assert await store.exact("identity", "坏\ud800\0 text", now=200.0) == broken
    assert await store.forget(tenant="\udfff") == 1


async def test_an_address_that_is_none_is_told_at_first_use_without_its_password() -> None:
    for url in ("http://:secret@host", "redis://:secret@host?no_such=option"):
        with pytest.raises(SettingsError) as caught:
            await RedisStore(url).count()
        assert str(caught.value) == "the address of Redis for the answer cache cannot be used; write it as redis://host:6379/0"
