"""Several workers on one Postgres and one Redis: ``langhost``, whose environment ``make deploy-tools`` makes.

Run by ``make test-deploy``.
"""

import asyncio
import contextlib
import json
import re
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evals.postgres_server import serve_postgres
from evals.processes import BIN, Serving, start, wait_until_ready
from serve.application import ROOT
from tests.agent_server.conftest import CallWith
from tests.model_server import COUNTED, Body, ModelServer, Outcome, Says, serve_model
from tests.redis_server import serve_redis

TOOLS = ROOT / ".venv-deploy" / "bin"
QUESTIONS = {"en": "How long is a password reset link valid?", "zh": "密码重置链接的有效期是多久?"}
DOCUMENTS = {"en": "A password reset link is valid for 20 minutes.\n", "zh": "密码重置链接的有效期是20分钟。\n"}
_SCHEMA = {"type": "object", "required": ["minutes"], "properties": {"minutes": {"type": "integer"}}}
_RIGHT, _HANGS_S, _HEARTBEAT_S = {"minutes": 20}, 120.0, 1

pytestmark = pytest.mark.deploy


class _Model:
    """Answers a question badly at first, hangs at the second request, and then answers well."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, body: Body, number: int) -> Outcome:
        asked = re.search(r"<question>(.*?)</question>", body["messages"][-1]["content"])
        assert asked is not None  # groat's prompts have one
        self.asked[asked[1]] += 1
        match self.asked[asked[1]]:
            case 1:
                return Says(text="twenty", usage=COUNTED)
            case 2:
                return Says(text=json.dumps(_RIGHT), usage=COUNTED, delay_s=_HANGS_S)
            case _:
                return Says(text=json.dumps(_RIGHT), usage=COUNTED)


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with serve_model(answer_with=_Model()) as server:
        yield server


@pytest.fixture
def environment(tmp_path: Path, model: ModelServer) -> Iterator[dict[str, str]]:
    """Return what every process is told: one Postgres, one Redis, one data folder that knows the documents."""
    documents = tmp_path / "documents"
    documents.mkdir()
    for name, text in DOCUMENTS.items():
        (documents / f"{name}.md").write_text(text, encoding="utf-8")
    with serve_postgres(TOOLS / "python") as postgres, serve_redis(tmp_path) as redis:
        settings = {
            "DATABASE_URI": postgres, "REDIS_URI": redis.url, "LG_BG_JOB_HEARTBEAT": str(_HEARTBEAT_S), "OMP_NUM_THREADS": "1",
            "GROAT_DATA_DIR": str(tmp_path / "data"), "GROAT_CACHE_URL": redis.url, "GROAT_REDIS_URL": redis.url,
            "GROAT_CHEAP_MODEL": "gpt-5-mini", "GROAT_CHEAP_BASE_URL": model.url, "GROAT_CHEAP_API_KEY": "sk-none",
            "GROAT_EXPENSIVE_MODEL": "gpt-5.2", "GROAT_EXPENSIVE_BASE_URL": model.url, "GROAT_EXPENSIVE_API_KEY": "sk-none",
            "GROAT_TIMEOUT_S": "300", "GROAT_TRIES": "1", "GROAT_REDIS_PATIENCE_S": "1",
        }  # fmt: skip
        plain = {name: value for name, value in settings.items() if name.startswith("GROAT_DATA")}
        subprocess.run([BIN / "groat", "ingest", documents], env=plain, check=True, capture_output=True)
        yield settings


@contextlib.contextmanager
def _workers(folder: Path, environment: dict[str, str]) -> Iterator[tuple[Serving, Serving, Serving]]:
    """Run a server that takes calls and runs nothing, and two workers, of which the first alone works at first."""

    def begin(jobs: int) -> Serving:
        command = [
            str(TOOLS / "langhost"), "serve", "-c", str(ROOT / "deploy" / "langhost.json"), "--host", "127.0.0.1",
            "--port", "{port}", "--n-jobs-per-worker", str(jobs),
        ]  # fmt: skip
        return start(command, folder, environment)

    started: list[Serving] = []
    try:
        # One after the other: the first makes the tables.
        for jobs in (0, 2):
            started.append(begin(jobs))
            wait_until_ready(started[-1], "/ok")
        started.append(begin(2))
        yield started[0], started[1], started[2]
    finally:
        for server in started:
            if server.process.poll() is None:
                server.kill()


def _paid(folder: Path) -> list[tuple[int, int]]:
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite")) as ledger:
        return sorted(ledger.execute("SELECT input, output FROM charges WHERE kind = 'chat'").fetchall())


async def _until(done: Any, within_s: float) -> None:
    end = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end, "what was waited for did not come"
        await asyncio.sleep(0.1)


async def test_a_run_whose_worker_is_killed_ends_right_elsewhere_and_is_paid_once(
    tmp_path: Path, environment: dict[str, str], model: ModelServer, call: CallWith
) -> None:
    context: Any = {"tier": "cheap", "response_schema": _SCHEMA, "deadline_s": 600}
    with _workers(tmp_path, environment) as (front, doomed, other):
        client = call(front.url)
        runs = {}
        for language, question in QUESTIONS.items():
            thread = (await client.threads.create())["thread_id"]
            run = await client.runs.create(thread, "groat", input={"question": question}, context=context)
            runs[language] = (thread, run["run_id"])
        # Both questions have paid for a first answer, and wait for the second.
        await _until(lambda: len(model.bill) == 2 * len(QUESTIONS), 60)
        await asyncio.to_thread(wait_until_ready, other, "/ok")
        doomed.kill()
        ended = {name: await client.runs.join(*run) for name, run in runs.items()}
        again: Any = await client.runs.wait(None, "groat", input={"question": QUESTIONS["zh"]}, context=context)
        await model.settled()
    values: dict[str, Any] = {name: dict(one) for name, one in ended.items()}
    assert {name: json.loads(one["answer"]) for name, one in values.items()} == dict.fromkeys(QUESTIONS, _RIGHT)
    # Each went on behind the last box that had ended: nothing was asked for a second time.
    assert [one["path"].count("answer_cheap") for one in values.values()] == [2, 2]
    assert Counter(one.outcome for one in model.bill) == {"ok": 4, "cancelled": 2}
    assert _paid(tmp_path / "data") == sorted((one.input, one.output) for one in model.bill if one.outcome == "ok")
    assert (again["path"], json.loads(again["answer"])) == (["check_cache"], _RIGHT)
