"""The live engines, put together once from the settings."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType

from langchain_core.embeddings import Embeddings

from graph.auditing import open_audits, open_tallies
from graph.decompressing import Decompressions, open_decompressions
from graph.judging import OFF, LazyJudge
from graph.models import open_advisers, open_answerer, open_pruner
from graph.recording import Recorder, open_recorder
from graph.route_auditing import open_route_audits
from graph.settings import IN_MEMORY, Settings
from graph.shadowing import Shadow
from groat.answering import PROMPT_VERSION, Adviser, Answerer, Endpoint
from groat.cache import AnswerCache, AnswerStore, MemoryStore, RedisStore, SqliteStore
from groat.cache.audit import Audits
from groat.cache.counts import Counts
from groat.cache.counts_places import RedisCounts, SqliteCounts
from groat.cache.flight import Flights
from groat.cache.flight_redis import RedisLeases
from groat.cache.opening import OWN, open_rule
from groat.cache.policy import CachePolicy
from groat.compression import Compressor, LearnedStop
from groat.costs import LOCAL, Books, Budget, Budgets, Ledger, PriceTable, SqliteLedger
from groat.embedding import Embedder, LangChainEmbedder, RecentQueries
from groat.embedding.bundled import BundledEmbedder
from groat.errors import ArtifactError, SettingsError
from groat.judge import PairJudge
from groat.knowledge import Knowledge, KnowledgeBase
from groat.routing import Allowance, Router
from groat.routing.audit import RouteAudits
from groat.routing.live import LiveRouter
from groat.routing.versions import RouterVersions
from groat.tracing.langsmith_runs import Runs
from groat.types import Attempt
from groat.validation import AcceptanceModel
from nodes.validate import never

ROUTERS = "routers"
"""The folder of one's own routers, in the folder of data."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """The engines that the boxes ask. Opening them reads no database and calls nobody."""

    answers: AnswerCache
    flights: Flights
    """Equal questions that are asked at once share one answer."""
    knowledge: Knowledge
    embedder: Embedder
    router: Router
    compressor: Compressor
    answerer: Answerer
    advisers: tuple[Adviser, ...]
    """Who is asked for opinions on answers one is not sure of, by rising price."""
    acceptance: AcceptanceModel | None
    """None when its artifact cannot be read: then the checks alone decide."""
    judge: PairJudge
    """Opened at its first use; has no opinion on anything when it is off or cannot be opened."""
    books: Books
    budgets: Budgets
    tenants: frozenset[str]
    retrieve_k: int
    context_tokens: int
    allowance: Allowance = field(default_factory=Allowance)
    """What the promises leave to be risked where nothing is proven."""
    pruner: Endpoint | None = None
    """A small model that says which sentences of a context are needed; None for nobody."""
    decompressions: Decompressions | None = None
    """Records what came of questions that were tried again on their full context; None for nobody."""
    audits: Audits | None = None
    """Looks again at what the cache decided; None for nobody."""
    runs: Runs | None = None
    """Sends the runs of questions to LangSmith, where that is on; None leaves them to LangChain."""
    route_audits: RouteAudits | None = None
    """Lets both tiers answer some questions, and records what a candidate router would have decided; None for nobody."""
    recorder: Recorder | None = None
    """Keeps what happened to questions, to find out later what a bad answer comes from; None for nobody."""
    shadow: Shadow | None = None
    """A new configuration that answers a share of the questions as well, and is never served; None for none."""
    unread: Callable[[Attempt], bool] = never
    """Says which answers validation accepts as they are; none of them but in measurements over recorded outcomes."""

    @property
    def scope(self) -> str:
        """What decides which passages are found, beyond the documents: part of what a kept answer is kept under."""
        return f"k={self.retrieve_k}; tokens={self.context_tokens}; vectors={self.embedder.name}"

    @property
    def versions(self) -> dict[str, str]:
        """What decides here, by name, as traces tell it; a router that is promoted changes it at once."""
        return {
            "prompt": PROMPT_VERSION,
            "router": self.router.version,
            "cache": self.answers.rule.version or "none",
            "compression": self.compressor.version,
            "acceptance": self.acceptance.version if self.acceptance else "none",
            "embedder": self.embedder.name,
            "prices": self.books.prices.version,
        }


def open_services(settings: Settings, *, embeddings: Embedder | None = None) -> Services:
    """Return the engines for these settings.

    Args:
        settings: what is set.
        embeddings: used in place of the embedder that the settings name; for measurements and tests.

    Raises:
        SettingsError: the embeddings class cannot be had.
        ArtifactError: the compression table of the package is damaged.
    """
    embedder = RecentQueries(open_embedder(settings) if embeddings is None else embeddings)
    bundled = settings.embeddings == "bundled"
    answerer = open_answerer(settings, embedder)
    ledger = SqliteLedger(settings.data_dir / "ledger.sqlite")
    books = Books(
        PriceTable(),
        ledger,
        baseline_model=answerer.endpoints["expensive"].priced_as,
        embedding_priced_as=LOCAL if bundled else settings.embeddings_model,
    )
    judge = LazyJudge(settings.judge, threads=settings.judge_threads)
    rule = open_rule(
        embedder.name,
        None if settings.judge == OFF else judge,
        max_wrong=settings.max_wrong,
        sure=settings.max_wrong_sure,
        across=settings.cache_across_languages,
        verifier=settings.data_dir / OWN,
        tallies=open_tallies(settings),
    )
    store = _answer_store(settings)
    services = Services(
        answers=AnswerCache(store, rule, policy=CachePolicy.load(settings.cache_policy), counts=_counts(settings)),
        flights=_flights(settings),
        knowledge=KnowledgeBase(settings.data_dir / "knowledge.sqlite", embedder),
        embedder=embedder,
        router=open_router(settings, embedder.name),
        allowance=Allowance(settings.assumed_loss),
        compressor=Compressor(LearnedStop.load()),
        answerer=answerer,
        advisers=open_advisers(settings, answerer, books),
        pruner=open_pruner(settings),
        acceptance=_acceptance(),
        judge=judge,
        books=books,
        budgets=_budgets(settings, ledger),
        tenants=settings.tenants,
        retrieve_k=settings.retrieve_k,
        context_tokens=settings.context_tokens,
        runs=Runs(books.prices.cost, share=settings.trace_sample, most_bytes=int(settings.trace_buffer_mb * 1_000_000)),
    )
    return replace(
        services,
        audits=open_audits(settings, services, store),
        route_audits=open_route_audits(settings, services),
        recorder=open_recorder(settings, embedder.name),
        decompressions=open_decompressions(settings, services.compressor.version),
    )


def _flights(settings: Settings) -> Flights:
    url = settings.redis_url.get_secret_value()
    return Flights(RedisLeases(url, patience_s=settings.redis_patience_s) if url else None, wait_s=settings.share_wait_s)


def _answer_store(settings: Settings) -> AnswerStore:
    match settings.cache_url.get_secret_value():
        case "":
            return SqliteStore(settings.data_dir / "cache.sqlite")
        case memory if memory == IN_MEMORY:
            return MemoryStore()
        case url:
            return RedisStore(url, patience_s=settings.redis_patience_s)


def _counts(settings: Settings) -> Counts:
    """Return what counts for all who share the answers."""
    url = settings.cache_url.get_secret_value()
    return Counts(RedisCounts(url) if url not in ("", IN_MEMORY) else SqliteCounts(settings.data_dir / "cache-counts.sqlite"))


def _budgets(settings: Settings, ledger: Ledger) -> Budgets:
    def budget(amount: Decimal | None) -> Budget | None:
        return None if amount is None else Budget(usd_per_day=amount, policy=settings.budget_policy)

    return Budgets(
        ledger,
        default=budget(settings.tenant_budget_usd_per_day),
        by_tenant={
            name: Budget(usd_per_day=amount, policy=settings.budget_policy) for name, amount in settings.tenant_budgets.items()
        },
        overall=budget(settings.budget_usd_per_day),
    )


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder that the settings name.

    Raises:
        SettingsError: its class cannot be had.
    """
    if settings.embeddings == "bundled":
        return BundledEmbedder()
    module, _, name = settings.embeddings.partition(":")
    try:
        kind = getattr(_module(module), name)
        embeddings = kind(model=settings.embeddings_model) if settings.embeddings_model else kind()
    except Exception as error:  # a foreign class may raise anything; all of it means that this setting cannot be used
        raise SettingsError(
            f"the embeddings {settings.embeddings!r} cannot be loaded ({type(error).__name__}); "
            "install their package, or correct GROAT_EMBEDDINGS (--embedder), written as module:Class"
        ) from error
    if not isinstance(embeddings, Embeddings):
        raise SettingsError(f"GROAT_EMBEDDINGS names {settings.embeddings!r}, which is no LangChain Embeddings class")
    return LangChainEmbedder(embeddings, f"{settings.embeddings}/{settings.embeddings_model}")


def _module(name: str) -> ModuleType:
    """Import a module, also one that lies in the folder where one works."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise
        # At the end: it hides nothing that is installed.
        sys.path.append(str(Path.cwd()))
        return importlib.import_module(name)


def _acceptance() -> AcceptanceModel | None:
    try:
        return AcceptanceModel.load()
    except ArtifactError:
        # The checks then decide alone, and no verdict carries an estimate.
        return None


def open_versions(settings: Settings) -> RouterVersions:
    """Return the routers in the folder of data."""
    return RouterVersions(settings.data_dir / ROUTERS)


def open_router(settings: Settings, embedder: str) -> LiveRouter:
    """Return the router that was promoted, else the shipped one.

    Args:
        settings: what is set.
        embedder: name of the embedder in use.
    """
    return LiveRouter(open_versions(settings), embedder=embedder, shadow=settings.route_shadow)
