"""A whole graph over real stores whose models are served over HTTP by the model server; only the vectors are a stand-in."""

import contextlib
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from langchain_openai import ChatOpenAI
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import SecretStr

from graph.build import Groat, build_graph
from graph.context import Context
from graph.services import Services, open_services
from graph.settings import Settings
from graph.state import Output
from groat.answering import Answerer, Breakers, Endpoint, Limits, Patience
from groat.answering.limits import UNLIMITED
from groat.cache import AnswerCache, SqliteStore
from groat.compression import Calibration, Compressor
from groat.compression.calibration import Point
from groat.costs import PriceTable
from groat.knowledge import KnowledgeBase
from groat.types import Tier, Usage
from tests.fakes import WordEmbedder
from tests.graph.conftest import DOCUMENTS, QUESTION, cache_calibration, router_of
from tests.model_server import ModelServer

KEY = "sk-secret-0123456789"
PRICED_AS = {"small": "gpt-5-mini", "big": "gpt-5.2"}
TIERS: dict[str, Tier] = {"small": "cheap", "big": "expensive"}
PATIENCE = Patience(tries=2, backoff_s=0.002)
Row = tuple[str, int, int, int]
"""Model, input, output and cached input of one request."""


def served(
    server: ModelServer,
    name: str = "served",
    *,
    tier: Tier = "cheap",
    priced_as: str = "gpt-5-mini",
    timeout_s: float = 5.0,
    limits: Limits = UNLIMITED,
    log_probabilities: bool = False,
) -> Endpoint:
    """Return the endpoint of a model on the server."""
    model = ChatOpenAI(
        model=name,
        base_url=server.url,
        api_key=SecretStr(KEY),
        stream_usage=True,
        max_retries=0,
        timeout=timeout_s,
        # Without certificates, which take longer to load than a question to answer.
        http_client=DefaultHttpxClient(verify=False),
        http_async_client=DefaultAsyncHttpxClient(verify=False),
    )
    return Endpoint(
        model=model,
        name=name,
        priced_as=priced_as,
        key_setting=f"GROAT_{tier.upper()}_API_KEY",
        address=server.url,
        limits=limits,
        timeout_s=timeout_s,
        log_probabilities=log_probabilities,
    )


@dataclass(frozen=True)
class ServedWorld:
    """A graph over real stores in a folder, whose models are served over HTTP; only the vectors are a stand-in."""

    folder: Path
    services: Services

    @property
    def graph(self) -> Groat:
        return build_graph(self.services)

    async def ask(self, question: str = QUESTION, **knobs: Any) -> Output:
        context = Context(**{"tenant": "acme", **knobs})
        return cast(Output, await self.graph.ainvoke({"question": question}, context=context))

    def with_models(
        self,
        cheap: ModelServer,
        expensive: ModelServer | None = None,
        *,
        timeout_s: float = 5.0,
        limits: Limits = UNLIMITED,
        patience: Patience = PATIENCE,
    ) -> "ServedWorld":
        """Return the world with models on these servers, nothing known of their health, and new stores for answers and money.

        Both models are on the first server when there is no second one; each has the limits for itself.
        """
        endpoints = {
            tier: served(server, name, tier=tier, priced_as=PRICED_AS[name], timeout_s=timeout_s, limits=limits)
            for (name, tier), server in zip(TIERS.items(), (cheap, expensive or cheap), strict=True)
        }
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        base = open_services(Settings(data_dir=folder), embeddings=WordEmbedder())
        books = base.books
        books.baseline_model = PRICED_AS["big"]
        services = replace(
            self.services,
            answers=AnswerCache(SqliteStore(folder / "cache.sqlite"), cache_calibration(0.8)),
            answerer=Answerer(endpoints, patience=patience, breakers=Breakers()),
            books=books,
            budgets=base.budgets,
        )
        return ServedWorld(folder, services)

    def paid(self) -> list[Row]:
        """Return model, input, output and cached input of every request to a chat model in the ledger, sorted."""
        with contextlib.closing(sqlite3.connect(self.folder / "ledger.sqlite")) as ledger:
            return sorted(ledger.execute("SELECT model, input, output, cache_read FROM charges WHERE kind = 'chat'").fetchall())

    async def cost(self) -> Decimal:
        return (await self.services.books.ledger.totals(since=0)).cost_usd


def _compressor() -> Compressor:
    points = (Point(share=0.4, loss=0.0, loss_upper=0.0, rows=1),)
    return Compressor(
        Calibration(version="test", points={"indexed": {"en": points, "zh": points}, "foreign": {"en": points, "zh": points}}),
        min_tokens=20,
    )


async def open_world(folder: Path, *, p_cheap_ok: float = 0.9) -> ServedWorld:
    """Make a world whose tenant "acme" has the documents of the graph's tests; it has no models yet."""
    documents = folder / "documents"
    documents.mkdir()
    for name, text in DOCUMENTS.items():
        (documents / name).write_text(f"---\nid: {name.removesuffix('.md')}\n---\n{text}", encoding="utf-8")
    services = open_services(Settings(data_dir=folder), embeddings=WordEmbedder())
    assert isinstance(services.knowledge, KnowledgeBase)  # the settings name no other
    await services.knowledge.ingest([documents], tenant="acme")
    # The checks alone decide: what is measured here is the seam.
    services = replace(services, router=router_of(p_cheap_ok), compressor=_compressor(), advisers=(), acceptance=None)
    return ServedWorld(folder, services)


def billed(*servers: ModelServer) -> list[Row]:
    """Return model, input, output and cached input of every request on the servers' bills, sorted."""
    return sorted((one.model, one.input, one.output, one.cache_read) for server in servers for one in server.bill)


def price(bill: Sequence[Row]) -> Decimal:
    """Return what the server's bill comes to at list prices, in dollars."""
    prices, total = PriceTable(), Decimal(0)
    for model, given, written, read in bill:
        usage: Usage = {
            "input": given, "output": written, "cache_read": read, "cache_write": 0, "reasoning": 0, "estimated": False
        }  # fmt: skip
        cost = prices.cost(usage, PRICED_AS[model])
        assert cost is not None  # both models have a price
        total += cost
    return total
