"""The graph as a whole, seen: whoever runs it, and however, each question is one trace with one root."""

import hashlib
import logging
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any, Self

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import merge_configs
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, TraceFlags

from graph.context import Context
from graph.first_box import Begun, FirstBox, may_begin_ahead, state_of, with_begun
from graph.state import Input, Output, State
from graph.tenancy import held_to_caller
from groat import __version__
from groat.tracing import names
from groat.tracing.content import CONTENT
from groat.tracing.langsmith_runs import Runs
from groat.tracing.langsmith_tracer import has_tracer, langsmith_is_on
from groat.tracing.names import attributes as at
from groat.tracing.names import spans
from groat.tracing.requests import Request, context_of, current_request
from groat.tracing.spans import Value, known, tracer
from nodes import Knobs

_LOG = logging.getLogger(__name__)
Facts = Callable[[], Mapping[str, str]]
"""Returns the versions in force, by what they are versions of."""

_TRACE_ID, _SPAN_ID = "otel_trace_id", "otel_span_id"


class SeenGraph(CompiledStateGraph[State, Knobs, Input, Output]):
    """The compiled graph, each of whose runs is in a span ``groat``.

    Every way of running it comes through ``astream``: ``ainvoke``, ``abatch`` and LangGraph's server too. The span is current
    while the graph works and not while the caller reads, so that a caller may stop reading whenever, in whichever task.
    """

    facts: Facts
    runs: Runs | None
    """Where the runs of LangSmith go; None leaves them to LangChain."""
    first: FirstBox | None
    """The box that may end a question by itself, asked before the graph where nobody sees the steps; None for none."""

    def __init__(self, *, facts: Facts, runs: Runs | None = None, first: FirstBox | None = None, **parts: Any) -> None:
        """Take over the parts of a compiled graph."""
        super().__init__(**parts)
        self.facts, self.runs, self.first = facts, runs, first

    @classmethod
    def of(
        cls,
        compiled: CompiledStateGraph[State, Knobs, Input, Output],
        facts: Facts,
        runs: Runs | None,
        first: FirstBox | None = None,
    ) -> Self:
        """Return the compiled graph, seen."""
        parts = {name: part for name, part in vars(compiled).items() if name != "__orig_class__"}
        seen = cls(facts=facts, runs=runs, first=first, **parts)
        # What the compiler added after the constructor had run.
        vars(seen).update(parts)
        return seen

    async def astream(self, input: Any, config: RunnableConfig | None = None, **how: Any) -> AsyncIterator[Any]:
        """Run the graph as LangGraph does."""
        config = config or {}
        how["context"] = held_to_caller(how.get("context"), config)
        request, around = await self._begin(input, config)
        ahead = None if langsmith_is_on() else self.first
        if ahead is not None and not may_begin_ahead(self, input, config, how):
            ahead = None
        config = {**merge_configs(config, {"metadata": _ids(request)}), "run_id": uuid.UUID(request.langsmith_run)}
        if self.runs is not None and langsmith_is_on() and not has_tracer(config.get("callbacks")):
            config = merge_configs(config, {"callbacks": self._tracers(self.runs, request)})
        begun = Begun()
        parts = super().astream(input, config, **how)
        if ahead is not None:
            parts = self._after(ahead, begun, parts, input, how["context"], request.langsmith_run)
        try:
            async with aclosing(_in_context(parts, with_begun(context_of(request, around), begun))) as parts:
                async for part in parts:
                    yield part
        except BaseException as error:
            self._ended(request, error)
            raise
        self._ended(request, None)

    async def _after(
        self, first: FirstBox, begun: Begun, graph: AsyncIterator[Any], input: Input, knobs: Context, run_id: str
    ) -> AsyncIterator[Any]:
        """Ask the first box, and yield what it ended, or else what the graph makes of it."""
        state = state_of(self, {"messages": [], **input})
        await first.ahead(state, knobs, run_id, begun)
        try:
            if begun.update is not None and begun.update["lookup"]["outcome"] == "hit":
                state = state_of(self, state, begun.update)
                yield "values", {name: state[name] for name in self.output_channels if name in state}
                return
            async for part in graph:
                yield part
        finally:
            await first.given_up(begun)

    def _tracers(self, runs: Runs, request: Request) -> list[BaseCallbackHandler]:
        try:
            return [runs.tracer(request)]
        except Exception as error:  # a client that cannot be made, for whatever reason, costs no answer
            _LOG.warning("LangSmith is on and cannot be used (%s); check the variables LANGSMITH_*", type(error).__name__)
            return []

    def _ended(self, request: Request, error: BaseException | None) -> None:
        request.ended(error)
        if self.runs is not None:
            for held in request.tracers:
                try:
                    self.runs.hand_over(held, {"revision": __version__, **self.facts()})
                except Exception as failure:  # what is told of a question never fails it
                    _LOG.warning("a question cannot be told to LangSmith: %s", type(failure).__name__)

    async def _begin(self, input: Any, config: RunnableConfig) -> tuple[Request, otel.Context | None]:
        """Begin the root span, for what goes on from a checkpoint in the trace where it began."""
        resumes = input is None or isinstance(input, Command)
        before = await self._before(config) if resumes else None
        caller = trace.get_current_span().get_span_context()
        around = None
        links = []
        if before is not None:
            if caller.is_valid:
                links = [Link(before)]
            else:
                around = trace.set_span_in_context(NonRecordingSpan(before))
        metadata = config.get("metadata") or {}
        outer = current_request()
        purpose = str(metadata.get(names.RUN_PURPOSE) or (outer.purpose if outer else "question"))
        run_id = str(config.get("run_id") or uuid.uuid4())
        span = tracer().start_span(
            spans.REQUEST,
            around,
            attributes={at.KIND: "AGENT", at.OPERATION: "invoke_workflow", at.PURPOSE: purpose, at.RESUMED: resumes},
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        )
        if span.is_recording():
            span.set_attributes(known(self._told(input, config, run_id)))
        return Request(span=span, purpose=purpose, langsmith_run=run_id), around

    def _told(self, input: Any, config: RunnableConfig, run_id: str) -> dict[str, Value | None]:
        thread = (config.get("configurable") or {}).get("thread_id")
        # Its name may hold the name of a tenant.
        conversation = hashlib.sha256(str(thread).encode()).hexdigest()[:16] if thread is not None else None
        versions = {at.VERSION.replace("*", name): version for name, version in self.facts().items()}
        asked = CONTENT.shown(_question(input)) if CONTENT.is_on else None
        return {
            **versions,
            at.REVISION: __version__,
            at.LANGSMITH_RUN: run_id,
            at.CONVERSATION: conversation,
            at.SESSION: conversation,
            at.INPUT: asked or None,
        }

    async def _before(self, config: RunnableConfig) -> SpanContext | None:
        """Return the root span that the checkpoint was made under; None without one."""
        saver = self.checkpointer
        if saver is None or isinstance(saver, bool):
            return None
        try:
            found = await saver.aget_tuple(config)
            metadata: Mapping[str, Any] = found.metadata if found else {}
            trace_id, span_id = int(metadata[_TRACE_ID], 16), int(metadata[_SPAN_ID], 16)
        except Exception as error:  # made without spans, or not to be read: who runs the graph is told so by LangGraph
            _LOG.debug("no trace to go on in: %s", type(error).__name__)
            return None
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _ids(request: Request) -> dict[str, str]:
    placed = request.span.get_span_context()
    if not placed.is_valid:
        return {}
    return {_TRACE_ID: trace.format_trace_id(placed.trace_id), _SPAN_ID: trace.format_span_id(placed.span_id)}


def _question(input: Any) -> str:
    if not isinstance(input, Mapping):
        return ""
    if input.get("question"):
        return str(input["question"])
    last = (input.get("messages") or [""])[-1]
    return str(getattr(last, "text", last))


async def _in_context(parts: AsyncIterator[Any], around: otel.Context) -> AsyncGenerator[Any]:
    """Yield the parts, each made in this context and handed out in the caller's."""
    while True:
        token = otel.attach(around)
        try:
            part = await anext(parts)
        except StopAsyncIteration:
            return
        finally:
            otel.detach(token)
        yield part
