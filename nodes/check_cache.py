"""Read the question and ask the answer cache, before anything that costs money."""

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.runtime import Runtime
from langgraph.types import Overwrite
from typing_extensions import TypedDict

from groat.answering import PROMPT_VERSION, Answerer, system_messages
from groat.cache import AnswerCache, conversation_key
from groat.cache.audit import Audits, Hit
from groat.cache.flight import Boarding, Flights, Flying
from groat.cache.identity import exact_text, identity_key, system_key, tools_key
from groat.conversation import is_instruction, read_question, without_context
from groat.costs import Books, Settled, total_text
from groat.embedding import Embedder, Vector
from groat.errors import UnknownTenant
from groat.knowledge import Knowledge
from groat.tracing import names
from groat.tracing.decisions import watched
from groat.types import Asked, CachedAnswer, Charge, Identity, Lookup, Passage, Source, Waited
from nodes import Knobs


class Needs(TypedDict, total=False):
    """What this box reads."""

    question: str | None
    messages: Sequence[AnyMessage]
    asked: Asked | None


class Update(TypedDict, total=False):
    """What this box writes; it also clears what the turn before left."""

    run: str
    asked_at: float
    question: str
    messages: list[AnyMessage]
    asked: Asked
    identity: Identity
    lookup: Lookup
    path: Overwrite
    charges: Overwrite
    attempts: Overwrite
    verdicts: Overwrite
    passages: list[Passage]
    route: None
    shortened: None
    answer: str
    verified: bool
    sources: list[Source]
    error: str
    cost_usd: str | None
    baseline_cost_usd: str | None
    first_token_ms: float | None


@dataclass(frozen=True, kw_only=True)
class CheckCache:
    """The box ``check_cache``."""

    answers: AnswerCache
    flights: Flights
    """Equal questions that are asked at once share one answer."""
    knowledge: Knowledge
    embedder: Embedder
    answerer: Answerer
    books: Books
    tenants: frozenset[str]
    """Tenants that are known without documents of their own."""
    scope: str
    """What decides which passages are found, beyond the documents."""
    audits: Audits | None = None
    """Looks again at some hits, when nobody waits for it; None for nobody."""

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the question, the decision of the cache and, on a hit, the answer."""
        with watched("check_cache") as saw:
            update = await self._checked(state, runtime)
            saw(update)
            return update

    async def _checked(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        knobs = runtime.context
        before, asked_at = state.get("asked"), time.time()
        messages = state.get("messages") or []
        asked = read_question(
            state.get("question"),
            messages,
            previous=before["text"] if before else None,
            tenant=knobs.tenant,
            language=knobs.language,
        )
        if knobs.use_cache:
            asked = without_context(asked)
        await self._know(knobs.tenant)
        run = uuid.uuid4().hex
        try:
            return await self._begin(asked, run, asked_at, messages, runtime)
        except BaseException:
            # Whoever waits for this question must not wait for one that failed or was given up.
            await asyncio.shield(self.flights.land(run, kept=None))
            raise

    async def _begin(
        self, asked: Asked, run: str, asked_at: float, messages: Sequence[AnyMessage], runtime: Runtime[Knobs]
    ) -> Update:
        knobs = runtime.context
        identity = self.identity(asked, knobs)
        charges: list[Charge] = []
        lookup, kept = _OFF, None
        if knobs.use_cache:
            lookup, kept = await self._lookup(identity, asked, run, charges)
        if alarms := self.answers.counts.looked_up(lookup, language=asked["language"]):
            lookup = {**lookup, "alarms": alarms}
        failed = await self.books.record(charges, run=run, tenant=knobs.tenant) if charges else None
        runtime.stream_writer({names.EVENT: names.CACHE_DECIDED, **lookup, "ledger_failed": failed})
        begun: Update = {
            "run": run,
            "asked_at": asked_at,
            "question": asked["text"],
            "asked": asked,
            "identity": identity,
            "lookup": lookup,
        }
        last = next((message for message in reversed(messages) if not is_instruction(message)), None)
        spoken = last is None or last.type != "human" or last.text.strip() != asked["text"]
        said: list[AnyMessage] = [HumanMessage(asked["text"])] if spoken else []
        if kept is None:
            return {**_cleared(charges), **begun, "messages": said}
        if self.audits is not None:
            again = {"question": asked["text"], "messages": [*messages]}
            self.audits.served(
                Hit(run=run, identity=identity, asked=asked, lookup=lookup, served=kept, again=again, knobs=knobs)
            )
        served = _served(kept, charges)
        await self.books.question(_settled(run, asked, lookup, served))
        took = round((time.time() - asked_at) * 1000, 2)
        return {
            **_cleared(charges),
            **begun,
            **served,
            "first_token_ms": took,
            "messages": [*said, AIMessage(kept["answer"])],
        }

    async def _lookup(
        self, identity: Identity, asked: Asked, run: str, charges: list[Charge]
    ) -> tuple[Lookup, CachedAnswer | None]:
        """Ask the cache, after a miss once more when an equal question was being answered and its answer was kept.

        The embedding, where one is needed, is added to ``charges``.
        """
        known: dict[str, Vector] = {}

        async def embed(text: str) -> Vector:
            if text not in known:
                known[text] = await self.embedder.query(text)
                key = f"{run}:check_cache:embedding"
                charges.append(self.books.embedding(key=key, box="check_cache", model=self.embedder.name, text=text))
            return known[text]

        async def current_versions(ids: Collection[str]) -> dict[str, str]:
            return await self.knowledge.versions(ids, tenant=asked["tenant"])

        lookup, kept = await self.answers.lookup(
            identity, asked, embed=embed, current_versions=current_versions, documents_for=self.documents_for
        )
        if lookup["outcome"] != "miss" or not self.answers.keeps(asked):
            return lookup, kept
        boarding = await self._board(identity, asked, run, known.get(asked["search_text"]))
        if boarding.waited_for is None:
            return lookup, kept
        if boarding.kept or boarding.leads:
            lookup, kept = await self.answers.lookup(
                identity, asked, embed=embed, current_versions=current_versions, documents_for=self.documents_for
            )
        if kept is not None:
            await self.flights.land(run, kept=True)
        waited: Waited = {
            "run": boarding.waited_for, "ms": round(boarding.waited_s * 1000, 2), "kept": boarding.kept
        }  # fmt: skip
        return {**lookup, "waited": waited}, kept

    async def documents_for(self, asked: Asked) -> list[str]:
        """Return the documents that fit the question, best first; its vector is remembered by the embedder."""
        found = await self.knowledge.search(asked["search_text"], tenant=asked["tenant"])
        return list(dict.fromkeys(passage["document_id"] for passage in found))

    async def _board(self, identity: Identity, asked: Asked, run: str, vector: Vector | None) -> Boarding:
        """Lead, or wait for who does."""
        question = Flying(
            run=run,
            group=identity_key(identity),
            key=hashlib.sha256(exact_text(asked["text"]).encode("utf-8", "replace")).hexdigest(),
            text=asked["search_text"],
            language=asked["language"],
            vector=vector,
            embedder=self.embedder.name,
        )

        async def alike(others: Sequence[Flying]) -> str | None:
            return None if vector is None else await self.answers.same_as(asked, vector, others)

        return await self.flights.board(question, alike=alike)

    async def _know(self, tenant: str) -> None:
        if tenant not in self.tenants and tenant not in await self.knowledge.tenants():
            raise UnknownTenant(
                f"the tenant {tenant!r} is not known; ingest documents with `groat ingest PATH --tenant {tenant}`, "
                "or add it to GROAT_TENANTS"
            )

    def identity(self, asked: Asked, knobs: Knobs) -> Identity:
        """Return what must be equal, exactly, before a kept answer may serve this question."""
        return {
            "tenant": asked["tenant"],
            "answer_language": asked["answer_language"],
            "prompt_version": _form(knobs.response_schema),
            "system_prompt": system_key([message.text for message in system_messages(asked, knobs.response_schema)]),
            "model_policy": f"{self.answerer.policy}; tier={knobs.tier}; loss={knobs.max_quality_loss:g}",
            "tools": tools_key(knobs.tools),
            "knowledge": self.scope,
            "conversation": conversation_key(asked["history"]),
        }


def _cleared(charges: list[Charge]) -> Update:
    """Return what takes the place of everything that the turn before left in the conversation's state."""
    return {
        "path": Overwrite(["check_cache"]),
        "charges": Overwrite(charges),
        "attempts": Overwrite([]),
        "verdicts": Overwrite([]),
        "passages": [],
        "route": None,
        "shortened": None,
        "answer": "",
        "verified": False,
        "sources": [],
        "error": "",
        "cost_usd": None,
        "baseline_cost_usd": None,
        "first_token_ms": None,
    }


def _served(kept: CachedAnswer, charges: list[Charge]) -> Update:
    return {
        "answer": kept["answer"],
        "verified": True,
        "sources": kept["sources"],
        "cost_usd": total_text(charges),
        "baseline_cost_usd": kept["baseline_cost_usd"],
    }


def _settled(run: str, asked: Asked, lookup: Lookup, served: Update) -> Settled:
    return Settled(
        run=run,
        tenant=asked["tenant"],
        outcome="hit_exact" if lookup["tier"] == "exact" else "hit_semantic",
        verified=True,
        escalated=False,
        cost_usd=served["cost_usd"],
        baseline_cost_usd=served["baseline_cost_usd"],
        path=("check_cache",),
    )


def _form(schema: Mapping[str, object] | None) -> str:
    """Return what prompt an answer was asked with: a structured one serves only the same structure."""
    if schema is None:
        return PROMPT_VERSION
    return f"{PROMPT_VERSION}+{hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()[:16]}"


_OFF: Lookup = {
    "outcome": "off",
    "tier": None,
    "reason": "off",
    "candidate": None,
    "threshold": None,
    "calibration": "none",
}
