"""What the cache keeps: a question with the answer that served it and everything that answer stands on."""

import hashlib
from dataclasses import dataclass, field

from typing_extensions import TypedDict

from groat.cache.identity import exact_text, identity_key
from groat.embedding import Vector
from groat.types import Asked, CachedAnswer, DocumentVersion, Identity, Language, Source, Tier


class NewAnswer(TypedDict):
    """A validated, complete answer that is offered to the cache."""

    answer: str
    sources: list[Source]
    """The documents that the answer quotes."""
    documents: list[DocumentVersion]
    """All documents that were sent to the model, quoted or not, in the versions that were sent."""
    tier: Tier
    baseline_cost_usd: str | None
    """What the all-expensive baseline would have paid, decimal dollars; None when a price is unknown."""


@dataclass(frozen=True)
class Entry:
    """One kept answer, as the stores hold it. Times are seconds since the epoch."""

    entry_id: str
    """Unique per remembering: an answer that is replaced gets another id."""
    identity: str
    """``identity_key`` of the identity it was answered under."""
    tenant: str
    language: Language
    """Language of the question."""
    question: str
    exact_text: str
    answer: str
    sources: list[Source]
    documents: list[DocumentVersion]
    tier: Tier
    baseline_cost_usd: str | None
    vector: Vector | None = field(compare=False)
    """Unit vector of the question; None for an entry that only an equal question may hit."""
    embedder: str
    """Name of the embedder that made ``vector``; empty without one."""
    created_at: float
    expires_at: float | None
    """Absolute; None when the entry does not grow old."""

    def is_expired(self, now: float) -> bool:
        """Say whether the entry may no longer be served at ``now``."""
        return self.expires_at is not None and self.expires_at <= now

    def served(self) -> CachedAnswer:
        """Return what is handed to the caller on a hit."""
        return {
            "entry_id": self.entry_id,
            "question": self.question,
            "answer": self.answer,
            "sources": [*self.sources],
            "documents": [*self.documents],
            "tier": self.tier,
            "baseline_cost_usd": self.baseline_cost_usd,
        }


def new_entry(
    identity: Identity,
    asked: Asked,
    answer: NewAnswer,
    *,
    vector: Vector | None,
    embedder: str,
    now: float,
    ttl_s: float | None,
) -> Entry:
    """Return the entry for an answer given at ``now`` that lives for ``ttl_s`` seconds, or for ever when that is None."""
    key, text = identity_key(identity), exact_text(asked["text"])
    unique = f"{key}\n{text}\n{now!r}\n{answer['answer']}".encode("utf-8", "surrogatepass")
    return Entry(
        entry_id=hashlib.sha256(unique).hexdigest()[:32],
        identity=key,
        tenant=identity["tenant"],
        language=asked["language"],
        question=asked["text"],
        exact_text=text,
        answer=answer["answer"],
        sources=[*answer["sources"]],
        documents=[*answer["documents"]],
        tier=answer["tier"],
        baseline_cost_usd=answer["baseline_cost_usd"],
        vector=vector,
        embedder=embedder if vector is not None else "",
        created_at=now,
        expires_at=None if ttl_s is None else now + ttl_s,
    )
