"""Spans of the boxes, through the API of OpenTelemetry: without an SDK they cost next to nothing and go nowhere.

No span holds the text of a question, an answer or a document, nor the name of a tenant.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from groat.cache.reasons import code_of
from groat.tracing import names
from groat.types import Asked, CacheCandidate, Lookup

_TRACER = trace.get_tracer(names.TRACER)


@contextmanager
def box_span(box: str) -> Iterator[Span]:
    """Be in a span that is named after a box; what the box raises marks it, by its kind alone: messages may quote anything."""
    with _TRACER.start_as_current_span(box, record_exception=False, set_status_on_exception=False) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute(names.ERROR_TYPE, type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def describe_lookup(span: Span, lookup: Lookup, asked: Asked) -> None:
    """Say in a span what the cache decided on which evidence."""
    if not span.is_recording():
        return
    candidate, waited = lookup["candidate"], lookup.get("waited")
    span.set_attributes(
        _known(
            {
                names.CACHE_OUTCOME: lookup["outcome"],
                names.CACHE_TIER: lookup["tier"],
                names.CACHE_REASON: code_of(lookup),
                names.CACHE_RULE: lookup["calibration"],
                names.CACHE_THRESHOLD: lookup["threshold"],
                names.CACHE_LANGUAGE: asked["language"],
                names.CACHE_FOLLOW_UP: asked.get("follow_up"),
                names.CACHE_TURNS_LEFT_OUT: asked.get("turns_left_out"),
                names.CACHE_WAITED_MS: waited["ms"] if waited else None,
                names.CACHE_WAITED_KEPT: waited["kept"] if waited else None,
                names.CACHE_ALARMS: lookup.get("alarms"),
            }
        )
    )
    if candidate is not None:
        _describe_candidate(span, candidate)


def _describe_candidate(span: Span, candidate: CacheCandidate) -> None:
    span.set_attributes(
        _known(
            {
                names.CACHE_CANDIDATE: candidate["entry_id"],
                names.CACHE_SIMILARITY: candidate["similarity"],
                names.CACHE_DIFFERENCES: candidate["differences"],
                names.CACHE_SCORE: candidate.get("score"),
                names.CACHE_LEAST_SCORE: candidate.get("least_score"),
                names.CACHE_BOUND: candidate.get("bound"),
                names.CACHE_JUDGED: candidate.get("judged"),
            }
        )
    )
    if evidence := candidate.get("evidence"):
        span.add_event(names.CACHE_EVIDENCE, {f"{names.CACHE_EVIDENCE}.{name}": value for name, value in evidence.items()})


_Value = str | bool | int | float | list[str]


def _known(attributes: Mapping[str, _Value | None]) -> dict[str, _Value]:
    return {name: value for name, value in attributes.items() if value is not None}
