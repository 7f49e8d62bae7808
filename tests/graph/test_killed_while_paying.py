"""A process that is killed while it writes down a reply leaves the charge and the reply or neither; all requests are billed."""

import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from langgraph.runtime import Runtime

from graph.context import Context
from groat.answering import Answerer
from groat.costs import Books, Budgets, PriceTable, SqliteLedger, schema
from groat.costs import sqlite as ledger_module
from nodes import Knobs
from nodes.answer_cheap import AnswerCheap, Needs
from tests.fakes import asked
from tests.model_server import COUNTED, ModelServer, Says, serve_model
from tests.served import PATIENCE, served

QUESTIONS = {"en": "How long is a password reset link valid?", "zh": "密码重置链接多久有效？"}
ANSWERS = {"en": "It is valid for 20 minutes.", "zh": "有效期是二十分钟。"}
BEFORE = ("INSERT INTO charges", "INSERT OR REPLACE INTO replies", "COMMIT")
"""Statements of the write at whose beginning the process dies: nothing of it stands."""
AFTER = "the box has ended"


def _box(url: str, ledger: SqliteLedger) -> AnswerCheap:
    server = cast(ModelServer, SimpleNamespace(url=url))
    endpoints = {"cheap": served(server, "small"), "expensive": served(server, "big", tier="expensive")}
    books = Books(PriceTable(), ledger, baseline_model="gpt-5.2")
    return AnswerCheap(answerer=Answerer(endpoints, patience=PATIENCE), books=books, budgets=Budgets(ledger))  # type: ignore[arg-type]


async def _answer(url: str, path: Path, question: str) -> dict[str, Any]:
    state: Any = {
        "run": "r", "asked_at": time.time(), "asked": asked(question), "route": {"kind": "small_talk"}, "passages": [],
        "shortened": None, "attempts": [], "verdicts": [], "charges": [],
    }  # fmt: skip
    runtime: Runtime[Knobs] = Runtime(context=Context(tenant="acme"), stream_writer=lambda _: None)
    return cast(dict[str, Any], await _box(url, SqliteLedger(path))(cast(Needs, state), runtime))


def _answer_and_die(url: str, path: Path, question: str, at: str) -> None:
    """Die when the statement ``at`` of the write that holds the good reply begins, or after it."""
    charges = 0

    def watched(path: Path) -> sqlite3.Connection:
        def see(statement: str) -> None:
            nonlocal charges
            charges += statement.startswith(BEFORE[0])
            # The first request is answered with rubbish and charged by itself.
            if charges == 2 and statement.startswith(at):
                os.kill(os.getpid(), signal.SIGKILL)

        connection = schema.connect(path)
        connection.set_trace_callback(see)
        return connection

    setattr(ledger_module, "connect", watched)  # noqa: B010  # a module says what it exports
    asyncio.run(_answer(url, path, question))
    os.kill(os.getpid(), signal.SIGKILL)


def _read(path: Path) -> tuple[int, list[str]]:
    db = sqlite3.connect(path)
    try:
        (charges,) = db.execute("SELECT count(*) FROM charges").fetchone()
        return charges, [text for (text,) in db.execute("SELECT json FROM replies")]
    finally:
        db.close()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("at", [*BEFORE, AFTER])
def test_a_kill_leaves_the_charge_with_its_reply_or_neither_and_every_request_ended_is_charged(
    at: str, language: str, tmp_path: Path
) -> None:
    path, question = tmp_path / "ledger.sqlite", QUESTIONS[language]
    with serve_model("bad_json", Says(text=ANSWERS[language], usage=COUNTED)) as server:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # the imports take place once
        process = context.Process(target=_answer_and_die, args=(server.url, path, question, at))
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        assert len(server.requests) == 2
        charges, replies = _read(path)
        assert (charges, len(replies)) == ((2, 1) if at == AFTER else (1, 0))
        for text in replies:
            assert [charge["outcome"] for charge in json.loads(text)["charges"]] == ["malformed", "ok"]
        again = asyncio.run(_answer(server.url, path, question))
        assert again["attempts"][0]["text"] == ANSWERS[language]
        asked_again, in_flight = int(at != AFTER), int(at != AFTER)
        assert len(server.requests) == 2 + asked_again
        assert _read(path)[0] == len(server.requests) - in_flight
