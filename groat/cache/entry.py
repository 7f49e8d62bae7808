"""What the cache keeps: a question with the answer that served it and everything that answer stands on."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

from typing_extensions import TypedDict

from groat.cache.identity import exact_text, identity_key
from groat.embedding import Vector
from groat.types import Asked, CachedAnswer, DocumentVersion, Identity, Language, Served, Source, Tier

MAX_ALIASES: Final = 8
"""Further wordings of one entry: each has a vector, and eight cover all that is asked of one thing but rarely."""
MAX_REFUSED: Final = 64
"""Questions that an entry remembers not to answer; beyond it the first ones are forgotten, and may be refused anew."""
_HASH_CHARS = 16
REFUSED_CHARS: Final = MAX_REFUSED * (_HASH_CHARS + 1)


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
    alias: bool = False
    """It was found by another wording of its question: question, exact text, language and vector are those of the wording."""
    refused: str = ""
    """Hashes of the questions that it was found not to answer, oldest first; no text."""

    def is_expired(self, now: float) -> bool:
        """Say whether the entry may no longer be served at ``now``."""
        return self.expires_at is not None and self.expires_at <= now

    def refuses(self, text: str) -> bool:
        """Say whether the entry was found not to answer the question of this exact text."""
        return refusal_of(text) in self.refused

    def worded(self, alias: "Alias") -> "Entry":
        """Return the entry as it is found by another wording."""
        return replace(
            self,
            language=alias.language,
            question=alias.question,
            exact_text=alias.exact_text,
            vector=alias.vector,
            embedder=alias.embedder,
            alias=True,
        )

    def stands_on(self) -> Served:
        """Return what explains a hit on this entry afterwards, when the entry may be gone."""
        return {
            "question": self.question,
            "kept_at": self.created_at,
            "tier": self.tier,
            "documents": [*self.documents],
        }

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


@dataclass(frozen=True)
class Alias:
    """Another wording of a kept question, verified to be answered by the same answer."""

    identity: str
    """``identity_key``, that of the entry."""
    language: Language
    question: str
    exact_text: str
    vector: Vector | None = field(compare=False)
    embedder: str
    """Name of the embedder that made ``vector``; empty without one."""


def refusal_of(exact_text: str) -> str:
    """Return what an entry remembers of a question that it does not answer: a hash, and a space."""
    return hashlib.sha256(exact_text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS] + " "


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
