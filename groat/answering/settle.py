"""The answer that leaves the graph, chosen from the attempts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, AnyMessage

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
    attempt: int | None = None
    """Place of the attempt that the answer comes from; None when it comes from none."""


def settle(
    asked: Asked,
    attempts: Sequence[Attempt],
    verdicts: Sequence[Verdict],
    passages: Sequence[Passage],
    *,
    structured: bool = False,
) -> Settled:
    """Return the accepted answer or, when none was accepted, the best attempt, marked unverified.

    Best is the attempt with the most checks passed, the later one of equals. An answer goes before "the documents do not
    answer", and that before nothing. Who asked for a structure gets that structure or an error, never something else.

    Args:
        asked: the question.
        attempts: all attempts, oldest first; not empty.
        verdicts: one verdict for each attempt.
        passages: everything that retrieval found, to name the sources from.
        structured: a schema was given.
    """
    if verdicts[-1]["ok"]:
        return _settled(attempts, len(attempts) - 1, passages, verified=True)
    written = [
        (sum(check["score"] for check in verdict["checks"]) / len(verdict["checks"]), number)
        for number, (attempt, verdict) in enumerate(zip(attempts, verdicts, strict=True))
        if attempt["text"] and not attempt["abstained"] and not (structured and _misfits(verdict))
    ]
    if written:
        return _settled(attempts, max(written)[1], passages, verified=False)
    if any(attempt["abstained"] for attempt in attempts):
        told = no_answer_text(asked["answer_language"])
        return _nothing(error=told) if structured else Settled(answer=told, verified=False, sources=[], error="")
    error = next((attempt["message"] for attempt in reversed(attempts) if "message" in attempt), "")
    if structured and any(attempt["text"] for attempt in attempts):
        error = "no attempt gave JSON that fits the schema; make the schema simpler, or choose a model that keeps to schemas"
    return _nothing(error=error or _why_empty(attempts[-1]))


def _why_empty(attempt: Attempt) -> str:
    how = "refused to answer; ask differently" if attempt.get("refused") else "gave an empty answer; try again"
    return f"the {attempt['tier']} model {attempt['model']!r} {how}, or choose another model"


def first_token_ms(attempts: Sequence[Attempt], *, asked_at: float) -> float:
    """Return when the user could read something, in milliseconds since the question: with the first streamed token, or now."""
    streamed = [one["begun_ms"] + one["first_token_ms"] for one in attempts if one["first_token_ms"] is not None]
    return round(min(streamed, default=(time.time() - asked_at) * 1000), 2)


def messages_of(attempts: Sequence[Attempt], settled: Settled) -> list[AnyMessage]:
    """Return the answer as it joins the conversation; nothing when there is none."""
    if not settled.answer:
        return []
    # Under the id that its tokens had on LangGraph's stream, it is not streamed twice.
    said = None if settled.attempt is None else attempts[settled.attempt].get("message_id")
    return [AIMessage(settled.answer, id=said or None)]


def _nothing(*, error: str) -> Settled:
    return Settled(answer="", verified=False, sources=[], error=error)


def _misfits(verdict: Verdict) -> bool:
    return any(check["name"] == "structure" and not check["passed"] for check in verdict["checks"])


def _settled(attempts: Sequence[Attempt], number: int, passages: Sequence[Passage], *, verified: bool) -> Settled:
    attempt = attempts[number]
    cited = set(citations(attempt["text"]))
    sources: dict[str, Source] = {}
    for passage in passages:
        if passage["document_id"] in cited:
            sources.setdefault(
                passage["document_id"],
                {"id": passage["document_id"], "version": passage["version"], "title": passage["title"]},
            )
    return Settled(answer=attempt["text"], verified=verified, sources=list(sources.values()), error="", attempt=number)
