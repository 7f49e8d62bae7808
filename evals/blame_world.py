"""The world in which faults are planted: the real graph over real stores and the help centre, with parts that fail."""

import random
import re
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from evals.blame_minds import Mind, PlantedChat
from evals.blame_parts import PlantedAcceptance, PlantedCompressor, PlantedKnowledge, PlantedRouter, PlantedRule
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
from groat.cache.flight import Flights
from groat.costs import Books, Budgets, PriceTable, SqliteLedger
from groat.embedding import RecentQueries
from groat.knowledge import KnowledgeBase
from groat.types import Tier

TENANT = "default"


class World:
    """The real graph over parts that can be told to fail, one case after the other.

    Args:
        folder: of its stores.
        base: the documents as they should be.
        steady: whether the models do as verdicts assume when they are asked again.
    """

    def __init__(self, folder: Path, base: KnowledgeBase, *, steady: bool = True) -> None:
        """Put the services and the graph together; nothing fails yet."""
        self.mind = Mind(steady=steady)
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
