"""Keep the accepted answer for the next who asks."""

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.cache import AnswerCache, NewAnswer
from groat.cache.audit import Audits, Miss
from groat.cache.flight import Flights
from groat.cache.policy import admission
from groat.embedding import Embedder
from groat.tracing import names
from groat.tracing.names import attributes as at
from groat.tracing.spans import say
from groat.types import Asked, Attempt, DocumentVersion, Identity, Lookup, Passage, Route, Shortened, Source, Verdict
from nodes import Knobs


class Answered(TypedDict):
    """What is known of a question that was answered and accepted."""

    asked: Asked
    route: Route
    shortened: Shortened | None
    attempts: list[Attempt]
    verdicts: list[Verdict]
    answer: str
    sources: list[Source]
    baseline_cost_usd: str | None


class Needs(Answered):
    """What this box reads."""

    run: str
    identity: Identity
    lookup: Lookup


class Update(TypedDict):
    """What this box writes."""

    path: list[str]


@dataclass(frozen=True, kw_only=True)
class Remember:
    """The box ``remember``."""

    answers: AnswerCache
    flights: Flights
    embedder: Embedder

    audits: Audits | None = None
    """Compares the answer with that of a kept question that nearly served; None for nobody."""

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Offer the answer to the cache, which may refuse it."""
        refusal = _refusal(state) if runtime.context.use_cache else "off"
        kept, answer = False, None if refusal else offered(state)
        if answer is None:
            self.answers.counts.offered(refusal, language=state["asked"]["language"])
        else:
            kept = await self.answers.remember(state["identity"], state["asked"], answer, embed=self.embedder.query)
        await self.flights.land(state["run"], kept=kept)
        candidate = state["lookup"]["candidate"]
        if kept and answer is not None and candidate is not None and self.audits is not None:
            passages = state["shortened"]["passages"] if state["shortened"] else []
            self.audits.answered(
                Miss(
                    run=state["run"], identity=state["identity"], asked=state["asked"], candidate=candidate, answer=answer,
                    passages=passages,
                )
            )  # fmt: skip
        told = {names.EVENT: names.REMEMBERED} if kept else {names.EVENT: names.NOT_REMEMBERED, "reason": refusal or "failed"}
        runtime.stream_writer(told)
        say({at.KEPT: kept, at.NOT_KEPT: None if kept else refusal or "failed"})
        return {"path": ["remember"]}


def offered(state: Answered) -> NewAnswer | None:
    """Return what may be kept of an answered question; None when it may not."""
    if _refusal(state):
        return None
    shortened = state["shortened"]
    return {
        "answer": state["answer"],
        "sources": state["sources"],
        "documents": _versions(shortened["passages"] if shortened else []),
        "tier": state["attempts"][-1]["tier"],
        "baseline_cost_usd": state["baseline_cost_usd"],
    }


def _refusal(state: Answered) -> str:
    """Return why the answer may not be kept, "" when it may."""
    if state["route"].get("budget_bound") or any(verdict["step"] == "degrade" for verdict in state["verdicts"]):
        return "degraded"
    verdict = state["verdicts"][-1]
    failed = {check["name"] for check in verdict["checks"] if not check["passed"]}
    return admission(
        state["asked"],
        verified=verdict["ok"],
        complete="complete" not in failed,
        refused="answers" in failed or state["attempts"][-1]["abstained"],
    )


def _versions(passages: Sequence[Passage]) -> list[DocumentVersion]:
    versions = {passage["document_id"]: passage["version"] for passage in passages}
    return [{"id": name, "version": version} for name, version in versions.items()]
