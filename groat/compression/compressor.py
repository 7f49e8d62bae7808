"""Shorten the retrieved passages to an exact, ordered subset of their sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groat.compression.context import Context
from groat.compression.pruning import Pruned
from groat.compression.selection import MOST_OVER, select, subset, tokens_of
from groat.compression.stopping import Order, Population, Stop
from groat.embedding import Matrix, Vector
from groat.errors import BadInput
from groat.types import Asked, Passage, Shortened, Tier

LEAST_SAVING = 16
"""Tokens; a shorter context than the whole by less than this is not worth what it may lose."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be kept, with what decided it."""

    context: Context
    order: Order
    kept: list[set[int]]
    """Numbers of the sentences, one set a passage."""
    budget: int
    """Tokens that could be kept."""
    reason: str


class Compressor:
    """Keeps as many tokens as the promise needs for this question, and never less than a floor.

    Args:
        stop: puts the sentences in order and says how much must be kept.
        min_tokens: floor; a context of no more tokens than this is sent as it is.
        min_share: floor as a share of the tokens, 0..1.

    Raises:
        BadInput: a floor is out of its range.
    """

    def __init__(self, stop: Stop, *, min_tokens: int = 160, min_share: float = 0.0) -> None:
        """Keep the arguments."""
        if min_tokens < 0 or not 0 <= min_share <= 1:
            raise BadInput(f"min_tokens must be 0 or more and min_share 0 to 1, not {min_tokens} and {min_share}")
        self._stop = stop
        self._min_tokens = min_tokens
        self._min_share = min_share

    @property
    def version(self) -> str:
        """Version of the stop rule in force."""
        return self._stop.version

    def shorten(
        self,
        asked: Asked,
        passages: Sequence[Passage],
        *,
        tier: Tier,
        max_loss: float | None,
        max_tokens: int | None = None,
        question_vector: Vector | None = None,
        sentence_vectors: Sequence[Matrix | None] = (),
        pruned: Pruned | None = None,
    ) -> Shortened:
        """Return the passages with the sentences that matter, in their order. Never empty when ``passages`` is not.

        Args:
            asked: the question.
            passages: what retrieval found, best first.
            tier: whose budget applies: a token saved on the expensive tier is worth more, so it gets the smaller share.
            max_loss: largest share of questions, 0..1, whose answer may be lost by shortening; None to fill ``max_tokens``.
            max_tokens: budget, at least 1; it wins over the floor and over ``max_loss``. A sentence is never cut, so one that
                is longer than the budget is sent alone.
            question_vector: vector of ``asked["search_text"]``; None to rank by words alone.
            sentence_vectors: one matrix per passage, a row for each of its sentences; None for a passage without vectors.
            pruned: what a model said of the same passages; it chooses which sentences fill what the stop rule asks for.

        Raises:
            BadInput: neither a loss nor a budget is given, or one is out of its range.
        """
        before = tokens_of(passages)
        plan = self.plan(
            asked, passages, tier=tier, max_loss=max_loss, max_tokens=max_tokens, before=before,
            question_vector=question_vector, sentence_vectors=sentence_vectors, pruned=pruned,
        )  # fmt: skip
        if isinstance(plan, str):
            if not passages:
                return {"passages": [], "tokens_before": 0, "tokens_after": 0, "level": "none", "reason": plan}
            return full(passages, reason=plan)
        shorter = [subset(passage, plan.kept[i]) for i, passage in enumerate(passages) if plan.kept[i]]
        after = tokens_of(shorter)
        over = f"; {after} tokens, since a sentence, table or block of code is never cut" if after > plan.budget else ""
        return {
            "passages": shorter,
            "tokens_before": before,
            "tokens_after": after,
            "level": tier,
            "reason": f"{plan.reason}{over}",
        }

    def plan(
        self,
        asked: Asked,
        passages: Sequence[Passage],
        *,
        tier: Tier,
        max_loss: float | None,
        max_tokens: int | None = None,
        before: int | None = None,
        question_vector: Vector | None = None,
        sentence_vectors: Sequence[Matrix | None] = (),
        pruned: Pruned | None = None,
    ) -> Plan | str:
        """Return what ``shorten`` keeps, or the reason why it leaves everything as it is; the arguments are the same.

        ``before`` is the number of tokens, where it is known.
        """
        _check(max_loss, max_tokens)
        before = tokens_of(passages) if before is None else before
        if not passages:
            return "no documents"
        if before <= self._min_tokens and (max_tokens is None or before <= max_tokens):
            return f"{before} tokens are too few to shorten"
        if max_tokens is not None and before <= max_tokens and max_loss is None:
            return f"{before} tokens fit into the budget of {max_tokens}"
        context = Context.take_apart(asked["search_text"], asked["language"], passages, question_vector, sentence_vectors)
        if not context.texts:
            return "no sentences"
        order = self._stop.order(context)
        share, promise = 1.0, ""
        if max_loss is not None:
            population: Population = "foreign" if any(one["similarity"] is None for one in passages) else "indexed"
            found = self._stop.needed(order, population=population, tier=tier, max_loss=max_loss)
            if found is None and max_tokens is None:
                return f"no measured share keeps the loss within {max_loss:.1%}"
            share = 1.0 if found is None else found
            promise = f"for at most {max_loss:.1%} lost answers"
        budget = max(int(share * before), self._min_tokens, int(self._min_share * before))
        reason = f"{min(budget / before, 1):.0%} kept {promise}"
        if max_tokens is not None and max_tokens < budget:
            budget = max_tokens
            reason = f"at most {max_tokens} tokens kept" + (f", fewer than are needed {promise}" if promise else "")
        elif before - budget < LEAST_SAVING:
            return f"only {max(before - budget, 0)} of {before} tokens could go {promise}".rstrip()
        if pruned is not None:
            order, reason = pruned.order(order), f"{reason.rstrip()}; {pruned.told}"
        kept = fitting(context, order.best_first, budget)
        return Plan(context=context, order=order, kept=kept, budget=budget, reason=reason)


def fitting(context: Context, best_first: NDArray[np.intp], budget: int) -> list[set[int]]:
    """Return the best sentences whose text, marks included, has at most ``budget`` tokens; one unit at least."""
    room = budget
    while True:
        kept = select(context, best_first, budget=room, longest=MOST_OVER * budget)
        shorter = [subset(passage, kept[i]) for i, passage in enumerate(context.passages) if kept[i]]
        over = tokens_of(shorter) - budget
        if over <= 0 or room <= 0:
            return kept
        room -= max(over, 1)


def full(passages: Sequence[Passage], *, reason: str) -> Shortened:
    """Return everything, unchanged."""
    tokens = tokens_of(passages)
    return {"passages": list(passages), "tokens_before": tokens, "tokens_after": tokens, "level": "full", "reason": reason}


def _check(max_loss: float | None, max_tokens: int | None) -> None:
    if max_loss is None and max_tokens is None:
        raise BadInput("say how much may be lost (max_loss), how many tokens may be kept (max_tokens), or both")
    if max_loss is not None and not 0 <= max_loss <= 1:
        raise BadInput(f"max_loss is a share of questions from 0 to 1, such as 0.02, not {max_loss}")
    if max_tokens is not None and max_tokens < 1:
        raise BadInput(f"max_tokens must be at least 1, not {max_tokens}")
