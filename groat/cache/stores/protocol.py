"""What the cache asks of a place that keeps entries."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from groat.cache.entry import Entry
from groat.embedding import Vector


@dataclass
class Removals:
    """How many entries a store of this process removed to make place, and nobody has counted yet."""

    expired: int = 0
    evicted: int = 0

    def take(self) -> tuple[int, int]:
        """Return the two numbers and begin anew."""
        taken = self.expired, self.evicted
        self.expired -= taken[0]
        self.evicted -= taken[1]
        return taken


class AnswerStore(Protocol):
    """Keeps entries. Every method may raise ``StorageError``; nothing is opened before the first call.

    The laws, which ``tests/contract/test_answer_store.py`` checks on every store:

    - ``put`` then ``exact`` with the same identity and text returns an equal entry until it expires, is deleted or evicted.
    - There is one entry for an identity and text: a later ``put`` replaces the earlier one, also for ``nearest``.
    - ``exact`` and ``nearest`` return only entries of exactly the given identity, and never an expired one.
    - ``nearest`` compares only vectors of the named embedder; best first, ties in no stated order.
    - A deleted or forgotten entry is never returned again, whichever process removed it.
    - What ``put`` removes to make place is added to ``removals``.
    - After ``put``, at most ``max_entries`` entries are kept; expired ones go first, then those used longest ago.
    """

    @property
    def removals(self) -> Removals:
        """What was removed to make place."""
        ...

    async def exact(self, identity: str, exact_text: str, *, now: float) -> Entry | None:
        """Return the entry for this identity and text, None without one."""
        ...

    async def nearest(
        self, identity: str, vector: Vector, *, embedder: str, limit: int, now: float
    ) -> list[tuple[Entry, float]]:
        """Return up to ``limit`` entries of one identity with their cosine to ``vector``, highest first."""
        ...

    async def put(self, entry: Entry, *, max_entries: int) -> None:
        """Keep an entry, in place of the one with the same identity and text."""
        ...

    async def mark_used(self, entry_id: str, *, now: float) -> None:
        """Note that an entry was served, for eviction only: its expiry stays. Does nothing for an unknown id."""
        ...

    async def delete(self, entry_ids: Collection[str]) -> int:
        """Remove entries by id and return how many there were."""
        ...

    async def forget(self, *, documents: Collection[str] | None = None, tenant: str | None = None) -> int:
        """Remove the entries that stand on any of the documents and belong to the tenant; return how many there were.

        None does not restrict: with both None everything is removed.
        """
        ...

    async def count(self) -> int:
        """Return how many entries are kept, expired ones that were not yet cleared away included."""
        ...

    async def check(self) -> None:
        """Raise ``StorageError`` if the store cannot be read and written."""
        ...
