"""Several ``groat serve`` processes over one Redis, data folder and model server, and questions whose answers are known.

Each question is about a locker of a tenant; its document says how many boxes fit, a number that only rises. So an answer tells
whose it is, what it is about and how old it is.
"""

import contextlib
import re
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import httpx

from evals.billing_server import BillingServer, serve_bills
from evals.processes import BIN, Serving, start, wait_until_ready
from evals.redis_server import RedisServer, serve_redis
from groat.cache import AnswerCache, RedisStore
from groat.cache.opening import open_rule
from groat.costs import PriceTable
from groat.embedding.bundled import BundledEmbedder
from groat.knowledge import KnowledgeBase
from groat.types import Language, Usage

LOCKERS: Final = 6
"""Of each tenant in each language."""
_FIRST: Final[Mapping[str, int]] = {"north": 100, "south": 5000, "thrifty": 9000}
"""Boxes that fit into a tenant's first locker at the beginning; no two tenants ever come near each other."""
TENANTS: Final = ("north", "south")
THRIFTY: Final = "thrifty"
"""A tenant of its own for whoever tries a budget."""
_SAYS: Final[Mapping[Language, str]] = {"en": "Locker {name} holds {boxes} boxes.", "zh": "储物柜{name}可以放{boxes}个箱子。"}
WORDINGS: Final[Mapping[Language, tuple[str, str]]] = {
    "en": ("How many boxes does locker {name} hold?", "What is the number of boxes that locker {name} holds?"),
    "zh": ("储物柜{name}可以放多少个箱子？", "储物柜{name}能放几个箱子？"),
}
_READ: Final = re.compile(r"(L[EZ]-\d+)\D+?(\d+)")
"""Name of the locker and how many boxes fit, in an answer."""
PRICED_AS: Final = {"small": "gpt-5-mini", "big": "gpt-5.2"}
Outcome = Literal["exact hit", "hit by likeness", "answered", "refused", "failed", "lost"]
"""How a question ended; refused and failed are told in a sentence, lost is a connection that broke."""
_SEEN: Final[Mapping[str, Outcome]] = {"exact": "exact hit", "semantic": "hit by likeness"}


@dataclass(frozen=True, kw_only=True)
class Locker:
    """What a question is about."""

    tenant: str
    language: Language
    name: str

    def ask(self, wording: int) -> str:
        """Return a question about it."""
        return WORDINGS[self.language][wording].format(name=self.name)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What came of one question."""

    process: int
    locker: Locker
    outcome: Outcome
    boxes: int | None
    """What the answer says; None when it says nothing about the locker."""
    least: int
    """What the document said when the question was sent."""
    status: int
    seconds: float
    says: str = ""
    """The sentence of a refusal or failure."""

    @property
    def wrong(self) -> bool:
        """An answer about something else, or another tenant's."""
        first = _FIRST[self.locker.tenant]
        return self.answered and (self.boxes is None or not first <= self.boxes < first + 1000)

    @property
    def stale(self) -> bool:
        """An answer that had been overtaken before the question was sent."""
        return self.answered and self.boxes is not None and self.boxes < self.least

    @property
    def answered(self) -> bool:
        """Whether there was an answer."""
        return self.outcome in ("exact hit", "hit by likeness", "answered")


@dataclass
class Fleet:
    """The processes and all that they share."""

    folder: Path
    model: BillingServer
    redis: RedisServer
    settings: dict[str, str]
    knowledge: KnowledgeBase
    answers: AnswerCache
    """Both of this process, over the same data: it changes the documents."""
    processes: list[Serving] = field(default_factory=list)
    boxes: dict[Locker, int] = field(default_factory=dict)

    def begin(self, count: int) -> None:
        """Start so many processes, and wait until all of them serve."""
        begun = [start([str(BIN / "groat"), "serve", "--port", "{port}"], self.folder, self.settings) for _ in range(count)]
        for one in begun:
            try:
                wait_until_ready(one, "/health")
            finally:
                self.processes.append(one)

    async def write(self, lockers: Sequence[Locker]) -> None:
        """Let one more box fit into each locker, as an ingest does: the documents first, then their answers."""
        for tenant in sorted({one.tenant for one in lockers}):
            there = self.folder / "documents" / tenant
            there.mkdir(parents=True, exist_ok=True)
            changed = [one for one in lockers if one.tenant == tenant]
            for one in changed:
                says = _SAYS[one.language].format(name=one.name, boxes=self.boxes[one] + 1)
                (there / f"{one.name}.md").write_text(f"---\nid: {one.name}\n---\n{says}\n", encoding="utf-8")
            report = await self.knowledge.ingest([there], tenant=tenant)
            for one in changed:
                self.boxes[one] += 1
            await self.answers.invalidate([*report.changed, *report.removed], tenant=tenant)

    async def ask(self, client: httpx.AsyncClient, process: int, locker: Locker, wording: int, **options: Any) -> Told:
        """Ask one process, and return what came of it; ``options`` are those of a request to groat."""
        body = {
            "model": "groat",
            "messages": [{"role": "user", "content": locker.ask(wording)}],
            "groat": {"tenant": locker.tenant, **options},
        }
        least, begun = self.boxes[locker], time.perf_counter()

        def told(outcome: Outcome, status: int, boxes: int | None = None, says: str = "") -> Told:
            seconds = time.perf_counter() - begun
            return Told(
                process=process,
                locker=locker,
                outcome=outcome,
                boxes=boxes,
                least=least,
                status=status,
                seconds=seconds,
                says=says,
            )

        try:
            reply = await client.post(f"{self.processes[process].url}/v1/chat/completions", json=body)
        except httpx.TransportError as error:
            return told("lost", 0, says=type(error).__name__)
        if reply.status_code != 200:
            says = str(reply.json()["error"]["message"])
            return told("refused" if reply.status_code in (402, 403, 429) else "failed", reply.status_code, says=says)
        found = _READ.search(reply.json()["choices"][0]["message"]["content"])
        boxes = int(found[2]) if found and found[1] == locker.name else None
        return told(_SEEN.get(reply.headers["x-groat-cache"], "answered"), 200, boxes)

    def paid(self) -> Counter[tuple[str, int, int]]:
        """Return model, input and output of the chat requests in the ledger."""
        with contextlib.closing(sqlite3.connect(self.folder / "data" / "ledger.sqlite")) as ledger:
            return Counter(ledger.execute("SELECT model, input, output FROM charges WHERE kind = 'chat'").fetchall())

    def billed(self) -> Counter[tuple[str, int, int]]:
        """Return the same of the model server's bill."""
        return Counter((one.model, one.input, one.output) for one in self.model.bill)


def cost(rows: Mapping[tuple[str, int, int], int]) -> Decimal:
    """Return what requests come to at list prices, in dollars."""
    prices, total = PriceTable(), Decimal(0)
    for (model, given, written), times in rows.items():
        usage: Usage = {
            "input": given, "output": written, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": False
        }  # fmt: skip
        total += times * (prices.cost(usage, PRICED_AS[model]) or Decimal("NaN"))
    return total


def lockers(tenants: Sequence[str] = TENANTS) -> list[Locker]:
    """Return all lockers: the same names in each tenant, so that a leak between them shows."""
    languages: tuple[Language, Language] = ("en", "zh")
    return [
        Locker(tenant=tenant, language=language, name=f"L{language[0].upper()}-{100 + number}")
        for tenant in tenants
        for language in languages
        for number in range(LOCKERS)
    ]


@asynccontextmanager
async def fleet(
    folder: Path, *, redis_options: Sequence[str] = (), delay_s: float = 0.05, **settings: str
) -> AsyncIterator[Fleet]:
    """Make what the processes share; none of them runs yet.

    Args:
        folder: where everything goes.
        redis_options: of the Redis server's command line.
        delay_s: what an answer of the model takes.
        settings: of every process, beyond those that name what is shared.
    """
    async with AsyncExitStack() as stack:
        model = stack.enter_context(serve_bills(delay_s=delay_s))
        redis = stack.enter_context(serve_redis(folder, *redis_options))
        given = {
            "GROAT_DATA_DIR": str(folder / "data"), "GROAT_CACHE_URL": redis.url, "GROAT_REDIS_URL": redis.url,
            "GROAT_CHEAP_MODEL": "small", "GROAT_CHEAP_BASE_URL": model.url, "GROAT_CHEAP_API_KEY": "sk-none",
            "GROAT_CHEAP_PRICED_AS": PRICED_AS["small"], "GROAT_EXPENSIVE_MODEL": "big",
            "GROAT_EXPENSIVE_BASE_URL": model.url, "GROAT_EXPENSIVE_API_KEY": "sk-none",
            "GROAT_EXPENSIVE_PRICED_AS": PRICED_AS["big"], "GROAT_AUDIT_SHARE": "0", "GROAT_ROUTE_AUDIT_SHARE": "0",
            "GROAT_REDIS_PATIENCE_S": "1", "OMP_NUM_THREADS": "1", **settings,
        }  # fmt: skip
        embedder, store = BundledEmbedder(), RedisStore(redis.url, patience_s=1.0)
        stack.push_async_callback(store.aclose)
        shared = Fleet(
            folder, model, redis, given, KnowledgeBase(folder / "data" / "knowledge.sqlite", embedder),
            AnswerCache(store, open_rule(embedder.name, None)),
        )  # fmt: skip
        shared.boxes = {one: _FIRST[one.tenant] + 20 * place for place, one in enumerate(lockers([*TENANTS, THRIFTY]))}
        try:
            yield shared
        finally:
            for one in shared.processes:
                if one.process.poll() is None:
                    one.end()
