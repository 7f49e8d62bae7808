"""The real graph with real stores and models over HTTP, for one way through the day: levers are taken out, none is faked."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import SecretStr

from evals.ladder_arms import Arm
from evals.ladder_reading import Latencies
from evals.ladder_routers import CheapFirst, Unlisted
from evals.ladder_rows import WITHHELD, Row
from evals.replay_server import Answered, Replay, serving
from evals.vectors import VectorFile
from graph.build import Groat, build_graph
from graph.context import Context
from graph.models import MeteredChat
from graph.services import Services, open_services
from graph.settings import Settings
from groat.answering import Answerer, Endpoint
from groat.cache import AnswerCache, SqliteStore
from groat.cache.entry import Entry
from groat.cache.policy import CachePolicy
from groat.compression import Compressor, LearnedStop
from groat.embedding import Embedder, Matrix, Vector
from groat.routing import Allowance, Router
from groat.text import detect_language, sentence_spans
from groat.types import Attempt, Passage, Tier

PASSAGES, TOKENS = 100, 200_000
"""All documents of a row are what retrieval returns: its own limits are out of the way."""
_NEVER_SHORT = 10**9
"""Contexts of fewer tokens are not shortened: none is."""
CACHE = "cache.sqlite"
"""The file of kept answers, in the arm's folder."""
_NOW: ContextVar[Row] = ContextVar("row")


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Whose list prices apply to the two models."""

    cheap: str
    expensive: str


class RowKnowledge:
    """The documents that the row under way brings, as the knowledge of its tenant. See ``groat.knowledge.Knowledge``.

    A document's version is that of the newest row that brought it, so an answer falls when its document changed since.

    Args:
        embedder: makes the vectors of the sentences.
        tenants: who may ask.
    """

    def __init__(self, embedder: Embedder, tenants: Collection[str]) -> None:
        """Know no document yet."""
        self._embedder = embedder
        self._tenants = set(tenants)
        self._versions: dict[tuple[str, str], str] = {}
        self._found: tuple[str, list[Passage], dict[str, Matrix]] = ("", [], {})

    def bring(self, row: Row) -> None:
        """Take over the documents of a row."""
        self._versions |= {(row.tenant, name): version for name, version in row.versions.items()}

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        """Return all documents of the row, in its order; ``max_tokens`` is not looked at, since the row says what was found."""
        row = _NOW.get()
        if self._found[0] != row.id:
            self._found = (row.id, *await self._passages(row, await self._embedder.query(question)))
        return self._found[1][:k]

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        """Return the vectors of each passage's sentences; None for a passage that is not the row's, or was altered."""
        whole = {passage["id"]: passage["text"] for passage in self._found[1]}
        return [
            self._found[2][one["id"]] if whole.get(one["id"]) == one["text"] and one["sentences"] else None for one in passages
        ]

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        """Return the current version of each document."""
        known = self._versions
        return {name: known[tenant, name] for name in document_ids if (tenant, name) in known}

    async def tenants(self) -> set[str]:
        """Return the tenants of the day."""
        return set(self._tenants)

    async def count(self, tenant: str) -> tuple[int, int]:
        """Return how many documents are known; their sentences are not counted."""
        return sum(one == tenant for one, _ in self._versions), 0

    async def check(self) -> None:
        """Return at once: there is nothing that could fail."""

    async def _passages(self, row: Row, question: Vector) -> tuple[list[Passage], dict[str, Matrix]]:
        found: list[Passage] = []
        matrices: dict[str, Matrix] = {}
        for place, one in enumerate(row.documents):
            spans = sentence_spans(one.text)
            matrix = await self._embedder.passages([one.text[start:end] for start, end in spans])
            name = f"{place}:{one.id}"
            matrices[name] = matrix
            found.append(
                {
                    "id": name,
                    "document_id": one.id,
                    "version": row.versions[one.id],
                    "title": one.title,
                    "heading": one.heading,
                    "text": one.text,
                    "language": detect_language(one.text),
                    "sentences": spans,
                    "score": 1 / (place + 1),
                    "similarity": float(np.max(matrix @ question)) if len(spans) else None,
                }
            )
        return found, matrices


class TracedStore(SqliteStore):
    """Remembers which row each kept answer came from."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        super().__init__(path)
        self.origins: dict[str, str] = {}
        """Entry -> row."""
        self.newest: list[str] = []
        """Entries of the row under way."""

    async def put(self, entry: Entry, *, max_entries: int) -> None:
        """Keep an entry."""
        self.origins[entry.entry_id] = _NOW.get().id
        self.newest.append(entry.entry_id)
        await super().put(entry, max_entries=max_entries)


@dataclass(frozen=True, kw_only=True)
class World:
    """One arm's graph, ready for one row after the other."""

    graph: Groat
    context: Context
    knowledge: RowKnowledge
    store: TracedStore
    allowance: Allowance
    billed: list[Answered] = field(default_factory=list)
    """What the server answered for the row under way."""
    _current: list[Row] = field(default_factory=list)

    @contextmanager
    def under_way(self, row: Row) -> Iterator[None]:
        """Make a row the one under way: its documents are found, its answers served."""
        token = _NOW.set(row)
        self._current[:] = [row]
        self.billed.clear()
        self.store.newest.clear()
        self.knowledge.bring(row)
        try:
            yield
        finally:
            _NOW.reset(token)


@asynccontextmanager
async def open_world(
    arm: Arm,
    folder: Path,
    prices: Prices,
    latencies: Latencies,
    vectors: VectorFile,
    tenants: Collection[str],
    *,
    accounts: Mapping[str, Sequence[float]] | None = None,
) -> AsyncIterator[World]:
    """Yield the graph of an arm over stores in ``folder``, with both models on a server of its own.

    Audits are off: they compare texts, of which there may be none, and cost calls that belong to no question. What the promises
    had left when an earlier run ended is taken over from ``accounts``.
    """
    models: dict[str, Tier] = {"cheap": "cheap", "expensive": "expensive"}
    current: list[Row] = []
    billed: list[Answered] = []
    replay = Replay(lambda _: current[0] if current else None, models, latencies, told=billed.append)
    with serving(replay) as url:
        settings = Settings(
            data_dir=folder,
            tenants=frozenset({"default", *tenants}),
            cheap_model="cheap",
            expensive_model="expensive",
            cheap_base_url=url,
            expensive_base_url=url,
            cheap_priced_as=prices.cheap,
            expensive_priced_as=prices.expensive,
            max_wrong=arm.max_wrong,
            audit_share=0.0,
            route_audit_share=0.0,
            retrieve_k=PASSAGES,
            context_tokens=TOKENS,
        )
        async with DefaultAsyncHttpxClient(verify=False) as client:
            with DefaultHttpxClient(verify=False) as blocking:
                base = open_services(settings, embeddings=vectors)
                services, store, knowledge = _services(base, arm, vectors, settings)
                endpoints = {
                    tier: _reached(endpoint, url, client, blocking) for tier, endpoint in base.answerer.endpoints.items()
                }
                allowance = Allowance(settings.assumed_loss, accounts)
                services = replace(services, answerer=Answerer(endpoints), allowance=allowance)
                yield World(
                    graph=build_graph(services), context=_context(arm), knowledge=knowledge, store=store, allowance=allowance,
                    billed=billed, _current=current,
                )  # fmt: skip


def _services(base: Services, arm: Arm, vectors: VectorFile, settings: Settings) -> tuple[Services, TracedStore, RowKnowledge]:
    knowledge = RowKnowledge(vectors, settings.tenants)
    store = TracedStore(settings.data_dir / CACHE)
    answers = AnswerCache(store, base.answers.rule, policy=CachePolicy.load(None), counts=base.answers.counts)
    router: Router = Unlisted(base.router, lambda: _NOW.get().unlisted_tokens)
    if "router" not in arm.levers and "cascade" in arm.levers:
        router = CheapFirst(vectors.name)
    whole = "compression" in arm.levers
    services = replace(
        base,
        answers=answers,
        knowledge=knowledge,
        router=router,
        compressor=base.compressor if whole else Compressor(LearnedStop.load(), min_tokens=_NEVER_SHORT),
        unread=_without_text if "cascade" in arm.levers else _any,
        audits=None,
        route_audits=None,
    )
    return services, store, knowledge


def _context(arm: Arm) -> Context:
    routed = {"router", "cascade"} & arm.levers
    return Context(
        tier="auto" if routed else "expensive",
        use_cache="cache" in arm.levers,
        max_quality_loss=arm.max_quality_loss,
    )


def _reached(endpoint: Endpoint, url: str, client: DefaultAsyncHttpxClient, blocking: DefaultHttpxClient) -> Endpoint:
    model = MeteredChat(
        model=endpoint.name, base_url=url, api_key=SecretStr("not-needed"), stream_usage=True, max_retries=0,
        http_async_client=client, http_client=blocking,
    )  # fmt: skip
    return replace(endpoint, model=model)


def _without_text(attempt: Attempt) -> bool:
    return attempt["text"] == WITHHELD


def _any(attempt: Attempt) -> bool:
    return True
