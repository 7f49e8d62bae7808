"""Make a charge for everything that is called, and keep it in the ledger."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal

from groat.costs.baseline import baseline_cost
from groat.costs.ledger import Ledger
from groat.costs.prices import LOCAL, PriceTable
from groat.errors import StorageError
from groat.text import count_tokens
from groat.types import Charge, Tier, Usage


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

    def chat(self, *, key: str, model: str, priced_as: str, tier: Tier, usage: Usage, outcome: str = "ok") -> Charge:
        """Return the charge for one call of a chat model."""
        cost = self.prices.cost(usage, priced_as)
        return {
            "key": key,
            "kind": "chat",
            "model": model,
            "priced_as": priced_as,
            "tier": tier,
            "usage": usage,
            "cost_usd": None if cost is None else f"{cost:f}",
            "prices": self.prices.version,
            "outcome": outcome,
        }

    def baseline(self, *, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Return what one call of the baseline model costs with these tokens, in dollars; None when its price is unknown."""
        return baseline_cost(self.prices, self.baseline_model, input_tokens=input_tokens, output_tokens=output_tokens)

    def embedding(self, *, key: str, model: str, text: str) -> Charge:
        """Return the charge for one vector of a question; the tokens are counted here."""
        usage: Usage = {
            "input": count_tokens(text),
            "output": 0,
            "cache_read": 0,
            "cache_write": 0,
            "reasoning": 0,
            "estimated": True,
        }
        cost = self.prices.cost(usage, self._embedding_priced_as)
        return {
            "key": key,
            "kind": "embedding",
            "model": model,
            "priced_as": self._embedding_priced_as,
            "tier": None,
            "usage": usage,
            "cost_usd": None if cost is None else f"{cost:f}",
            "prices": self.prices.version,
            "outcome": "ok",
        }

    async def record(self, charges: Sequence[Charge], *, run: str, tenant: str) -> str | None:
        """Keep the charges; return None, or the sentence that says why they could not be kept.

        A ledger that fails must not cost the user the answer, so nothing is raised: the caller makes the failure visible.
        """
        try:
            await self.ledger.record(charges, run=run, tenant=tenant, at=self._clock())
        except StorageError as error:
            return str(error)
        return None
