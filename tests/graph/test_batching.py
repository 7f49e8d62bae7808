"""A batch through the whole graph, over real HTTP to a server that counts and bills."""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from graph.batching import kept_asker, patient, state_file, throttled
from graph.context import Context
from graph.settings import Settings
from groat.answering.throttle import Throttle
from groat.batch import Results, Row, Tally, read_rows, run
from tests.model_server import COUNTED, Body, Limits, ModelServer, Outcome, Refuses, Says, faulty, serve_model
from tests.served import ServedWorld, billed, open_world

GROUPS = {
    "en": ["How long is a password reset link valid?", "How long is the password reset link valid?"],
    "zh": ["新密码至少要有多少个字符？", "新密码至少要有多少字符？"],
}
SAID = {
    "How long": "A password reset link is valid for 20 minutes. [en-reset]",
    "新密码": "新密码至少要有 10 个字符。[zh-reset]",
}


def _question(number: int) -> str:
    return f"How long is a password reset link valid for product P{1000 + number}?"


def _well(body: Body, number: int) -> Outcome:
    asked = body["messages"][-1]["content"]
    return Says(text=next(text for beginning, text in SAID.items() if f"<question>{beginning}" in asked), usage=COUNTED)


@dataclass
class Batch:
    """A batch over a world of its own."""

    world: ServedWorld
    folder: Path
    throttle: Throttle

    async def run(self, *, resume: bool = False, at_once: int = 8, stop_after: int | None = None) -> Tally:
        out, stop = self.folder / "out.jsonl", asyncio.Event()

        def step(row: object, tally: Tally) -> None:
            if tally.rows == stop_after:
                stop.set()

        results = Results(out, resume=resume)
        rows = (row for row in read_rows(str(self.folder / "in.jsonl")) if row.number > results.tally.rows)
        services = patient(self.world.services, Settings(data_dir=self.folder))
        head = [row for row in read_rows(str(self.folder / "in.jsonl")) if isinstance(row, Row)]
        context = Context(tenant="acme", tier="cheap")
        try:
            async with kept_asker(services, context, state_file(out), head[results.tally.rows :]) as asker:
                self.halted = await run(rows, asker, results, at_once=at_once, stop=stop, step=step)
        finally:
            results.close()
        return results.tally

    def lines(self, name: str = "out.jsonl") -> list[dict[str, Any]]:
        path = self.folder / name
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


MakeBatch = Callable[..., Batch]


@pytest.fixture
async def make_batch(tmp_path: Path) -> MakeBatch:
    world = await open_world(tmp_path)

    def make(
        server: ModelServer, questions: Sequence[str], *, at_once: int = 8, rpm: int | None = None, tpm: int | None = None,
        window_s: float = 1.0,
    ) -> Batch:  # fmt: skip
        here = world.with_models(server)
        rows = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in questions)
        (here.folder / "in.jsonl").write_text(rows, encoding="utf-8")
        return Batch(here, here.folder, throttled(here.services, at_once=at_once, rpm=rpm, tpm=tpm, window_s=window_s))

    return make


@pytest.mark.parametrize("seed", range(3))
async def test_equal_questions_and_paraphrases_are_answered_once_in_whatever_order_they_come(
    make_batch: MakeBatch, seed: int
) -> None:
    questions = [question for group in GROUPS.values() for question in group * 4]
    random.Random(seed).shuffle(questions)
    with serve_model(answer_with=_well) as server:
        batch = make_batch(server, questions)
        tally = await batch.run()
    assert (tally.done, tally.failed, tally.hits, tally.unverified) == (16, 0, 14, 0)
    assert len(server.requests) == 2
    assert [line["question"] for line in batch.lines()] == questions
    for line in batch.lines():
        assert line["answer"] == next(text for beginning, text in SAID.items() if line["question"].startswith(beginning))


async def test_no_window_at_the_server_holds_more_than_the_limits_with_retries_and_faults(make_batch: MakeBatch) -> None:
    limits = Limits(requests=20, tokens=6_000, window_s=1.0)
    kinds: tuple[Outcome, ...] = ("broken", "drop", "unavailable", Refuses(status=429))
    with serve_model(answer_with=faulty(_well, share=0.2, seed=3, kinds=kinds), limits=limits) as server:
        batch = make_batch(server, [_question(n) for n in range(60)], at_once=12, rpm=20, tpm=6_000)
        tally = await batch.run(at_once=12)
        await server.settled()
    assert (tally.done, tally.failed) == (60, 0)
    assert server.violations == 0
    trace = server.trace()
    assert len(trace) > 60
    assert max(one.requests_in_window for one in trace) <= 20
    assert max(one.tokens_in_window for one in trace) <= 6_000
    assert server.most_at_once <= 12
    assert batch.world.paid() == billed(server)


async def test_a_provider_that_refuses_is_asked_less_and_then_more_again_and_no_row_is_lost(make_batch: MakeBatch) -> None:
    with serve_model(answer_with=_well, limits=Limits(requests=12, window_s=0.3)) as server:
        batch = make_batch(server, [_question(n) for n in range(60)], at_once=24)
        tally = await batch.run(at_once=24)
    assert (tally.done, tally.failed) == (60, 0)
    assert batch.throttle.refusals == server.violations > 0
    assert batch.throttle.room < 24


async def test_a_batch_that_is_stopped_goes_on_and_pays_for_nothing_twice(make_batch: MakeBatch) -> None:
    questions = [_question(n % 20) for n in range(40)]
    with serve_model(answer_with=_well) as server:
        batch = make_batch(server, questions)
        first = await batch.run(stop_after=7)
        assert 7 <= first.rows < 40
        last = await batch.run(resume=True)
    assert (last.done, last.failed) == (40, 0)
    assert len(server.requests) == 20
    assert batch.world.paid() == billed(server)
    assert [line["question"] for line in batch.lines()] == questions
    assert await batch.world.cost() == last.cost_usd


@pytest.mark.parametrize("seed", range(3))
async def test_a_batch_that_is_cut_off_loses_no_row_and_hides_no_request(make_batch: MakeBatch, seed: int) -> None:
    chance = random.Random(seed)
    questions = [_question(n % 10) for n in range(40)]

    def slowly(body: Body, number: int) -> Outcome:
        return replace(_well(body, number), delay_s=0.03)  # type: ignore[type-var]  # it says something

    with serve_model(answer_with=slowly) as server:
        batch = make_batch(server, questions)
        for _ in range(5):
            running = asyncio.create_task(batch.run(resume=True))
            await asyncio.sleep(chance.random() * 0.4)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        tally = await batch.run(resume=True)
        await server.settled()
    assert batch.lines("out.failed.jsonl") == []
    assert tally.done == 40
    assert [line["question"] for line in batch.lines()] == questions
    # Unlike a kill, each cut lets requests write themselves down: those that nobody heard of too, and those never sent.
    with contextlib.closing(sqlite3.connect(batch.folder / "ledger.sqlite")) as ledger:
        outcomes = ledger.execute("SELECT outcome FROM charges WHERE kind = 'chat'").fetchall()
    assert {one for (one,) in outcomes} <= {"ok", "cancelled"}
    assert 10 <= outcomes.count(("ok",)) <= 10 + 5
    assert len(server.bill) <= len(outcomes)


@pytest.mark.parametrize("refusal", ["unauthorized", Refuses(status=429, code="insufficient_quota")], ids=["key", "quota"])
async def test_what_every_row_would_meet_ends_the_batch_before_the_row(make_batch: MakeBatch, refusal: Outcome) -> None:
    def once(body: Body, number: int) -> Outcome:
        asked = body["messages"][-1]["content"].split("<question>")[-1]
        return _well(body, number) if any(f"P{1000 + n}?" in asked for n in range(5)) else refusal

    with serve_model(answer_with=once) as server:
        batch = make_batch(server, [_question(n) for n in range(100)], at_once=2)
        tally = await batch.run(at_once=2)
        assert batch.halted
        assert (tally.done, tally.failed) == (5, 0)
        assert len(server.requests) < 20
        server.answering = _well
        tally = await batch.run(resume=True)
    assert (tally.done, tally.failed) == (100, 0)


async def test_a_row_without_an_answer_stands_in_its_own_file_with_the_reason(make_batch: MakeBatch) -> None:
    def once(body: Body, number: int) -> Outcome:
        return "bad_request" if "P1003" in body["messages"][-1]["content"] else _well(body, number)

    with serve_model(answer_with=once) as server:
        batch = make_batch(server, [_question(n) for n in range(6)])
        tally = await batch.run()
    assert (tally.done, tally.failed) == (5, 1)
    assert [line["row"] for line in batch.lines()] == [1, 2, 3, 5, 6]
    (lost,) = batch.lines("out.failed.jsonl")
    assert (lost["row"], lost["failure"], lost["question"]) == (4, "invalid_request", _question(3))
    assert "did not accept the request" in lost["reason"]
