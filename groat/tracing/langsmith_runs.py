"""The runs of LangSmith beside the spans: the same tree, with decisions to filter by and what was really paid.

LangSmith's own tracer makes the runs. They are sent when a question is over, a whole trace or none of it, by a thread of
groat's with a bound in bytes, since the queue of LangSmith's client is bounded by number alone.
"""

import logging
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from langchain_core.load import dumpd
from langchain_core.messages import BaseMessage
from langchain_core.tracers.context import _get_tracer_kwargs
from langchain_core.tracers.schemas import Run
from langsmith import Client
from langsmith.utils import LangSmithError, LangSmithUserError
from urllib3 import Retry

from groat.tracing.content import CONTENT
from groat.tracing.langsmith_tracer import RequestTracer, all_runs, plain
from groat.tracing.metrics import instruments
from groat.tracing.outbox import Outbox, Sent
from groat.tracing.requests import Request
from groat.types import Charge, Usage

Price = Callable[[Usage, str], Decimal | None]
"""Returns what a usage costs at the list price of a model, in dollars; None when that is unknown."""

_LOG = logging.getLogger(__name__)
_RUN_BYTES: Final = 6_000
"""Of a run without texts, measured with tracemalloc."""
_TIMEOUT_MS: Final = (3_000, 10_000)
"""To connect, and to be answered."""


@dataclass(frozen=True)
class Parcel:
    """One run or one feedback on its way."""

    run: Mapping[str, Any] | None = None
    charge: Charge | None = None
    """What the run of a model was charged."""
    feedback: Mapping[str, Any] | None = None


class Runs:
    """Sends the runs of questions to LangSmith.

    Args:
        price: tells the parts of a charge, for input and output.
        share: of the traces that went well, 0 to 1; the others are sent whatever it is.
        most_bytes: estimated size of all that waits.
        address: of LangSmith; the variables ``LANGSMITH_*`` say where, and with which key, without one.
    """

    def __init__(self, price: Price, *, share: float = 1.0, most_bytes: int = 16_000_000, address: str | None = None) -> None:
        """Connect to nobody yet."""
        self._price, self._share = price, share
        self._error: Exception | None = None
        self._address = address
        self._client: Client | None = None
        self.outbox: Outbox[Parcel] = Outbox("runs", self._send, most_bytes=most_bytes, most_items=128)
        self._projects: dict[str, uuid.UUID] = {}
        self.feedback_dropped = 0
        """Verdicts that could not be sent as feedback."""
        self.left_out = 0
        """Traces that were not sent because they went well."""

    @property
    def client(self) -> Client:
        """The client, made at its first use."""
        if self._client is None:
            logging.getLogger("langsmith.client").addFilter(_is_no_repetition)
            # The outbox's thread sends by itself, and need not ask what the server can do: every one takes parts.
            self._client = Client(
                api_url=self._address,
                auto_batch_tracing=False,
                info={},
                timeout_ms=_TIMEOUT_MS,
                # The outbox tries again, and knows when to pause.
                retry_config=Retry(total=0),
                tracing_error_callback=self._failed,
            )
        return self._client

    def tracer(self, request: Request) -> RequestTracer:
        """Return the tracer of one question, in the project and below the run that are current."""
        return RequestTracer(request=request, **{**_get_tracer_kwargs(), "client": self.client})

    def hand_over(self, tracer: RequestTracer, facts: Mapping[str, str]) -> None:
        """Take the runs of a question that is over; returns at once.

        Args:
            tracer: made them.
            facts: versions in force, by name.
        """
        root, request = tracer.root, tracer.request
        if root is None:
            return
        if not request.reasons_to_keep and request.fraction >= self._share:
            self.left_out += 1
            return
        _tell(root, request, facts)
        parcels = [Parcel(run=plain(run), charge=request.charges.get(str(run.id))) for run in all_runs(root)]
        parcels += [Parcel(feedback=one) for one in _feedback(root, request)]
        self.outbox.put(parcels, sum(map(_size, parcels)))

    def _failed(self, error: Exception) -> None:
        self._error = error

    def _take_error(self) -> Exception | None:
        error, self._error = self._error, None
        return error

    def _send(self, parcels: Sequence[Parcel]) -> Sent:
        known: dict[str, str] = {}
        runs = [self._shown(parcel, known) for parcel in parcels if parcel.run is not None]
        self.client.multipart_ingest(create=runs)
        if (error := self._take_error()) is not None:
            return Sent.REFUSED if _is_refusal(error) else Sent.FAILED
        self._send_feedback([parcel.feedback for parcel in parcels if parcel.feedback is not None])
        return Sent.TAKEN

    def _send_feedback(self, given: Sequence[Mapping[str, Any]]) -> None:
        """Send what validation said; one that cannot be sent is dropped, since its run has arrived and says the same."""
        for number, one in enumerate(given):
            told = dict(one)
            try:
                project = self._project(told.pop("project"))
                self.client.create_feedback(**told, session_id=project, stop_after_attempt=1)
            except Exception as error:  # whatever a client raises: its run must not be sent once more for it
                _LOG.debug("feedback cannot be sent: %s", type(error).__name__)
                self.feedback_dropped += len(given) - number
                instruments().dropped.add(len(given) - number, {"kind": "feedback", "reason": "failed"})
                return

    def _project(self, name: str) -> uuid.UUID:
        if name not in self._projects:
            self._projects[name] = self.client.read_project(project_name=name).id
        return self._projects[name]

    def _shown(self, parcel: Parcel, known: dict[str, str]) -> dict[str, Any]:
        """Return the run as LangSmith may have it: with what it cost, and with redacted texts or none."""
        run = dict(parcel.run or {})
        if CONTENT.is_on:
            run["inputs"], run["outputs"] = _redacted(dumpd(run["inputs"]), known), _redacted(dumpd(run["outputs"]), known)
        if parcel.charge is not None:
            extra = run["extra"]
            run["extra"] = {**extra, "metadata": {**extra["metadata"], "usage_metadata": self._usage(parcel.charge)}}
        return run

    def _usage(self, charge: Charge) -> dict[str, Any]:
        usage, total = charge["usage"], charge["cost_usd"]
        told: dict[str, Any] = {
            "input_tokens": usage["input"],
            "output_tokens": usage["output"],
            "total_tokens": usage["input"] + usage["output"],
            "input_token_details": {"cache_read": usage["cache_read"], "cache_creation": usage["cache_write"]},
            "output_token_details": {"reasoning": usage["reasoning"]},
        }
        if total is None:
            return told
        given = self._price({**usage, "output": 0, "reasoning": 0}, charge["priced_as"])
        # Where the endpoint billed something else than list prices, its own word is the sum.
        share = min(given, Decimal(total)) if given is not None else Decimal(total)
        costs = {"input_cost": share, "output_cost": Decimal(total) - share, "total_cost": Decimal(total)}
        return {**told, **{name: float(cost) for name, cost in costs.items()}}


def _is_no_repetition(record: logging.LogRecord) -> bool:
    """Keep from the log what the outbox says once: LangSmith's client says it at every try, with all ids."""
    return not str(record.msg).startswith("Failed to multipart ingest runs")


def _tell(root: Run, request: Request, facts: Mapping[str, str]) -> None:
    """Put what was decided where a reviewer can filter by it: the same words as tags and as metadata."""
    decisions = request.decisions
    root.tags = sorted({*(root.tags or []), *(f"{name}={value}" for name, value in decisions.items())})
    told: dict[str, Any] = {**facts, **decisions, "groat_run": request.run}
    told |= {"steps": request.steps, "cost_usd": request.cost_usd, "baseline_cost_usd": request.baseline_usd}
    told = {name: value for name, value in told.items() if value not in (None, "", [])}
    root.extra = {**(root.extra or {}), "metadata": {**(root.extra or {}).get("metadata", {}), **told}}


def _feedback(root: Run, request: Request) -> Iterator[dict[str, Any]]:
    """Return what validation said of the question as feedback on its run."""
    if request.verified is None or request.hit is not None:
        return
    score = request.score if request.score is not None else float(request.verified)
    yield {
        "run_id": root.id,
        "trace_id": root.trace_id,
        "project": root.session_name,
        "key": "validation",
        "score": score,
        "value": request.steps[-1],
        "feedback_id": uuid.uuid5(root.id, "validation"),
        "feedback_source_type": "model",
        "extend_trace_retention": False,
    }


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, LangSmithUserError) or (
        isinstance(error, LangSmithError) and any(f" {status}" in str(error)[:300] for status in (400, 413, 422))
    )


def _redacted(value: Any, known: dict[str, str]) -> Any:
    """Return a copy with every text in it redacted; ``known`` holds what was redacted before."""
    if isinstance(value, str):
        if value not in known:
            known[value] = CONTENT.shown(value) or ""
        return known[value]
    if isinstance(value, dict):
        return {name: _redacted(one, known) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(one, known) for one in value]
    return value


def _size(parcel: Parcel) -> int:
    if parcel.run is None:
        return _RUN_BYTES // 4
    return _RUN_BYTES + _size_of(parcel.run["inputs"]) + _size_of(parcel.run["outputs"])


def _size_of(value: object) -> int:
    """Return about what a value takes; what two runs share counts for both."""
    if isinstance(value, str):
        return sys.getsizeof(value)
    if isinstance(value, Mapping):
        return 100 + sum(_size_of(one) + 50 for one in value.values())
    if isinstance(value, list | tuple):
        return 60 + sum(map(_size_of, value))
    if isinstance(value, BaseMessage):
        return 1_000 + _size_of(value.text)
    return 50
