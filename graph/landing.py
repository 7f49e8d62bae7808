"""Boxes that are seen, and that tell whoever waits for a question when it failed, was given up, or ended without an answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, get_type_hints

from langgraph.graph import StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from graph.tenancy import check_tenant
from groat.cache.flight import Flights
from groat.tracing.decisions import watched
from groat.types import Asked, Identity
from groat.types import Box as BoxName
from nodes import Knobs

Box = Callable[[Any, Runtime[Knobs]], Awaitable[Mapping[str, Any]]]
"""What reads a part of the state and returns what changes in it."""


def add_box(graph: StateGraph[Any, Knobs, Any, Any], flights: Flights, name: BoxName, box: Box) -> None:
    """Add a box that comes after the one that begins the question.

    What it raises is raised on, after those who wait for an equal question have been let go.
    """

    async def run(state: Any, runtime: Runtime[Knobs]) -> Mapping[str, Any]:
        check_tenant(state, runtime.context.tenant)
        try:
            with watched(name) as saw:
                update = await box(state, runtime)
                saw(update)
        except Exception:
            # Who comes after it would fail as well, one after the other: all go on by themselves.
            await flights.land(state["run"], kept=False)
            raise
        except BaseException:
            await asyncio.shield(flights.land(state["run"], kept=None))
            raise
        if any(verdict["step"] == "exhausted" for verdict in update.get("verdicts", ())):
            await flights.land(state["run"], kept=False)
        return update

    read = get_type_hints(get_type_hints(type(box).__call__)["state"], include_extras=True)
    needs: Any = TypedDict("Needs", {**read, "run": str, "asked": Asked, "identity": Identity})  # type: ignore[misc]  # no checker can know it
    graph.add_node(name, run, input_schema=needs)
