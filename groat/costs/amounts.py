"""Amounts of money: decimals that are summed to the last digit, and the UTC days that they belong to."""

import datetime
from collections.abc import Iterable
from decimal import Context, Decimal

from groat.errors import BadInput

_EXACT = Context(prec=200)
"""No amount of money has 200 digits, so nothing is ever rounded."""


def exact_sum(amounts: Iterable[Decimal | str]) -> Decimal:
    """Return the sum in dollars, to the last digit. Raises decimal.InvalidOperation for a text that is no number."""
    total = Decimal(0)
    for amount in amounts:
        total = _EXACT.add(total, Decimal(amount))
    return total


def utc_day(at: float) -> str:
    """Return the UTC date of a time in seconds since 1970, as "YYYY-MM-DD"."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()


def begin_of(day: str) -> float:
    """Return when a UTC day began, in seconds since 1970.

    Raises:
        BadInput: ``day`` is no date of the form "YYYY-MM-DD".
    """
    try:
        begin = datetime.datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
    except ValueError:
        begin = None
    if begin is None or begin.date().isoformat() != day:
        raise BadInput(f"{day!r} is no day; write it as YYYY-MM-DD, such as 2026-11-24")
    return begin.timestamp()
