"""The answer that leaves the graph, chosen from the attempts."""

from collections.abc import Sequence
from dataclasses import dataclass

from groat.answering.prompts import no_answer_text
from groat.text import citations
from groat.types import Asked, Attempt, Passage, Source, Verdict


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What the user gets."""

    answer: str
    """Empty when every call failed; then ``error`` says why."""
    verified: bool
    sources: list[Source]
    error: str


def settle(asked: Asked, attempts: Sequence[Attempt], verdicts: Sequence[Verdict], passages: Sequence[Passage]) -> Settled:
    """Return the accepted answer or, when none was accepted, the best attempt, marked unverified.

    Best is the attempt with the most checks passed, the later one of equals. An answer goes before "the documents do not
    answer", and that before nothing.

    Args:
        asked: the question.
        attempts: all attempts, oldest first; not empty.
        verdicts: one verdict for each attempt.
        passages: everything that retrieval found, to name the sources from.
    """
    if verdicts[-1]["ok"]:
        return _settled(attempts[-1], passages, verified=True)
    written = [
        (sum(check["score"] for check in verdict["checks"]) / len(verdict["checks"]), number, attempt)
        for number, (attempt, verdict) in enumerate(zip(attempts, verdicts, strict=True))
        if attempt["text"] and not attempt["abstained"]
    ]
    if written:
        return _settled(max(written)[2], passages, verified=False)
    if any(attempt["abstained"] for attempt in attempts):
        return Settled(answer=no_answer_text(asked["answer_language"]), verified=False, sources=[], error="")
    error = next((attempt["message"] for attempt in reversed(attempts) if "message" in attempt), "the answer was empty")
    return Settled(answer="", verified=False, sources=[], error=error)


def _settled(attempt: Attempt, passages: Sequence[Passage], *, verified: bool) -> Settled:
    cited = set(citations(attempt["text"]))
    sources: dict[str, Source] = {}
    for passage in passages:
        if passage["document_id"] in cited:
            sources.setdefault(
                passage["document_id"],
                {"id": passage["document_id"], "version": passage["version"], "title": passage["title"]},
            )
    return Settled(answer=attempt["text"], verified=verified, sources=list(sources.values()), error="")
