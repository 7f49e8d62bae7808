"""The arrows of the picture: pure functions of the state, whose return types Studio draws."""

import functools
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from graph.state import State
from groat.routing import question_kind
from groat.validation import tier_after

_Box = TypeVar("_Box")


def inline(arrow: Callable[[State], _Box]) -> Callable[[State], Awaitable[_Box]]:
    """Return the arrow as a coroutine: LangGraph gives any other function a thread, which takes ten times as long."""

    @functools.wraps(arrow)
    async def follow(state: State) -> _Box:
        return arrow(state)

    return follow


def after_cache(state: State) -> Literal["__end__", "retrieve", "route"]:
    """A hit ends the run; small talk and translations need no documents, so that nothing is looked for."""
    if state["lookup"]["outcome"] == "hit":
        return "__end__"
    return "retrieve" if question_kind(state["asked"]["text"]) == "knowledge" else "route"


def after_route(state: State) -> Literal["compress", "answer_cheap", "answer_expensive"]:
    """What needs no documents, or has none, skips compression."""
    route = state["route"]
    assert route is not None  # the box before wrote it
    if route["kind"] == "knowledge" and state["passages"]:
        return "compress"
    return "answer_cheap" if route["tier"] == "cheap" else "answer_expensive"


def after_compress(state: State) -> Literal["answer_cheap", "answer_expensive"]:
    """The router's choice, until an escalation overrules it."""
    route = state["route"]
    assert route is not None  # the box before wrote it
    tier = tier_after(route["tier"], [verdict["step"] for verdict in state["verdicts"]])
    return "answer_cheap" if tier == "cheap" else "answer_expensive"


def after_validate(state: State) -> Literal["remember", "compress", "answer_cheap", "answer_expensive", "__end__"]:
    """Follow the verdict; how often each way back may be taken stands in ``groat.types.BOUNDS``."""
    step = state["verdicts"][-1]["step"]
    if step == "accept":
        return "remember"
    if step == "exhausted":
        return "__end__"
    if step == "fix":
        return "answer_cheap" if state["attempts"][-1]["tier"] == "cheap" else "answer_expensive"
    if state["shortened"] is not None:
        return "compress"
    return "answer_cheap" if step == "degrade" else "answer_expensive"
