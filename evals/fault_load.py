"""Questions that keep coming while something happens to the Redis of the cache, and what is checked of each answer."""

import asyncio
import hashlib
import json
import random
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from evals.bench_cache import Asks, asked_of
from evals.helpcentre import load_questions
from groat.cache import AnswerCache, NewAnswer, RedisStore
from groat.cache.accept import AcceptRule
from groat.cache.flight import Flights, Flying
from groat.cache.flight_redis import RedisLeases
from groat.cache.identity import exact_text, identity_key
from groat.embedding import Vector
from groat.errors import StorageError
from groat.types import CachedAnswer, Identity, Language

MODEL_S = 0.02
"""What answering takes."""
_PAUSE_S = 0.02
_GRACE_S = 30.0
"""Longest wait for what is under way when the script is over."""
_ASKERS = 4
SIDES = 2
_EDITS_S = 0.1
"""How often a document changes."""
_GROUPS = 10
"""Answers in each language, with two wordings each."""
_TENANTS = ("north", "south")
_BEAT_S = 0.005


@dataclass(frozen=True)
class Wording:
    """A question of the help centre."""

    text: str
    language: Language
    answer: str
    """What it is about: its answer, and the name of the document that the answer stands on."""


@dataclass(frozen=True)
class Asked:
    """What became of one question."""

    side: int
    """Which of the two caches was asked."""
    begun: float
    ended: float
    extra_ms: float
    """All it took but for the model, and for another question that it waited for."""
    hit: bool
    events: tuple[str, ...]
    """What the cache or the leases said that did not work."""
    kept: bool | None
    """Whether its own answer was kept; None on a hit."""
    wrong: bool
    """Served another tenant's answer, or another question's."""
    stale: bool
    """Served an answer from a version that was gone before it was asked."""


@dataclass
class _Side:
    """One process, as far as Redis can tell."""

    number: int
    answers: AnswerCache
    flights: Flights
    store: RedisStore
    leases: RedisLeases


@dataclass
class Load:
    """Several askers through two caches that share one Redis, while documents change.

    Args:
        url: of the Redis.
        rule: decides on hits by likeness.
        vectors: of the questions.
        rest_s: how long a Redis that failed is left alone.
    """

    url: str
    rule: AcceptRule
    vectors: Asks
    rest_s: float = 2.0
    begun: list[float] = field(default_factory=list)
    """When each question was asked."""
    asked: list[Asked] = field(default_factory=list)
    """Those that were answered."""
    edits_failed: list[str] = field(default_factory=list)
    late_ms: list[tuple[float, float]] = field(default_factory=list)
    """When, and by how much, this process itself woke up too late."""

    _over: bool = False

    async def run(self, script: "asyncio.Future[None]") -> None:
        """Ask until the script of what happens is over."""
        self._wordings = wordings()
        self._versions = dict.fromkeys((one.answer for one in self._wordings), 0)
        self._known = {one.text: await self.vectors.query(one.text) for one in self._wordings}
        sides = [self._side(number) for number in range(SIDES)]
        askers = [asyncio.create_task(self._ask_on(sides[n % SIDES], n)) for n in range(_ASKERS)]
        tasks = [*askers, asyncio.create_task(self._edit(sides[0])), asyncio.create_task(self._beat())]
        try:
            done, _ = await asyncio.wait([script, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                await one
        finally:
            # What was asked is still to be answered: on a slow machine a question may be under way since before the end.
            self._over = True
            await asyncio.wait(askers, timeout=_GRACE_S)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for side in sides:
                await side.store.aclose()
                await side.leases.aclose()

    def _side(self, number: int) -> _Side:
        store = RedisStore(self.url, rest_s=self.rest_s)
        leases = RedisLeases(self.url, rest_s=self.rest_s)
        return _Side(number, AnswerCache(store, self.rule), Flights(leases), store, leases)

    async def _ask_on(self, side: _Side, seed: int) -> None:
        draw, count = random.Random(seed), 0
        while not self._over:
            count += 1
            self.asked.append(await self._ask(side, draw.choice(self._wordings), draw.choice(_TENANTS), f"{seed}.{count}"))
            await asyncio.sleep(_PAUSE_S)

    async def _ask(self, side: _Side, one: Wording, tenant: str, run: str) -> Asked:
        """Do what the graph does with a question."""
        question = asked_of(one.text, one.language) | {"tenant": tenant}
        identity = _identity(tenant, one.language)
        version = self._versions[one.answer]
        begun, waited_s, model_s = time.perf_counter(), 0.0, 0.0
        self.begun.append(begun)
        kept: bool | None = None
        events: list[str] = []

        async def look() -> CachedAnswer | None:
            lookup, found = await side.answers.lookup(identity, question, embed=self._embed, current_versions=self._current)
            if lookup["outcome"] == "error":
                events.append(lookup["reason"])
            return found

        served = await look()
        if served is None and not events:
            boarding = await side.flights.board(self._flying(run, one, identity))
            waited_s = boarding.waited_s if boarding.waited_for else 0.0
            if side.flights.last_failure:
                events.append(side.flights.last_failure)
            if boarding.waited_for and (boarding.kept or boarding.leads):
                served = await look()
        if served is None:
            answer = self._answer(tenant, one)
            model_began = time.perf_counter()
            await asyncio.sleep(MODEL_S)
            model_s = time.perf_counter() - model_began
            kept = await side.answers.remember(identity, question, answer, embed=self._embed)
            if not kept and side.answers.last_failure:
                events.append(side.answers.last_failure)
        await side.flights.land(run, kept=bool(kept or served))
        ended = time.perf_counter()
        told = json.loads(served["answer"]) if served else None
        return Asked(
            side=side.number, begun=begun, ended=ended, extra_ms=(ended - begun - waited_s - model_s) * 1000,
            hit=served is not None, events=tuple(events), kept=kept,
            wrong=told is not None and told[:2] != [tenant, one.answer], stale=told is not None and told[2] < version,
        )  # fmt: skip

    def _answer(self, tenant: str, one: Wording) -> NewAnswer:
        version = self._versions[one.answer]
        return {
            "answer": json.dumps([tenant, one.answer, version]), "sources": [], "tier": "cheap", "baseline_cost_usd": None,
            "documents": [{"id": one.answer, "version": str(version)}],
        }  # fmt: skip

    def _flying(self, run: str, one: Wording, identity: Identity) -> Flying:
        key = hashlib.sha256(exact_text(one.text).encode()).hexdigest()
        return Flying(run=run, group=identity_key(identity), key=key, text=one.text, language=one.language)

    async def _embed(self, text: str) -> Vector:
        return self._known[text]

    async def _current(self, ids: Collection[str]) -> Mapping[str, str]:
        return {name: str(self._versions[name]) for name in ids}

    async def _edit(self, side: _Side) -> None:
        """Change a document, and remove what stands on it, as an ingest does; what a lost Redis keeps is checked when read."""
        draw = random.Random("edits")
        while True:
            name = draw.choice(sorted(self._versions))
            self._versions[name] += 1
            try:
                await side.answers.invalidate([name], tenant=draw.choice(_TENANTS))
            except StorageError as error:
                self.edits_failed.append(str(error))
            await asyncio.sleep(_EDITS_S)

    async def _beat(self) -> None:
        while True:
            due = time.perf_counter() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            now = time.perf_counter()
            self.late_ms.append((now, max(0.0, now - due) * 1000))


def wordings() -> list[Wording]:
    """Return questions of the help centre in both languages: two wordings of each answer."""
    found: list[Wording] = []
    for language in ("en", "zh"):
        groups: dict[str, list[Wording]] = defaultdict(list)
        for row in load_questions(language):
            if row["cacheable"] and not row["history"]:
                groups[row["answer_id"]].append(Wording(row["question"], row["lang"], row["answer_id"]))
        chosen = [group[:2] for _, group in sorted(groups.items()) if len(group) > 1]
        found += [one for group in chosen[:_GROUPS] for one in group]
    return found


def _identity(tenant: str, language: Language) -> Identity:
    return {
        "tenant": tenant, "answer_language": language, "system_prompt": "", "prompt_version": "", "model_policy": "",
        "tools": "", "knowledge": "", "conversation": "",
    }  # fmt: skip
