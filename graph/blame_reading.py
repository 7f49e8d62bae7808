"""Reads the record of a run: what kind it was, what was read, what was rejected, and which decision is to be shown."""

from collections.abc import Sequence
from typing import Any

from groat.blame.causes import Situation
from groat.blame.reference import Reference
from groat.blame.snapshot import Finding, Snapshot
from groat.text import content_words, figures, sentence_spans, without_citations
from groat.types import Asked, Passage, Tier

_FITS = 0.55
"""Share of an answer's words from which on today's documents are taken to support it."""


def situation_of(run: Snapshot, reference: Reference | None) -> Situation:
    """Return what kind of run it was."""
    answerable = reference is None or reference.get("answerable", True)
    if run.is_hit:
        served = run.lookup.get("served")
        return Situation(hit=True, tier=served["tier"] if served else "cheap", answerable=answerable)
    route, shortened = run.route, run.shortened
    tier: Tier = run.attempts[-1]["tier"] if run.attempts else "cheap"
    degraded = any(verdict["step"] == "degrade" for verdict in run.verdicts)
    bound = degraded or bool(route and route.get("budget_bound"))
    return Situation(
        hit=False,
        tier=tier,
        routed=run.knobs.get("tier", "auto") == "auto" and not bound,
        documents=route is not None and route["kind"] == "knowledge",
        shortened=shortened is not None and shortened["tokens_after"] < shortened["tokens_before"],
        rejected=bool(rejected(run)),
        answerable=answerable,
    )


def passages_read(run: Snapshot) -> Sequence[Passage]:
    """Return what the last attempt read."""
    return run.shortened["passages"] if run.shortened else []


def rejected(run: Snapshot) -> list[str]:
    """Return the answers that validation rejected, oldest first."""
    return [
        attempt["text"]
        for attempt, verdict in zip(run.attempts, run.verdicts, strict=True)
        if not verdict["ok"] and attempt["text"] and not attempt["abstained"]
    ]


def fits(answer: str, passages: Sequence[Passage]) -> bool | None:
    """Tell whether passages support an answer: all its figures, and most of its words in one of them; None without words."""
    bare = without_citations(answer)
    needed = set(content_words(bare))
    if not needed:
        return None
    if figures(bare) - figures("\n".join(passage["text"] for passage in passages)):
        return False
    best = max((len(needed & set(content_words(passage["text"]))) for passage in passages), default=0)
    return best >= _FITS * len(needed)


def told(asked: Asked, reference: Reference) -> Passage:
    """Return the right answer as a passage of a document that does not exist."""
    text = reference["answer"]
    return {
        "id": "reference#0",
        "document_id": "reference",
        "version": "",
        "title": asked["text"],
        "heading": "",
        "text": text,
        "language": asked["answer_language"],
        "sentences": sentence_spans(text),
        "score": 1.0,
        "similarity": None,
    }


def decision(origin: Finding, run: Snapshot) -> dict[str, Any]:
    """Return the record of the decision that an origin points to, as it stands in the run; {} for none."""
    match origin:
        case "wrong_hit" | "stale":
            return {"lookup": run.lookup}
        case "router":
            return {"route": run.route}
        case "compression":
            shortened = run.shortened
            return {} if shortened is None else {"shortened": {**shortened, "passages": _ids(shortened["passages"])}}
        case "retrieval" | "knowledge" | "unanswerable":
            return {"passages": _ids(run.passages)}
        case "validation":
            return {"verdicts": run.verdicts}
        case "model_cheap" | "model_expensive":
            return {"attempts": [{**attempt, "calls": len(attempt["calls"])} for attempt in run.attempts]}
        case _:
            return {}


def _ids(passages: Sequence[Passage]) -> list[dict[str, Any]]:
    return [{name: passage[name] for name in ("id", "version", "score")} for passage in passages]
