import os
import sqlite3
from pathlib import Path

import pytest
from filelock import FileLock

from groat.errors import StorageError
from groat.knowledge import KnowledgeBase, Progress, base, store
from groat.knowledge.documents import Piece
from groat.knowledge.schema import SCHEMA, storage_error
from tests.fakes import WordEmbedder


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "knowledge.sqlite"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.md").write_text(f"---\nid: d{n}\n---\nText {n}. 文本{n}。" + "More. " * 400, encoding="utf-8")
    return folder


@pytest.fixture
def kb(path: Path) -> KnowledgeBase:
    return KnowledgeBase(path, WordEmbedder())


async def failures(kb: KnowledgeBase, docs: Path) -> set[str]:
    """Return the messages with which each call fails."""
    calls = (
        lambda: kb.search("text", tenant="t"),
        lambda: kb.versions(["d0"], tenant="t"),
        lambda: kb.count("t"),
        kb.tenants,
        kb.check,
        lambda: kb.forget_document("d0"),
        kb.forget_all,
        lambda: kb.ingest([docs], tenant="t"),
    )
    messages = set()
    for call in calls:
        with pytest.raises(StorageError) as caught:
            await call()
        messages.add(str(caught.value))
    return messages


async def test_files_are_for_their_owner_alone(kb: KnowledgeBase, path: Path, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


async def test_the_check_makes_a_database_that_is_not_there(kb: KnowledgeBase, path: Path) -> None:
    await kb.check()
    await kb.check()
    assert path.exists()
    assert await kb.tenants() == set()


async def test_garbage_in_place_of_the_database_is_named(kb: KnowledgeBase, path: Path, docs: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all " * 200)
    assert await failures(kb, docs) == {f"the knowledge database {str(path)!r} is damaged; move it away and ingest again"}


async def test_damage_inside_the_database_is_found_by_the_check(kb: KnowledgeBase, path: Path, docs: Path) -> None:
    await kb.ingest([docs], tenant="t")
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : -4096] = os.urandom(len(raw) - 4096 * 4)
    path.write_bytes(raw)
    with pytest.raises(StorageError) as caught:
        await kb.check()
    assert str(caught.value) == f"the knowledge database {str(path)!r} is damaged; move it away and ingest again"


async def test_a_database_of_a_newer_version_is_left_alone(kb: KnowledgeBase, path: Path, docs: Path) -> None:
    await kb.check()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    db.close()
    assert await failures(kb, docs) == {
        f"the knowledge database {str(path)!r} has schema {SCHEMA + 1} and this version reads up to {SCHEMA}; upgrade groat"
    }


async def test_a_database_of_something_else_is_left_alone(kb: KnowledgeBase, path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    with pytest.raises(StorageError) as caught:
        await kb.check()
    assert str(caught.value) == f"{str(path)!r} is a database of something else; choose another data folder"
    assert await kb.search("text", tenant="t") == []


async def test_an_empty_file_is_an_empty_database(kb: KnowledgeBase, path: Path, docs: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert await kb.search("text", tenant="t") == []
    assert (await kb.ingest([docs], tenant="t")).added == ["d0", "d1", "d2"]


async def test_a_locked_database_can_be_read_and_says_so_on_writing(
    kb: KnowledgeBase, path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kb.ingest([docs], tenant="t")
    monkeypatch.setattr("groat.knowledge.schema.BUSY_TIMEOUT_MS", 50)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert len(await kb.search("text", tenant="t", k=1)) == 1
    with pytest.raises(StorageError) as caught:
        await kb.forget_document("d0")
    holder.close()
    assert str(caught.value) == (
        f"the knowledge database {str(path)!r} is locked by another process; wait until it is done and try again"
    )


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, docs: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "knowledge.sqlite"
    with pytest.raises(StorageError) as caught:
        await KnowledgeBase(path, WordEmbedder()).ingest([docs], tenant="t")
    assert str(caught.value).startswith(f"the data folder of {str(path)!r} cannot be used (")


def test_a_full_disk_and_a_read_only_database_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "k.sqlite"
    sqlite3.connect(path).execute("CREATE TABLE a (x)").connection.close()
    messages = []
    for address, pragma, size in ((f"file:{path}?mode=ro", "query_only = 0", 1), (f"file:{path}", "max_page_count = 2", 99999)):
        db = sqlite3.connect(address, uri=True, isolation_level=None)
        db.execute(f"PRAGMA {pragma}")
        with pytest.raises(sqlite3.Error) as caught:
            db.execute("INSERT INTO a VALUES (zeroblob(?))", (size,))
        db.close()
        messages.append(str(storage_error(caught.value, path)))
    assert messages == [
        f"the knowledge database {str(path)!r} can only be read; give this user the right to write it and its folder",
        f"the knowledge database {str(path)!r} cannot grow because the disk is full; free some space and try again",
    ]


async def test_a_database_in_a_folder_nobody_can_write_is_searched_and_not_written(
    kb: KnowledgeBase, path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kb.ingest([docs], tenant="t")
    # The superuser may write everywhere, so the system is made to say otherwise.
    monkeypatch.setattr("groat.knowledge.schema.os.access", lambda place, mode: False)
    assert len(await kb.search("text", tenant="t", k=3)) == 3
    with pytest.raises(StorageError) as caught:
        await kb.forget_document("d0")
    assert str(caught.value) == (
        f"the knowledge database {str(path)!r} can only be read; give this user the right to write it and its folder"
    )


async def test_an_ingest_waits_for_another_and_gives_up_in_the_end(
    kb: KnowledgeBase, path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "_WAIT_FOR_OTHER_INGEST_S", 0.3)
    monkeypatch.setattr(base, "_LOOK_AGAIN_S", 0.1)
    path.parent.mkdir()
    told: list[Progress] = []
    with FileLock(f"{path}.ingest.lock"):
        assert await kb.search("text", tenant="t") == []
        with pytest.raises(StorageError, match=r"^another ingest has been at work on .* for 0 minutes; wait until it is done"):
            await kb.ingest([docs], tenant="t", progress=told.append)
    assert told == [Progress(0, 0, "another ingest of this data folder is at work", "waiting")]
    assert (await kb.ingest([docs], tenant="t")).added == ["d0", "d1", "d2"]


async def test_a_write_that_fails_half_way_leaves_the_former_document_whole(
    kb: KnowledgeBase, path: Path, docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kb.ingest([docs], tenant="t")
    before = await kb.search("text 文本", tenant="t", k=50, max_tokens=10**6)
    add = store._add_passage
    added: list[str] = []

    def add_one_and_fail(db: sqlite3.Connection, document: int, passage_id: str, piece: Piece, vectors: bytes) -> int:
        added.append(passage_id)
        if len(added) == 2:
            raise sqlite3.OperationalError("disk I/O error")
        return add(db, document, passage_id, piece, vectors)

    monkeypatch.setattr(store, "_add_passage", add_one_and_fail)
    (docs / "1.md").write_text("---\nid: d1\n---\nOther. 别的。" + "More. " * 400, encoding="utf-8")
    with pytest.raises(StorageError):
        await kb.ingest([docs], tenant="t")
    assert added == ["d1#0", "d1#1"]
    assert await kb.search("text 文本", tenant="t", k=50, max_tokens=10**6) == before
    monkeypatch.undo()
    assert (await kb.ingest([docs], tenant="t")).changed == ["d1"]
