"""What the bad answers of a span of time came from, in shares and dollars, and where they cluster. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

# typing.TypedDict makes LangGraph's server return null schemas on Python < 3.12.
from typing_extensions import TypedDict

from groat.blame.records import Kept
from groat.blame.snapshot import Finding, Snapshot

_NO_ORIGINS: tuple[Finding, ...] = ("no_fault", "unclear")


class Cause(TypedDict):
    """One origin of bad answers."""

    origin: Finding
    cases: int
    share: float
    """Of the cases that were looked into, 0..1."""
    answers_usd: str | None
    """What the bad answers themselves cost, decimal; None when a price is unknown."""
    replays_usd: str | None
    """What finding it out cost."""


class Worst(TypedDict):
    """Where most of the bad answers with a fault of groat's own lie."""

    name: str
    cases: int
    of: int
    """Cases that name anything of the kind."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a span of time came to."""

    since: float
    """Seconds since 1970."""
    until: float
    runs: int
    bad: int
    not_blamed: int
    """Bad runs that nobody looked into."""
    causes: list[Cause]
    """The most frequent first; right answers that were called bad, and cases without a verdict, among them."""
    worst_document: Worst | None
    worst_category: Worst | None
    worst_threshold: Worst | None


def report(kept: Sequence[Kept], *, since: float, until: float, runs: int, bad: int, not_blamed: int) -> Report:
    """Return the report over the runs that were looked into.

    Args:
        kept: bad runs with a verdict.
        since: begin of the span, in seconds since 1970.
        until: its end.
        runs: all runs of the span.
        bad: those among them that are bad.
        not_blamed: those of the bad ones without a verdict.
    """
    groups: dict[Finding, list[Kept]] = {}
    for one in kept:
        assert one.blamed is not None  # the caller chose those
        groups.setdefault(one.blamed.origin, []).append(one)
    causes = [_cause(origin, cases, len(kept)) for origin, cases in groups.items()]
    own = [one for one in kept if one.blamed is not None and one.blamed.origin not in _NO_ORIGINS]
    return Report(
        since=since,
        until=until,
        runs=runs,
        bad=bad,
        not_blamed=not_blamed,
        causes=sorted(causes, key=lambda cause: (-cause["cases"], cause["origin"])),
        worst_document=_worst(own, documents_of),
        worst_category=_worst(own, lambda one: [category_of(one.snapshot)]),
        worst_threshold=_worst(own, lambda one: [threshold] if (threshold := threshold_of(one)) else []),
    )


def _cause(origin: Finding, cases: Sequence[Kept], whole: int) -> Cause:
    return {
        "origin": origin,
        "cases": len(cases),
        "share": round(len(cases) / whole, 4),
        "answers_usd": _sum(one.snapshot.cost_usd for one in cases),
        "replays_usd": _sum(one.blamed.cost_usd for one in cases if one.blamed is not None),
    }


def _sum(amounts: Iterable[str | None]) -> str | None:
    known = list(amounts)
    return None if None in known else f"{sum((Decimal(one) for one in known if one is not None), Decimal(0)):f}"


def _worst(cases: Sequence[Kept], names: Callable[[Kept], Iterable[str]]) -> Worst | None:
    found = [set(names(one)) for one in cases]
    counts = Counter(name for one in found for name in one)
    if not counts:
        return None
    name, count = min(counts.items(), key=lambda one: (-one[1], one[0]))
    return {"name": name, "cases": count, "of": sum(bool(one) for one in found)}


def documents_of(one: Kept) -> list[str]:
    """Return the documents that a case is about: those that answer where somebody named them, else those that it quoted."""
    for mark in reversed(one.marks):
        if mark.reference and mark.reference.get("documents"):
            return [str(name) for name in mark.reference["documents"]]
    return [source["id"] for source in one.snapshot.sources]


def category_of(run: Snapshot) -> str:
    """Return the collection that the application named, else the kind of question in its language."""
    named = run.knobs.get("collection")
    kind = "kept" if run.is_hit else run.route["kind"] if run.route else "unrouted"
    return str(named or f"{kind}/{run.asked['language']}")


def threshold_of(one: Kept) -> str:
    """Return the threshold that let a case pass: of the guilty box, the tenth of the scale that it lies in; empty for none."""
    run, origin = one.snapshot, one.blamed.origin if one.blamed else "unclear"
    if origin in ("wrong_hit", "stale") and run.lookup["candidate"] is not None and run.lookup["tier"] == "semantic":
        return f"accept_rule/{run.asked['language']} {_tenth(run.lookup['threshold'])}"
    if origin == "router" and run.route is not None:
        return f"router/{run.asked['language']} {_tenth(run.route['threshold'])}"
    if origin in ("model_cheap", "validation") and run.verdicts and "acceptance" in run.verdicts[-1]:
        return f"acceptance/{run.asked['language']} {_tenth(run.verdicts[-1]['acceptance']['threshold'])}"
    if origin == "compression" and run.shortened is not None and run.shortened["tokens_before"]:
        return f"compression/{run.asked['language']} {_tenth(run.shortened['tokens_after'] / run.shortened['tokens_before'])}"
    return ""


def _tenth(value: float | None) -> str:
    if value is None:
        return "none"
    low = int(value * 10 + 1e-9) / 10
    return f"{low:.1f} to {low + 0.1:.1f}"
