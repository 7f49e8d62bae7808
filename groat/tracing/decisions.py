"""What a box decided on which evidence, on its span and in the metrics."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry.trace import Span

from groat.cache.reasons import code_of
from groat.tracing.content import CONTENT
from groat.tracing.metrics import instruments
from groat.tracing.names import attributes as at
from groat.tracing.requests import current_request
from groat.tracing.spans import Value, box_span, known
from groat.types import Asked, Attempt, Box, CacheCandidate, Lookup, Passage, Route, Shortened, Verdict

MOST_DOCUMENTS: Final = 20
"""Passages that a span names: the SDK keeps 128 attributes of a span, and drops the first ones without a word."""

Update = Mapping[str, Any]
"""What a box returned."""


@contextmanager
def watched(box: Box) -> Iterator[Callable[[Update], None]]:
    """Be in the span of a box; the function that is handed out is told what the box returned."""
    begun = time.perf_counter()
    with box_span(box) as span:

        def saw(update: Update) -> None:
            _count(box, update)
            if (request := current_request()) is not None:
                request.saw(box, update)
            if span.is_recording():
                _DESCRIBE[box](span, update)

        try:
            yield saw
        finally:
            instruments().box_s.record(time.perf_counter() - begun, {"box": box})


def _count(box: Box, update: Update) -> None:
    meters = instruments()
    if (lookup := update.get("lookup")) is not None:
        language, candidate = update["asked"]["language"], lookup["candidate"]
        told = {"outcome": lookup["outcome"], "tier": lookup["tier"] or "none", "reason": code_of(lookup), "language": language}
        meters.lookups.add(1, told)
        if candidate is not None and (bound := candidate.get("bound")) is not None:
            meters.bound.set(bound, {"language": language})
    if (route := update.get("route")) is not None:
        meters.routes.add(1, {"tier": route["tier"], "budget_bound": str(route.get("budget_bound", False)).lower()})
    if box == "validate":
        request = current_request()
        for verdict in update["verdicts"]:
            meters.steps.add(1, {"step": verdict["step"], "tier": request.last_tier if request else "unknown"})


def describe_lookup(span: Span, lookup: Lookup, asked: Asked) -> None:
    """Say in a span what the cache decided on which evidence."""
    candidate, waited = lookup["candidate"], lookup.get("waited")
    span.set_attributes(
        known(
            {
                at.CACHE_OUTCOME: lookup["outcome"],
                at.CACHE_TIER: lookup["tier"],
                at.CACHE_REASON: code_of(lookup),
                at.CACHE_RULE: lookup["calibration"],
                at.CACHE_THRESHOLD: lookup["threshold"],
                at.CACHE_LANGUAGE: asked["language"],
                at.CACHE_FOLLOW_UP: asked.get("follow_up"),
                at.CACHE_TURNS_LEFT_OUT: asked.get("turns_left_out"),
                at.CACHE_WAITED_MS: waited["ms"] if waited else None,
                at.CACHE_WAITED_KEPT: waited["kept"] if waited else None,
                at.CACHE_ALARMS: lookup.get("alarms"),
            }
        )
    )
    if candidate is not None:
        _describe_candidate(span, candidate)


def _describe_candidate(span: Span, candidate: CacheCandidate) -> None:
    span.set_attributes(
        known(
            {
                at.CACHE_CANDIDATE: candidate["entry_id"],
                at.CACHE_SIMILARITY: candidate["similarity"],
                at.CACHE_DIFFERENCES: candidate["differences"],
                at.CACHE_SCORE: candidate.get("score"),
                at.CACHE_LEAST_SCORE: candidate.get("least_score"),
                at.CACHE_BOUND: candidate.get("bound"),
                at.CACHE_JUDGED: candidate.get("judged"),
            }
        )
    )
    if evidence := candidate.get("evidence"):
        _evidence(span, at.CACHE_EVIDENCE, evidence)


def _evidence(span: Span, event: str, evidence: Mapping[str, float]) -> None:
    span.add_event(event, {f"{event}.{name}": value for name, value in evidence.items()})


def _describe_cache(span: Span, update: Update) -> None:
    describe_lookup(span, update["lookup"], update["asked"])


def _describe_retrieved(span: Span, update: Update) -> None:
    passages: list[Passage] = update["passages"]
    told: dict[str, Value | None] = {at.FOUND: len(passages)}
    for number, passage in enumerate(passages[:MOST_DOCUMENTS]):
        told[at.DOCUMENT_ID.format(n=number)] = passage["id"]
        told[at.DOCUMENT_SCORE.format(n=number)] = passage["score"]
        told[at.DOCUMENT_CONTENT.format(n=number)] = CONTENT.shown(passage["text"])
    span.set_attributes(known(told))


def _describe_route(span: Span, update: Update) -> None:
    route: Route = update["route"]
    span.set_attributes(
        known(
            {
                at.ROUTE_TIER: route["tier"],
                at.ROUTE_KIND: route["kind"],
                at.ROUTE_SCORE: route["p_cheap_ok"],
                at.ROUTE_THRESHOLD: route["threshold"],
                at.ROUTE_GAIN: route.get("gain"),
                at.ROUTE_REASONS: route["reasons"],
                at.ROUTE_BUDGET: route.get("budget_bound"),
                at.DECISION_MODEL: route["artifact"],
            }
        )
    )


def _describe_shortened(span: Span, update: Update) -> None:
    shortened: Shortened = update["shortened"]
    span.set_attributes(
        {
            at.TOKENS_BEFORE: shortened["tokens_before"],
            at.TOKENS_AFTER: shortened["tokens_after"],
            at.CONTEXT_LEVEL: shortened["level"],
            at.CONTEXT_REASON: shortened["reason"],
        }
    )


def _describe_attempt(span: Span, update: Update) -> None:
    attempt: Attempt = update["attempts"][-1]
    span.set_attributes(
        known(
            {
                at.ATTEMPT_MODEL: attempt["model"],
                at.ATTEMPT_REQUESTS: len(attempt["calls"]),
                at.ATTEMPT_FAILURE: attempt.get("failure"),
                at.ATTEMPT_REPAIRED: attempt["repaired"],
                at.ATTEMPT_ABSTAINED: attempt["abstained"],
                at.CONTEXT_LEVEL: attempt["level"],
                at.FIRST_TOKEN_MS: attempt["first_token_ms"],
            }
        )
    )


def _describe_verdict(span: Span, update: Update) -> None:
    verdict: Verdict = update["verdicts"][-1]
    sure = verdict.get("acceptance")
    opinion = sure["opinion"] if sure else None
    span.set_attributes(
        known(
            {
                at.VERDICT_STEP: verdict["step"],
                at.VERDICT_OK: verdict["ok"],
                at.VERDICT_FAILED: [check["name"] for check in verdict["checks"] if not check["passed"]],
                at.VERDICT_SCORE: sure["p_ok"] if sure else None,
                at.VERDICT_THRESHOLD: sure["threshold"] if sure else None,
                at.VERDICT_PROMISE: sure["promise"] if sure else None,
                at.VERDICT_OPINIONS: len(sure["opinions"]) if sure else None,
                at.VERDICT_AGREEMENT: opinion["agreement"] if opinion else None,
            }
        )
    )
    if sure:
        _evidence(span, at.VERDICT_EVIDENCE, sure["evidence"])


def _describe_remembered(span: Span, update: Update) -> None:
    """Nothing: the box writes nothing into the state, and says itself what the cache made of the answer."""


_DESCRIBE: Final[Mapping[Box, Callable[[Span, Update], None]]] = {
    "check_cache": _describe_cache,
    "retrieve": _describe_retrieved,
    "route": _describe_route,
    "compress": _describe_shortened,
    "answer_cheap": _describe_attempt,
    "answer_expensive": _describe_attempt,
    "validate": _describe_verdict,
    "remember": _describe_remembered,
}
