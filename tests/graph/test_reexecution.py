"""A worker may die after a call was paid for and before its result was saved: the box runs again."""

from typing import Any, cast

from langgraph.runtime import Runtime

from graph.context import Context
from graph.state import Input, State
from nodes import Knobs
from nodes.answer_cheap import AnswerCheap
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World


def _box(world: World) -> AnswerCheap:
    s = world.services
    return AnswerCheap(answerer=s.answerer, books=s.books, budgets=s.budgets)


async def _state_before_answering(world: World) -> State:
    states: list[Any] = []
    context = Context(tenant="acme", use_cache=False)
    question: Input = {"question": QUESTION}
    async for state in world.graph().astream(question, context=context, stream_mode="values"):
        states.append(state)
    return cast(State, next(state for state in states if state.get("path", [])[-1:] == ["compress"]))


async def test_a_box_that_runs_again_reuses_the_reply_and_pays_once(make_world: MakeWorld) -> None:
    world = make_world()
    state: Any = {**await _state_before_answering(world), "run": "crashed"}
    runtime: Runtime[Knobs] = Runtime(context=Context(tenant="acme"), stream_writer=lambda _: None)
    before = (await world.ledger()).charges
    first = await _box(world)(state, runtime)
    again = await _box(world)(state, runtime)
    assert first == again
    assert first["attempts"][0]["text"] == GOOD
    assert len(world.cheap.prompts) == 2  # one for the question before, one here
    assert (await world.ledger()).charges == before + 1


async def test_nothing_of_what_was_said_stays_when_the_question_has_ended(world: World) -> None:
    output = await world.ask()
    ledger = world.services.books.ledger
    assert await ledger.kept_reply(f"{output['run']}:answer_cheap:0") is None
