"""How long a lookup in a store of answers takes, how much memory it costs, and what the semantic search misses."""

import contextlib
import gc
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from typing_extensions import TypedDict

from evals.made_entries import DIMENSION, IDENTITY, NOW, TENANT, Asking, MadeEntries
from groat.cache.accept import AcceptRule
from groat.cache.answers import NEAREST
from groat.cache.entry import Entry
from groat.cache.opening import open_rule
from groat.cache.stores.memory import MemoryStore
from groat.cache.stores.protocol import AnswerStore
from groat.cache.stores.sqlite import SqliteStore
from groat.embedding import Matrix
from groat.embedding.bundled import BundledEmbedder

StoreName = Literal["memory", "sqlite", "redis"]

EMBEDDER = BundledEmbedder.name
_ASKED = 200
_ROUNDS = 3
"""Rounds that count; one before them does not: memory that was only written is mapped at its first reading."""
_NO_BOUND = 10**9
"""Largest number of entries given to a store: nothing of anybody is to be evicted for a measurement."""
_PATIENCE_S = 30.0
_SAME = 1e-5
"""Cosines closer than this are equal: entries that lie equally near are equally good."""
_MB = 2**20


class Speed(TypedDict):
    """What was measured on one store of one size. Times are of the clock on the wall, embedding apart."""

    store: StoreName
    entries: int
    lookups: int
    """Of each kind."""
    exact_p50_ms: float
    exact_p99_ms: float
    p50_ms: float
    """The nearest eight and the checks by hand of the accept rule, without the judge."""
    p99_ms: float
    nearest_p50_ms: float
    """The nearest eight alone."""
    first_ms: float
    """The first semantic lookup: SQLite reads all vectors then."""
    fill_s: float
    memory_mb: float
    """What this process, or Redis, grew by from the empty store to the first lookup, in 2**20 bytes."""
    vectors_mb: float
    """What the vectors alone take, 4 bytes a dimension."""
    recall_at_1: float
    """Share of questions whose nearest entry was found first."""
    recall_at_8: float
    """Share of their eight nearest entries that were among the eight found."""


@dataclass
class _Times:
    """Milliseconds of each lookup, and the cosines that the last round found, shape (questions, found)."""

    exact: list[float] = field(default_factory=list)
    nearest: list[float] = field(default_factory=list)
    semantic: list[float] = field(default_factory=list)
    cosines: list[list[float]] = field(default_factory=list)


class _Filled:
    """A store that is filled for a measurement."""

    def __init__(self, store: AnswerStore) -> None:
        self.store = store

    async def fill(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            await self.store.put(entry, max_entries=_NO_BOUND)

    async def memory_mb(self) -> float:
        return _own_memory_mb()


class FilledFile(_Filled):
    """A SQLite file, of which the first entry goes the usual way and the others are copies of its row with another question."""

    def __init__(self, path: Path) -> None:
        store = SqliteStore(path)
        super().__init__(store)
        self._path = path
        self.close = store.close

    async def fill(self, entries: Sequence[Entry]) -> None:
        """Keep entries."""
        with contextlib.closing(sqlite3.connect(self._path)) as db:
            known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'entries'").fetchone()
        if known is None:
            await super().fill(entries[:1])
            entries = entries[1:]
        own = ("entry_id", "language", "question", "exact_text", "answer", "vector")
        with contextlib.closing(sqlite3.connect(self._path)) as db, db:
            columns = [row[1] for row in db.execute("PRAGMA table_info (entries)") if row[1] not in {"seq", *own}]
            shared = ", ".join(columns)
            db.executemany(
                f"INSERT INTO entries ({', '.join(own)}, {shared}) "
                f"SELECT {', '.join('?' * len(own))}, {shared} FROM entries WHERE seq = 1",
                [(one.entry_id, one.language, one.question, one.exact_text, one.answer, _bytes(one)) for one in entries],
            )


class _FilledRedis(_Filled):
    """A Redis that may hold other things."""

    def __init__(self, url: str) -> None:
        from groat.cache.stores.redis import RedisStore

        store = RedisStore(url, patience_s=_PATIENCE_S)
        super().__init__(store)
        self._url = url
        self.close = store.aclose

    async def memory_mb(self) -> float:
        from redis.asyncio import Redis

        async with Redis.from_url(self._url) as client:
            return int((await client.info("memory"))["used_memory"]) / _MB


async def measure(store: StoreName, entries: int, *, redis_url: str = "") -> Speed:
    """Fill a store with entries of one identity, ask it, and remove what was put there.

    Raises:
        StorageError: the store cannot be used.
    """
    rule = open_rule(EMBEDDER)
    made = MadeEntries(entries, embedder=EMBEDDER)
    # Other questions in every round: what is remembered of a text would spare most of the work on it.
    askings = [made.asking(_ASKED, turn) for turn in range(_ROUNDS + 1)]
    async with _opened(store, redis_url) as filled:
        gc.collect()
        before, began = await filled.memory_mb(), time.perf_counter()
        best = await _fill(filled, made, askings[-1])
        full = time.perf_counter()
        await filled.store.nearest(IDENTITY, askings[0].vectors[0], embedder=EMBEDDER, limit=NEAREST, now=NOW)
        first = time.perf_counter()
        gc.collect()
        memory_mb = await filled.memory_mb() - before
        times = await _timed(filled.store, askings, rule)
    found = np.asarray(times.cosines, dtype=np.float32)
    return {
        "store": store,
        "entries": entries,
        "lookups": len(times.semantic),
        "exact_p50_ms": _percentile(times.exact, 50),
        "exact_p99_ms": _percentile(times.exact, 99),
        "p50_ms": _percentile(times.semantic, 50),
        "p99_ms": _percentile(times.semantic, 99),
        "nearest_p50_ms": _percentile(times.nearest, 50),
        "first_ms": round((first - full) * 1e3, 1),
        "fill_s": round(full - began, 2),
        "memory_mb": round(memory_mb, 1),
        "vectors_mb": round(entries * DIMENSION * 4 / _MB, 1),
        "recall_at_1": round(float((found[:, 0] > best[:, 0] - _SAME).mean()), 4),
        "recall_at_8": round(float((found > best[:, -1:] - _SAME).mean()), 4),
    }


@contextlib.asynccontextmanager
async def _opened(store: StoreName, redis_url: str) -> AsyncIterator[_Filled]:
    if store == "memory":
        yield _Filled(MemoryStore())
    elif store == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            file = FilledFile(Path(folder) / "answers.db")
            try:
                yield file
            finally:
                await file.close()
    else:
        redis = _FilledRedis(redis_url)
        await redis.store.forget(tenant=TENANT)
        try:
            yield redis
        finally:
            await redis.store.forget(tenant=TENANT)
            await redis.close()


async def _fill(filled: _Filled, made: MadeEntries, asking: Asking) -> Matrix:
    """Put all entries there; return the cosines of each question's nearest ones, found by comparing all, the highest first."""
    best: Matrix = np.empty((len(asking.asked), 0), dtype=np.float32)
    for vectors, entries in made.chunks():
        await filled.fill(entries)
        best = -np.sort(-np.hstack([best, asking.vectors @ vectors.T]), axis=1)[:, :NEAREST]
    return best


async def _timed(store: AnswerStore, askings: Sequence[Asking], rule: AcceptRule) -> _Times:
    times = _Times()
    for number, asking in enumerate(askings):
        if number <= 1:
            times = _Times()
        times.cosines.clear()
        for entry, asked, vector in zip(asking.entries, asking.asked, asking.vectors, strict=True):
            begun = time.perf_counter()
            await store.exact(IDENTITY, entry.exact_text, now=NOW)
            exact = time.perf_counter()
            nearest = await store.nearest(IDENTITY, vector, embedder=EMBEDDER, limit=NEAREST, now=NOW)
            searched = time.perf_counter()
            await rule.judge(asked, nearest)
            judged = time.perf_counter()
            times.exact.append((exact - begun) * 1e3)
            times.nearest.append((searched - exact) * 1e3)
            times.semantic.append((judged - exact) * 1e3)
            found = [cosine for _, cosine in nearest]
            times.cosines.append(found + [-1.0] * (min(NEAREST, len(asking.entries)) - len(found)))
    return times


def _own_memory_mb() -> float:
    """Return what this process takes, where the system does not say so the most that it ever took."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / _MB
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / _MB if sys.platform == "darwin" else most / 1024


def _percentile(times: Sequence[float], percent: int) -> float:
    return round(float(np.percentile(times, percent)), 4)


def _bytes(entry: Entry) -> bytes:
    return np.asarray(entry.vector, dtype=np.float32).tobytes()
