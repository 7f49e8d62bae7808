"""Is every part there and at work, and what to do about one that is not?"""

import asyncio
import importlib.util
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from typing_extensions import TypedDict

from graph.judging import OFF
from graph.settings import IN_MEMORY, Settings
from groat.answering import Limits, Sent, Watch, build_prompt
from groat.answering.limits_redis import RedisLimiter
from groat.costs import LOCAL, Purse
from groat.errors import GroatError
from groat.redis_link import place
from groat.routing.live import LiveRouter
from groat.routing.versions import SHIPPED
from groat.types import Asked, Tier
from serve.application import Application
from serve.health_cache import cache_redis, cache_work
from serve.health_traces import traces_part


class Part(TypedDict):
    """One part and its state."""

    part: str
    state: Literal["ok", "note", "broken"]
    """"note": it works, and there is something to know or to gain."""
    says: str


async def examine(app: Application) -> list[Part]:
    """Test each part for real and return one line for each; a configured model is called once with a short question."""
    tests: list[tuple[str, Callable[[], Awaitable[Part]]]] = [
        ("data folder", lambda: _folder(app.settings.data_dir)),
        ("knowledge", lambda: _knowledge(app)),
        ("cache", lambda: _cache(app)),
        *([] if _cache_url(app.settings) in ("", IN_MEMORY) else [("cache in Redis", lambda: _cache_redis(app))]),
        ("cache at work", lambda: _cache_work(app)),
        ("ledger", lambda: _ledger(app)),
        ("kept runs", lambda: _runs(app)),
        ("embeddings", lambda: _embeddings(app)),
        ("router", lambda: _router(app)),
        ("judge", lambda: _judge(app)),
        ("cheap model", lambda: _model(app, "cheap")),
        ("expensive model", lambda: _model(app, "expensive")),
        ("limits", lambda: _limits(app)),
        ("budgets", lambda: _budgets(app)),
        ("prices", lambda: _prices(app)),
        ("traces", lambda: traces_part(app.settings)),
        ("Studio", _studio),
    ]
    parts: list[Part] = []
    for name, test in tests:
        try:
            parts.append(await test())
        except GroatError as error:
            parts.append({"part": name, "state": "broken", "says": str(error)})
    return parts


async def _folder(folder: Path) -> Part:
    return await asyncio.to_thread(_examine_folder, folder)


def _examine_folder(folder: Path) -> Part:
    where = folder if folder.exists() else next(parent for parent in folder.parents if parent.exists())
    if not where.is_dir() or not os.access(where, os.W_OK | os.X_OK):
        says = f"{where} cannot be written; change its permissions or set GROAT_DATA_DIR"
        return {"part": "data folder", "state": "broken", "says": says}
    return {"part": "data folder", "state": "ok", "says": str(folder)}


async def _knowledge(app: Application) -> Part:
    knowledge = app.services.knowledge
    await knowledge.check()
    tenants = sorted(await knowledge.tenants())
    if not tenants:
        says = "no documents yet; run `groat ingest PATH`, for instance `groat ingest evals/datasets/helpcentre/docs`"
        return {"part": "knowledge", "state": "note", "says": says}
    counts = [(tenant, *await knowledge.count(tenant)) for tenant in tenants]
    says = "; ".join(
        f"tenant {tenant}: {documents} documents, {sentences} sentences" for tenant, documents, sentences in counts
    )
    return {"part": "knowledge", "state": "ok", "says": says}


async def _cache(app: Application) -> Part:
    await app.services.answers.check()
    says = f"{await app.services.answers.count()} answers kept {_cache_place(app.settings)}"
    if not app.services.answers.rule.version:
        says += "; no thresholds fit these embeddings, so only equal questions hit"
        return {"part": "cache", "state": "note", "says": says}
    return {"part": "cache", "state": "ok", "says": f"{says}, rule {app.services.answers.rule.version}"}


async def _cache_redis(app: Application) -> Part:
    right, says = await cache_redis(app.settings)
    return {"part": "cache in Redis", "state": "ok" if right else "note", "says": says}


async def _cache_work(app: Application) -> Part:
    as_it_was, says = await cache_work(app.services.answers.counts)
    return {"part": "cache at work", "state": "ok" if as_it_was else "note", "says": says}


async def _runs(app: Application) -> Part:
    recorder = app.services.recorder
    if recorder is None:
        return {"part": "kept runs", "state": "note", "says": "none are kept: GROAT_KEEP_RUNS_DAYS=0"}
    size = await recorder.runs.size()
    says = f"{size.runs} runs, {size.bad} bad, {size.bytes / 1e6:.1f} MB"
    if not app.settings.keep_run_texts:
        says += "; without texts, so that no bad answer can be asked again (GROAT_KEEP_RUN_TEXTS)"
    return {"part": "kept runs", "state": "ok" if app.settings.keep_run_texts else "note", "says": says}


def _cache_url(settings: Settings) -> str:
    return settings.cache_url.get_secret_value()


def _cache_place(settings: Settings) -> str:
    match _cache_url(settings):
        case "":
            return "in this data folder; GROAT_CACHE_URL shares them among machines"
        case memory if memory == IN_MEMORY:
            return "in this process only"
        case url:
            return f"in Redis at {place(url)}, for all that share it"


async def _ledger(app: Application) -> Part:
    await app.services.books.ledger.check()
    totals = await app.services.books.ledger.totals(since=time.time() - 86_400)
    says = f"{totals.charges} charges in 24 hours, ${totals.cost_usd:.6f}"
    return {"part": "ledger", "state": "ok", "says": says + (f", {totals.unknown} of unknown price" if totals.unknown else "")}


async def _embeddings(app: Application) -> Part:
    begun = time.perf_counter()
    vector = await app.services.embedder.query(f"瓦 leaf {begun}")
    says = f"{app.services.embedder.name}, {len(vector)} dimensions, {(time.perf_counter() - begun) * 1000:.0f} ms"
    return {"part": "embeddings", "state": "ok", "says": says}


async def _router(app: Application) -> Part:
    router = app.services.router
    warnings = router.warnings if isinstance(router, LiveRouter) else []
    if router.version == "none":
        says = "no trained router fits these embeddings; everything but small talk goes to the expensive model"
        return {"part": "router", "state": "note", "says": "; ".join([says, *warnings])}
    promoted = isinstance(router, LiveRouter) and router.name != SHIPPED
    says = f"artifact {router.version}, {'promoted' if promoted else 'shipped'}"
    says += f"; the shadow is {router.shadow}" if router.shadow else ""
    return {"part": "router", "state": "note" if warnings else "ok", "says": "; ".join([says, *warnings])}


async def _judge(app: Application) -> Part:
    weights, judge = app.settings.judge, app.services.judge
    begun = time.perf_counter()
    # A pair on which a working judge always has an opinion.
    (reason,) = (await judge.same("how do I start?", ["怎么开始？"])).reasons
    if reason is not None:
        return {"part": "judge", "state": "note" if weights == OFF else "broken", "says": reason}
    took = (time.perf_counter() - begun) * 1000
    says = f"weights {weights!r}, version {judge.version}, {took:.0f} ms to open and answer"
    return {"part": "judge", "state": "ok", "says": says}


async def _model(app: Application, tier: Tier) -> Part:
    name = f"{tier} model"
    endpoint = app.services.answerer.endpoints[tier]
    if endpoint.offline:
        says = (
            f"{endpoint.name} quotes the documents, priced as {endpoint.priced_as}; "
            f"set OPENAI_API_KEY or GROAT_{tier.upper()}_MODEL for a real model"
        )
        return {"part": name, "state": "note", "says": says}
    asked: Asked = {
        "text": "Hello",
        "language": "en",
        "answer_language": "en",
        "search_text": "Hello",
        "history": [],
        "tenant": "default",
    }
    run = f"doctor-{time.time_ns()}"
    purse = Purse(
        app.services.books,
        app.services.budgets,
        run=run,
        tenant="default",
        box="answer_cheap" if tier == "cheap" else "answer_expensive",
        tier=tier,
        spent=[],
        max_cost_usd=None,
    )

    async def record(sent: Sent) -> None:
        model = sent.endpoint
        key = f"{run}:{tier}:{sent.number}"
        await purse.pay(key, model=model.name, priced_as=model.priced_as, usage=sent.usage, outcome=sent.outcome)

    prompt = build_prompt(asked, [], kind="small_talk")
    reply, chosen = await app.services.answerer.answer(prompt, tier=tier, watch=Watch(record=record))
    return {"part": name, "state": "ok", "says": f"{chosen.name} answered in {reply.latency_ms:.0f} ms"}


async def _limits(app: Application) -> Part:
    settings = app.settings
    if not (url := settings.redis_url.get_secret_value()):
        return {"part": "limits", "state": "ok", "says": "each process counts for itself; GROAT_REDIS_URL counts all together"}
    limiter, lease = RedisLimiter(url), f"doctor-{time.time_ns()}"
    try:
        await limiter.take("doctor", Limits(window_s=1.0), 0, lease)
        await limiter.end("doctor", Limits(window_s=1.0), lease, 0)
    finally:
        await limiter.aclose()
    return {"part": "limits", "state": "ok", "says": "all processes count together in Redis"}


async def _budgets(app: Application) -> Part:
    settings = app.settings
    standing = await app.services.budgets.standing("default")
    if standing.limit is None:
        return {"part": "budgets", "state": "ok", "says": "none is set for the tenant 'default'"}
    says = f"${standing.spent or 0:f} of ${standing.limit:f} are spent today; when it is spent: {settings.budget_policy}"
    return {"part": "budgets", "state": "note" if standing.over else "ok", "says": says}


async def _prices(app: Application) -> Part:
    models = {endpoint.priced_as for endpoint in app.services.answerer.endpoints.values()}
    unknown = sorted(model for model in models if model != LOCAL and not app.services.books.prices.knows(model))
    if unknown:
        says = f"no list price is known for {', '.join(unknown)}; costs are unknown until groat/costs/overrides.json has one"
        return {"part": "prices", "state": "note", "says": says}
    return {"part": "prices", "state": "ok", "says": app.services.books.prices.version}


async def _studio() -> Part:
    if importlib.util.find_spec("langgraph_api") is None:
        says = "not installed; `make install` brings it, or pip install 'langgraph-cli[inmem]'"
        return {"part": "Studio", "state": "note", "says": says}
    return {"part": "Studio", "state": "ok", "says": "`make dev` starts `langgraph dev`"}
