"""Sums of charges, and the bill that they are compared with."""

from collections.abc import Iterable
from decimal import Decimal

from groat.costs.amounts import exact_sum
from groat.costs.prices import PriceTable
from groat.types import Charge, Usage


def total(charges: Iterable[Charge]) -> Decimal | None:
    """Return the sum in dollars; None when one price is unknown, since a sum without it would be too low."""
    known: list[str] = []
    for charge in charges:
        if charge["cost_usd"] is None:
            return None
        known.append(charge["cost_usd"])
    return exact_sum(known)


def total_text(charges: Iterable[Charge]) -> str | None:
    """Return ``total`` as a plain decimal, the form that states and records carry."""
    amount = total(charges)
    return None if amount is None else f"{amount:f}"


def baseline_cost(prices: PriceTable, model: str, *, input_tokens: int, output_tokens: int) -> Decimal | None:
    """Return what the named baseline "all expensive" pays for one question, in dollars; None when the price is unknown.

    That is one call of the expensive model with all retrieved passages, no cache, no retry, at list prices without any
    prompt-cache discount. ``output_tokens`` are those of the answer that was served: the same answer is compared.
    """
    usage: Usage = {
        "input": input_tokens,
        "output": output_tokens,
        "cache_read": 0,
        "cache_write": 0,
        "reasoning": 0,
        "estimated": True,
    }
    return prices.cost(usage, model)
