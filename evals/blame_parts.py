"""Parts of the graph that can be told to fail: documents, cache rule, router, compressor and the estimate of cheap answers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeVar

from groat.cache.accept import AcceptRule
from groat.cache.judged import Judged, Kept
from groat.compression import Compressor, LearnedStop
from groat.compression.blocks import text_of
from groat.compression.selection import subset, tokens_of
from groat.embedding import Matrix, Vector
from groat.knowledge import KnowledgeBase
from groat.routing import Router, question_kind
from groat.routing.router import Evidence
from groat.text import fold
from groat.types import Asked, Passage, Route, Shortened, Tier
from groat.validation import AcceptanceModel

K = TypeVar("K", bound=Kept)


class PlantedKnowledge:
    """A knowledge base of which one question's search can go wrong, and which may not notice that documents change."""

    def __init__(self, base: KnowledgeBase) -> None:
        """Begin with a base that works."""
        self.base = base
        self.hidden: dict[str, Collection[str]] = {}
        """By question: documents that its search does not find."""
        self.stuck: dict[str, str] = {}
        """Versions that are told in place of the true ones."""

    async def search(self, question: str, *, tenant: str, k: int = 8, max_tokens: int = 2000) -> list[Passage]:
        """Return passages, without those that are hidden from this question."""
        hidden = self.hidden.get(question, ())
        more = 3 if hidden else 1
        found = await self.base.search(question, tenant=tenant, k=k * more, max_tokens=max_tokens * more)
        seen = [passage for passage in found if passage["document_id"] not in hidden]
        return seen[: max(2, len(seen) // more)] if hidden else seen

    async def versions(self, document_ids: Collection[str], *, tenant: str) -> dict[str, str]:
        """Return the versions, those that are stuck as they were."""
        found = await self.base.versions(document_ids, tenant=tenant)
        return {name: self.stuck.get(name, version) for name, version in found.items()}

    async def sentence_vectors(self, passages: Sequence[Passage]) -> list[Matrix | None]:
        """Ask the base."""
        return await self.base.sentence_vectors(passages)

    async def tenants(self) -> set[str]:
        """Ask the base."""
        return await self.base.tenants()

    async def count(self, tenant: str) -> tuple[int, int]:
        """Ask the base."""
        return await self.base.count(tenant)

    async def check(self) -> None:
        """Ask the base."""
        await self.base.check()


class PlantedRule(AcceptRule):
    """An accept rule that takes some pairs of questions for the same."""

    def __init__(self, embedder: str) -> None:
        """Take none for the same yet."""
        super().__init__(None)
        self._vectors = embedder
        self.taken: set[tuple[str, str]] = set()
        """Question asked, kept question."""

    @property
    def embedder(self) -> str:
        """Whose vectors are compared."""
        return self._vectors

    @property
    def version(self) -> str:
        """Name of the rule."""
        return "planted"

    def threshold(self, asked: Asked, *, max_wrong: float | None = None, category: str = "") -> float | None:
        """Return the cosine that is said to be needed."""
        return 0.9

    async def judge(
        self, asked: Asked, nearest: Sequence[tuple[K, float]], *, max_wrong: float | None = None, category: str = ""
    ) -> list[Judged[K]]:
        """Accept the pairs that are taken for the same."""
        return [
            Judged(
                entry,
                {"entry_id": entry.entry_id, "question": entry.question, "similarity": 0.95, "differences": []},
                accepted=(asked["text"], entry.question) in self.taken,
            )
            for entry, _ in nearest
        ]


class PlantedRouter(Router):
    """A router that sends questions where it is told, always sure of itself."""

    def __init__(self) -> None:
        """Send everything to the cheap model."""
        self.tiers: dict[str, Tier] = {}
        self.p_cheap_ok = 0.95
        """What it says of a question that it sends to the cheap model."""

    async def refresh(self) -> None:
        """There is nothing to take over."""

    def route(
        self,
        asked: Asked,
        vector: Vector | None,
        evidence: Evidence,
        *,
        tier: Literal["auto", "cheap", "expensive"],
        max_quality_loss: float,
        domain: str = "",
    ) -> Route:
        """Return the planted route."""
        chosen = self.tiers.get(asked["text"], "cheap")
        return {
            "tier": chosen if tier == "auto" else tier,
            "kind": question_kind(asked["text"]),
            "p_cheap_ok": round(self.p_cheap_ok, 4) if chosen == "cheap" else 0.6,
            "threshold": 0.9,
            "reasons": [],
            "artifact": "planted",
        }


class PlantedCompressor(Compressor):
    """A compressor that drops sentences it should have kept."""

    def __init__(self) -> None:
        """Drop nothing yet."""
        super().__init__(LearnedStop.load())
        self.dropped: dict[str, list[str]] = {}
        """By question: strings whose sentences are left out."""

    def shorten(self, asked: Asked, passages: Sequence[Passage], **wanted: Any) -> Shortened:
        """Return what the real compressor keeps, without what is dropped."""
        shortened = super().shorten(asked, passages, **wanted)
        if not (strings := self.dropped.get(asked["text"])):
            return shortened
        left = []
        for passage in shortened["passages"]:
            kept = {
                number
                for number in range(len(passage["sentences"]))
                if not any(fold(string) in fold(text_of(passage, number)) for string in strings)
            }
            left += [subset(passage, kept)] if kept else []
        return {**shortened, "passages": left, "tokens_after": tokens_of(left), "level": "cheap"}


class PlantedAcceptance(AcceptanceModel):
    """An estimate of cheap answers that is far too strict, or never stands in the way."""

    def __init__(self) -> None:
        """Let everything pass."""
        super().__init__({}, version="planted")
        self.strict = False

    def judge(self, evidence: Mapping[str, float], *, grounded: bool, max_quality_loss: float) -> tuple[float, float | None]:
        """Return p_ok and the least that is accepted."""
        return (0.35 if self.strict else 0.9), 0.8

    def chance(self, p_now: float, threshold: float | None, *, grounded: bool) -> float:
        """Nobody is asked for an opinion."""
        return 0.0
