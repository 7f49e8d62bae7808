"""The routing decision, with its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from groat.embedding import Vector
from groat.routing.artifact import Estimate, Population, RouterArtifact
from groat.routing.estimator import Sight
from groat.routing.features import cues, surface
from groat.routing.kinds import question_kind
from groat.text import count_tokens
from groat.types import Asked, Passage, Route, Shadow


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What retrieval tells about how hard the question is."""

    similarities: list[float]
    """Cosines of the passages, best first; empty without vectors."""
    documents: int
    """How many different documents were found, with or without vectors."""
    tokens: int = 0
    """Of their texts."""

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> "Evidence":
        """Read the evidence off the passages."""
        similarities = [passage["similarity"] for passage in passages if passage["similarity"] is not None]
        return cls(
            similarities=sorted(similarities, reverse=True),
            documents=len({passage["document_id"] for passage in passages}),
            tokens=sum(count_tokens(passage["text"]) for passage in passages),
        )


class Router:
    """Sends a question to the cheap model when what the expensive one would add is small enough for the promise.

    Args:
        artifact: what was trained; None when it could not be loaded, then everything that is not small talk or a
            translation goes to the expensive model, and the reasons say so.
        embedder: name of the embedder in use; an artifact made with other vectors is not used.
        shadow: another artifact, whose decision is recorded beside and never followed.
        shipped: decides on the kinds of questions that an artifact was fitted on too few of; None for nobody.
    """

    def __init__(
        self,
        artifact: RouterArtifact | None,
        *,
        embedder: str,
        shadow: RouterArtifact | None = None,
        shipped: RouterArtifact | None = None,
    ) -> None:
        """Check that the artifacts fit the vectors."""
        self._vectors = embedder
        self._shipped = shipped if shipped is not None and shipped.embedder == embedder else None
        self._artifact: RouterArtifact | None = None
        self._shadow = shadow if shadow is not None and shadow.embedder == embedder else None
        self._use(artifact)

    def _use(self, artifact: RouterArtifact | None) -> None:
        self._artifact = artifact if artifact is not None and artifact.embedder == self._vectors else None

    @property
    def version(self) -> str:
        """Version of the artifact in use, "none" without one."""
        return self._artifact.version if self._artifact else "none"

    @property
    def shadow(self) -> str:
        """Version of the artifact whose decision is recorded beside, "" without one."""
        return self._shadow.version if self._shadow else ""

    async def refresh(self) -> None:
        """Take over another artifact where one was promoted; a router of its own has none to take over."""

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
        """Return the tier for a question.

        Args:
            asked: the question.
            vector: vector of ``asked["search_text"]``; None when it could not be computed.
            evidence: what retrieval found.
            tier: "auto", or the caller's choice, which is always followed.
            max_quality_loss: largest mean loss of quality, 0..1, that the caller accepts.
            domain: the application's collection or subject, if it has any.
        """
        kind = question_kind(asked["text"])
        # Read once: another may be promoted while this question is decided on.
        artifact = self._artifact
        route: Route = {
            "tier": "expensive",
            "kind": kind,
            "p_cheap_ok": None,
            "threshold": None,
            "reasons": [],
            "artifact": artifact.version if artifact else "none",
        }
        if tier != "auto":
            return {**route, "tier": tier, "reasons": ["the caller chose the tier"]}
        if kind != "knowledge":
            return {**route, "tier": "cheap", "reasons": [f"{kind} needs no documents and no strong model"]}
        if artifact is None or vector is None:
            missing = "no trained router fits the embeddings in use" if artifact is None else "the question has no vector"
            return {**route, "reasons": [missing]}
        population: Population = "grounded" if evidence.documents else "open"
        look = surface(
            asked["text"],
            history_turns=len(asked["history"]),
            similarities=evidence.similarities,
            documents=evidence.documents,
        )
        seen = Sight.of(asked["text"], look, vector.astype("float64"), domain)
        blind = bool(evidence.documents) and not evidence.similarities
        # A fit on questions of one kind must not forget what is known of the others.
        chosen = artifact.or_else(self._shipped, population, asked["language"])
        decided = _decided(chosen, seen, population, asked, max_quality_loss, blind=blind)
        if self._shadow is not None:
            candidate = self._shadow.or_else(self._shipped, population, asked["language"])
            other = _decided(candidate, seen, population, asked, max_quality_loss, blind=blind)
            shadow: Shadow = {"artifact": self._shadow.version, "tier": other["tier"], "p_cheap_ok": other["p_cheap_ok"]}
            decided = {**decided, "shadow": shadow}
        if "unproven" in decided:
            decided["document_tokens"] = evidence.tokens
        return {**decided, "kind": kind, "reasons": [*decided["reasons"], *(f"cue: {name}" for name in cues(asked["text"]))]}


def _decided(
    artifact: RouterArtifact, seen: Sight, population: Population, asked: Asked, max_quality_loss: float, *, blind: bool
) -> Route:
    expected = artifact.estimate(seen, population, asked["language"])
    if blind:
        # How near the documents are was known of all questions that it learned from.
        expected = replace(expected, known=False)
    most = artifact.most_gain(max_quality_loss, population=population, language=asked["language"])
    # Above 1 when nothing may go to the cheap model.
    threshold = 1.01 if most is None or not expected.known else artifact.as_good(most)
    cheap = most is not None and expected.known and expected.gain <= most
    decided: Route = {
        "tier": "cheap" if cheap else "expensive",
        "kind": "knowledge",
        # Rounding must not turn the decision round.
        "p_cheap_ok": round(max(expected.p_as_good, threshold) if cheap else min(expected.p_as_good, threshold - 1e-6), 6),
        "threshold": round(threshold, 6),
        "reasons": _reasons(artifact, expected, most, population, asked, max_quality_loss),
        "artifact": artifact.version,
        "p_cheap": round(expected.p_cheap, 4),
        "p_expensive": round(expected.p_expensive, 4),
        "gain": round(expected.gain, 4),
    }
    return {**decided, "unproven": True} if population == "grounded" and not expected.known else decided


def _reasons(
    artifact: RouterArtifact,
    expected: Estimate,
    most: float | None,
    population: Population,
    asked: Asked,
    max_quality_loss: float,
) -> list[str]:
    """Return why no estimate could send the question to the cheap model; empty when one could."""
    if most is None:
        proof = artifact.proofs.get((population, asked["language"]))
        return [
            f"no point is proven to lose at most {max_quality_loss:.2%}: "
            f"{proof.rows if proof else 0} labelled questions of this kind are too few or too hard"
        ]
    return [] if expected.known else ["it is unlike the questions that the router learned from"]


def promised(route: Route) -> bool:
    """Tell whether the router chose the cheap model under its own promise, and not because it had to."""
    p_ok, least = route["p_cheap_ok"], route["threshold"]
    return p_ok is not None and least is not None and p_ok >= least
