"""Make a charge for everything that is called, and keep it in the ledger."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from groat.costs.baseline import baseline_cost
from groat.costs.budgets import HOLD_S
from groat.costs.ledger import KeptReply, Ledger, Settled
from groat.costs.prices import LOCAL, PriceTable
from groat.errors import StorageError
from groat.text import count_tokens
from groat.tracing.charges import charged
from groat.types import Box, Charge, Purpose, Tier, Usage

BILLED = "the endpoint's own bill"
"""Stands in the place of a price table's version where the endpoint said what it billed."""

_HIT = ("check_cache",)
"""Path of a question whose answer was kept: it has paid for no reply."""
_NOTHING: Usage = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True}


class Books:
    """Prices usages and writes them down.

    Args:
        prices: the price table.
        ledger: where charges are kept.
        baseline_model: model whose list price makes the all-expensive baseline.
        embedding_priced_as: model whose list price applies to vectors, ``LOCAL`` when they are computed here.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        prices: PriceTable,
        ledger: Ledger,
        *,
        baseline_model: str,
        embedding_priced_as: str = LOCAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep the parts."""
        self.baseline_model = baseline_model
        self._embedding_priced_as = embedding_priced_as
        self.prices = prices
        self.ledger = ledger
        self._clock = clock

    def chat(
        self,
        *,
        key: str,
        box: Box,
        model: str,
        priced_as: str,
        tier: Tier,
        usage: Usage,
        purpose: Purpose = "answer",
        outcome: str = "ok",
        billed_usd: str | None = None,
    ) -> Charge:
        """Return the charge for one call of a chat model.

        Args:
            key: unique per run, node and try.
            box: the node that pays.
            model: the model that was called.
            priced_as: the model whose list price applies.
            tier: whose work it was.
            usage: its tokens.
            purpose: what the call was for.
            outcome: "ok", the kind of failure, or "cancelled".
            billed_usd: what the endpoint itself says it billed, in dollars; it goes before the list price.
        """
        cost = self.prices.cost(usage, priced_as, at=self._clock()) if billed_usd is None else Decimal(billed_usd)
        return {
            "key": key,
            "kind": "chat",
            "box": box,
            "purpose": purpose,
            "model": model,
            "priced_as": priced_as,
            "tier": tier,
            "usage": usage,
            "cost_usd": _text(cost),
            "prices": self.prices.version if billed_usd is None else BILLED,
            "outcome": outcome,
        }

    def worst_case(self, input_tokens: int, output_tokens: int, priced_as: str) -> Decimal | None:
        """Return the most that a call with these tokens can cost, in dollars, for a reservation; None when that is unknown.

        Nothing is read from the provider's prompt cache, or everything is written to it where that is dearer; prices that
        change with the hour are looked up for the whole time that a reservation may last. The service tier is the plain one.
        """
        now = self._clock()
        dearest = Decimal(0)
        for written in (0, input_tokens):
            usage: Usage = {**_NOTHING, "input": input_tokens, "output": output_tokens, "cache_write": written}
            for moment in (now, now + HOLD_S):
                cost = self.prices.cost(usage, priced_as, at=moment)
                if cost is None:
                    return None
                dearest = max(dearest, cost)
        return dearest

    def baseline(self, *, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return what one call of the baseline model costs with these tokens, in dollars; None when its price is unknown."""
        return baseline_cost(self.prices, self.baseline_model, input_tokens=input_tokens, output_tokens=output_tokens)

    def embedding(self, *, key: str, box: Box, model: str, text: str) -> Charge:
        """Return the charge for one vector of a question; the tokens are counted here."""
        usage: Usage = {**_NOTHING, "input": count_tokens(text)}
        return {
            "key": key,
            "kind": "embedding",
            "box": box,
            "model": model,
            "priced_as": self._embedding_priced_as,
            "tier": None,
            "usage": usage,
            "cost_usd": _text(self.prices.cost(usage, self._embedding_priced_as, at=self._clock())),
            "prices": self.prices.version,
            "outcome": "ok",
        }

    async def record(self, charges: Sequence[Charge], *, run: str, tenant: str, reply: KeptReply | None = None) -> str | None:
        """Keep the charges and the reply that they paid for; return None, or the sentence that says why that failed.

        A ledger that fails must not cost the user the answer, so nothing is raised: the caller makes the failure visible.
        """
        charged(charges)
        try:
            await self.ledger.record(charges, run=run, tenant=tenant, at=self._clock(), reply=reply)
        except StorageError as error:
            return str(error)
        return None

    async def question(self, question: Settled) -> str | None:
        """Keep how a question ended and forget its paid replies; return None, or the sentence that says why that failed."""
        try:
            await self.ledger.record_question(question, at=self._clock())
            if question.path != _HIT:
                await self.ledger.drop_replies(question.run)
        except StorageError as error:
            return str(error)
        return None

    async def kept_reply(self, key: str) -> str | None:
        """Return the JSON of a reply that was paid for under this key; None without one, or when the ledger cannot be read.

        Without it the call is made again, which costs money and not the answer.
        """
        try:
            return await self.ledger.kept_reply(key)
        except StorageError:
            return None


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"
