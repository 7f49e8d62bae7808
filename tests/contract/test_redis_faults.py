"""What can happen to a Redis that holds the answer cache, and what must hold then."""

import asyncio
import os
import signal
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError

from groat.cache import Entry, RedisStore
from groat.cache.stores import redis_scripts
from groat.cache.stores.redis_calls import RedisCalls
from groat.errors import StorageError
from tests.contract.test_answer_store import entry, ids_near, put, unit
from tests.fakes import asked
from tests.redis_server import RedisServer, serve_redis
from tests.redis_stores import (
    BASE,
    ENTRIES,
    LATE_S,
    PATIENCE_S,
    REST_S,
    SHORT_S,
    every_call,
    found,
    hasty,
    key_of,
    keys,
    patient,
    told,
)
from tests.unit.test_cache_answers import KEPT, World

UNREACHABLE = "cannot be reached; start this Redis, or correct the address"
SILENT = "did not answer in time; check that this Redis is well and near"
FULL = "is full and evicts nothing; give it more memory, or set its maxmemory-policy to allkeys-lru"
NO_RIGHT = "refuses a command to this user; allow it scripts that read and write the keys groat:cache:*"


async def test_a_killed_redis_fails_every_call_with_one_sentence_and_without_waiting(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server:
        async with aclosing(hasty(server.url)) as store:
            await store.put(entry("a"), max_entries=10)
            server.kill()
            begun = time.monotonic()
            for call in every_call(store):
                with told(server, UNREACHABLE):
                    await call()
            assert time.monotonic() - begun < SHORT_S + LATE_S


async def test_a_redis_that_comes_back_empty_is_used_again_after_the_rest(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as first:
        async with aclosing(patient(first.url)) as store:
            await put(store, entry("a"))
            first.kill()
            with told(first, UNREACHABLE):
                await store.count()
            with serve_redis(tmp_path, port=first.port):
                with told(first, UNREACHABLE):
                    await store.count()
                await asyncio.sleep(REST_S)
                assert await found(store, "a") is None
                await put(store, entry("a"))
                assert await found(store, "a") == "id-a"
                assert await ids_near(store, unit(1, 0, 0)) == ["id-a"]


async def test_a_restart_between_two_calls_is_not_noticed(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as first:
        async with aclosing(patient(first.url)) as store:
            await put(store, entry("a"))
            first.kill()
            with serve_redis(tmp_path, port=first.port):
                await asyncio.sleep(0.05)  # the end of the old connection is there to be read
                await put(store, entry("b"))
                assert await found(store, "b") == "id-b"


async def test_a_redis_that_hangs_costs_one_patience_and_is_used_again_when_it_answers(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server:
        async with aclosing(hasty(server.url)) as store:
            await put(store, entry("a"))
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                for call in every_call(store):
                    with told(server, SILENT):
                        await call()
                assert time.monotonic() - begun < SHORT_S + LATE_S
            finally:
                os.kill(server.process.pid, signal.SIGCONT)
            await asyncio.sleep(REST_S)
            assert await found(store, "a") == "id-a"


async def test_calls_that_wait_together_are_given_up_together(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server:
        async with aclosing(hasty(server.url)) as store:
            os.kill(server.process.pid, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                ended = await asyncio.gather(*(store.count() for _ in range(100)), return_exceptions=True)
                assert {str(one) for one in ended} == {f"the answer cache in Redis at 127.0.0.1:{server.port} {SILENT}"}
                assert time.monotonic() - begun < SHORT_S + LATE_S
            finally:
                os.kill(server.process.pid, signal.SIGCONT)


async def test_after_the_rest_one_call_tries_again_while_the_others_still_rest() -> None:
    calls, sent = RedisCalls("redis://127.0.0.1:1/0", patience_s=PATIENCE_S, rest_s=0.01), 0
    answer = asyncio.Event()

    async def work(redis: Redis) -> str:
        nonlocal sent
        sent += 1
        if not answer.is_set():
            raise ConnectionRefusedError
        await asyncio.sleep(0.1)
        return "well"

    with pytest.raises(StorageError):
        await calls.ask(work)
    await asyncio.sleep(0.02)
    answer.set()
    ended = await asyncio.gather(*(calls.ask(work) for _ in range(5)), return_exceptions=True)
    assert [one for one in ended if not isinstance(one, StorageError)] == ["well"]
    assert sent == 2
    assert await calls.ask(work) == "well"


async def test_a_refusal_ends_the_rest_as_an_answer_does() -> None:
    calls = RedisCalls("redis://127.0.0.1:1/0", patience_s=PATIENCE_S, rest_s=0.01)
    errors: list[Exception] = [ConnectionRefusedError(), ReadOnlyError("READONLY")]

    async def work(redis: Redis) -> str:
        await asyncio.sleep(0.02)
        if errors:
            raise errors.pop(0)
        return "well"

    for told_so in (UNREACHABLE, "is a read-only replica; name its primary"):
        with pytest.raises(StorageError, match=told_so):
            await calls.ask(work)
        await asyncio.sleep(0.02)
    assert await asyncio.gather(*(calls.ask(work) for _ in range(3))) == ["well"] * 3


async def test_a_caller_that_gives_up_while_it_tries_again_leaves_the_next_one_to_try() -> None:
    calls = RedisCalls("redis://127.0.0.1:1/0", patience_s=PATIENCE_S, rest_s=0.01)

    async def refuse(redis: Redis) -> str:
        raise ConnectionRefusedError

    async def hang(redis: Redis) -> str:
        await asyncio.sleep(60)
        return "late"

    async def work(redis: Redis) -> str:
        return "well"

    with pytest.raises(StorageError):
        await calls.ask(refuse)
    await asyncio.sleep(0.02)
    trying = asyncio.create_task(calls.ask(hang))
    await asyncio.sleep(0.02)
    trying.cancel()
    await asyncio.wait([trying])
    assert await calls.ask(work) == "well"


async def test_a_busy_redis_is_waited_for_while_it_answers_others() -> None:
    calls = RedisCalls("redis://127.0.0.1:1/0", patience_s=0.1, rest_s=REST_S)
    turn = asyncio.Lock()

    async def work(redis: Redis) -> str:
        async with turn:
            await asyncio.sleep(0.03)
        return "well"

    assert await asyncio.gather(*(calls.ask(work) for _ in range(10))) == ["well"] * 10


async def test_a_connection_that_takes_longer_than_the_patience_is_there_for_the_next_try(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server:
        async with aclosing(RedisCalls(server.url, patience_s=0.1, rest_s=0.01)) as calls:
            os.kill(server.process.pid, signal.SIGSTOP)
            with told(server, SILENT):
                await calls.ask(count_keys)
            os.kill(server.process.pid, signal.SIGCONT)
            await asyncio.sleep(0.5)
            async with Redis.from_url(server.url) as client:
                made = (await client.info("stats"))["total_connections_received"]
                assert await calls.ask(count_keys, patience_s=PATIENCE_S) == 0
                assert (await client.info("stats"))["total_connections_received"] == made


async def count_keys(redis: Redis) -> int:
    return await redis.dbsize()


async def test_a_full_redis_refuses_new_entries_and_still_serves_and_forgets(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--maxmemory-policy", "noeviction") as server:
        async with aclosing(patient(server.url)) as store, Redis.from_url(server.url) as client:
            await put(store, entry("a"), entry("b"))
            kept = sorted(await client.keys("*"))
            await client.config_set("maxmemory", "1mb")
            for refused in (entry("c"), entry("a", entry_id="id-new", documents=[{"id": "third", "version": "v"}])):
                with told(server, FULL):
                    await store.put(refused, max_entries=1)
            with told(server, FULL):
                await store.check()
            assert sorted(await client.keys("*")) == kept
            assert await found(store, "a") == "id-a"
            assert await ids_near(store, unit(1, 0, 0), limit=8) != []
            assert await store.delete(["id-a"]) == 1
            assert await store.forget(documents=["doc"]) == 1
            await client.config_set("maxmemory", "0")
            await put(store, entry("c"))
            assert await found(store, "c") == "id-c"


async def test_a_redis_that_evicts_serves_only_whole_entries_and_forgets_all_it_was_told_to(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    with serve_redis(tmp_path, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru") as server:
        async with aclosing(patient(server.url)) as store, Redis.from_url(server.url) as client:
            made = {
                f"id-{n}": entry(
                    str(n),
                    tenant=f"tenant {n % 3}",
                    answer="答" * 5000,
                    documents=[{"id": f"doc {n % 20}", "version": "v"}],
                    vector=unit(*draw.normal(size=64)),
                )
                for n in range(300)
            }
            for one in made.values():
                await store.put(one, max_entries=10_000)
            assert (await client.info("stats"))["evicted_keys"] > 0
            assert 0 < await served(store, made) < len(made)
            assert await store.count() < len(made)
            await store.forget(documents=["doc 7"], tenant="tenant 1")
            await store.forget(documents=["doc 8", "doc 9"])
            await store.forget(tenant="tenant 2")
            gone = [
                one
                for one in made.values()
                if one.tenant == "tenant 2"
                or one.documents[0]["id"] in {"doc 8", "doc 9"}
                or (one.documents[0]["id"], one.tenant) == ("doc 7", "tenant 1")
            ]
            for one in gone:
                assert await store.exact(one.identity, one.exact_text, now=200.0) is None
                near = await ids_near(store, one.vector if one.vector is not None else unit(1), limit=3)
                assert one.entry_id not in near


async def served(store: RedisStore, made: dict[str, Entry]) -> int:
    count = 0
    for one in made.values():
        kept = await store.exact(one.identity, one.exact_text, now=200.0)
        count += kept is not None
        assert kept is None or kept == one
    return count


@pytest.mark.parametrize("kind", ["entry:*", "tenant:*", "document:*", "used", "slots"])
async def test_an_entry_that_lost_a_part_is_not_there(redis: Redis, store: RedisStore, kind: str) -> None:
    await put(store, entry("a", documents=[{"id": "doc", "version": "v1"}]))
    await redis.delete(await key_of(redis, kind))
    assert await found(store, "a") is None
    assert await ids_near(store, unit(1, 0, 0)) == []
    await put(store, entry("a"), entry("b"))
    assert sorted(await ids_near(store, unit(1, 0, 0))) == ["id-a", "id-b"]
    assert await store.forget(documents=["doc"], tenant="acme") == 2
    assert await ids_near(store, unit(1, 0, 0)) == []
    assert await store.count() == 0


async def test_a_group_of_vectors_that_was_evicted_costs_only_hits_by_likeness(redis: Redis, store: RedisStore) -> None:
    await put(store, entry("a"))
    await redis.delete(await key_of(redis, "near:*"))
    assert await ids_near(store, unit(1, 0, 0)) == []
    assert await found(store, "a") == "id-a"
    await put(store, entry("b"))
    assert await ids_near(store, unit(1, 0, 0)) == ["id-b"]


async def test_what_redis_evicted_is_cleared_away_by_and_by(redis: Redis, store: RedisStore) -> None:
    await put(store, *[entry(f"old {n}") for n in range(20)])
    await redis.delete(*await keys(redis, ENTRIES))
    await put(store, *[entry(f"new {n}", tenant="globex") for n in range(30)])
    assert await store.count() == 30
    assert len(await keys(redis, f"{BASE}*:tenant:*")) == 1
    assert await redis.vset().vcard(await key_of(redis, "near:*")) == 30


async def test_neighbours_behind_many_that_expired_are_found(store: RedisStore) -> None:
    await put(store, *[entry(f"old {n}", expires_at=150.0) for n in range(60)], entry("far", vector=unit(1, 1, 0)))
    assert await ids_near(store, unit(1, 0, 0), limit=1) == ["id-far"]


async def test_a_wrong_password_is_told_without_the_password(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--requirepass", "right") as server:
        for login in (":wrong-secret@", ""):
            async with aclosing(hasty(f"redis://{login}127.0.0.1:{server.port}/0")) as store:
                with told(server, "refuses this name and password; correct them in its address"):
                    await store.count()
        async with aclosing(patient(f"redis://:right@127.0.0.1:{server.port}/0")) as store:
            assert await store.count() == 0


@pytest.mark.parametrize(
    "rights",
    [
        {"categories": ["+@read", "+@scripting"], "keys": ["groat:cache:*"]},
        {"categories": ["+@all"], "keys": ["other:*"]},
        {"categories": ["+@all"], "commands": ["-evalsha"], "keys": ["groat:cache:*"]},
    ],
    ids=["no writing", "other keys", "no scripts"],
)
async def test_a_user_without_the_right_to_write_is_told(
    redis: Redis, store_server: RedisServer, rights: dict[str, Any]
) -> None:
    await redis.acl_setuser("guest", enabled=True, passwords=["+secret"], reset=True, **rights)
    async with aclosing(patient(f"redis://guest:secret@127.0.0.1:{store_server.port}/0")) as store:
        for _ in range(2):
            with told(store_server, NO_RIGHT):
                await store.put(entry("a"), max_entries=10)
        with told(store_server, NO_RIGHT):
            await store.check()


async def test_a_user_with_the_rights_that_the_error_names_can_do_all(redis: Redis, store_server: RedisServer) -> None:
    rights = {"categories": ["+@all", "-@admin", "-@dangerous"], "keys": ["groat:cache:*"]}
    await redis.acl_setuser("owner", enabled=True, passwords=["+secret"], reset=True, **rights)  # type: ignore[arg-type]
    async with aclosing(patient(f"redis://owner:secret@127.0.0.1:{store_server.port}/0")) as store:
        for call in every_call(store):
            await call()


async def test_a_read_only_replica_serves_hits_and_says_what_it_is(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as primary:
        async with aclosing(patient(primary.url)) as store:
            await put(store, entry("a"), entry("old", expires_at=150.0))
        with serve_redis(tmp_path, "--replicaof", "127.0.0.1", str(primary.port)) as replica:
            async with aclosing(patient(replica.url)) as store:
                for _ in range(100):
                    if await found(store, "a") is None:
                        await asyncio.sleep(REST_S)
                assert await ids_near(store, unit(1, 0, 0)) == ["id-a"]
                for call in (lambda: store.put(entry("b"), max_entries=10), lambda: store.delete(["id-a"]), store.check):
                    with told(replica, "is a read-only replica; name its primary"):
                        await call()


async def test_without_vector_sets_equal_questions_hit_and_the_rest_is_told(
    redis: Redis, store: RedisStore, store_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PUT", "NEAREST", "CHECK", "DELETE"):
        old = str(getattr(redis_scripts, name))
        # Redis 7 says the same of VADD as this one of a command that nobody knows.
        for command in ("VADD", "VCARD", "VREM"):
            old = old.replace(f"'{command}'", f"'NO{command}'")
        monkeypatch.setattr(redis_scripts, name, old)
    await put(store, entry("a"), entry("a", entry_id="id-new"), entry("b", vector=None, embedder=""))
    told_so = "serves equal questions only, since this Redis has no vector sets; use Redis 8 or later"
    assert store.exact_only == f"the answer cache in Redis at 127.0.0.1:{store_server.port} {told_so}"
    assert await found(store, "a") == "id-new"
    assert await ids_near(store, unit(1, 0, 0)) == []
    with told(store_server, told_so):
        await store.check()
    assert await store.delete(["id-new"]) == 1
    monkeypatch.undo()
    assert await ids_near(store, unit(1, 0, 0)) == []
    assert [store.exact_only] == [None]


async def test_a_question_is_answered_although_redis_is_away(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server:
        async with aclosing(hasty(server.url)) as store:
            world = World(store=store)  # type: ignore[arg-type]  # any store will do
            assert await world.keep(asked(KEPT)) is True
            server.kill()
            begun = time.monotonic()
            lookup, answer = await world.ask(asked(KEPT))
            kept = await world.keep(asked(KEPT))
            assert time.monotonic() - begun < SHORT_S + LATE_S
    told_so = f"the answer cache in Redis at 127.0.0.1:{server.port} {UNREACHABLE}"
    assert (answer, lookup["outcome"], lookup["reason"], kept) == (None, "error", told_so, False)
