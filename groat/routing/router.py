"""The routing decision, with its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from groat.embedding import Vector
from groat.routing.artifact import RouterArtifact
from groat.routing.features import cues, surface
from groat.routing.kinds import question_kind
from groat.types import Asked, Passage, Route


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What retrieval tells about how hard the question is."""

    similarities: list[float]
    """Cosines of the passages, best first; empty without vectors."""
    documents: int
    """How many different documents they come from."""

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> "Evidence":
        """Read the evidence off the passages."""
        similarities = [passage["similarity"] for passage in passages if passage["similarity"] is not None]
        return cls(
            similarities=sorted(similarities, reverse=True),
            documents=len({passage["document_id"] for passage in passages}),
        )


class Router:
    """Sends a question to the cheap model when its answer is likely enough to be as good.

    Args:
        artifact: trained coefficients; None when they could not be loaded, then everything that is not small talk or a
            translation goes to the expensive model, and the reasons say so.
        embedder: name of the embedder in use; an artifact made with other vectors is not used.
    """

    def __init__(self, artifact: RouterArtifact | None, *, embedder: str) -> None:
        """Check that the artifact fits the vectors."""
        self._artifact = artifact if artifact is not None and artifact.embedder == embedder else None

    @property
    def version(self) -> str:
        """Version of the artifact in use, "none" without one."""
        return self._artifact.version if self._artifact else "none"

    def route(
        self,
        asked: Asked,
        vector: Vector | None,
        evidence: Evidence,
        *,
        tier: Literal["auto", "cheap", "expensive"],
        max_quality_loss: float,
    ) -> Route:
        """Return the tier for a question.

        Args:
            asked: the question.
            vector: vector of ``asked["search_text"]``; None when it could not be computed.
            evidence: what retrieval found.
            tier: "auto", or the caller's choice, which is always followed.
            max_quality_loss: largest mean loss of quality, 0..1, that the caller accepts.
        """
        kind = question_kind(asked["text"])
        route: Route = {
            "tier": "expensive",
            "kind": kind,
            "p_cheap_ok": None,
            "threshold": None,
            "reasons": [],
            "artifact": self.version,
        }
        if tier != "auto":
            return {**route, "tier": tier, "reasons": ["the caller chose the tier"]}
        if kind != "knowledge":
            return {**route, "tier": "cheap", "reasons": [f"{kind} needs no documents and no strong model"]}
        if self._artifact is None or vector is None:
            missing = "no trained router fits the embeddings in use" if self._artifact is None else "the question has no vector"
            return {**route, "reasons": [missing]}
        seen = surface(
            asked["text"],
            history_turns=len(asked["history"]),
            similarities=evidence.similarities,
            documents=evidence.documents,
        )
        probability = self._artifact.p_cheap_ok(seen, vector)
        threshold = self._artifact.threshold(max_quality_loss)
        return {
            **route,
            "tier": "cheap" if probability >= threshold else "expensive",
            "p_cheap_ok": round(probability, 4),
            "threshold": round(threshold, 4),
            "reasons": [f"cue: {name}" for name in cues(asked["text"])],
        }


def promised(route: Route) -> bool:
    """Tell whether the router chose the cheap model under its own promise, and not because it had to."""
    p_ok, least = route["p_cheap_ok"], route["threshold"]
    return p_ok is not None and least is not None and p_ok >= least
