"""``groat batch --server``: the rows as background runs of a real LangGraph server."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from graph.context import Context
from groat.batch import Results, read_rows, run
from groat.errors import GroatError
from serve.remote_batch import ServerAsker, check_server
from tests.dev_server import serve_graph
from tests.forked import begin, forking
from tests.model_server import COUNTED, Body, Outcome, Says, serve_model
from tests.test_batch_command import DOCUMENTS, _well

pytest.importorskip("langgraph_api")


def _once(body: Body, number: int) -> Outcome:
    found = _well(body, number)
    assert isinstance(found, Says)
    return Says(text=found.text, usage=COUNTED, delay_s=0.05)


async def test_rows_run_on_the_server_in_order_equal_ones_once_and_a_restart_joins_what_was_begun(tmp_path: Path) -> None:
    questions = [f"How long is a password reset link valid for product P{10 + n % 4}?" for n in range(6)] + [
        f"型号 P{10 + n % 2} 的新密码至少要有多少个字符？" for n in range(4)
    ]
    rows = [json.dumps({"id": f"q-{n}", "question": one, "tenant": "default"}) for n, one in enumerate(questions)]
    (tmp_path / "in.jsonl").write_text("\n".join([*rows, '{"question": "who?", "tenant": "nobody"}']), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (tmp_path / "docs" / f"{name}.md").write_text(f"---\nid: {name}\n---\n{text}", encoding="utf-8")
    with serve_model(answer_with=_once) as models:
        environ = {
            "GROAT_DATA_DIR": str(tmp_path / "data"), "GROAT_JUDGE": "off", "GROAT_AUDIT_SHARE": "0",
            "GROAT_ROUTE_AUDIT_SHARE": "0", "OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": models.url,
        }  # fmt: skip
        await asyncio.to_thread(_ingest, tmp_path, environ)
        with serve_graph(tmp_path, environ) as url:
            await check_server(url)
            first = await _run(tmp_path, url, stop_after=3)
            assert 3 <= first < 11
            last = await _run(tmp_path, url, resume=True)
    assert last == 11
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["question"] for line in lines] == questions
    assert all(line["verified"] for line in lines)
    assert len(models.requests) == 6
    (lost,) = [json.loads(line) for line in (tmp_path / "out.failed.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (lost["row"], lost["failure"]) == (11, "bad_input")
    assert "the tenant 'nobody' is not known" in lost["reason"]


def _ingest(folder: Path, environ: dict[str, str]) -> None:
    process = begin(forking(), ["ingest", "docs"], folder=folder, environ=environ, log=folder / "log.txt")
    process.join(120)
    assert process.exitcode == 0, (folder / "log.txt").read_text(encoding="utf-8")


async def _run(folder: Path, url: str, *, resume: bool = False, stop_after: int | None = None) -> int:
    results, stop = Results(folder / "out.jsonl", resume=resume), asyncio.Event()
    rows = (row for row in read_rows(str(folder / "in.jsonl")) if row.number > results.tally.rows)

    def step(row: Any, tally: Any) -> None:
        if tally.rows == stop_after:
            stop.set()

    asker = ServerAsker(url, Context(tier="cheap"), folder / "out.jsonl")
    try:
        assert await run(rows, asker, results, at_once=4, stop=stop, step=step) == ""
    finally:
        await asker.close()
        results.close()
    return results.tally.rows


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(GroatError, match=r"http://127.0.0.1:9 cannot be reached"):
        await check_server("http://127.0.0.1:9")
