"""Keep the accepted answer for the next who asks."""

from collections.abc import Sequence
from dataclasses import dataclass

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.cache import AnswerCache
from groat.cache.flight import Flights
from groat.cache.policy import admission
from groat.embedding import Embedder
from groat.tracing import names
from groat.types import Asked, Attempt, DocumentVersion, Identity, Passage, Route, Shortened, Source, Verdict
from nodes import Knobs


class Needs(TypedDict):
    """What this box reads."""

    run: str
    asked: Asked
    identity: Identity
    route: Route
    passages: list[Passage]
    shortened: Shortened | None
    attempts: list[Attempt]
    verdicts: list[Verdict]
    answer: str
    sources: list[Source]
    baseline_cost_usd: str | None


class Update(TypedDict):
    """What this box writes."""

    path: list[str]


@dataclass(frozen=True, kw_only=True)
class Remember:
    """The box ``remember``."""

    answers: AnswerCache
    flights: Flights
    embedder: Embedder

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Offer the answer to the cache, which may refuse it."""
        kept = False
        refusal = _refusal(state) if runtime.context.use_cache else "off"
        if refusal:
            self.answers.counts.offered(refusal, language=state["asked"]["language"])
        else:
            shortened = state["shortened"]
            kept = await self.answers.remember(
                state["identity"],
                state["asked"],
                {
                    "answer": state["answer"],
                    "sources": state["sources"],
                    "documents": _versions(shortened["passages"] if shortened else []),
                    "tier": state["attempts"][-1]["tier"],
                    "baseline_cost_usd": state["baseline_cost_usd"],
                },
                embed=self.embedder.query,
            )
        await self.flights.land(state["run"], kept=kept)
        told = {names.EVENT: names.REMEMBERED} if kept else {names.EVENT: names.NOT_REMEMBERED, "reason": refusal or "failed"}
        runtime.stream_writer(told)
        return {"path": ["remember"]}


def _refusal(state: Needs) -> str:
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
