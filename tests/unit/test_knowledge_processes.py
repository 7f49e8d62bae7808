import asyncio
import json
import sys
from contextlib import closing
from pathlib import Path

import pytest

from groat.knowledge import IngestReport, KnowledgeBase
from groat.knowledge.schema import connect
from tests.fakes import WordEmbedder

INGEST = """
import asyncio, json, os, sys
from pathlib import Path
from groat.knowledge import KnowledgeBase
from tests.fakes import WordEmbedder

path, docs, die_after = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])

def progress(told):
    if told.phase == "done" and told.done == die_after:
        os._exit(9)

report = asyncio.run(KnowledgeBase(path, WordEmbedder()).ingest([docs], tenant="t", progress=progress))
print(json.dumps([report.added, report.unchanged]))
"""


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(12):
        text = f"---\nid: d{n:02}\n---\n" + f"Document {n} says this. 文档{n}这样说。\n\n" * 30
        (folder / f"{n:02}.md").write_text(text, encoding="utf-8")
    return folder


async def ingest(path: Path, docs: Path, die_after: int) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", INGEST, str(path), str(docs), str(die_after)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_an_ingest_that_was_killed_goes_on_where_it_stopped(tmp_path: Path, docs: Path) -> None:
    path = tmp_path / "data" / "knowledge.sqlite"
    assert await ingest(path, docs, die_after=5) == (9, "")
    embedder = WordEmbedder()
    kb = KnowledgeBase(path, embedder)
    names = [f"d{n:02}" for n in range(12)]
    there = sorted(await kb.versions(names, tenant="t"))
    assert there == names[:5]
    assert await kb.count("t") == (5, 5 * 60)
    assert await kb.ingest([docs], tenant="t") == IngestReport(added=names[5:], unchanged=names[:5])
    # Each document says two sentences thirty times over.
    assert len(embedder.embedded) == 7 * 2
    assert await kb.count("t") == (12, 12 * 60)
    whole = KnowledgeBase(tmp_path / "whole" / "knowledge.sqlite", WordEmbedder())
    await whole.ingest([docs], tenant="t")
    assert await kb.search("文档 7 Document", tenant="t", k=50) == await whole.search("文档 7 Document", tenant="t", k=50)


async def test_two_processes_may_ingest_one_folder_at_once(tmp_path: Path, docs: Path) -> None:
    path = tmp_path / "data" / "knowledge.sqlite"
    results = await asyncio.gather(ingest(path, docs, die_after=-1), ingest(path, docs, die_after=-1))
    names = [f"d{n:02}" for n in range(12)]
    assert [code for code, _ in results] == [0, 0]
    assert sorted(json.loads(out) for _, out in results) == [[[], names], [names, []]]
    assert await KnowledgeBase(path, WordEmbedder()).count("t") == (12, 12 * 60)


async def test_two_ingests_and_a_search_in_one_process_get_along(tmp_path: Path, docs: Path) -> None:
    kb = KnowledgeBase(tmp_path / "data" / "knowledge.sqlite", WordEmbedder())
    first, second, _ = await asyncio.gather(
        kb.ingest([docs], tenant="t"), kb.ingest([docs], tenant="t"), kb.search("文档", tenant="t")
    )
    assert sorted([len(first.added), len(second.added)]) == [0, 12]
    assert await kb.count("t") == (12, 12 * 60)


async def test_a_connection_made_here_leaves_the_locks_of_the_others_in_this_process(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.sqlite"
    with closing(connect(path, create=True)) as held:
        held.execute("SELECT count(*) FROM documents").fetchone()
        connect(path, create=True).close()
        # Who finds no lock takes itself for the last one, and removes at its end the log that is read and written here.
        look = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM documents'); db.close()"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", look, str(path))
        assert await process.wait() == 0
        assert path.with_name(f"{path.name}-wal").exists()
