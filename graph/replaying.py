"""Runs a question again with one thing changed: through the real graph, over stand-ins for what has to stay as it was.

A replay begins where it differs. What came before is handed in from the record and costs nothing; what comes after runs on the
live engines. Its calls stand in the ledger under "blame". It reads no kept answer and keeps none, is no question in any count,
and is neither audited nor kept as a run.
"""

from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig

from graph.build import build_graph
from graph.context import Context
from graph.recording import Recorder
from graph.services import Services
from groat.blame.snapshot import Snapshot
from groat.cache import AnswerCache, MemoryStore
from groat.cache.flight import Flights
from groat.compression import Compressor, full
from groat.costs import BlameBooks
from groat.embedding import Matrix, Vector
from groat.errors import GroatError
from groat.knowledge import Knowledge
from groat.routing import Allowance, Router
from groat.routing.router import Evidence
from groat.tracing import names
from groat.types import Asked, Passage, Route, Shortened, Tier


@dataclass
class Script:
    """What stays as it was in one replay; None leaves it to the live engine."""

    passages: Sequence[Passage] | None = None
    route: Route | None = None
    shortened: Shortened | None = None
    run: Snapshot | None = field(default=None, init=False)
    """What came of it; written when its answer is settled."""


REPLAY_RUN: RunnableConfig = {"run_name": "groat blame", "metadata": {names.RUN_PURPOSE: "replay"}}
"""How traces tell replays from questions."""
_SCRIPT: ContextVar[Script] = ContextVar("groat_blame_script")


class Replayer:
    """Runs questions again through a graph of its own over the live engines. Any number of replays may run at once.

    Args:
        services: what answers; never written to.
    """

    def __init__(self, services: Services) -> None:
        """Build the graph; nobody is asked."""
        self._graph: Any = build_graph(
            replace(
                services,
                answers=AnswerCache(MemoryStore(), None),
                flights=Flights(),
                knowledge=_Found(services.knowledge),
                router=_Routed(services.router),
                # What was decided stands in the snapshot, and no promise is spent again.
                allowance=Allowance(0.0),
                compressor=_Shortened(services.compressor),
                books=BlameBooks.beside(services.books),
                audits=None,
                route_audits=None,
                decompressions=None,
                recorder=_Capture(services.embedder.name),
            )
        )

    async def run(
        self,
        asked: Asked,
        knobs: dict[str, Any],
        script: Script,
        *,
        tier: Literal["auto", "cheap", "expensive"],
        max_cost_usd: float | None = None,
    ) -> Snapshot:
        """Return what comes of asking again.

        Args:
            asked: the question as the boxes saw it.
            knobs: of the run that is replayed.
            script: what stays as it was.
            tier: who must answer; "auto" leaves it to router and validation.
            max_cost_usd: most that the replay may cost; what has no known price is too dear then.

        Raises:
            GroatError: the question cannot be asked any more, for instance since the knowledge base cannot be read.
        """
        given = {name: value for name, value in knobs.items() if name in Context.__dataclass_fields__}
        context = replace(Context(**given), use_cache=False, stream="hold", tier=tier, max_cost_usd=max_cost_usd)
        token = _SCRIPT.set(script)
        try:
            await self._graph.ainvoke({"messages": messages_of(asked)}, config=REPLAY_RUN, context=context)
        finally:
            _SCRIPT.reset(token)
        if script.run is None:
            raise GroatError("the question was not settled when it was asked again")
        return script.run


def messages_of(asked: Asked) -> list[AnyMessage]:
    """Return a question as messages: what the application told the models, the conversation, the question."""
    told: list[AnyMessage] = [SystemMessage(asked["instructions"])] if "instructions" in asked else []
    kinds = {"user": HumanMessage, "assistant": AIMessage}
    return [*told, *(kinds[turn["role"]](turn["content"]) for turn in asked["history"]), HumanMessage(asked["text"])]


def unchanged(run: Snapshot, *, tier: Tier) -> Script:
    """Return the script by which a tier reads again what the last attempt read. What was left out stays out."""
    script = Script(passages=run.passages, route=None if run.route is None else {**run.route, "tier": tier})
    if run.shortened is not None:
        shortened = run.shortened
        # With nothing left to add, validation cannot pull a second lever by itself.
        script.shortened = {**shortened, "tokens_before": shortened["tokens_after"]}
    return script


def reading(run: Snapshot, passages: Sequence[Passage], *, tier: Tier) -> Script:
    """Return the script by which a tier reads these passages in full."""
    route: Route | None = None if run.route is None else {**run.route, "tier": tier}
    return Script(passages=passages, route=route, shortened=full(passages, reason="a replay with these passages"))


class _Found:
    """Finds what the script says; everything else is asked of the live source."""

    def __init__(self, live: Knowledge) -> None:
        self._live = live

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        script = _SCRIPT.get()
        if script.passages is not None:
            return list(script.passages)
        return await self._live.search(question, tenant=tenant, k=k, max_tokens=max_tokens)

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        return await self._live.sentence_vectors(passages)

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        return await self._live.versions(document_ids, tenant=tenant)

    async def tenants(self) -> set[str]:
        return await self._live.tenants()

    async def count(self, tenant: str) -> tuple[int, int]:
        return await self._live.count(tenant)

    async def check(self) -> None:
        await self._live.check()


class _Routed(Router):
    """Decides what the script says, else what the live router does."""

    def __init__(self, live: Router) -> None:
        self._live = live

    @property
    def version(self) -> str:
        return self._live.version

    async def refresh(self) -> None:
        await self._live.refresh()

    def route(self, asked: Asked, vector: Vector | None, evidence: Evidence, **terms: Any) -> Route:
        script = _SCRIPT.get()
        if script.route is not None:
            return script.route
        return self._live.route(asked, vector, evidence, **terms)


class _Shortened(Compressor):
    """Keeps what the script says, else what the live compressor does."""

    def __init__(self, live: Compressor) -> None:
        self._live = live

    @property
    def version(self) -> str:
        return self._live.version

    def shorten(self, asked: Asked, passages: Sequence[Passage], **wanted: Any) -> Shortened:
        script = _SCRIPT.get()
        return script.shortened if script.shortened is not None else self._live.shorten(asked, passages, **wanted)


class _Capture(Recorder):
    """Hands the settled run to whoever replays it; nothing is written."""

    def __init__(self, embedder: str) -> None:
        self.embedder = embedder

    def settled(self, take: Callable[[], Snapshot]) -> None:
        _SCRIPT.get().run = take()
