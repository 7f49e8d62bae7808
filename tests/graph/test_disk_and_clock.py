"""A full disk, and a clock that is set while questions are answered, cost nobody the answer; the ledger is right or says so."""

import contextlib
import sqlite3
import time
from dataclasses import replace
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.exceptions import ModelRateLimitError

from graph.context import Context
from groat.answering import Breakers, Endpoint, Limits
from groat.answering.failures import explained
from groat.cache import AnswerCache, SqliteStore
from groat.costs import Books, Budget, Budgets, PriceTable, SqliteLedger
from groat.errors import ModelError
from groat.tracing import names
from tests.fakes import FixedClock, ScriptedChat
from tests.graph.conftest import GOOD, QUESTION, cache_calibration
from tests.model_server import COUNTED, Body, Outcome, Says, serve_model
from tests.served import ServedWorld, billed, open_world, price

ZH_QUESTION = "新密码至少要有多少个字符？"
ZH_GOOD = "新密码至少要有 10 个字符。[zh-reset]"
QUESTIONS = {"en": (QUESTION, GOOD), "zh": (ZH_QUESTION, ZH_GOOD)}
HOUR_S = 3600.0


def _well(body: Body, number: int) -> Outcome:
    chinese = ZH_QUESTION in body["messages"][-1]["content"]
    return Says(text=ZH_GOOD if chinese else GOOD, usage=COUNTED)


async def _ask(world: ServedWorld, question: str, **knobs: Any) -> tuple[Any, list[str]]:
    """Return the output, and every sentence about a charge that the ledger could not take."""
    output, failed = None, []
    told: Any  # the state, or what a box says
    context = Context(tenant="acme", **knobs)
    async for mode, told in world.graph.astream({"question": question}, context=context, stream_mode=["custom", "values"]):
        if mode == "values":
            output = told
        elif told[names.EVENT] == names.ATTEMPTED and told["ledger_failed"]:
            failed.append(told["ledger_failed"])
    return output, failed


async def test_a_full_disk_costs_nobody_the_answer_and_is_told_with_every_charge_that_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, full, real = await open_world(tmp_path), True, sqlite3.connect

    def connect(path: Path, **options: Any) -> sqlite3.Connection:
        db: sqlite3.Connection = real(path, **options)
        if full and Path(path).name in {"ledger.sqlite", "cache.sqlite"}:
            db.execute("PRAGMA max_page_count = 1")  # no page more than there are
        return db

    with serve_model(answer_with=_well) as server:
        here = world.with_models(server)
        await here.services.books.ledger.check()
        await here.services.answers.check()
        monkeypatch.setattr(sqlite3, "connect", connect)
        ledger = SqliteLedger(here.folder / "ledger.sqlite")
        services = replace(
            here.services,
            books=Books(PriceTable(), ledger, baseline_model="gpt-5.2"),
            budgets=Budgets(ledger),
            answers=AnswerCache(SqliteStore(here.folder / "cache.sqlite"), cache_calibration(0.8)),
        )
        here = replace(here, services=services)
        hidden = 0
        missed = {"en": 0, "zh": 0}
        for place in range(60):  # first the pages that are there are filled
            language = ("en", "zh")[place % 2]
            question, good = QUESTIONS[language]
            before = len(here.paid())
            output, failed = await _ask(here, question, use_cache=place % 4 < 2)
            assert (output["answer"], output["verified"], output["error"]) == (good, True, "")
            assert all(sentence.endswith("free some") for sentence in failed)
            asked = len(output["attempts"])
            missed[language] += len(failed)
            hidden += asked - (len(here.paid()) - before) - len(failed)
            if min(missed.values()) > 1:
                break
        assert min(missed.values()) > 1
        assert hidden == 0
        full = False
        before = len(here.paid())
        for question, good in QUESTIONS.values():
            output, failed = await _ask(here, question, use_cache=False)
            assert (output["answer"], failed) == (good, [])
        assert len(here.paid()) == before + 2


async def test_a_clock_that_is_set_an_hour_forth_and_back_costs_no_answer_and_counts_no_charge_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, off_s = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + off_s)

    def jump(body: Body, number: int) -> Outcome:
        nonlocal off_s
        off_s = (HOUR_S, 0.0, -HOUR_S, 0.0)[number % 4]
        # Every third request has to be sent again, on whichever day or hour that is.
        return "broken" if number % 3 == 2 else _well(body, number)

    world = await open_world(tmp_path)
    with serve_model(answer_with=jump) as server:
        here = world.with_models(server, limits=Limits(requests=1000))
        ledger = here.services.books.ledger

        def clock() -> float:
            return time.time()

        budget = Budget(usd_per_day=Decimal(1), policy="refuse")
        services = replace(
            here.services,
            books=Books(PriceTable(), ledger, baseline_model="gpt-5.2", clock=clock),
            budgets=Budgets(ledger, overall=budget, clock=clock),
            answers=AnswerCache(SqliteStore(here.folder / "cache.sqlite"), cache_calibration(0.8), clock=clock),
        )
        here = replace(here, services=services)
        for place in range(12):
            question, good = QUESTIONS[("en", "zh")[place % 2]]
            output, failed = await _ask(here, question, use_cache=place > 7)
            assert (output["answer"], output["error"], failed) == (good, "", [])
        assert here.paid() == billed(server)
        assert await here.cost() == price(billed(server))
        with contextlib.closing(sqlite3.connect(here.folder / "ledger.sqlite")) as db:
            days = [Decimal(amount) for (amount,) in db.execute("SELECT amount FROM spent")]
            assert db.execute("SELECT count(*) FROM reservations").fetchone() == (0,)
        assert sum(days) == price(billed(server))


async def test_an_open_breaker_rests_no_longer_because_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    real, off_s, steady = time.time, 0.0, FixedClock()
    monkeypatch.setattr(time, "time", lambda: real() + off_s)
    breakers = Breakers(failures=1, rest_s=30.0, clock=steady)
    endpoint = Endpoint(model=ScriptedChat(replies=[""]), name="m", priced_as="m", key_setting="K")
    await (await breakers.guard(endpoint, "cheap")).ended(ModelError("down", failure="server"))
    off_s = HOUR_S
    with pytest.raises(ModelError, match="left alone for a while"):
        await breakers.guard(endpoint, "cheap")
    off_s = -HOUR_S
    steady.now += 31.0
    await (await breakers.guard(endpoint, "cheap")).ended(None)
    assert not await breakers.is_open(endpoint)


def test_a_date_to_wait_for_is_read_by_the_providers_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ModelRateLimitError("slow down")
    now = 1_795_521_600.0
    headers = {"date": formatdate(now, usegmt=True), "retry-after": formatdate(now + 7, usegmt=True)}
    error.response = SimpleNamespace(headers=headers)  # type: ignore[attr-defined]  # as openai's errors have
    endpoint = Endpoint(model=ScriptedChat(replies=[""]), name="m", priced_as="m", key_setting="K")
    monkeypatch.setattr(time, "time", lambda: now - HOUR_S)
    assert explained(error, endpoint, "cheap").retry_after_s == 7.0
