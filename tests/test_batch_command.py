"""``groat batch`` as people run it: real processes, which are killed, and a model server that bills."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from tests.batch_server import serve_batches
from tests.forked import begin, forking
from tests.model_server import COUNTED, Body, ModelServer, Outcome, Says, serve_model

DOCUMENTS = {
    "en-reset": "# Password reset\n\nA password reset link is valid for 20 minutes. The link works once only.\n",
    "zh-reset": "# 修改密码\n\n新密码至少要有 10 个字符。修改之后其他设备会自动退出登录。\n",
}
AT_ONCE = 4
KILLS = 5


def _questions() -> list[str]:
    """Return 60 rows of 40 questions, half of them Chinese."""
    distinct = [
        f"How long is a password reset link valid for product P{10 + n}?"
        if n % 2
        else f"型号 P{10 + n} 的新密码至少要有多少个字符？"
        for n in range(10, 50)
    ]
    rows = [*distinct, *random.Random(5).sample(distinct, 20)]
    random.Random(6).shuffle(rows)
    return rows


def _well(body: Body, number: int) -> Outcome:
    chinese = "<question>型号" in body["messages"][-1]["content"]
    text = "新密码至少要有 10 个字符。[zh-reset]" if chinese else "A password reset link is valid for 20 minutes. [en-reset]"
    return Says(text=text, usage=COUNTED, delay_s=0.1)


class Home:
    """A folder with documents, a file of questions and the data of groat."""

    def __init__(self, folder: Path, context: ForkServerContext) -> None:
        self.folder, self._context = folder, context
        (folder / "docs").mkdir(parents=True)
        for name, text in DOCUMENTS.items():
            (folder / "docs" / f"{name}.md").write_text(f"---\nid: {name}\n---\n{text}", encoding="utf-8")
        self.server: ModelServer | None = None
        self.provider = ""
        assert self.groat("ingest", "docs") == 0

    def write(self, questions: list[str]) -> None:
        rows = "".join(json.dumps({"id": f"q-{n}", "question": one}) + "\n" for n, one in enumerate(questions))
        (self.folder / "in.jsonl").write_text(rows, encoding="utf-8")

    def groat(self, *arguments: str, during: Callable[[int], None] | None = None) -> int:
        """Run the command, with what ``during`` does to its process, and return its exit code."""
        environ = {"GROAT_DATA_DIR": str(self.folder / "data"), "GROAT_JUDGE": "off"}
        # What is drawn to be looked at again would be asked twice.
        environ |= {"GROAT_AUDIT_SHARE": "0", "GROAT_ROUTE_AUDIT_SHARE": "0"}
        if address := self.provider or (self.server.url if self.server else ""):
            models = {"GROAT_CHEAP_MODEL": "gpt-5-mini", "GROAT_EXPENSIVE_MODEL": "gpt-5.2"}
            environ |= {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": address, **models}
        process = begin(self._context, arguments, folder=self.folder, environ=environ, log=self.folder / "log.txt")
        assert process.pid is not None
        if during is not None:
            during(process.pid)
        process.join(120)
        assert process.exitcode is not None, "the command did not end"
        return process.exitcode

    def batch(self, *more: str, during: Callable[[int], None] | None = None) -> int:
        return self.groat(
            "batch", "in.jsonl", "out.jsonl", "--tier", "cheap", "--max-concurrency", str(AT_ONCE), "--json", "sum.json", *more,
            during=during,
        )  # fmt: skip

    def told(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]

    def summary(self) -> dict[str, Any]:
        found = json.loads((self.folder / "sum.json").read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    def paid(self) -> list[tuple[str, str]]:
        """Return the key and outcome of every charge for a model."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "ledger.sqlite")) as ledger:
            return ledger.execute("SELECT key, outcome FROM charges WHERE kind = 'chat'").fetchall()


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return forking()


def _question_of(body: Body) -> str:
    return str(body["messages"][-1]["content"]).split("<question>")[1].split("</question>")[0]


def test_a_batch_that_is_killed_five_times_gives_what_one_gives_that_is_not(tmp_path: Path, context: ForkServerContext) -> None:
    questions = _questions()
    with serve_model(answer_with=_well) as server:
        whole = Home(tmp_path / "whole", context)
        whole.server = server
        whole.write(questions)
        assert whole.batch() == 0, whole.told()
        assert len(server.requests) == 40
    chance = random.Random(7)
    with serve_model(answer_with=_well) as server:
        home = Home(tmp_path / "killed", context)
        home.server = server
        home.write(questions)

        def kill(process: int) -> None:
            seen, wait_until = len(server.requests), time.monotonic() + 60
            while len(server.requests) < seen + 5 and time.monotonic() < wait_until:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.1)
            os.kill(process, signal.SIGKILL)

        for _ in range(KILLS):
            assert home.batch("--resume", during=kill) == -signal.SIGKILL, home.told()
        assert home.batch("--resume") == 0, home.told()
    same = ("row", "id", "question", "answer", "verified")
    assert [[line[name] for name in same] for line in home.lines()] == [[line[name] for name in same] for line in whole.lines()]
    assert (home.summary()["done"], home.summary()["failed"]) == (60, 0)
    assert home.summary()["cost"] == pytest.approx(whole.summary()["cost"])
    # The ledger holds each question's one paid answer; the server also saw those that were under way at a kill.
    assert Counter(outcome for _, outcome in home.paid()) == {"ok": 40}
    asked = Counter(_question_of(body) for body in server.requests)
    assert len(asked) == 40
    assert asked.total() - 40 <= KILLS * AT_ONCE
    assert not list(home.folder.glob("out.state*")) + list(home.folder.glob("out.failed*"))


def test_a_provider_batch_that_is_killed_while_it_waits_is_collected_and_paid_for_once(
    tmp_path: Path, context: ForkServerContext
) -> None:
    def say(body: Body) -> str:
        found = _well(body, 0)
        assert isinstance(found, Says)
        return found.text

    questions = _questions()[:12]
    with serve_batches(say, looks=None) as server:
        home = Home(tmp_path / "home", context)
        home.provider = server.url
        home.write(questions)

        def kill(process: int) -> None:
            wait_until = time.monotonic() + 60
            while not server.batches and time.monotonic() < wait_until:
                time.sleep(0.01)
            time.sleep(0.2)
            os.kill(process, signal.SIGKILL)

        assert home.batch("--provider-batch", "--poll", "0.05", during=kill) == -signal.SIGKILL, home.told()
        assert home.batch("--provider-batch", "--poll", "0.05", "--resume", during=kill) == -signal.SIGKILL, home.told()
        server.looks = 0
        assert home.batch("--provider-batch", "--poll", "0.05", "--resume") == 0, home.told()
    assert [line["question"] for line in home.lines()] == questions
    assert len(server.batches) == 1
    assert len(server.billed) == len(home.paid()) == len(set(questions))
    # 100 tokens in and 20 out each, at half of the list price of gpt-5-mini.
    assert home.summary()["cost"] == pytest.approx(len(set(questions)) * (100 * 0.25e-6 + 20 * 2e-6) / 2)
    assert home.summary()["provider_batch_saved"] == pytest.approx(home.summary()["cost"])


def test_an_interrupt_ends_what_is_under_way_and_says_how_to_go_on(tmp_path: Path, context: ForkServerContext) -> None:
    with serve_model(answer_with=_well) as server:
        home = Home(tmp_path / "home", context)
        home.server = server
        home.write(_questions()[:30])

        def interrupt(process: int) -> None:
            wait_until = time.monotonic() + 60
            while len(server.requests) < 3 and time.monotonic() < wait_until:
                time.sleep(0.01)
            os.kill(process, signal.SIGINT)

        assert home.batch(during=interrupt) == 130, home.told()
        go_on = "groat batch in.jsonl out.jsonl --max-concurrency 4 --tier cheap --resume"
        assert f"stopped; go on with: {go_on}\n" in home.told()
        stopped = home.summary()
        assert stopped["stopped"]
        assert 0 < stopped["done"] < 30
        assert len(home.paid()) == len(server.requests)
        assert home.groat(*go_on.split()[1:]) == 0, home.told()
    assert [line["row"] for line in home.lines()] == [*range(1, 31)]


def test_a_bad_row_stops_the_batch_before_anything_is_asked_or_is_named_and_left_out(
    tmp_path: Path, context: ForkServerContext
) -> None:
    home = Home(tmp_path / "home", context)
    (home.folder / "in.jsonl").write_text('"怎么修改密码?"\n{"question": 7}\n"How long is a link valid?"\n', encoding="utf-8")
    assert home.batch() == 1
    assert "in.jsonl, line 2: 'question' is missing" in home.told()
    assert home.batch("--skip-bad") == 0, home.told()
    assert "left out: in.jsonl, line 2" in home.told()
    assert [line["row"] for line in home.lines()] == [1, 3]
    assert (home.summary()["done"], home.summary()["failed"]) == (2, 1)
