"""What was charged, on the span that it was charged for and in the metrics."""

from collections.abc import Sequence
from decimal import Decimal

from opentelemetry import trace
from opentelemetry.trace import Span

from groat.tracing.metrics import instruments
from groat.tracing.names import attributes as at
from groat.tracing.requests import note_charges
from groat.tracing.spans import Value, attributes_of
from groat.types import Charge


def charged(charges: Sequence[Charge]) -> None:
    """Tell what was just charged: the current span is what it was charged for.

    A span may be charged more than once. Without a recording span only the metrics are told.
    """
    if not charges:
        return
    for charge in charges:
        instruments().charged(charge)
    note_charges(charges)
    span = trace.get_current_span()
    if span.is_recording():
        _add(span, charges)


def _add(span: Span, charges: Sequence[Charge]) -> None:
    before = attributes_of(span)
    prices = [charge["cost_usd"] for charge in charges]
    total = sum((Decimal(price) for price in prices if price is not None), Decimal(before.get(at.COST, "0")))
    told: dict[str, Value] = {
        at.COST: f"{total:f}",
        at.LLM_COST: float(total),
        at.COST_KEYS: [*before.get(at.COST_KEYS, ()), *(charge["key"] for charge in charges)],
        at.PRICED_AS: charges[-1]["priced_as"],
        at.PRICES: charges[-1]["prices"],
    }
    if unknown := int(before.get(at.COST_UNKNOWN, 0)) + prices.count(None):
        told[at.COST_UNKNOWN] = unknown
    if (purpose := charges[-1].get("purpose")) is not None and charges[-1]["kind"] == "chat":
        told[at.COST_PURPOSE] = purpose
    span.set_attributes(told)
