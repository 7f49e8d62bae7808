"""Entries in Redis, shared by all processes and machines that name it."""

import hashlib
import json
from collections.abc import Awaitable, Collection, Sequence
from contextlib import suppress
from dataclasses import fields
from itertools import chain
from typing import Any, cast

import numpy as np
from redis.asyncio import Redis

from groat.cache.entry import MAX_ALIASES, REFUSED_CHARS, Alias, Entry, refusal_of
from groat.cache.stores import redis_scripts as scripts
from groat.cache.stores.protocol import Removals
from groat.cache.stores.redis_calls import RedisCalls
from groat.embedding import Vector
from groat.errors import StorageError
from groat.tracing.spans import call_spans

_IN_BODY = tuple(field.name for field in fields(Entry) if field.name not in {"vector", "alias", "refused"})
_IN_WORDING = ("language", "question", "exact_text", "embedder")
_LONGEST_LIFE_MS = 100 * 365 * 86_400_000
"""Redis takes no time much later than this; what is to live longer is checked at each read all the same."""
_SPARE = 2
"""Neighbours asked for beyond the limit: the search knows their cosines in 8 bits, and some may not be served."""
_ROUNDS = 3
"""Searches for neighbours, each four times as wide, while those found may not be served."""
_STEPS = 16
"""Entries that one script removes: removing a vector takes up to a millisecond, in which Redis does nothing else."""
_COMPARED = 1000
"""Size of a group of vectors up to which all are compared."""
_LOOKED_AT = 100
"""Nodes of a larger group's graph that a search looks at: it finds the nearest of 60,000 in 99 of 100 cases, in 1 ms."""
_SCANNED = 500
"""Keys that Redis looks through in one step when everything is forgotten."""
_UNHURRIED_S = 1.0
"""Longest silence while a person or an ingest waits, and no question."""


@call_spans("cache", "redis", "exact", "nearest", "put", "mark_used", "delete", "add_alias", "refuse", "forget")
class RedisStore:
    """Keeps entries in the Redis at ``url``, in one step each: what one process kept or removed holds for all at once.

    Equal questions need Redis 6.2 or later. Neighbours are searched by the vector sets of Redis 8, one for each identity and
    embedder, so that no filter hides any; without them ``nearest`` returns nothing and ``exact_only`` says why. Names of
    tenants, documents and questions are hashed in the keys, and stand in the entries.

    Redis that is down or silent costs a question at most ``patience_s`` once in ``rest_s``. An entry of which Redis evicted a
    part is not there. What a failover of Redis loses may be a removal: then entries come back.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with name and password where there are such.
        patience_s: longest silence of Redis that a call waits through, in seconds.
        rest_s: how long each call fails at once after that, in seconds.
    """

    def __init__(self, url: str, *, patience_s: float = 0.016, rest_s: float = 2.0) -> None:
        """Open nothing yet."""
        self._calls = RedisCalls(url, patience_s=patience_s, rest_s=rest_s)
        self.removals = Removals()
        """What this process removed to make place; what Redis itself lets expire or evicts is in none of its numbers."""
        self.exact_only: str | None = None
        """Why ``nearest`` finds nothing; None as long as no call met a Redis without vector sets."""

    async def exact(self, identity: str, exact_text: str, *, now: float) -> Entry | None:
        """Return the entry for this identity and text, None without one."""
        found = await self._run(scripts.EXACT, _slot(identity, exact_text))
        if found is None:
            return None
        body, blob, _, refused, wording = found
        entry = self._entry(body, blob, refused, wording)
        same = (entry.identity, entry.exact_text) == (identity, exact_text)
        return entry if same and not entry.is_expired(now) else None

    async def nearest(
        self, identity: str, vector: Vector, *, embedder: str, limit: int, now: float
    ) -> list[tuple[Entry, float]]:
        """Return up to ``limit`` entries of one identity with their cosine to ``vector``, highest first."""
        if limit < 1 or len(vector) == 0:
            return []
        group, asked = _group(identity, embedder, vector), _float32(vector)
        wanted = limit + _SPARE
        for _ in range(_ROUNDS):
            looked_at = max(wanted, _LOOKED_AT)
            found = await self._run(scripts.NEAREST, group, asked, wanted, repr(float(now)), looked_at, _COMPARED)
            if not self._notes_likeness(found != 0):
                return []
            kept = [one for one in found if len(one) == 4]
            if len(kept) >= limit or len(found) < wanted:
                break
            await self._clear([one[:2] for one in found if len(one) == 3])
            wanted *= 4
        nearest = sorted(((float(np.frombuffer(one[1], dtype="<f4") @ vector), one) for one in kept), key=lambda one: -one[0])
        entries = [(self._entry(*one), cosine) for cosine, one in nearest[:limit]]
        return [(entry, cosine) for entry, cosine in entries if (entry.identity, entry.embedder) == (identity, embedder)]

    async def put(self, entry: Entry, *, max_entries: int) -> None:
        """Keep an entry, in place of the one with the same identity and text."""
        if max_entries < 1:
            await self.forget()
            return
        vector = b"" if entry.vector is None else _float32(entry.vector)
        group = "" if entry.vector is None else _group(entry.identity, entry.embedder, entry.vector)
        ident, sets = _digest(entry.entry_id), [_tenant(entry.tenant), *{_document(one["id"]) for one in entry.documents}]
        alike, surplus, *gone = await self._run(
            scripts.PUT,
            _slot(entry.identity, entry.exact_text),
            ident,
            json.dumps([ident, group, *sets]),
            group,
            vector,
            _body(entry),
            repr(float(entry.created_at)),
            "" if entry.expires_at is None else repr(float(entry.expires_at)),
            _life_ms(entry),
            max_entries,
            _STEPS,
        )
        if group:
            self._notes_likeness(bool(alike))
        self._count(*gone)
        while surplus:
            surplus, *gone = await self._run(scripts.TRIM, repr(float(entry.created_at)), max_entries, _STEPS)
            self._count(*gone)

    async def mark_used(self, entry_id: str, *, now: float) -> None:
        """Note that an entry was served, for eviction only."""
        await self._run(scripts.MARK_USED, _digest(entry_id), repr(float(now)))

    async def delete(self, entry_ids: Collection[str]) -> int:
        """Remove entries by id and return how many there were."""
        entries = [_digest(entry_id) for entry_id in entry_ids]
        batches = [entries[start : start + _STEPS] for start in range(0, len(entries), _STEPS)]
        return sum([await self._run(scripts.DELETE, *batch) for batch in batches])

    async def add_alias(self, entry_id: str, alias: Alias) -> bool:
        """Let an entry be found by another wording, in place of what was kept under it, and say whether it is."""
        slot = _slot(alias.identity, alias.exact_text)
        added = await self._run(
            scripts.ADD_ALIAS,
            _digest(entry_id),
            slot,
            _digest("alias", entry_id, slot),
            "" if alias.vector is None else _group(alias.identity, alias.embedder, alias.vector),
            b"" if alias.vector is None else _float32(alias.vector),
            _json({name: getattr(alias, name) for name in _IN_WORDING}),
            MAX_ALIASES,
            _utf8(alias.identity),
        )
        return bool(added)

    async def refuse(self, entry_id: str, *, identity: str, exact_text: str) -> None:
        """Note in an entry that it does not answer a question, and remove the alias that it has for it."""
        noted = refusal_of(exact_text)
        await self._run(scripts.REFUSE, _digest(entry_id), _slot(identity, exact_text), noted, REFUSED_CHARS)

    async def forget(self, *, documents: Collection[str] | None = None, tenant: str | None = None) -> int:
        """Remove the entries that stand on any of the documents and belong to the tenant; None does not restrict."""
        owner = "" if tenant is None else _tenant(tenant)
        if documents is not None:
            return sum([await self._forget(_document(document), owner) for document in set(documents)])
        return await (self._forget(owner, "") if owner else self._forget_all())

    async def count(self) -> int:
        """Return how many entries are kept."""
        return int(await self._run(scripts.COUNT, patience_s=_UNHURRIED_S))

    async def count_aliases(self) -> int:
        """Return how many further wordings the entries have."""
        return int(await self._run(scripts.COUNT_ALIASES, patience_s=_UNHURRIED_S))

    async def check(self) -> None:
        """Raise ``StorageError`` if Redis cannot be read and written, or has no vector sets."""
        if not self._notes_likeness(bool(await self._run(scripts.CHECK, patience_s=_UNHURRIED_S))):
            raise StorageError(str(self.exact_only))

    async def aclose(self) -> None:
        """Close the connections of the running event loop; a later call opens new ones."""
        await self._calls.aclose()

    async def _clear(self, gone: Sequence[Sequence[bytes]]) -> None:
        """Remove some of what may not be served; it is in the way of what may."""
        with suppress(StorageError):  # a replica may not; nothing wrong is served for that
            await self._run(scripts.CLEAR, *chain.from_iterable(gone[:_STEPS]))

    async def _forget(self, name: str, owner: str) -> int:
        cursor, removed, more = b"0", 0, 1
        while more:
            cursor, gone, more = await self._run(scripts.FORGET, name, owner, cursor, _STEPS, patience_s=_UNHURRIED_S)
            removed += gone
        return removed

    async def _forget_all(self) -> int:
        generation, removed = await self._run(scripts.FORGET_ALL, patience_s=_UNHURRIED_S)
        cursor, begun = 0, False
        while cursor or not begun:
            cursor, begun = await self._clear_away(cursor, int(generation)), True
        return int(removed)

    async def _clear_away(self, cursor: int, generation: int) -> int:
        """Remove what is left of generations up to this one among some keys; return where to go on, 0 at the end."""
        base = f"{scripts.PREFIX}{scripts.SCHEMA_VERSION}:"

        following, keys = await self._calls.ask(
            lambda redis: redis.scan(cursor, match=f"{base}*:*", count=_SCANNED), patience_s=_UNHURRIED_S
        )
        names = cast("list[bytes]", keys)  # nothing is decoded
        ended = [name for name in names if int(name[len(base) :].partition(b":")[0]) <= generation]
        if ended:
            await self._calls.ask(lambda redis: redis.unlink(*ended), patience_s=_UNHURRIED_S)
        return following

    async def _run(self, script: str, *arguments: str | bytes | int, patience_s: float | None = None) -> Any:
        def send(redis: Redis) -> Awaitable[Any]:
            run = redis.register_script(script)(keys=[scripts.PREFIX], args=arguments)
            return cast("Awaitable[Any]", run)  # redis-py types both its clients in one

        return await self._calls.ask(send, patience_s=patience_s)

    def _count(self, expired: int, evicted: int) -> None:
        self.removals.expired += expired
        self.removals.evicted += evicted

    def _notes_likeness(self, there: bool) -> bool:
        told = f"{self._calls.name} serves equal questions only, since this Redis has no vector sets; use Redis 8 or later"
        self.exact_only = None if there else told
        return there

    def _entry(self, body: bytes, blob: bytes, refused: bytes, wording: bytes) -> Entry:
        vector = np.frombuffer(blob, dtype="<f4") if blob else None
        try:
            entry = Entry(**json.loads(body), vector=vector, refused=refused.decode("ascii"))
            return entry.worded(Alias(**json.loads(wording), identity=entry.identity, vector=vector)) if wording else entry
        except (ValueError, TypeError) as error:
            raise StorageError(f"{self._calls.name} holds an entry that cannot be read; forget all its entries") from error


def _body(entry: Entry) -> bytes:
    return _json({name: getattr(entry, name) for name in _IN_BODY})


def _json(content: dict[str, object]) -> bytes:
    return _utf8(json.dumps(content, ensure_ascii=False))


def _utf8(text: str) -> bytes:
    # Broken input may hold surrogates; json.loads reads them again.
    return text.encode("utf-8", "surrogatepass")


def _float32(vector: Vector) -> bytes:
    return np.asarray(vector, dtype="<f4").tobytes()


def _life_ms(entry: Entry) -> int:
    """Return for how long Redis keeps the entry: its own clock may differ from ours, so it is told no time of day."""
    if entry.expires_at is None:
        return 0
    return int(min(max(1.0, (entry.expires_at - entry.created_at) * 1000), _LONGEST_LIFE_MS))


def _slot(identity: str, exact_text: str) -> str:
    return _digest(identity, exact_text)


def _group(identity: str, embedder: str, vector: Vector) -> str:
    return _digest(identity, embedder, str(len(vector)))


def _tenant(tenant: str) -> str:
    return f"tenant:{_digest(tenant)}"


def _document(document_id: str) -> str:
    return f"document:{_digest(document_id)}"


def _digest(*parts: str) -> str:
    named = json.dumps(parts).encode("ascii")
    return hashlib.blake2b(named, digest_size=16).hexdigest()
