"""The laws of the places that keep counts, on real ones."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest
from redis import Redis

from groat.cache.counts import Cell, CountsPlace
from groat.cache.counts_places import KEPT_DAYS, RedisCounts, SqliteCounts
from groat.cache.stores.redis_scripts import PREFIX
from groat.errors import StorageError
from tests.redis_server import RedisServer, serve_redis

DAY, NEXT = "2026-11-24", "2026-11-25"
COUNTS = {Cell(DAY, 12, "zh", "hit.exact"): 3, Cell(DAY, 13, "", "removed.stale"): 1, Cell(NEXT, 0, "en", "miss.category"): 2}

MakePlace = Callable[[], CountsPlace]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with serve_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["sqlite", "redis"])
def make_place(request: pytest.FixtureRequest, tmp_path: Path, server: RedisServer) -> MakePlace:
    """Return a maker of places that share their counts, as those of several processes do."""
    if request.param == "sqlite":
        return lambda: SqliteCounts(tmp_path / "data" / "counts.sqlite")
    redis = Redis.from_url(server.url)
    redis.flushall()
    redis.close()
    return lambda: RedisCounts(server.url)


def test_what_was_added_by_any_process_is_summed(make_place: MakePlace) -> None:
    one, other = make_place(), make_place()
    one.add("a", COUNTS)
    other.add("b", COUNTS)
    assert make_place().read([DAY, NEXT]) == {cell: 2 * number for cell, number in COUNTS.items()}
    assert make_place().read([NEXT]) == {Cell(NEXT, 0, "en", "miss.category"): 4}
    assert make_place().read(["2026-11-23"]) == {}


def test_a_batch_that_is_added_again_adds_nothing(make_place: MakePlace) -> None:
    for _ in range(2):
        make_place().add("a", COUNTS)
    assert make_place().read([DAY, NEXT]) == COUNTS


def test_many_at_once_lose_nothing(make_place: MakePlace) -> None:
    def work(name: int) -> None:
        place = make_place()
        for number in range(10):
            place.add(f"{name}-{number}", COUNTS)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert make_place().read([DAY, NEXT]) == {cell: 40 * number for cell, number in COUNTS.items()}


def test_a_file_keeps_no_day_for_ever_and_is_its_owners_alone(tmp_path: Path) -> None:
    place = SqliteCounts(tmp_path / "counts.sqlite")
    place.add("a", {Cell("2025-01-01", 1, "en", "kept"): 1, Cell("2026-11-20", 1, "en", "kept"): 1})
    place.add("b", COUNTS)
    assert place.read(["2025-01-01"]) == {}
    assert place.read(["2026-11-20"]) == {Cell("2026-11-20", 1, "en", "kept"): 1}
    assert (tmp_path / "counts.sqlite").stat().st_mode & 0o077 == 0


def test_a_file_that_cannot_be_used_is_explained(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all, " * 100)
    with pytest.raises(StorageError, match=r"cannot be used \(SQLITE_NOTADB\); check the disk"):
        SqliteCounts(damaged).add("a", COUNTS)
    newer = SqliteCounts(tmp_path / "newer.sqlite")
    newer.add("a", COUNTS)
    with newer._open() as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(StorageError, match="have schema 9 and this groat reads 1; upgrade groat"):
        newer.read([DAY])


def test_redis_forgets_old_days_by_itself_and_holds_no_content(server: RedisServer) -> None:
    RedisCounts(server.url).add("z", COUNTS)
    redis = Redis.from_url(server.url, decode_responses=True)
    assert 0 < redis.ttl(f"{PREFIX}counts:{DAY}") <= KEPT_DAYS * 86_400
    assert set(cast("dict[str, str]", redis.hgetall(f"{PREFIX}counts:{DAY}"))) == {"12|zh|hit.exact", "13||removed.stale"}
    redis.close()


def test_a_redis_that_is_away_is_explained_without_its_password(tmp_path: Path) -> None:
    with serve_redis(tmp_path, "--requirepass", "secret") as server:
        place = RedisCounts(f"redis://:secret@127.0.0.1:{server.port}/0")
        place.add("a", COUNTS)
        server.kill()
        with pytest.raises(
            StorageError, match=r"in Redis at 127\.0\.0\.1:\d+ cannot be used \(ConnectionError\); start"
        ) as told:
            place.read([DAY])
        assert "secret" not in str(told.value)
