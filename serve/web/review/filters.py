"""The filter of the list of runs: from an address to what is asked of the store, and the choices that it offers."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple, cast, get_args

from groat.blame.records import Cursor, Wanted
from groat.blame.snapshot import Finding, MarkKind, Origin
from groat.costs.amounts import begin_of
from groat.errors import BadInput
from groat.types import Language, Step, Tier
from serve.web.keys import Caller

_DAY_S = 86_400.0
_CACHE = ("exact", "semantic", "miss", "off", "error")
FINDINGS: Final[tuple[Finding, ...]] = (*get_args(Origin), "no_fault", "unclear")
PAGE: Final = 50


class Choice(NamedTuple):
    """One field of the form that offers choices."""

    name: str
    """In the address."""
    word: str
    """Name of its label in ``words``."""
    values: Sequence[str]


CHOICES: Final = (
    Choice("verdict", "verdict", ("bad", "good")),
    Choice("tier", "tier", get_args(Tier)),
    Choice("cache", "cache", _CACHE),
    Choice("step", "step_of", get_args(Step)),
    Choice("language", "language", get_args(Language)),
    Choice("mark", "mark", get_args(MarkKind)),
    Choice("origin", "cause", (*FINDINGS, "not_blamed")),
)


def wanted(query: Mapping[str, str], caller: Caller) -> Wanted:
    """Return which runs an address asks for, never those of a tenant that the caller may not see.

    Args:
        query: ``verdict``, ``tier``, ``cache``, ``step``, ``language``, ``mark``, ``origin``; ``since`` and ``until``, days in
            UTC, both included; ``tenant``, ``document``; ``after``, where the page before ended.
        caller: who asks.

    Raises:
        BadInput: a value is none of the choices, or no day; the message names it.
    """
    verdict = _choice(query, "verdict", ("bad", "good"))
    until = query.get("until")
    return Wanted(
        since=begin_of(query["since"]) if query.get("since") else None,
        until=begin_of(until) + _DAY_S if until else None,
        tenant=caller.tenant if caller.tenant is not None else query.get("tenant") or None,
        language=cast(Language | None, _choice(query, "language", get_args(Language))),
        tier=cast(Tier | None, _choice(query, "tier", get_args(Tier))),
        cache=cast(Literal["exact", "semantic", "miss", "off", "error"] | None, _choice(query, "cache", _CACHE)),
        step=cast(Step | None, _choice(query, "step", get_args(Step))),
        bad=None if verdict is None else verdict == "bad",
        mark=cast(MarkKind | None, _choice(query, "mark", get_args(MarkKind))),
        origin=cast(Finding | Literal["not_blamed"] | None, _choice(query, "origin", (*FINDINGS, "not_blamed"))),
        document=query.get("document") or None,
        after=_cursor(query.get("after", "")),
        limit=PAGE,
    )


def written(cursor: Cursor) -> str:
    """Return a cursor as it stands in an address."""
    return f"{cursor[0]!r},{cursor[1]}"


def _choice(query: Mapping[str, str], name: str, choices: Sequence[str]) -> str | None:
    value = query.get(name)
    if value and value not in choices:
        raise BadInput(f"{name} must be one of {', '.join(choices)}")
    return value or None


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    at, _, run = text.partition(",")
    try:
        return float(at), run
    except ValueError as error:
        raise BadInput("after must be what the page before gave: TIME,RUN") from error
