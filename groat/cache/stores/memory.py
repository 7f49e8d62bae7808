"""Entries in this process, gone with it."""

import asyncio
import itertools
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import replace

from groat.cache.entry import MAX_ALIASES, REFUSED_CHARS, Alias, Entry, refusal_of
from groat.cache.stores.protocol import Removals
from groat.cache.stores.vectors import VectorIndex
from groat.embedding import Vector
from groat.tracing.spans import call_spans


@call_spans("cache", "memory", "exact", "nearest", "put", "mark_used", "delete", "add_alias", "refuse", "forget")
class MemoryStore:
    """Keeps entries in memory: for tests, for one process, for a cache that must leave no file."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._keys = itertools.count(1)
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._by_text: dict[tuple[str, str], int] = {}
        self._by_id: dict[str, int] = {}
        self._aliases: dict[int, tuple[int, Alias]] = {}
        """Each with the key of its entry."""
        self._aliases_of: dict[int, list[int]] = {}
        self._indexes: dict[str, VectorIndex] = {}
        self.removals = Removals()
        """What was removed to make place."""

    async def exact(self, identity: str, exact_text: str, *, now: float) -> Entry | None:
        """Return the entry for this identity and text, None without one."""
        with self._lock:
            key = self._by_text.get((identity, exact_text))
            entry = None if key is None else self._whole(key)
        return None if entry is None or entry.is_expired(now) else entry

    async def nearest(
        self, identity: str, vector: Vector, *, embedder: str, limit: int, now: float
    ) -> list[tuple[Entry, float]]:
        """Return up to ``limit`` entries of one identity with their cosine to ``vector``, highest first."""
        return await asyncio.to_thread(self._nearest, identity, vector, embedder, limit, now)

    async def put(self, entry: Entry, *, max_entries: int) -> None:
        """Keep an entry, in place of the one with the same identity and text."""
        with self._lock:
            self._replace(entry.identity, entry.exact_text)
            key = next(self._keys)
            # The index holds the vector already.
            self._entries[key] = replace(entry, vector=None)
            self._by_text[entry.identity, entry.exact_text] = key
            self._by_id[entry.entry_id] = key
            if entry.vector is not None:
                self._indexes.setdefault(entry.embedder, VectorIndex()).add(key, entry.identity, entry.vector)
            self._evict(max_entries, entry.created_at)

    async def mark_used(self, entry_id: str, *, now: float) -> None:
        """Note that an entry was served; the order of use is what counts here, not the time."""
        with self._lock:
            if (key := self._by_id.get(entry_id)) is not None:
                self._entries.move_to_end(key)

    async def delete(self, entry_ids: Collection[str]) -> int:
        """Remove entries by id and return how many there were."""
        with self._lock:
            return self._remove([self._by_id[entry_id] for entry_id in set(entry_ids) if entry_id in self._by_id])

    async def add_alias(self, entry_id: str, alias: Alias) -> bool:
        """Let an entry be found by another wording, in place of what was kept under it, and say whether it is."""
        with self._lock:
            owner = self._by_id.get(entry_id)
            entry = None if owner is None else self._entries[owner]
            if owner is None or entry is None or (entry.identity, entry.exact_text) == (alias.identity, alias.exact_text):
                return False
            present = self._aliases_of.get(owner, [])
            again = self._by_text.get((alias.identity, alias.exact_text)) in present
            if entry.identity != alias.identity or (len(present) >= MAX_ALIASES and not again):
                return False
            self._replace(alias.identity, alias.exact_text)
            key = next(self._keys)
            self._aliases[key] = (owner, replace(alias, vector=None))
            self._aliases_of.setdefault(owner, []).append(key)
            self._by_text[alias.identity, alias.exact_text] = key
            if alias.vector is not None:
                self._indexes.setdefault(alias.embedder, VectorIndex()).add(key, alias.identity, alias.vector)
            return True

    async def refuse(self, entry_id: str, *, identity: str, exact_text: str) -> None:
        """Note in an entry that it does not answer a question, and remove the alias that it has for it."""
        with self._lock:
            if (key := self._by_id.get(entry_id)) is None:
                return
            entry = self._entries[key]
            if not entry.refuses(exact_text):
                known = (entry.refused + refusal_of(exact_text))[-REFUSED_CHARS:]
                self._entries[key] = replace(entry, refused=known)
            if (alias := self._by_text.get((identity, exact_text))) in self._aliases_of.get(key, []):
                self._remove_alias(alias)

    async def forget(self, *, documents: Collection[str] | None = None, tenant: str | None = None) -> int:
        """Remove the entries that stand on any of the documents and belong to the tenant; None does not restrict."""
        wanted = None if documents is None else set(documents)
        with self._lock:
            doomed = [
                key
                for key, entry in self._entries.items()
                if (tenant is None or entry.tenant == tenant)
                and (wanted is None or any(document["id"] in wanted for document in entry.documents))
            ]
            return self._remove(doomed)

    async def count(self) -> int:
        """Return how many entries are kept."""
        with self._lock:
            return len(self._entries)

    async def count_aliases(self) -> int:
        """Return how many further wordings the entries have."""
        with self._lock:
            return len(self._aliases)

    async def check(self) -> None:
        """Memory is always there."""

    def _nearest(self, identity: str, vector: Vector, embedder: str, limit: int, now: float) -> list[tuple[Entry, float]]:
        with self._lock:
            index = self._indexes.get(embedder)
            if index is None:
                return []
            while True:
                found = [(key, self._owner(key), cosine) for key, cosine in index.nearest(identity, vector, limit)]
                expired = {owner for _, owner, _ in found if self._entries[owner].is_expired(now)}
                if not expired:
                    return [(self._whole(key), cosine) for key, _, cosine in found]
                self._remove(expired)

    def _whole(self, key: int) -> Entry:
        entry = self._entries[self._owner(key)]
        if key in self._aliases:
            entry = entry.worded(self._aliases[key][1])
        index = self._indexes.get(entry.embedder)
        return entry if index is None else replace(entry, vector=index.vector(key))

    def _evict(self, max_entries: int, now: float) -> None:
        if len(self._entries) > max_entries:
            expired = [key for key, entry in self._entries.items() if entry.is_expired(now)]
            self.removals.expired += self._remove(expired)
        surplus = max(0, len(self._entries) - max_entries)
        self.removals.evicted += self._remove(list(itertools.islice(self._entries, surplus)))

    def _remove(self, keys: Collection[int]) -> int:
        for key in keys:
            for alias in [*self._aliases_of.get(key, [])]:
                self._remove_alias(alias)
            entry = self._entries.pop(key)
            self._by_text.pop((entry.identity, entry.exact_text), None)
            self._by_id.pop(entry.entry_id, None)
            if (index := self._indexes.get(entry.embedder)) is not None:
                index.remove([key])
        return len(keys)

    def _owner(self, key: int) -> int:
        return self._aliases[key][0] if key in self._aliases else key

    def _replace(self, identity: str, exact_text: str) -> None:
        """Remove what is kept under a text, be it an entry or an alias."""
        key = self._by_text.get((identity, exact_text))
        if key in self._aliases:
            self._remove_alias(key)
        elif key is not None:
            self._remove([key])

    def _remove_alias(self, key: int) -> None:
        owner, alias = self._aliases.pop(key)
        self._aliases_of[owner].remove(key)
        if not self._aliases_of[owner]:
            del self._aliases_of[owner]
        del self._by_text[alias.identity, alias.exact_text]
        if (index := self._indexes.get(alias.embedder)) is not None:
            index.remove([key])
