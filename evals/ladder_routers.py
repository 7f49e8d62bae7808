"""Routers of the ladder: one that is told of documents which a day counts and does not list, and none at all."""

from collections.abc import Callable
from typing import Any

from groat.embedding import Vector
from groat.routing import Evidence, Router
from groat.types import Asked, Route


class Unlisted(Router):
    """Tells the router that documents were found where the row counts them and does not list them."""

    def __init__(self, inside: Router, unlisted: Callable[[], int]) -> None:
        """Decide nothing itself; ``unlisted`` says how many tokens of the row under way are documents that it does not list."""
        self._inside = inside
        self._unlisted = unlisted

    @property
    def version(self) -> str:
        """Version of the router inside."""
        return self._inside.version

    async def refresh(self) -> None:
        """Let the router inside look for a promotion."""
        await self._inside.refresh()

    def route(self, asked: Asked, vector: Vector | None, evidence: Evidence, **terms: Any) -> Route:
        """Return what the router inside decides, of documents whose nearness nobody knows where they are not listed."""
        if not evidence.documents and (tokens := self._unlisted()):
            evidence = Evidence(similarities=[], documents=1, tokens=tokens)
        return self._inside.route(asked, vector, evidence, **terms)


class CheapFirst(Router):
    """No router: the cheap model answers first, without a promise, and what validation thinks of it decides alone."""

    def __init__(self, embedder: str) -> None:
        """Need no artifact."""
        super().__init__(None, embedder=embedder)

    def route(self, asked: Asked, vector: Vector | None, evidence: Evidence, **terms: Any) -> Route:
        """Return the cheap tier, whatever is asked."""
        told = super().route(asked, vector, evidence, **{**terms, "tier": "cheap"})
        return {**told, "reasons": ["no router: the cheap model answers first"]}
