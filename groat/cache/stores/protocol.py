"""What the cache asks of a place that keeps entries."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from groat.cache.entry import Alias, Entry
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
    - After ``add_alias``, ``exact`` and ``nearest`` find the entry by the other wording too, as ``Entry.worded`` says. An alias
      has the entry's documents, expiry and fate: whatever removes the entry removes its aliases. No ``put`` counts them.
    - There is one entry or alias for an identity and text: a later ``put`` or ``add_alias`` replaces the earlier one.
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
        """Remove entries by id, with their aliases, and return how many entries there were."""
        ...

    async def add_alias(self, entry_id: str, alias: Alias) -> bool:
        """Let an entry be found by another wording, in place of what was kept under it, and say whether it is.

        It is not when there is no such entry of this identity, when the text is the entry's own, or when the entry has
        ``MAX_ALIASES`` others.
        """
        ...

    async def refuse(self, entry_id: str, *, identity: str, exact_text: str) -> None:
        """Note in an entry that it does not answer a question, and remove the alias that it has for it.

        An entry notes at least the last ``MAX_REFUSED`` questions. Does nothing for an unknown id.
        """
        ...

    async def forget(self, *, documents: Collection[str] | None = None, tenant: str | None = None) -> int:
        """Remove the entries that stand on any of the documents and belong to the tenant; return how many there were.

        None does not restrict: with both None everything is removed.
        """
        ...

    async def count(self) -> int:
        """Return how many entries are kept, expired ones that were not yet cleared away included."""
        ...

    async def count_aliases(self) -> int:
        """Return how many further wordings the entries have."""
        ...

    async def check(self) -> None:
        """Raise ``StorageError`` if the store cannot be read and written."""
        ...
