"""A small model that says which sentences are needed, behind a real HTTP server: followed, billed, done without."""

import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from langgraph.runtime import Runtime

from graph.context import Context
from graph.models import remote
from graph.settings import Settings
from groat.answering.pruning import numbers_of
from nodes import Knobs
from nodes.compress import Compress
from tests.fakes import asked
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World
from tests.model_server import ModelServer, Outcome, Refuses, Says, serve_model


def _with(world: World, server: ModelServer) -> World:
    endpoint = remote(Settings(data_dir=world.folder), "cheap", "gpt-5-nano", server.url)
    world.services = replace(world.services, pruner=endpoint)
    return world


def _reason(output: object) -> str:
    return output["shortened"]["reason"]  # type: ignore[index, no-any-return]


@pytest.mark.parametrize(
    ("question", "answer"),
    [(QUESTION, GOOD), ("新密码至少要有多少个字符？", "新密码至少要有 10 个字符。[zh-reset]")],
    ids=["en", "zh"],
)
async def test_it_is_followed_and_its_call_is_billed_apart(make_world: MakeWorld, question: str, answer: str) -> None:
    with serve_model(Says(text="1, 2, 3, 4, 5, 6, 7, 8")) as server:
        output = await _with(make_world([answer], share=0.7), server).ask(question)
        await server.settled()
        [request] = server.bill
    [charge] = [one for one in output["charges"] if one["box"] == "compress"]
    assert (charge["model"], charge["outcome"], charge.get("purpose")) == ("gpt-5-nano", "ok", "compress")
    assert Decimal(charge["cost_usd"] or "0") > 0
    assert _reason(output).endswith("in the order of gpt-5-nano, for which no loss was measured")
    assert charge["usage"]["input"] == request.input


@pytest.mark.parametrize(
    "outcome",
    [Says(text="The documents say nothing."), Says(text="999"), Refuses(status=401)],
    ids=["prose", "range", "refused"],
)
async def test_without_a_usable_reply_the_learned_order_decides_and_says_so(make_world: MakeWorld, outcome: Outcome) -> None:
    plain = await make_world().ask(use_cache=False)
    with serve_model(outcome) as server:
        output = await _with(make_world(), server).ask(use_cache=False)
    assert output["answer"] == GOOD
    assert output["shortened"]["passages"] == plain["shortened"]["passages"]  # type: ignore[index]
    assert "gpt-5-nano failed (" in _reason(output)
    assert [one["box"] for one in output["charges"] if one["kind"] == "chat"] == ["compress", "answer_cheap"]


async def test_a_context_that_is_sent_whole_is_not_shown_to_it(make_world: MakeWorld) -> None:
    with serve_model(Says(text="1")) as server:
        output = await _with(make_world(share=None), server).ask()
        assert server.bill == []
    assert all(charge["box"] != "compress" for charge in output["charges"])


async def test_a_question_whose_budget_is_spent_asks_nobody(make_world: MakeWorld) -> None:
    with serve_model(Says(text="1")) as server:
        output = await _with(make_world(), server).ask(max_cost_usd=0.000001)
        assert server.bill == []
    assert "raise max_cost_usd" in _reason(output)


async def test_a_box_that_runs_again_finds_the_reply_that_was_paid_for(make_world: MakeWorld) -> None:
    with serve_model(Says(text="1, 2")) as server:
        world = _with(make_world(), server)
        output = await world.ask(use_cache=False)
        s = world.services
        box = Compress(
            compressor=s.compressor, knowledge=s.knowledge, embedder=s.embedder, answerer=s.answerer, books=s.books,
            budgets=s.budgets, pruner=s.pruner,
        )  # fmt: skip
        passages = await s.knowledge.search(QUESTION, tenant="acme")
        state: Any = {
            "run": "crashed", "asked_at": time.time(), "asked": asked(QUESTION, tenant="acme"), "passages": passages,
            "route": output["route"], "verdicts": [], "charges": [],
        }  # fmt: skip
        runtime: Runtime[Knobs] = Runtime(context=Context(tenant="acme"), stream_writer=lambda _: None)
        first = await box(state, runtime)
        assert first["charges"]
        assert await box(state, runtime) == first
        await server.settled()
        assert len(server.bill) == 2  # one for the question before, one here


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1, 3", {1, 3}),
        ("[2]", {2}),
        ("0", set()),
        ("1，2、3.", {1, 2, 3}),
        ("4", None),
        ("one", None),
        ("1 is needed", None),
        ("", None),
    ],
)
def test_only_a_list_of_numbers_of_sentences_is_read(text: str, numbers: set[int] | None) -> None:
    assert numbers_of(text, most=3) == numbers
