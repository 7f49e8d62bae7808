"""A batch whose replies are bought at a provider's batch endpoint: the official client, over real HTTP."""

import asyncio
import json
import sqlite3
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from graph.batching import state_file
from graph.batching_provider import provider_asker
from graph.context import Context
from graph.services import open_services
from graph.settings import Settings
from groat.answering import Answerer
from groat.batch import Results, Tally, read_rows
from groat.costs import PriceTable
from groat.errors import BadInput
from tests.batch_server import BatchServer, Fate, serve_batches
from tests.graph.conftest import GOOD, WRONG
from tests.model_server import Body
from tests.served import ServedWorld, open_world, served

ZH = "新密码至少要有 10 个字符。[zh-reset]"


def _question(number: int) -> str:
    if number % 2:
        return f"型号 P{10 + number} 的新密码至少要有多少个字符？"
    return f"How long is a password reset link valid for product P{10 + number}?"


def _well(body: Body) -> str:
    return ZH if "型号" in body["messages"][-1]["content"].split("<question>")[-1] else GOOD


class Batch:
    """A batch over a world whose models are at a provider."""

    def __init__(self, world: ServedWorld, server: BatchServer, questions: list[str]) -> None:
        tiers = (("small", "cheap", "gpt-5-mini"), ("big", "expensive", "gpt-5.2"))
        endpoints = {
            tier: replace(served(server, name, tier=tier, priced_as=price), name=name)  # type: ignore[arg-type]
            for name, tier, price in tiers
        }
        self.world = ServedWorld(world.folder, replace(world.services, answerer=Answerer(endpoints)))  # type: ignore[arg-type]
        self.folder = world.folder
        rows = "".join(json.dumps(one) + "\n" for one in questions)
        (self.folder / "in.jsonl").write_text(rows, encoding="utf-8")

    async def run(self, *, resume: bool = False, stop: asyncio.Event | None = None, tier: Any = "auto") -> Tally:
        out = self.folder / "out.jsonl"
        results = Results(out, resume=resume)
        rows = (row for row in read_rows(str(self.folder / "in.jsonl")) if row.number > results.tally.rows)
        context = Context(tenant="acme", tier=tier)
        try:
            async with provider_asker(self.world.services, context, state_file(out), poll_s=0.01, at_once=4) as asker:
                self.halted = await asker.run(rows, results, stop=stop or asyncio.Event(), step=lambda row, tally: None)
                self.spared, self.bought = await asker.savings()
        finally:
            results.close()
        return results.tally

    def lines(self, name: str = "out.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture
async def world(tmp_path: Path) -> ServedWorld:
    return await open_world(tmp_path)


def _price(tokens: list[tuple[str, int, int]], tier: str) -> Decimal:
    named = {"small": "gpt-5-mini", "big": "gpt-5.2"}
    total = Decimal(0)
    for model, given, written in tokens:
        cost = PriceTable().cost(
            {
                "input": given, "output": written, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": False,
                "service_tier": tier,
            },
            named[model],
        )  # fmt: skip
        assert cost is not None
        total += cost
    return total


async def test_misses_are_bought_in_one_batch_and_equal_ones_once_at_the_batch_rate(world: ServedWorld) -> None:
    questions = [_question(n % 6) for n in range(12)]
    with serve_batches(_well) as server:
        batch = Batch(world, server, questions)
        tally = await batch.run()
    assert (tally.done, tally.failed, tally.hits, tally.unverified) == (12, 0, 6, 0)
    (asked,) = server.asked()
    assert Counter(body["model"] for body in asked) == {"small": 6}
    assert [line["question"] for line in batch.lines()] == questions
    assert [line["answer"] for line in batch.lines()] == [ZH if n % 6 % 2 else GOOD for n in range(12)]
    paid, plain = _price(server.billed, "batch"), _price(server.billed, "")
    assert tally.cost_usd == await batch.world.cost() == paid == plain / 2
    assert (batch.spared, batch.bought) == (plain - paid, 6)
    assert "POST /v1/chat/completions" not in server.seen


async def test_what_validation_sends_up_is_bought_in_the_next_batch(world: ServedWorld) -> None:
    def once(body: Body) -> str:
        return WRONG if body["model"] == "small" else _well(body)

    with serve_batches(once) as server:
        batch = Batch(world, server, [_question(0), _question(1), "谢谢！"])
        tally = await batch.run()
    assert (tally.done, tally.failed) == (3, 0)
    assert {body["model"] for body in server.asked()[-1]} == {"big"}
    assert [line["tier"] for line in batch.lines()][:2] == ["expensive", "expensive"]
    assert tally.cost_usd == await batch.world.cost() == _price(server.billed, "batch")


async def test_what_expired_is_bought_again_and_what_is_refused_stands_among_the_failed(world: ServedWorld) -> None:
    tries: Counter[str] = Counter()

    def once(body: Body) -> Fate:
        asked = body["messages"][-1]["content"].split("<question>")[-1]
        tries[asked] += 1
        if "P10" in asked and tries[asked] == 1:
            return None
        return 400 if "P11" in asked else _well(body)

    with serve_batches(once) as server:
        batch = Batch(world, server, [_question(n) for n in range(4)])
        tally = await batch.run()
    assert (tally.done, tally.failed) == (3, 1)
    assert [len(asked) for asked in server.asked()] == [4, 1]
    (lost,) = batch.lines("out.failed.jsonl")
    assert (lost["row"], lost["failure"]) == (2, "server")
    assert "refused" in lost["reason"]
    assert tally.cost_usd == await batch.world.cost() == _price(server.billed, "batch")


@pytest.mark.parametrize("id_is_lost", [False, True], ids=["id kept", "id lost"])
async def test_a_batch_that_was_submitted_is_collected_after_a_restart_and_not_bought_twice(
    world: ServedWorld, id_is_lost: bool
) -> None:
    questions = [_question(n % 4) for n in range(8)]
    with serve_batches(_well, looks=None) as server:
        batch = Batch(world, server, questions)
        stop = asyncio.Event()
        running = asyncio.create_task(batch.run(stop=stop))
        while len(server.batches) == 0:  # noqa: ASYNC110  # the server knows no event loop
            await asyncio.sleep(0.01)
        # As a kill leaves it: nothing is told to end.
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        if id_is_lost:
            with sqlite3.connect(state_file(batch.folder / "out.jsonl")) as db:
                db.execute("UPDATE batches SET id = NULL")
            db.close()
        server.looks = 1
        tally = await batch.run(resume=True)
    assert (tally.done, tally.failed, tally.hits) == (8, 0, 4)
    assert len(server.batches) == 1
    assert len(server.billed) == 4
    assert tally.cost_usd == await batch.world.cost() == _price(server.billed, "batch")


async def test_a_batch_that_the_provider_refuses_says_why_and_can_be_tried_again(world: ServedWorld) -> None:
    with serve_batches(_well, refuse="the model has no batch rate limit left") as server:
        batch = Batch(world, server, [_question(0), _question(1)])
        tally = await batch.run()
        assert tally.rows == 0
        assert "no batch rate limit left" in batch.halted
        server.refuse = ""
        tally = await batch.run(resume=True)
    assert (tally.done, tally.failed) == (2, 0)


async def test_an_offline_tier_has_no_batch_endpoint_and_says_what_to_set(tmp_path: Path) -> None:
    services = open_services(Settings(data_dir=tmp_path))
    with pytest.raises(BadInput, match="GROAT_CHEAP_MODEL"):
        async with provider_asker(services, Context(), tmp_path / "state.sqlite", poll_s=1, at_once=1):
            pass
