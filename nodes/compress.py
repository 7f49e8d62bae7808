"""Shorten the passages to what the question needs."""

from dataclasses import dataclass

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.compression import Compressor, full
from groat.embedding import Embedder
from groat.knowledge import Knowledge
from groat.tracing import names
from groat.types import Asked, Passage, Route, Shortened, Verdict
from groat.validation import tier_after
from nodes import Knobs

LOSS_SHARE = 2.0
"""Lost answers that compression may cause, for each unit of quality that may be lost: what validation finds missing is tried
again on the full context, and half of it is assumed to come back that way (assumed, not measured: no real model was asked)."""


class Needs(TypedDict):
    """What this box reads."""

    asked: Asked
    passages: list[Passage]
    route: Route
    verdicts: list[Verdict]


class Update(TypedDict):
    """What this box writes."""

    shortened: Shortened
    path: list[str]


@dataclass(frozen=True, kw_only=True)
class Compress:
    """The box ``compress``."""

    compressor: Compressor
    knowledge: Knowledge
    embedder: Embedder

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the shortened context, or the full one once validation asked for it."""
        steps = [verdict["step"] for verdict in state["verdicts"]]
        if "decompress" in steps:
            shortened = full(state["passages"], reason="an answer from the shortened context lacked support")
        else:
            tier = tier_after(state["route"]["tier"], steps)
            shortened = self.compressor.shorten(
                state["asked"],
                state["passages"],
                tier=tier,
                max_loss=LOSS_SHARE * runtime.context.max_quality_loss,
                question_vector=await self.embedder.query(state["asked"]["search_text"]),
                sentence_vectors=await self.knowledge.sentence_vectors(state["passages"]),
            )
        runtime.stream_writer(
            {
                names.EVENT: names.COMPRESSED,
                "tokens_before": shortened["tokens_before"],
                "tokens_after": shortened["tokens_after"],
                "level": shortened["level"],
                "reason": shortened["reason"],
            }
        )
        return {"shortened": shortened, "path": ["compress"]}
