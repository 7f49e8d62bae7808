"""What is another wording of a kept question, and what only looks like one."""

import time
from collections.abc import Callable
from dataclasses import replace

from groat.cache.entry import Alias, Entry
from groat.cache.identity import exact_text, identity_key
from groat.cache.judged import Judged
from groat.cache.stores.protocol import AnswerStore
from groat.embedding import Vector
from groat.types import Asked, DocumentVersion, Identity

REFUSED = "refused"
"""The difference of a question that the entry was found not to answer."""


def without_refused(one: Judged[Entry], text: str) -> Judged[Entry]:
    """Return the verdict; a refusal when the entry was found not to answer the question of this exact text."""
    if not one.entry.refuses(text):
        return one
    candidate = one.candidate
    differences = sorted([*candidate["differences"], REFUSED])
    return replace(one, accepted=False, candidate={**candidate, "differences": differences})


def versions_agree(one: list[DocumentVersion], other: list[DocumentVersion]) -> bool:
    """Say whether two answers stand on the same state of what both stand on, and on something common unless on nothing."""
    first = {document["id"]: document["version"] for document in one}
    second = {document["id"]: document["version"] for document in other}
    both = first.keys() & second.keys()
    return all(first[name] == second[name] for name in both) and bool(both or not (first or second))


class Paraphrases:
    """Writes down in the store what comparing answers showed about two questions.

    Args:
        store: that of the cache.
        clock: seconds since the epoch.
    """

    def __init__(self, store: AnswerStore, *, clock: Callable[[], float] = time.time) -> None:
        """Keep the arguments; nothing is opened."""
        self._store = store
        self._clock = clock

    async def kept(self, identity: Identity, question: str) -> Entry | None:
        """Return the entry that a question, in the words that the cache showed, is kept in. Raises ``StorageError``."""
        return await self._store.exact(identity_key(identity), exact_text(question), now=self._clock())

    async def same(self, identity: Identity, asked: Asked, entry_id: str, *, vector: Vector | None, embedder: str) -> bool:
        """Let the entry be found by this question too; say whether it is. Raises ``StorageError``.

        An answer that was kept for the question itself gives way to it.
        """
        alias = Alias(
            identity=identity_key(identity),
            language=asked["language"],
            question=asked["text"],
            exact_text=exact_text(asked["text"]),
            vector=vector,
            embedder="" if vector is None else embedder,
        )
        return await self._store.add_alias(entry_id, alias)

    async def different(self, identity: Identity, asked: Asked, entry_id: str) -> None:
        """Keep the entry from ever answering this question. Raises ``StorageError``."""
        await self._store.refuse(entry_id, identity=identity_key(identity), exact_text=exact_text(asked["text"]))

    async def count(self) -> int:
        """Return how many further wordings are known. Raises ``StorageError``."""
        return await self._store.count_aliases()
