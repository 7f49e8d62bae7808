"""What the graph asks of a source of knowledge."""

from collections.abc import Collection, Sequence
from typing import Protocol

from groat.embedding import Matrix
from groat.types import Passage


class Knowledge(Protocol):
    """Finds passages of documents.

    Laws: ``search`` gives only the tenant's passages, best first, at most ``k`` of them, at most ``max_tokens`` of text
    unless the first alone is longer, and nothing for an unknown tenant; the document and version of each passage found are
    in ``versions`` until the document changes; ``sentence_vectors`` gives one row per sentence or None.
    """

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        """Return the passages that fit a question, best first."""
        ...

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        """Return for each passage the vectors of its sentences, in order; None where they are not known."""
        ...

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        """Return the current version of each document; a document that is gone is absent."""
        ...

    async def tenants(self) -> set[str]:
        """Return the tenants that have documents."""
        ...

    async def count(self, tenant: str) -> tuple[int, int]:
        """Return how many documents and sentences a tenant has."""
        ...

    async def check(self) -> None:
        """Return when searches can be served.

        Raises:
            StorageError: they cannot; the message says what to do.
        """
        ...
