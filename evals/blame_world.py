"""The world in which faults are planted: the real graph over real stores and the help centre, with parts that fail."""

import random
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from evals.blame_minds import Mind, PlantedChat
from evals.helpcentre import DOCUMENTS, Question, open_helpcentre
from evals.word_vectors import WordVectors
from graph.build import build_graph
from graph.context import Context
from graph.judging import LazyJudge
from graph.recording import Recorder
from graph.replaying import Replayer
from graph.services import Services
from groat.answering import Answerer, Endpoint
from groat.blame.snapshot import Snapshot
from groat.blame.sqlite import SqliteRuns
from groat.cache import AnswerCache, SqliteStore
from groat.cache.accept import AcceptRule
from groat.cache.flight import Flights
from groat.cache.judged import Judged, Kept
from groat.compression import Compressor, LearnedStop
from groat.compression.blocks import text_of
from groat.compression.selection import subset, tokens_of
from groat.costs import Books, Budgets, PriceTable, SqliteLedger
from groat.embedding import Matrix, RecentQueries, Vector
from groat.knowledge import KnowledgeBase
from groat.routing import Router, question_kind
from groat.routing.router import Evidence
from groat.text import fold
from groat.types import Asked, Passage, Route, Shortened, Tier
from groat.validation import AcceptanceModel

TENANT = "default"
K = TypeVar("K", bound=Kept)


class PlantedKnowledge:
    """A knowledge base of which one question's search can go wrong, and which may not notice that documents change."""

    def __init__(self, base: KnowledgeBase) -> None:
        """Begin with a base that works."""
        self.base = base
        self.hidden: dict[str, Collection[str]] = {}
        """By question: documents that its search does not find."""
        self.stuck: dict[str, str] = {}
        """Versions that are told in place of the true ones."""

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        """Return passages, without those that are hidden from this question."""
        hidden = self.hidden.get(question, ())
        more = 3 if hidden else 1
        found = await self.base.search(question, tenant=tenant, k=k * more, max_tokens=max_tokens * more)
        seen = [passage for passage in found if passage["document_id"] not in hidden]
        return seen[: max(2, len(seen) // more)] if hidden else seen

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        """Return the versions, those that are stuck as they were."""
        found = await self.base.versions(document_ids, tenant=tenant)
        return {name: self.stuck.get(name, version) for name, version in found.items()}

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        """Ask the base."""
        return await self.base.sentence_vectors(passages)

    async def tenants(self) -> set[str]:
        """Ask the base."""
        return await self.base.tenants()

    async def count(self, tenant: str) -> tuple[int, int]:
        """Ask the base."""
        return await self.base.count(tenant)

    async def check(self) -> None:
        """Ask the base."""
        await self.base.check()


class PlantedRule(AcceptRule):
    """An accept rule that takes some pairs of questions for the same."""

    def __init__(self, embedder: str) -> None:
        """Take none for the same yet."""
        super().__init__(None)
        self._vectors = embedder
        self.taken: set[tuple[str, str]] = set()
        """Question asked, kept question."""

    @property
    def embedder(self) -> str:
        """Whose vectors are compared."""
        return self._vectors

    @property
    def version(self) -> str:
        """Name of the rule."""
        return "planted"

    def threshold(self, asked: Asked, *, max_wrong: float | None = None, category: str = "") -> float | None:
        """Return the cosine that is said to be needed."""
        return 0.9

    async def judge(
        self, asked: Asked, nearest: Sequence[tuple[K, float]], *, max_wrong: float | None = None, category: str = ""
    ) -> list[Judged[K]]:
        """Accept the pairs that are taken for the same."""
        return [
            Judged(
                entry,
                {"entry_id": entry.entry_id, "question": entry.question, "similarity": 0.95, "differences": []},
                accepted=(asked["text"], entry.question) in self.taken,
            )
            for entry, _ in nearest
        ]


class PlantedRouter(Router):
    """A router that sends questions where it is told, always sure of itself."""

    def __init__(self) -> None:
        """Send everything to the cheap model."""
        self.tiers: dict[str, Tier] = {}
        self.p_cheap_ok = 0.95
        """What it says of a question that it sends to the cheap model."""

    async def refresh(self) -> None:
        """There is nothing to take over."""

    def route(
        self,
        asked: Asked,
        vector: Vector | None,
        evidence: Evidence,
        *,
        tier: Literal["auto", "cheap", "expensive"],
        max_quality_loss: float,
        domain: str = "",
    ) -> Route:
        """Return the planted route."""
        chosen = self.tiers.get(asked["text"], "cheap")
        return {
            "tier": chosen if tier == "auto" else tier,
            "kind": question_kind(asked["text"]),
            "p_cheap_ok": round(self.p_cheap_ok, 4) if chosen == "cheap" else 0.6,
            "threshold": 0.9,
            "reasons": [],
            "artifact": "planted",
        }


class PlantedCompressor(Compressor):
    """A compressor that drops sentences it should have kept."""

    def __init__(self) -> None:
        """Drop nothing yet."""
        super().__init__(LearnedStop.load())
        self.dropped: dict[str, list[str]] = {}
        """By question: strings whose sentences are left out."""

    def shorten(self, asked: Asked, passages: Sequence[Passage], **wanted: Any) -> Shortened:
        """Return what the real compressor keeps, without what is dropped."""
        shortened = super().shorten(asked, passages, **wanted)
        if not (strings := self.dropped.get(asked["text"])):
            return shortened
        left = []
        for passage in shortened["passages"]:
            kept = {
                number
                for number in range(len(passage["sentences"]))
                if not any(fold(string) in fold(text_of(passage, number)) for string in strings)
            }
            left += [subset(passage, kept)] if kept else []
        return {**shortened, "passages": left, "tokens_after": tokens_of(left), "level": "cheap"}


class PlantedAcceptance(AcceptanceModel):
    """An estimate of cheap answers that is far too strict, or never stands in the way."""

    def __init__(self) -> None:
        """Let everything pass."""
        super().__init__({}, version="planted")
        self.strict = False

    def judge(self, evidence: Mapping[str, float], *, grounded: bool, max_quality_loss: float) -> tuple[float, float | None]:
        """Return p_ok and the least that is accepted."""
        return (0.35 if self.strict else 0.9), 0.8

    def chance(self, p_now: float, threshold: float | None, *, grounded: bool) -> float:
        """Nobody is asked for an opinion."""
        return 0.0


class World:
    """The real graph over parts that can be told to fail, one case after the other.

    Args:
        folder: of its stores.
        base: the documents as they should be.
    """

    def __init__(self, folder: Path, base: KnowledgeBase) -> None:
        """Put the services and the graph together; nothing fails yet."""
        self.mind = Mind()
        self.knowledge = PlantedKnowledge(base)
        self.rule = PlantedRule(WordVectors.name)
        self.router = PlantedRouter()
        self.compressor = PlantedCompressor()
        self.acceptance = PlantedAcceptance()
        self.runs = SqliteRuns(folder / "runs.sqlite")
        ledger = SqliteLedger(folder / "ledger.sqlite")
        models: dict[Tier, tuple[str, str]] = {"cheap": ("small", "gpt-5-mini"), "expensive": ("big", "gpt-5.2")}
        self._recorder = Recorder(self.runs, share=1.0, texts=True, embedder=WordVectors.name)
        self.services = Services(
            answers=AnswerCache(SqliteStore(folder / "cache.sqlite"), self.rule),
            flights=Flights(),
            knowledge=self.knowledge,
            embedder=RecentQueries(WordVectors()),
            router=self.router,
            compressor=self.compressor,
            answerer=Answerer(
                {
                    tier: Endpoint(model=PlantedChat(mind=self.mind, tier=tier), name=name, priced_as=price, key_setting="none")
                    for tier, (name, price) in models.items()
                }
            ),
            advisers=(),
            acceptance=self.acceptance,
            judge=LazyJudge("off"),
            books=Books(PriceTable(), ledger, baseline_model=models["expensive"][1]),
            budgets=Budgets(ledger),
            tenants=frozenset({TENANT}),
            retrieve_k=12,
            context_tokens=1500,
            recorder=self._recorder,
        )
        self._graph = build_graph(self.services)
        self.replayer = Replayer(self.services)

    async def begin(self, base: KnowledgeBase, mind: Mind) -> None:
        """Forget the case before."""
        self.mind.become(mind)
        self.knowledge.base = base
        for told in (self.knowledge.hidden, self.knowledge.stuck, self.router.tiers, self.compressor.dropped, self.rule.taken):
            told.clear()
        self.acceptance.strict = False
        await self.services.answers.forget(everything=True)

    async def ask(self, question: str) -> Snapshot:
        """Put a question through the graph, and return the run as it was kept."""
        output = await self._graph.ainvoke({"question": question}, context=Context(tenant=TENANT))
        await self._recorder.close(within_s=60)
        kept = await self.runs.get(output["run"])
        assert kept is not None  # it was written just now
        return kept.snapshot


class Bases:
    """The help centre, ingested once, and copies of it of which one document differs."""

    def __init__(self, folder: Path) -> None:
        """Open nothing yet."""
        self._folder = folder
        self._base = KnowledgeBase(folder / "base" / "knowledge.sqlite", WordVectors())
        self._opened = False
        self._files = {name: path for path in DOCUMENTS.rglob("*.md") if (name := _id_of(path))}

    @property
    def documents(self) -> Collection[str]:
        """Ids of the documents of which copies can differ."""
        return self._files.keys()

    def text(self, document: str) -> str:
        """Return a document as it is written."""
        return self._files[document].read_text(encoding="utf-8")

    async def open(self) -> KnowledgeBase:
        """Return the base as it should be."""
        if not self._opened:
            await open_helpcentre(self._base, TENANT)
            self._opened = True
        return self._base

    async def without(self, document: str, name: str) -> KnowledgeBase:
        """Return a copy that lacks a document."""
        copy = self._copy(name)
        await copy.forget_document(document, tenant=TENANT)
        return copy

    async def changed(self, document: str, changes: Mapping[str, str], name: str) -> KnowledgeBase:
        """Return a copy in which a document says something else."""
        text = self.text(document)
        for old, new in changes.items():
            text = re.sub(re.escape(old), new, text, flags=re.IGNORECASE)
        copy = await self.without(document, name)
        path = self._folder / name / f"{document}.md"
        path.write_text(text, encoding="utf-8")
        await copy.ingest([path], tenant=TENANT)
        return copy

    def _copy(self, name: str) -> KnowledgeBase:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in (self._folder / "base").glob("knowledge.sqlite*"):
            if not path.name.endswith(".lock"):
                shutil.copy(path, folder / path.name)
        return KnowledgeBase(folder / "knowledge.sqlite", WordVectors())


def _id_of(path: Path) -> str:
    found = re.search(r"^id:\s*(\S+)\s*$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else ""


def other_value(text: str, rng: random.Random) -> str:
    """Return a string with other numbers in it; the same string when it holds none."""
    return re.sub(r"\d+", lambda found: str(int(found.group()) + rng.randint(2, 7)), text)


def reworded(question: Question) -> list[list[str]]:
    """Return what an answer to a question must hold, as a reference has it."""
    return [*question["answer_groups"], *([string] for string in question.get("result", []))]
