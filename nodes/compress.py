"""Shorten the passages to what the question needs."""

import json
from dataclasses import asdict, dataclass
from functools import partial
from typing import cast

from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from groat.answering import Answerer, ChatPruner, Endpoint
from groat.compression import Compressor, Pruned, ask_pruner, full
from groat.costs import Books, Budgets, KeptReply, Purse
from groat.embedding import Embedder
from groat.knowledge import Knowledge
from groat.tracing import names
from groat.types import Asked, Charge, Passage, Route, Shortened, Tier, Verdict
from groat.validation import tier_after
from nodes import Knobs, paid_terms

LOSS_SHARE = 2.0
"""Lost answers that compression may cause, for each unit of quality that may be lost: what validation finds missing is tried
again on the full context, and half of it is assumed to come back that way (assumed, not measured: no real model was asked)."""
MOST_LOSS = 0.05
"""Most lost answers, whatever was promised: from there on one more of them saves less than a question that the cheap model is
asked instead (the last 5 points of loss are worth 10 % of the tokens of the documents)."""


USUALLY_KEPT = 0.4
"""Share of the tokens that is left on average, between the promises of 1 and 5 %."""


def most_loss(max_quality_loss: float) -> float:
    """Return the largest share of questions, 0..1, whose answer compression may lose under a promise."""
    return min(LOSS_SHARE * max_quality_loss, MOST_LOSS)


def lost_for_good(max_quality_loss: float) -> float:
    """Return what of that is assumed not to come back: what compression spends of the promise."""
    return most_loss(max_quality_loss) / LOSS_SHARE


class Needs(TypedDict):
    """What this box reads."""

    run: str
    asked_at: float
    asked: Asked
    passages: list[Passage]
    route: Route
    verdicts: list[Verdict]
    charges: list[Charge]


class Update(TypedDict):
    """What this box writes."""

    shortened: Shortened
    charges: list[Charge]
    path: list[str]


@dataclass(frozen=True, kw_only=True)
class Compress:
    """The box ``compress``."""

    compressor: Compressor
    knowledge: Knowledge
    embedder: Embedder
    answerer: Answerer
    books: Books
    budgets: Budgets
    pruner: Endpoint | None
    """A small model that says which sentences are needed; None leaves it to the learned order."""

    async def __call__(self, state: Needs, runtime: Runtime[Knobs]) -> Update:
        """Return the shortened context, or the full one once validation asked for it."""
        steps = [verdict["step"] for verdict in state["verdicts"]]
        charges: list[Charge] = []
        if "decompress" in steps:
            shortened = full(state["passages"], reason="an answer from the shortened context lacked support")
        else:
            shortened, charges = await self._shortened(state, runtime, tier_after(state["route"]["tier"], steps))
        runtime.stream_writer(
            {
                names.EVENT: names.COMPRESSED,
                "tokens_before": shortened["tokens_before"],
                "tokens_after": shortened["tokens_after"],
                "level": shortened["level"],
                "reason": shortened["reason"],
            }
        )
        return {"shortened": shortened, "charges": charges, "path": ["compress"]}

    async def _shortened(self, state: Needs, runtime: Runtime[Knobs], tier: Tier) -> tuple[Shortened, list[Charge]]:
        shorten = partial(
            self.compressor.shorten,
            state["asked"],
            state["passages"],
            tier=tier,
            max_loss=most_loss(runtime.context.max_quality_loss),
            question_vector=await self.embedder.query(state["asked"]["search_text"]),
            sentence_vectors=await self.knowledge.sentence_vectors(state["passages"]),
        )
        shortened = shorten()
        if self.pruner is None or shortened["tokens_after"] >= shortened["tokens_before"]:
            # Nothing goes, so there is nothing to choose from.
            return shortened, []
        pruned, charges = await self._asked(self.pruner, state, runtime, tier)
        return shorten(pruned=pruned), charges

    async def _asked(
        self, endpoint: Endpoint, state: Needs, runtime: Runtime[Knobs], tier: Tier
    ) -> tuple[Pruned, list[Charge]]:
        """Return what the small model says, and what each of its requests cost."""
        key = f"{state['run']}:compress:{len(state['verdicts'])}"
        if (kept := await self.books.kept_reply(key)) is not None:
            # A worker died after this was paid for and before the state was saved.
            said = json.loads(kept)
            return Pruned(**said["pruned"]), cast(list[Charge], said["charges"])
        asked, deadline_s = state["asked"], runtime.context.deadline_s
        purse = Purse(
            self.books,
            self.budgets,
            run=state["run"],
            tenant=asked["tenant"],
            box="compress",
            tier=tier,
            spent=state["charges"],
            max_cost_usd=runtime.context.max_cost_usd,
            purpose="compress",
        )
        terms = paid_terms(key, endpoint, purse, asked_at=state["asked_at"], deadline_s=deadline_s)
        pruner = ChatPruner(answerer=self.answerer, endpoint=endpoint, asked=asked, terms=terms, tier=tier)
        pruned = await ask_pruner(pruner, asked["search_text"], state["passages"], timeout_s=deadline_s)
        if purse.charges:
            reply = KeptReply(key=key, json=json.dumps({"pruned": asdict(pruned), "charges": purse.charges}))
            await self.books.record([], run=state["run"], tenant=asked["tenant"], reply=reply)
        return pruned, purse.charges
