"""The live engines, put together once from the settings."""

import importlib
from dataclasses import dataclass

from langchain_core.embeddings import Embeddings
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from graph.settings import Settings
from groat.answering import Answerer, Endpoint
from groat.answering.offline import OfflineChat
from groat.cache import AnswerCache, SqliteStore
from groat.cache import Calibration as CacheCalibration
from groat.compression import Calibration as CompressionCalibration
from groat.compression import Compressor
from groat.costs import LOCAL, Books, PriceTable, SqliteLedger
from groat.embedding import Embedder, LangChainEmbedder, RecentQueries
from groat.embedding.bundled import BundledEmbedder
from groat.errors import ArtifactError, SettingsError
from groat.knowledge import Knowledge, KnowledgeBase
from groat.routing import Router, RouterArtifact
from groat.types import Tier


@dataclass(frozen=True, kw_only=True)
class Services:
    """The engines that the boxes ask. Opening them reads no database and calls nobody."""

    answers: AnswerCache
    knowledge: Knowledge
    embedder: Embedder
    router: Router
    compressor: Compressor
    answerer: Answerer
    books: Books
    tenants: frozenset[str]
    retrieve_k: int
    context_tokens: int


def open_services(settings: Settings, *, embeddings: Embedder | None = None) -> Services:
    """Return the engines for these settings.

    Args:
        settings: what is set.
        embeddings: used in place of the embedder that the settings name; for measurements and tests.

    Raises:
        SettingsError: the embeddings class cannot be had.
        ArtifactError: the compression table of the package is damaged.
    """
    embedder = RecentQueries(embeddings or _embedder(settings))
    bundled = settings.embeddings == "bundled"
    answerer = Answerer(
        {"cheap": _endpoint(settings, "cheap", embedder), "expensive": _endpoint(settings, "expensive", embedder)}
    )
    ledger = SqliteLedger(settings.data_dir / "ledger.sqlite")
    return Services(
        answers=AnswerCache(SqliteStore(settings.data_dir / "cache.sqlite"), _cache_calibration(embedder)),
        knowledge=KnowledgeBase(settings.data_dir / "knowledge.sqlite", embedder),
        embedder=embedder,
        router=Router(_router_artifact(), embedder=embedder.name),
        compressor=Compressor(CompressionCalibration.load()),
        answerer=answerer,
        books=Books(
            PriceTable(),
            ledger,
            baseline_model=answerer.endpoints["expensive"].priced_as,
            embedding_priced_as=LOCAL if bundled else settings.embeddings_model,
        ),
        tenants=settings.tenants,
        retrieve_k=settings.retrieve_k,
        context_tokens=settings.context_tokens,
    )


def _endpoint(settings: Settings, tier: Tier, embedder: Embedder) -> Endpoint:
    name, base_url, key, reference = (
        (settings.cheap_model, settings.cheap_base_url, settings.cheap_api_key, settings.reference_cheap)
        if tier == "cheap"
        else (settings.expensive_model, settings.expensive_base_url, settings.expensive_api_key, settings.reference_expensive)
    )
    setting = f"GROAT_{tier.upper()}_API_KEY or OPENAI_API_KEY"
    if not name:
        offline = OfflineChat(mode="quick" if tier == "cheap" else "thorough", embedder=embedder)
        return Endpoint(
            model=offline, name=f"groat-offline-{offline.mode}", priced_as=reference, key_setting=setting, offline=True
        )
    model = ChatOpenAI(
        model=name,
        base_url=base_url or None,
        # Servers on one's own machine want none, and the client does not start without one.
        api_key=key if key.get_secret_value() else SecretStr("not-needed"),
        stream_usage=True,  # without it a streamed answer reports no tokens
        max_retries=0,  # the client's own retries could not be seen or billed
        timeout=settings.timeout_s,
    )
    return Endpoint(model=model, name=name, priced_as=name, key_setting=setting)


def _embedder(settings: Settings) -> Embedder:
    if settings.embeddings == "bundled":
        return BundledEmbedder()
    module, _, name = settings.embeddings.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
        embeddings = kind(model=settings.embeddings_model) if settings.embeddings_model else kind()
    except Exception as error:  # a foreign class may raise anything; all of it means that this setting cannot be used
        raise SettingsError(
            f"the embeddings {settings.embeddings!r} cannot be loaded ({type(error).__name__}); "
            "install their package or correct GROAT_EMBEDDINGS, written as module:Class"
        ) from error
    if not isinstance(embeddings, Embeddings):
        raise SettingsError(f"GROAT_EMBEDDINGS names {settings.embeddings!r}, which is no LangChain Embeddings class")
    return LangChainEmbedder(embeddings, f"{settings.embeddings}/{settings.embeddings_model}")


def _cache_calibration(embedder: Embedder) -> CacheCalibration | None:
    try:
        return CacheCalibration.load(embedder=embedder.name)
    except ArtifactError:
        # The cache then serves exact hits only, and each lookup says so.
        return None


def _router_artifact() -> RouterArtifact | None:
    try:
        return RouterArtifact.load()
    except ArtifactError:
        # Everything then goes to the expensive model, and each route says so.
        return None
