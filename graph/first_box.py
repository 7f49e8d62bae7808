"""The box that begins every question, asked before LangGraph's loop starts where nobody looks at the steps of a run.

Most of a hit's processor time would be LangGraph's, which plans steps, copies channels and makes tasks for a graph of which one
box is needed. The box is the same one, in the same span, with the same ledger and recorder; on a miss the graph runs, and its
first node takes over what the box returned.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.channels.base import BaseChannel
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import ExecutionInfo, Runtime
from opentelemetry import context as otel

from graph.context import Context
from graph.recording import HitsSeen, Recorder, hits_seen
from groat.cache.flight import Flights
from nodes import Knobs
from nodes.check_cache import CheckCache, Needs, Update

_KEY: Final = otel.create_key("groat-begun")
_INPUTS: Final = frozenset({"question", "messages"})
_PLAIN: Final = frozenset({"run_id", "metadata", "tags", "run_name", "recursion_limit"})
"""What a run may be configured with and nobody but LangGraph's own tracers would look at."""
_WHOLE: Final = ["updates", "values"]
"""How ``ainvoke`` streams: its caller sees what comes out last, and no step."""


@dataclass
class Begun:
    """What the first box returned, until the graph takes it over."""

    update: Update | None = None


@dataclass(frozen=True, kw_only=True)
class FirstBox:
    """The box ``check_cache``: asked by the graph, or before it."""

    box: CheckCache | HitsSeen
    flights: Flights

    @classmethod
    def of(cls, box: CheckCache, recorder: Recorder | None) -> "FirstBox":
        """Return the box, with the recorder told of what ends there unless there is none."""
        return cls(box=hits_seen(box, recorder), flights=box.flights)

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return what the box returns, or returned already."""
        begun = otel.get_value(_KEY)
        if isinstance(begun, Begun) and begun.update is not None:
            update, begun.update = begun.update, None
            return update
        return await self.box(state, runtime)

    async def ahead(self, state: Mapping[str, Any], context: Context, run_id: str, begun: Begun) -> None:
        """Ask the box before the graph runs, and note in ``begun`` what it returned. Raises what the box raises."""
        info = ExecutionInfo(checkpoint_id="", checkpoint_ns="", task_id="", run_id=run_id)
        begun.update = await self.box(Needs(**state), Runtime(context=context, execution_info=info))  # type: ignore[typeddict-item]

    async def given_up(self, begun: Begun) -> None:
        """Let those go on who wait for a question that the graph did not take over."""
        if begun.update is not None and begun.update["lookup"]["outcome"] != "hit":
            await asyncio.shield(self.flights.land(begun.update["run"], kept=None))


def with_begun(around: otel.Context, begun: Begun) -> otel.Context:
    """Return the context in which the graph's first node finds what was begun."""
    return otel.set_value(_KEY, begun, around)


def may_begin_ahead(
    graph: CompiledStateGraph[Any, Any, Any, Any], input: object, config: RunnableConfig, how: Mapping[str, Any]
) -> bool:
    """Say whether nobody would see that the first box was asked before the graph.

    That is so when the whole answer is wanted, nothing is kept of the steps, and no callback listens to them: neither one of
    this run, nor one of a graph or chain that this run is a part of.
    """
    if not isinstance(how.get("context"), Context) or how.get("stream_mode") != _WHOLE:
        return False
    others = {name: value for name, value in how.items() if name not in ("context", "stream_mode", "output_keys")}
    return (
        isinstance(input, Mapping)
        and bool(input)
        and input.keys() <= _INPUTS
        and not any(others.values())
        and how.get("output_keys") == graph.output_channels
        and not graph.checkpointer
        and graph.store is None
        and not graph.debug
        and {name for name, value in config.items() if value} <= _PLAIN
        and var_child_runnable_config.get() is None
    )


def state_of(graph: CompiledStateGraph[Any, Any, Any, Any], *writes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the graph's own channels hold after these writes, one after the other."""
    channels: dict[str, Any] = {}
    for write in writes:
        for name, value in write.items():
            if name not in channels:
                channel = graph.channels[name]
                assert isinstance(channel, BaseChannel)  # the graph's state holds no managed values
                channels[name] = channel.copy()
            channels[name].update([value])
    return {name: channel.get() for name, channel in channels.items()}
