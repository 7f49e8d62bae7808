"""The spans of one trace as a tree of lines, for a terminal."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from groat.tracing.names import attributes as at

_SHOWN: Final = (
    (at.OUTCOME, "{}"),
    (at.CACHE_OUTCOME, "{}"),
    (at.CACHE_REASON, "{}"),
    (at.FOUND, "{} passages"),
    (at.RETURNED, "{} passages"),
    (at.ROUTE_TIER, "{}"),
    (at.ROUTE_SCORE, "p={:.2f}"),
    (at.ROUTE_THRESHOLD, "of {:.2f} needed"),
    (at.TOKENS_BEFORE, "{}"),
    (at.TOKENS_AFTER, "→ {} tokens"),
    (at.ATTEMPT_FAILURE, "{}"),
    (at.VERDICT_STEP, "{}"),
    (at.VERDICT_FAILED, "failed: {}"),
    (at.VERDICT_SCORE, "p={:.2f}"),
    (at.KEPT, "kept: {}"),
    (at.NOT_KEPT, "{}"),
    (at.CALL_OUTCOME, "{}"),
    (at.CALL_HEDGE, "hedge"),
    (at.INPUT_TOKENS, "{} in"),
    (at.OUTPUT_TOKENS, "{} out"),
    (at.FIRST_CHUNK, "first after {:.3f} s"),
    (at.TOTAL_COST, "${}"),
    (at.COST, "${}"),
)
"""What stands behind a span, in this order; what a span repeats of those below it is left out."""


def tree_lines(spans: Sequence[ReadableSpan]) -> list[str]:
    """Return a line for each span, in the order in which they began, those below a span indented behind it.

    A span whose parent is not among them stands at the left.
    """
    ids = {span.context.span_id for span in spans if span.context}
    below: dict[int | None, list[ReadableSpan]] = {}
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        parent = span.parent.span_id if span.parent is not None and span.parent.span_id in ids else None
        below.setdefault(parent, []).append(span)
    return [line for root in below.get(None, []) for line in _lines(root, below, "", "")]


def _lines(span: ReadableSpan, below: dict[int | None, list[ReadableSpan]], first: str, rest: str) -> Iterator[str]:
    milliseconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
    mark = "✗ " if span.status.status_code is StatusCode.ERROR else ""
    yield f"{first}{mark}{span.name}  {milliseconds:.1f} ms  {_told(dict(span.attributes or {}))}".rstrip()
    children = below.get(span.context.span_id if span.context else None, [])
    for number, child in enumerate(children):
        last = number == len(children) - 1
        yield from _lines(child, below, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _told(attributes: dict[str, Any]) -> str:
    is_root = at.PURPOSE in attributes
    told = []
    for name, form in _SHOWN:
        value = attributes.get(name)
        if value in (None, (), False) or (name == at.COST and not value.strip("0.")):
            continue
        if is_root and name not in (at.OUTCOME, at.TOTAL_COST):
            continue
        told.append(form.format(", ".join(value) if isinstance(value, tuple) else value))
    return "  ".join(told)
