"""What is shown of one run: every decision with its evidence, ready for the template. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from groat.blame.snapshot import Snapshot
from groat.costs.amounts import exact_sum
from groat.types import Attempt, Box, Charge, Passage, Verdict

_MORE = ("candidate.evidence.", "candidate.audits.", "shadow.")

Fact = tuple[str, str]
"""A name, as it stands in the record, and its value."""


class Card(NamedTuple):
    """What one box decided."""

    box: Box
    facts: list[Fact]
    more: list[Fact]
    """What the decision was made of, for who wants to know it all."""


class Piece(NamedTuple):
    """A part of a passage."""

    text: str
    kept: bool
    """The model read it."""


class SeenPassage(NamedTuple):
    """A passage as it was found, with what the model read of it."""

    document: str
    title: str
    score: float
    pieces: list[Piece]


class SeenReplay(NamedTuple):
    """What came of changing one part, over all runs with it."""

    lever: str
    right: int
    judged: int
    """Runs that the judge had an opinion on."""
    cost_usd: Decimal | None
    answers: list[str]
    """Each once."""
    path: list[Box]
    skipped: str
    """Why it was not run; empty when it was."""


def cards(run: Snapshot) -> list[Card]:
    """Return one card for each box that decided something, in the order of the graph."""
    found = [_card("check_cache", _cache(run))]
    if run.passages:
        found.append(_card("retrieve", _retrieved(run.passages)))
    if run.route is not None:
        found.append(_card("route", _facts(run.route)))
    if run.shortened is not None:
        found.append(_card("compress", _facts(run.shortened, leave=("passages",))))
    return found


def _card(box: Box, facts: Sequence[Fact]) -> Card:
    return Card(
        box,
        [fact for fact in facts if not fact[0].startswith(_MORE)],
        [fact for fact in facts if fact[0].startswith(_MORE)],
    )


def attempts(run: Snapshot) -> list[list[Fact]]:
    """Return the tries at an answer, without their texts."""
    return [_attempt(one) for one in run.attempts]


def verdicts(run: Snapshot) -> list[list[Fact]]:
    """Return what validation said of each try, a line for each check that failed."""
    return [_verdict(one) for one in run.verdicts]


def replays(body: Mapping[str, Any]) -> list[SeenReplay]:
    """Return the counterfactual runs of an investigation, ``Blamed.body``, those of one lever together, in order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for one in [*body["replays"], *((body.get("afresh") or {}).get("replays", []))]:
        found.setdefault(one["lever"], []).append(one)
    return [
        SeenReplay(
            lever=lever,
            right=sum(one["right"] is True for one in runs),
            judged=sum(one["right"] is not None for one in runs),
            cost_usd=_sum([one["cost_usd"] for one in runs]),
            answers=list(dict.fromkeys(one["answer"] for one in runs if not one["skipped"])),
            path=list(runs[0]["path"]),
            skipped=next((one["skipped"] for one in runs if one["skipped"]), ""),
        )
        for lever, runs in found.items()
    ]


def reasons(body: Mapping[str, Any]) -> list[Fact]:
    """Return what an investigation saw in the record, and how likely it holds each origin."""
    evidence = body["evidence"]
    likely = [(f"p.{origin}", f"{p:.0%}") for origin, p in evidence["probabilities"].items()]
    return [*_facts(evidence["facts"]), *likely, ("stopped", body["stopped"])]


def total(charges: Iterable[Charge]) -> Decimal | None:
    """Return the sum in dollars; None when a price is unknown."""
    return _sum([charge["cost_usd"] for charge in charges])


def _sum(amounts: Sequence[str | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return exact_sum(known) if len(known) == len(amounts) else None


def passages(run: Snapshot) -> list[SeenPassage]:
    """Return the passages, each sentence marked as kept or left out of what the last try read; all kept without shortening."""
    kept: dict[str, set[str]] | None = None
    if run.shortened is not None:
        kept = {one["id"]: {one["text"][start:end] for start, end in one["sentences"]} for one in run.shortened["passages"]}
    return [
        SeenPassage(
            one["document_id"], one["title"], one["score"], _pieces(one, None if kept is None else kept.get(one["id"], set()))
        )
        for one in run.passages
    ]


def _pieces(passage: Passage, kept: set[str] | None) -> list[Piece]:
    """Return the passage piece by piece: sentences, and what stands between them, which counts with the one before."""
    if kept is None or not passage["sentences"]:
        return [Piece(passage["text"], kept is None)] if passage["text"] else []
    pieces, last, reads = [], 0, False
    for start, end in passage["sentences"]:
        if start > last:
            pieces.append(Piece(passage["text"][last:start], reads))
        reads = passage["text"][start:end] in kept
        pieces.append(Piece(passage["text"][start:end], reads))
        last = end
    return pieces


def _cache(run: Snapshot) -> list[Fact]:
    facts = _facts(run.lookup, leave=("candidate", "served", "waited", "audited"))
    if (candidate := run.lookup["candidate"]) is not None:
        facts += [(f"candidate.{name}", value) for name, value in _facts(candidate)]
    if (served := run.lookup.get("served")) is not None:
        facts += [(f"served.{name}", value) for name, value in _facts(served, leave=("documents",))]
        facts += [("served.document", f"{one['id']} ({one['version'][:8]})") for one in served["documents"]]
    return facts


def _retrieved(found: Sequence[Passage]) -> list[Fact]:
    best = [f"{one['title'] or one['document_id']} ({one['score']:.3f})" for one in found[:3]]
    return [
        ("passages", str(len(found))),
        ("documents", str(len({one["document_id"] for one in found}))),
        *(("best", one) for one in best),
    ]


def _attempt(attempt: Attempt) -> list[Fact]:
    facts = _facts(attempt, leave=("text", "calls", "message_id", "box"))
    return [
        *facts,
        ("calls", ", ".join(f"{call['model']}: {call['outcome']} ({call['latency_ms']:.0f} ms)" for call in attempt["calls"])),
    ]


def _verdict(verdict: Verdict) -> list[Fact]:
    facts = _facts(verdict, leave=("checks", "acceptance"))
    facts += [(f"{check['name']}", check["reason"] or "failed") for check in verdict["checks"] if not check["passed"]]
    if (acceptance := verdict.get("acceptance")) is not None:
        facts += [
            (f"acceptance.{name}", value) for name, value in _facts(acceptance, leave=("evidence", "opinion", "opinions"))
        ]
    return facts


def _facts(record: Mapping[str, object], leave: Sequence[str] = ()) -> list[Fact]:
    """Return the fields that have a value, nested ones beside each other."""
    facts: list[Fact] = []
    for name, value in record.items():
        if name in leave or value is None or value in ("", [], {}):
            continue
        if isinstance(value, Mapping):
            facts += [(f"{name}.{inner}", shown) for inner, shown in _facts(value)]
        else:
            facts.append((name, _shown(value)))
    return facts


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(one) for one in value)
    return str(value)
