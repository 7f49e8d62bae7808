"""The whole graph over real stores and documents; only the vectors and the models are small stand-ins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.base import BaseCheckpointSaver

from graph.build import Groat, build_graph
from graph.context import Context
from graph.judging import LazyJudge
from graph.services import Services
from graph.state import Output
from groat.answering import Answerer, Endpoint, Patience
from groat.cache import AnswerCache, SqliteStore
from groat.cache import Calibration as CacheCalibration
from groat.cache.calibration import LanguageCalibration, Measured
from groat.cache.flight import Flights
from groat.compression import Calibration, Compressor
from groat.compression.calibration import Point
from groat.costs import Books, Budgets, Ledger, LedgerTotals, PriceTable, SqliteLedger
from groat.embedding import RecentQueries
from groat.knowledge import KnowledgeBase
from groat.routing import Router
from tests.fakes import ScriptedChat, WordEmbedder
from tests.routing import artifact_of

Reply = str | AIMessage | Exception

DOCUMENTS = {
    "en-reset.md": "# Password reset\n\nA password reset link is valid for 20 minutes. Open it on the phone that asked for it. "
    "After five wrong codes the account is closed for one hour. The link works once only.\n",
    "en-refund.md": "# Refunds\n\nA refund arrives within 5 working days. Refunds go to the card that paid. "
    "Gift cards are never refunded. Parcels are sent back at our cost.\n",
    "zh-reset.md": "# 修改密码\n\n在“设置”里点“账号安全”即可修改密码。新密码至少要有 10 个字符。"
    "修改之后其他设备会自动退出登录。忘记密码时请点击登录页的链接。\n",
}
QUESTION = "How long is a password reset link valid?"
GOOD = "A password reset link is valid for 20 minutes. [en-reset]"
WRONG = "A purple elephant juggles seventeen tomatoes nearby. [en-reset]"
"""Lacks support: what is missing is looked for in the full context, then by the other model."""
UNCITED = "A password reset link is valid for 20 minutes. [made-up]"
"""A slip of form: the same model is told."""

_NOTHING = Measured(0, 0, 0, 0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def cache_calibration(threshold: float) -> CacheCalibration:
    point = LanguageCalibration(threshold, 0.02, 0.01, reached=True, fitted=_NOTHING, held_out=_NOTHING, by_source={})
    return CacheCalibration("v", "words/256", 1, "hash", 1, "2026-11-24", ["s"], {"en": point, "zh": point})


def router_of(p_cheap_ok: float) -> Router:
    return Router(
        artifact_of(1 - 2 * p_cheap_ok, dimensions=256, embedder="words/256", version="test", points=((0.0, 0.0),)),
        embedder="words/256",
    )


@dataclass
class World:
    """A graph with everything that it asks, and what the outside sees of them."""

    folder: Path
    services: Services
    cheap: ScriptedChat
    expensive: ScriptedChat
    words: WordEmbedder

    def graph(self, checkpointer: BaseCheckpointSaver[str] | None = None) -> Groat:
        return build_graph(self.services, checkpointer=checkpointer)

    async def ask(self, question: str = QUESTION, **knobs: Any) -> Output:
        context = Context(**{"tenant": "acme", **knobs})
        return cast(Output, await self.graph().ainvoke({"question": question}, context=context))

    async def ledger(self) -> LedgerTotals:
        return await self.services.books.ledger.totals(since=0)

    @property
    def calls(self) -> int:
        return len(self.cheap.prompts) + len(self.expensive.prompts)


MakeWorld = Callable[..., World]


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(f"---\nid: {name.removesuffix('.md')}\n---\n{text}", encoding="utf-8")
    return folder


@pytest.fixture
async def make_world(tmp_path: Path, documents: Path) -> MakeWorld:
    """Return a maker of worlds; the documents belong to the tenant "acme", and "other" is known without documents."""
    words = WordEmbedder()
    embedder = RecentQueries(words)
    knowledge = KnowledgeBase(tmp_path / "knowledge.sqlite", embedder)
    await knowledge.ingest([documents], tenant="acme")

    def make(
        cheap: Sequence[Reply] = (GOOD,),
        expensive: Sequence[Reply] = (GOOD,),
        *,
        p_cheap_ok: float = 0.9,
        share: float | None = 0.4,
        priced_as: tuple[str, str] = ("gpt-5-mini", "gpt-5.2"),
        alike: float = 0.8,
        budgets: Callable[[Ledger], Budgets] | None = None,
    ) -> World:
        ledger = SqliteLedger(tmp_path / "ledger.sqlite")
        models = ScriptedChat(replies=list(cheap)), ScriptedChat(replies=list(expensive))
        prices = PriceTable()
        points = () if share is None else (Point(share=share, loss=0.0, loss_upper=0.0, rows=1),)
        services = Services(
            answers=AnswerCache(SqliteStore(tmp_path / "cache.sqlite"), cache_calibration(alike)),
            flights=Flights(),
            knowledge=knowledge,
            embedder=embedder,
            router=router_of(p_cheap_ok),
            compressor=Compressor(
                Calibration(
                    version="test",
                    points={"indexed": {"en": points, "zh": points}, "foreign": {"en": points, "zh": points}},
                ),
                min_tokens=20,
            ),
            answerer=Answerer(
                {
                    "cheap": Endpoint(model=models[0], name="small", priced_as=priced_as[0], key_setting="K"),
                    "expensive": Endpoint(model=models[1], name="big", priced_as=priced_as[1], key_setting="K"),
                },
                patience=Patience(tries=2, backoff_s=0.0005),
            ),
            advisers=(),
            acceptance=None,
            judge=LazyJudge("off"),
            books=Books(prices, ledger, baseline_model=priced_as[1]),
            budgets=budgets(ledger) if budgets else Budgets(ledger),
            tenants=frozenset({"other"}),
            retrieve_k=8,
            context_tokens=2000,
        )
        return World(tmp_path, services, *models, words)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world whose cheap model answers rightly."""
    return make_world()


def dollars(amount: str | None) -> Decimal:
    assert amount is not None
    return Decimal(amount)
