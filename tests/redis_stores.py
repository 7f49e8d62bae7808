"""Answer stores in a real Redis, as the tests of its laws and of its faults use them."""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from redis.asyncio import Redis

from groat.cache import RedisStore
from groat.cache.stores import redis_scripts
from groat.errors import StorageError
from tests.contract.test_answer_store import entry, unit
from tests.redis_server import RedisServer

PATIENCE_S = 20.0
"""Of a store on a busy machine, where it is not patience that is tested."""
SHORT_S = 1.0
"""Of a store whose Redis is away."""
REST_S = 0.3
LATE_S = 5.0
"""How late a busy machine may run a test's step."""
SCHEMA = f"{redis_scripts.PREFIX}schema"
BASE = f"{redis_scripts.PREFIX}{redis_scripts.SCHEMA_VERSION}:"
SLOTS = f"{BASE}slots"
ENTRIES = f"{BASE}*:entry:*"


def patient(url: str) -> RedisStore:
    return RedisStore(url, patience_s=PATIENCE_S, rest_s=REST_S)


def hasty(url: str) -> RedisStore:
    return RedisStore(url, patience_s=SHORT_S, rest_s=REST_S)


@contextmanager
def told(server: RedisServer, what: str, *, within_s: float = PATIENCE_S) -> Iterator[None]:
    """Expect a StorageError that says exactly this of the server, soon."""
    begun = time.monotonic()
    with pytest.raises(StorageError) as caught:
        yield
    assert str(caught.value) == f"the answer cache in Redis at 127.0.0.1:{server.port} {what}"
    assert time.monotonic() - begun < within_s


def every_call(store: RedisStore) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: store.exact("identity", "问题 a", now=200.0),
        lambda: store.nearest("identity", unit(1, 0, 0), embedder="e", limit=8, now=200.0),
        lambda: store.put(entry("b"), max_entries=10),
        lambda: store.mark_used("id-a", now=200.0),
        lambda: store.delete(["id-a"]),
        lambda: store.forget(documents=["doc"]),
        lambda: store.forget(tenant="acme"),
        lambda: store.forget(),
        store.count,
        store.check,
    ]


async def found(store: RedisStore, name: str) -> str | None:
    """Return the id of the entry that an equal question hits."""
    one = await store.exact("identity", f"问题 {name}", now=200.0)
    return None if one is None else one.entry_id


async def keys(redis: Redis, pattern: str = "*") -> list[str]:
    return sorted([str(name) async for name in redis.scan_iter(pattern)])


async def key_of(redis: Redis, kind: str) -> str:
    """Return the only key whose name ends so."""
    (name,) = await keys(redis, f"{BASE}*{kind}")
    return name


async def keep_on_putting(url: str, name: str) -> None:
    """Put, replace and delete without end, and say so."""
    store = patient(url)
    for n in range(1_000_000):
        one = entry(f"{n % 7}", entry_id=f"id-{name}-{n}", tenant=name, documents=[{"id": f"doc {n % 5}", "version": "v"}])
        await store.put(one, max_entries=20)
        if n % 3 == 0:
            await store.delete([one.entry_id])
        print(n, flush=True)  # noqa: T201  # the test waits for it
