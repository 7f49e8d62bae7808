"""LangSmith's tracer for one question: it holds the runs until the question is over, and no text while content is off."""

import hashlib
import uuid
from collections.abc import Iterator
from typing import Any, Final, cast

import regex
from langchain_core.callbacks import BaseCallbackManager, Callbacks
from langchain_core.outputs import LLMResult
from langchain_core.tracers.langchain import LangChainTracer
from langchain_core.tracers.schemas import Run
from langsmith.utils import tracing_is_enabled

from groat.tracing.content import CONTENT
from groat.tracing.requests import Request

_EDGE: Final = "after_"
"""What the names of the functions in ``graph.edges`` begin with."""
_NOTHING: Final = cast(Run, None)
"""Handed out for what has no run; whoever calls back looks at none. Making a run would settle the project once for all."""
_ERROR_KIND: Final = regex.compile(r"^[\w.]+")


class RequestTracer(LangChainTracer):
    """LangSmith's tracer for one question: it keeps the runs until the question is over, and no text while content is off.

    Args:
        request: the question.
        **how: as LangChain's tracer takes it.
    """

    def __init__(self, *, request: Request | None = None, **how: Any) -> None:
        """See nothing yet."""
        super().__init__(**how)
        # Copies that LangChain makes are given theirs below.
        self.request = request  # type: ignore[assignment]  # never None once made
        self._edges: set[uuid.UUID] = set()
        self.root: Run | None = None
        """The run of the graph, with all others below it; None when it did not begin."""

    request: Request

    def copy_with_metadata_defaults(self, **defaults: Any) -> "RequestTracer":
        """Return a copy that adds to the same question."""
        made = super().copy_with_metadata_defaults(**defaults)
        assert isinstance(made, RequestTracer)  # its class is that of the original
        made.request = self.request
        return made

    def on_chain_start(self, serialized: Any, inputs: Any, **how: Any) -> Run:
        """Begin the run of a box or the graph; the edges, which say nothing that the next box does not, have none."""
        if str(how.get("name") or "").startswith(_EDGE):
            self._edges.add(how["run_id"])
            return _NOTHING
        run = super().on_chain_start(serialized, inputs if CONTENT.is_on else {}, **how)
        if str(run.id) == self.request.langsmith_run:
            self.root = run
            self.request.tracers.append(self)
        return run

    def on_chain_end(self, outputs: Any, **how: Any) -> Run:
        """End it."""
        if how["run_id"] in self._edges:
            self._edges.discard(how["run_id"])
            return _NOTHING
        if not CONTENT.is_on:
            how = {**how, "inputs": None}
        return super().on_chain_end(outputs if CONTENT.is_on else {}, **how)

    def on_chain_error(self, error: BaseException, **how: Any) -> Run:
        """End it by what was raised."""
        if how["run_id"] in self._edges:
            self._edges.discard(how["run_id"])
            return _NOTHING
        return super().on_chain_error(error, **how)

    def on_chat_model_start(self, serialized: Any, messages: Any, **how: Any) -> Run:
        """Begin the run of a model."""
        return super().on_chat_model_start(serialized, messages if CONTENT.is_on else [[]], **how)

    def on_llm_new_token(self, token: Any, **how: Any) -> Run:
        """Keep no event for a token: the first one would hold a part of the answer."""
        return self._get_run(how["run_id"])

    def on_llm_end(self, response: LLMResult, **how: Any) -> Run:
        """End it."""
        return super().on_llm_end(response if CONTENT.is_on else LLMResult(generations=[]), **how)

    def _persist_run_single(self, run: Run) -> None:
        """Send nothing yet."""

    @staticmethod
    def _update_run_single(run: Run) -> None:
        """Send nothing yet."""


def langsmith_is_on() -> bool:
    """Say whether LangSmith's own variables, or a context of its client, switch tracing on here."""
    return bool(tracing_is_enabled())


def has_tracer(callbacks: Callbacks) -> bool:
    """Say whether a tracer of LangSmith is among the callbacks already: whoever put it there wants that one."""
    handlers = callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks or []
    return any(isinstance(handler, LangChainTracer) for handler in handlers)


def all_runs(root: Run) -> Iterator[Run]:
    """Yield a run and all runs below it."""
    yield root
    for child in root.child_runs:
        yield from all_runs(child)


def plain(run: Run) -> dict[str, Any]:
    """Return a run as LangSmith's client takes it; texts are those that the tracer let in, not redacted yet."""
    extra = {name: value for name, value in (run.extra or {}).items() if name in ("metadata", "invocation_params")}
    metadata = dict(extra.get("metadata") or {})
    error = run.error
    if not CONTENT.is_on:
        extra.pop("invocation_params", None)
        error = None if error is None else _kind_of(error)
        if "thread_id" in metadata:
            # It groups the turns of a conversation all the same, and may have named a tenant.
            metadata["thread_id"] = hashlib.sha256(str(metadata["thread_id"]).encode()).hexdigest()[:16]
    return {
        "id": run.id,
        "name": run.name,
        "run_type": run.run_type,
        "trace_id": run.trace_id,
        "parent_run_id": run.parent_run_id,
        "dotted_order": run.dotted_order,
        "session_name": run.session_name,
        "reference_example_id": run.reference_example_id,
        "start_time": run.start_time,
        "end_time": run.end_time,
        "inputs": run.inputs if CONTENT.is_on else {},
        "outputs": run.outputs if CONTENT.is_on else {},
        "error": error,
        "tags": run.tags,
        "extra": {**extra, "metadata": metadata},
    }


def _kind_of(error: str) -> str:
    found = _ERROR_KIND.match(error)
    return found[0] if found else "error"
