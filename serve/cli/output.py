"""Print for people or write JSON for programs."""

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from groat.errors import BadInput

JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON to FILE, or to standard output with -.")
]
TenantOption = Annotated[str, typer.Option(help="Whose documents and answers.")]


_WIDE = 140


def console() -> Console:
    """Return the console for people: standard output; wide enough for tables when it is not a terminal."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDE)


def write_json(value: object, target: str) -> None:
    """Write ``value`` to the file ``target``, or to standard output when it is "-".

    Raises:
        BadInput: the file cannot be written.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"the file {target} cannot be written ({error.strerror}); choose another for --json") from error


def dollars(amount: str | Decimal | None) -> str:
    """Return an amount with the digits that matter, "unknown" for an unknown one."""
    if amount is None:
        return "unknown"
    value = Decimal(amount)
    return "$0" if value == 0 else f"${value:.6f}"


def saved(cost: str | None, baseline: str | None) -> str:
    """Return how much of the baseline was saved, or "" when that cannot be said."""
    if cost is None or baseline is None or Decimal(baseline) == 0:
        return ""
    share = 1 - Decimal(cost) / Decimal(baseline)
    return f"{share:.0%} less" if share >= 0 else f"{-share:.0%} more"
