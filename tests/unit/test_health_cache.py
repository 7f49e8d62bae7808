"""What `groat doctor` says of the answer cache, wherever it is kept."""

import time
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from graph.services import open_services
from graph.settings import read_settings
from groat.cache.counts import Cell, days_before
from groat.cache.stores.redis_facts import RedisFacts
from groat.errors import StorageError
from groat.types import Lookup
from serve.application import Application
from serve.health import _cache as examine_cache
from serve.health import _cache_redis as examine_redis
from serve.health import _cache_work as examine_work
from serve.health_cache import alarms, counted, lines
from tests.redis_server import serve_redis


def application(folder: Path, url: str) -> Application:
    settings = read_settings({"GROAT_DATA_DIR": str(folder), "GROAT_CACHE_URL": url}, home=folder)
    return Application(settings=settings, services=open_services(settings), graph=cast(Any, None))


@pytest.mark.parametrize(
    ("url", "where"),
    [("", "in this data folder; GROAT_CACHE_URL shares them among machines"), ("memory:", "in this process only")],
)
async def test_the_place_of_the_answers_is_told(tmp_path: Path, url: str, where: str) -> None:
    part = await examine_cache(application(tmp_path, url))
    assert (part["state"], part["says"].partition(", rule")[0]) == ("ok", f"0 answers kept {where}")


async def test_a_shared_redis_is_told_without_its_password(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--requirepass", "secret") as server:
        app = application(tmp_path, f"redis://:secret@127.0.0.1:{server.port}/0")
        part = await examine_cache(app)
        said = f"0 answers kept in Redis at 127.0.0.1:{server.port}, for all that share it"
        assert (part["state"], part["says"].partition(", rule")[0]) == ("ok", said)
        server.kill()
        with pytest.raises(StorageError, match=r"the answer cache in Redis at 127\.0\.0\.1:\d+ cannot be reached; start"):
            await examine_cache(app)


FACTS = RedisFacts("8.2.0", "allkeys-lru", 500_000_000, 20_000_000, 3, 0.4)
MISS: Lookup = {
    "outcome": "miss", "tier": None, "reason": "differs", "candidate": None, "threshold": None, "calibration": "v"
}  # fmt: skip


async def test_a_redis_without_a_limit_is_told_to_set_one_and_one_that_is_right_nothing(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server:
        app = application(tmp_path, server.url)
        part = await examine_redis(app)
        assert (part["state"], part["says"].startswith("Redis 8.")) == ("note", True)
        assert "without a limit, when full: noeviction, 0 keys evicted; set its maxmemory, about 6 KB" in part["says"]
        redis = Redis.from_url(server.url)
        redis.config_set("maxmemory", "500mb")
        assert "set its maxmemory-policy to allkeys-lru: as it is" in (await examine_redis(app))["says"]
        redis.config_set("maxmemory-policy", "volatile-lru")
        assert "volatile-lru spares what does not expire" in (await examine_redis(app))["says"]
        redis.config_set("maxmemory-policy", "allkeys-lru")
        assert "set its" not in (await examine_redis(app))["says"]
        redis.close()
        server.kill()
        with pytest.raises(StorageError, match=r"127\.0\.0\.1:\d+ does not say what it is \(ConnectionError\); start it"):
            await examine_redis(app)


def test_a_far_redis_is_told_to_come_nearer() -> None:
    assert FACTS.advice() == []
    far = RedisFacts("8.2.0", "allkeys-lfu", 500_000_000, 20_000_000, 3, 12.0)
    assert far.advice() == ["bring it nearer: a question waits for two or three round trips, and gives up after 16 ms"]
    assert far.summary() == "Redis 8.2.0, 12.0 ms away, 20 MB used of 500 MB, when full: allkeys-lfu, 3 keys evicted"


async def test_a_redis_that_also_holds_the_limits_must_not_evict(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--maxmemory", "500mb", "--maxmemory-policy", "allkeys-lru") as server:
        environ = {"GROAT_DATA_DIR": str(tmp_path), "GROAT_CACHE_URL": server.url, "GROAT_REDIS_URL": server.url}
        settings = read_settings(environ, home=tmp_path)
        part = await examine_redis(Application(settings=settings, services=open_services(settings), graph=cast(Any, None)))
        assert (part["state"], "name another Redis in GROAT_REDIS_URL" in part["says"]) == ("note", True)


@pytest.mark.parametrize("where", ["file", "redis"])
async def test_counts_and_alarms_of_all_processes_are_told(tmp_path: Path, where: str) -> None:
    with serve_redis(tmp_path) as server:
        one, other = (application(tmp_path, server.url if where == "redis" else "") for _ in range(2))
        counts, (today, *earlier) = one.services.answers.counts, days_before(time.time(), 5)
        assert counts.place is not None
        before = {Cell(day, 12, "zh", name): 200 for day in earlier[2:] for name in ("hit.similar", "miss.below_threshold")}
        counts.place.add("week", before)
        assert (await examine_work(other))["state"] == "ok"
        for _ in range(100):
            counts.looked_up(MISS, language="zh")
        counts.flush()
        done = await counted(other.services.answers.counts, today)
        assert (done["lookups"], done["hits"], done["misses"]) == (100, {}, {"differs": 100})
        assert done["languages"]["zh"]["miss.differs"] == 100
        assert "missed since alike enough, and something was found that makes it another question: 100" in lines(done)
        codes = [alarm.code for alarm in await alarms(other.services.answers.counts)]
        assert codes == ["no_hits/zh", "no_semantic_hits/zh", "same_refusal/zh/differs"]
        part = await examine_work(other)
        assert part["state"] == "note"
        assert "0 hits of 100 lookups today, 0 errors; ALARM: the cache serves nothing any more in zh: 100" in part["says"]
        counts.close()
