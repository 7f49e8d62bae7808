"""The answer cache in a file: shared by processes, and when the file fails."""

import asyncio
import contextlib
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest

from groat.cache import AnswerCache, SqliteStore
from groat.cache.stores import schema, sqlite
from groat.cache.stores.counting import counted
from groat.cache.stores.schema import SCHEMA_VERSION, connect, storage_error
from groat.cache.stores.sqlite import _evict
from groat.errors import StorageError
from groat.sqlite_file import transaction
from tests.contract.test_answer_store import entry, ids_near, unit, wording
from tests.fakes import KnownVectors, asked, identity
from tests.unit.test_cache_answers import ANSWER, CALIBRATION, KEPT, World


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "answers.db"


def test_construction_opens_nothing(path: Path) -> None:
    AnswerCache(SqliteStore(path), CALIBRATION)
    assert not path.parent.exists()


async def test_the_file_belongs_to_its_owner_alone(path: Path) -> None:
    await SqliteStore(path).count()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_entries_outlive_the_store(path: Path) -> None:
    first = SqliteStore(path)
    await first.put(entry("a"), max_entries=10)
    await first.close()
    second = SqliteStore(path)
    assert await second.exact("identity", "问题 a", now=200.0) == entry("a")
    assert await ids_near(second, unit(1, 0, 0)) == ["id-a"]


async def test_another_store_sees_what_is_put_replaced_and_deleted(path: Path) -> None:
    here, there = SqliteStore(path), SqliteStore(path)
    assert await ids_near(there, unit(1, 0, 0)) == []
    await here.put(entry("a"), max_entries=10)
    await here.put(entry("b", vector=None, embedder=""), max_entries=10)
    assert await ids_near(there, unit(1, 0, 0)) == ["id-a"]
    await here.put(entry("a", entry_id="id-new"), max_entries=10)
    assert await ids_near(there, unit(1, 0, 0)) == ["id-new"]
    await here.forget()
    assert await ids_near(there, unit(1, 0, 0)) == []


_WRITER = """
import asyncio, sys
from pathlib import Path
from groat.cache import SqliteStore
from tests.contract.test_answer_store import entry, unit

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    for number in range(15):
        await store.put(entry(f"{sys.argv[2]}{number}"), max_entries=1000)
        await store.nearest("identity", unit(1, 0, 0), embedder="e", limit=3, now=200.0)

asyncio.run(main())
"""


async def test_two_processes_write_to_one_file(path: Path) -> None:
    root = Path(__file__).parents[2]
    writers = [await asyncio.create_subprocess_exec(sys.executable, "-c", _WRITER, str(path), name, cwd=root) for name in "xy"]
    store = SqliteStore(path)
    await store.put(entry("z"), max_entries=1000)
    assert [await writer.wait() for writer in writers] == [0, 0]
    found = await ids_near(store, unit(1, 0, 0), limit=1000)
    assert sorted(found) == sorted(["id-z", *[f"id-{name}{number}" for name in "xy" for number in range(15)]])


async def test_a_put_does_not_count_the_entries(path: Path) -> None:
    store = SqliteStore(path)
    await store.put(entry("first"), max_entries=1000)
    db = connect(path)
    steps: list[int] = []
    for size in (10, 400):
        while counted(db) < size:
            await store.put(entry(f"{counted(db)}"), max_entries=1000)
        # SQLite reports every tenth step of its machine: what a look at all entries takes, grows with them.
        steps.append(0)

        def tick() -> int:
            steps[-1] += 1
            return 0

        db.set_progress_handler(tick, 10)
        _evict(db, 1000, 100.0)
        db.set_progress_handler(None, 10)
    db.close()
    assert steps[1] <= steps[0] + 1


async def test_the_number_of_entries_is_right_whoever_adds_and_removes_them(path: Path) -> None:
    here, there = SqliteStore(path), SqliteStore(path)
    # A file of a groat that did not keep the number yet.
    db = connect(path)
    await here.put(entry("old"), max_entries=10)
    for thing in ("TRIGGER entries_more", "TRIGGER entries_fewer", "TRIGGER entries_turned", "TABLE entry_count"):
        db.execute(f"DROP {thing}")
    await here.put(entry("a", tenant="zebra", expires_at=150.0), max_entries=10)
    await there.put(entry("b"), max_entries=10)
    await here.put(entry("b", entry_id="id-new"), max_entries=10)
    assert counted(db) == await there.count() == 3
    await there.delete(["id-new"])
    await here.forget(tenant="zebra")
    assert counted(db) == await there.count() == 1
    for number in range(6):
        await (here, there)[number % 2].put(entry(str(number)), max_entries=4)
    assert counted(db) == await there.count() == 4
    with contextlib.suppress(ZeroDivisionError), transaction(db):
        db.execute("DELETE FROM entries")
        raise ZeroDivisionError
    assert counted(db) == await there.count() == 4
    db.close()


async def test_a_damaged_file_is_an_error_that_says_what_to_do(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database at all, only text that is long enough" * 50)
    world = World(store=SqliteStore(path))  # type: ignore[arg-type]  # any store will do
    assert await world.keep(asked(KEPT)) is False
    lookup, answer = await world.ask(asked(KEPT))
    sentence = f"the answer cache {path} is damaged; move {path} away, an empty cache is started in its place"
    assert (answer, lookup["outcome"], lookup["reason"]) == (None, "error", sentence)
    with pytest.raises(StorageError, match="damaged; move"):
        await world.cache.check()
    path.rename(path.with_suffix(".bad"))
    assert await world.keep(asked(KEPT)) is True


async def test_a_damaged_entry_is_an_error(path: Path) -> None:
    store = SqliteStore(path)
    await store.put(entry("a"), max_entries=10)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE entries SET sources = '{'")
    db.close()
    with pytest.raises(StorageError, match="damaged"):
        await store.exact("identity", "问题 a", now=200.0)


async def test_a_file_that_was_moved_away_is_replaced_by_an_empty_one(path: Path) -> None:
    store = SqliteStore(path)
    await store.put(entry("a"), max_entries=10)
    assert await ids_near(store, unit(1, 0, 0)) == ["id-a"]
    path.rename(path.with_suffix(".old"))
    for leftover in path.parent.glob("answers.db-*"):
        leftover.unlink()
    assert await store.count() == 0
    await store.put(entry("b"), max_entries=10)
    assert await ids_near(store, unit(1, 0, 0)) == ["id-b"]


async def test_a_newer_schema_is_refused(path: Path) -> None:
    connection = connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StorageError, match="has schema 3 and this groat reads 2; upgrade groat"):
        await SqliteStore(path).check()


async def test_a_file_of_the_first_schema_is_brought_up_to_date_with_all_that_it_keeps(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"{schema._TABLES} PRAGMA user_version = 1;")
        row = (*sqlite._row(entry("a")), 100.0)
        db.execute(f"INSERT INTO entries ({sqlite._COLUMNS}, used_at) VALUES ({', '.join('?' * len(row))})", row)
        db.execute("INSERT INTO stands_on VALUES ('doc', 1)")
        db.commit()
    store = SqliteStore(path)
    assert await store.exact("identity", "问题 a", now=200.0) == entry("a")
    assert await store.add_alias("id-a", wording("x")) is True
    await store.refuse("id-a", identity="identity", exact_text="说法 y")
    found = await store.exact("identity", "说法 x", now=200.0)
    assert found is not None
    assert (found.entry_id, found.answer, found.refuses("说法 y")) == ("id-a", "答案 a", True)
    assert await ids_near(store, unit(0, 1, 0)) == ["id-a", "id-a"]
    assert await store.forget(documents=["doc"]) == 1
    assert await store.exact("identity", "说法 x", now=200.0) is None


async def test_a_process_of_the_first_schema_that_still_runs_serves_an_alias_whole(path: Path) -> None:
    await SqliteStore(path).put(entry("a"), max_entries=10)
    await SqliteStore(path).add_alias("id-a", wording("x"))
    with closing(sqlite3.connect(path)) as db:
        old = "SELECT answer, sources, documents FROM entries WHERE identity = 'identity' AND exact_text = ?"
        assert db.execute(old, ("说法 x",)).fetchone() == db.execute(old, ("问题 a",)).fetchone()


async def test_a_read_only_file_serves_hits_and_refuses_to_keep(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store=SqliteStore(path))  # type: ignore[arg-type]  # any store will do
    await world.keep(asked(KEPT))

    def read_only(where: Path) -> sqlite3.Connection:
        connection = connect(where)
        connection.execute("PRAGMA query_only = ON")
        return connection

    monkeypatch.setattr("groat.cache.stores.sqlite.connect", read_only)
    world = World(store=SqliteStore(path))  # type: ignore[arg-type]  # any store will do
    assert await world.keep(asked("hello")) is False
    assert world.cache.last_failure is not None
    assert "read-only; give this user the right" in world.cache.last_failure
    assert (await world.ask(asked(KEPT)))[0]["outcome"] == "hit"
    with pytest.raises(StorageError, match="read-only"):
        await world.cache.forget(everything=True)


async def test_a_full_disk_keeps_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def small(where: Path) -> sqlite3.Connection:
        connection = connect(where)
        connection.execute("PRAGMA max_page_count = 20")
        return connection

    monkeypatch.setattr("groat.cache.stores.sqlite.connect", small)
    cache = AnswerCache(SqliteStore(path), None)
    question, vectors = asked(KEPT), KnownVectors()
    assert await cache.remember(identity(question), question, ANSWER, embed=vectors.query) is True
    large = {**ANSWER, "answer": "x" * 200_000}
    assert await cache.remember(identity(question), question, large, embed=vectors.query) is False  # type: ignore[arg-type]
    assert cache.last_failure == f"there is no space left for the answer cache {path}; free some space on that disk"
    assert await cache.count() == 1


async def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be opened"):
        await SqliteStore(tmp_path / "file" / "answers.db").count()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("SQLITE_BUSY", "locked by another process"),
        ("SQLITE_READONLY_DIRECTORY", "is read-only"),
        ("SQLITE_FULL", "no space left"),
        ("SQLITE_CORRUPT_INDEX", "is damaged; move"),
        ("SQLITE_IOERR_READ", "cannot be opened or read"),
        ("", "cannot be used"),
    ],
)
def test_each_failure_has_its_sentence(name: str, says: str, path: Path) -> None:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorname = name
    assert says in str(storage_error(path, error))
