"""What becomes known of one question on its way, and the span and metrics that tell it."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, StatusCode

from groat.tracing.content import CONTENT
from groat.tracing.metrics import instruments
from groat.tracing.names import attributes as at
from groat.tracing.spans import Value, fail, known
from groat.types import Box, Charge

_KEY: Final = otel.create_key("groat-request")
_RUN_KEY: Final = otel.create_key("groat-langsmith-run")
_BAD_STEPS: Final = frozenset({"escalate", "degrade", "decompress", "fix", "exhausted"})


@dataclass(kw_only=True)
class Request:
    """One run of the graph."""

    span: Span
    purpose: str
    """question, audit, replay or shadow."""
    langsmith_run: str
    """Id of the run of LangSmith; there may be no such run."""
    begun: float = field(default_factory=time.perf_counter)
    run: str = ""
    """Names the question in the ledger; known once ``check_cache`` has begun it."""
    path: list[Box] = field(default_factory=list)
    outcome: str = ""
    """Known when the question is settled, see ``names.attributes.OUTCOME``."""
    language: str = ""
    tier: str | None = None
    """What the router chose."""
    last_tier: str = ""
    """Whose answer the newest attempt is."""
    steps: list[str] = field(default_factory=list)
    """Of the verdicts, in order."""
    verified: bool | None = None
    score: float | None = None
    """How sure validation was of the last answer that it was asked about, 0 to 1."""
    cost_usd: str | None = None
    baseline_usd: str | None = None
    first_token_ms: float | None = None
    charges: dict[str, Charge] = field(default_factory=dict)
    """What each request to a model was charged, by the id of its run of LangSmith."""
    tracers: list[Any] = field(default_factory=list)
    """Those that hold the runs of LangSmith until the question is over."""
    alarms: bool = False
    hit: str | None = None
    """Tier of the hit."""

    def saw(self, box: Box, update: Mapping[str, Any]) -> None:
        """Take in what a box returned."""
        self.path.append(box)
        self.run = update.get("run", self.run)
        if (lookup := update.get("lookup")) is not None:
            self.language = update["asked"]["language"]
            self.alarms = bool(lookup.get("alarms"))
            self.hit = lookup["tier"] if lookup["outcome"] == "hit" else None
        if (route := update.get("route")) is not None:
            self.tier = route["tier"]
        for attempt in update["attempts"] if box in {"answer_cheap", "answer_expensive"} else ():
            self.last_tier = attempt["tier"]
        for verdict in update.get("verdicts", ()) if box == "validate" else ():
            self.steps.append(verdict["step"])
            self.score = verdict["acceptance"]["p_ok"] if "acceptance" in verdict else self.score
        if update.get("answer") or ("answer" in update and box == "validate"):
            self._settled(update)

    def _settled(self, update: Mapping[str, Any]) -> None:
        self.verified = update["verified"]
        self.cost_usd, self.baseline_usd = update["cost_usd"], update["baseline_cost_usd"]
        self.first_token_ms = update["first_token_ms"] if update["answer"] else None
        if self.hit is not None:
            self.outcome = f"hit_{self.hit}"
        elif self.steps[-1] == "accept":
            self.outcome = "answered"
        else:
            self.outcome = "unverified" if update["answer"] else "failed"
        if CONTENT.is_on and self.span.is_recording():
            self.span.set_attributes(known({at.OUTPUT: CONTENT.shown(update["answer"])}))

    @property
    def told_outcome(self) -> str:
        """How it ended, in the words of the ledger."""
        return self.last_tier if self.outcome == "answered" else self.outcome

    @property
    def saved_usd(self) -> Decimal | None:
        """Baseline less cost; None where one of them is unknown."""
        if self.cost_usd is None or self.baseline_usd is None:
            return None
        return Decimal(self.baseline_usd) - Decimal(self.cost_usd)

    @property
    def reasons_to_keep(self) -> list[str]:
        """Why the trace of this question is kept, whatever share is: everything that did not go as hoped."""
        reasons = [step for step in dict.fromkeys(self.steps) if step in _BAD_STEPS]
        if self.told_outcome in {"unverified", "failed", "error", "cancelled"}:
            reasons.append(self.told_outcome)
        return [*reasons, *(["alarm"] if self.alarms else [])]

    @property
    def fraction(self) -> float:
        """A number from 0 to 1 by which traces are chosen: the same for the spans and for the runs of LangSmith."""
        placed = self.span.get_span_context()
        return fraction_of(placed.trace_id if placed.is_valid else uuid.UUID(self.langsmith_run).int)

    @property
    def decisions(self) -> dict[str, str]:
        """What one filters by, the same words in LangSmith's tags and metadata."""
        verdict = "" if self.verified is None else ("ok" if self.verified else "failed")
        told = {
            "outcome": self.told_outcome,
            "cache": f"hit_{self.hit}" if self.hit else "miss",
            "route": self.tier or "",
            "verdict": verdict,
            "escalated": "yes" if "escalate" in self.steps else "no",
            "language": self.language,
            "purpose": self.purpose,
        }
        return {name: value for name, value in told.items() if value}

    def ended(self, error: BaseException | None = None) -> None:
        """Tell what is known, once, and end the span."""
        if error is not None:
            given_up = isinstance(error, GeneratorExit) or type(error).__name__ == "CancelledError"
            self.outcome = "cancelled" if given_up else "error"
            fail(self.span, type(error).__name__)
        elif self.outcome in {"failed", "unverified"}:
            fail(self.span, self.outcome)
        elif self.verified:
            self.span.set_status(StatusCode.OK)
        if self.span.is_recording():
            self.span.set_attributes(known(self._attributes()))
        self._count()
        self.span.end()

    def _attributes(self) -> Mapping[str, Value | None]:
        saved = self.saved_usd
        return {
            at.RUN: self.run or None,
            at.OUTCOME: self.told_outcome or None,
            at.VERIFIED: self.verified,
            at.ESCALATED: "escalate" in self.steps,
            at.LANGUAGE: self.language or None,
            at.PATH: list(self.path),
            at.ROUTE_TIER: self.tier,
            at.VERDICT_STEP: self.steps[-1] if self.steps else None,
            at.TOTAL_COST: self.cost_usd,
            at.TOTAL_BASELINE: self.baseline_usd,
            at.TOTAL_SAVED: None if saved is None else f"{saved:f}",
            at.FIRST_TOKEN_MS: self.first_token_ms,
            at.KEEP: self.reasons_to_keep or None,
        }

    def _count(self) -> None:
        meters, outcome = instruments(), self.told_outcome or "unfinished"
        told = {"outcome": outcome, "purpose": self.purpose}
        meters.requests.add(1, {**told, "language": self.language or "unknown"})
        meters.request_s.record(time.perf_counter() - self.begun, told)
        if self.first_token_ms is not None:
            meters.first_token_s.record(self.first_token_ms / 1000, told)
        if self.purpose == "question" and self.saved_usd is not None and self.baseline_usd is not None:
            meters.saved.add(float(self.saved_usd), {"outcome": outcome})
            meters.baseline.add(float(self.baseline_usd), {"outcome": outcome})


def fraction_of(trace_id: int) -> float:
    """Return a number from 0 to 1 that every process makes of the same trace id."""
    # The lower half is random in every way of making ids.
    return (trace_id & (1 << 64) - 1) / (1 << 64)


def context_of(request: Request, around: otel.Context | None = None) -> otel.Context:
    """Return the context in which the boxes of a request run: its span is the current one, and it can be found."""
    return otel.set_value(_KEY, request, trace.set_span_in_context(request.span, around))


def for_run(run_id: str) -> otel.Context:
    """Return the current context with the run of LangSmith that a request to a model is."""
    return otel.set_value(_RUN_KEY, run_id)


def note_charges(charges: Sequence[Charge]) -> None:
    """Note what the current request to a model was charged."""
    run_id, request = otel.get_value(_RUN_KEY), current_request()
    if request is not None and isinstance(run_id, str):
        request.charges.update((run_id, charge) for charge in charges if charge["kind"] == "chat")


def current_request() -> Request | None:
    """Return the request that is being answered here; None outside of any."""
    found = otel.get_value(_KEY)
    return found if isinstance(found, Request) else None
