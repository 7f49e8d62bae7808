"""What calls cost at list prices, and what they would cost with a provider's prompt cache and batch rates."""

from collections.abc import Sequence
from decimal import Decimal

from evals.ladder_outcomes import Call, Outcome
from evals.ladder_world import Prices
from groat.costs import PriceTable
from groat.types import Tier, Usage

CACHED_FROM = 1024
"""Tokens that a shared beginning of prompts must have to be served from a provider's prompt cache: OpenAI's rule, 2025;
Anthropic's is 1,024 to 4,096 by model."""


class Bill:
    """Prices calls. A model without a list price makes costs unknown, never zero.

    Args:
        prices: whose list prices apply.
        table: the price table.
    """

    def __init__(self, prices: Prices, table: PriceTable) -> None:
        """Keep the arguments."""
        self.version = table.version
        self._names: dict[Tier, str] = {"cheap": prices.cheap, "expensive": prices.expensive}
        self._table = table

    def unknown(self) -> list[str]:
        """Return the models without a list price."""
        return [name for name in self._names.values() if not self._table.knows(name)]

    def call(self, tier: Tier, given: int, written: int) -> Call:
        """Return a call with its cost."""
        cost = self._cost(tier, given, written)
        return {"tier": tier, "input": given, "output": written, "cost_usd": None if cost is None else f"{cost:f}"}

    def with_prompt_cache(self, outcomes: Sequence[Outcome], shared_tokens: int) -> list[Outcome]:
        """Return the outcomes at the price of a provider that keeps the shared beginning of all prompts.

        Each model's first call writes it and every later one reads it, if it is long enough at all (``CACHED_FROM``).
        """
        warm: set[Tier] = set()
        found: list[Outcome] = []
        for one in outcomes:
            calls: list[Call] = []
            for call in one["calls"]:
                read = min(shared_tokens, call["input"]) if call["tier"] in warm and shared_tokens >= CACHED_FROM else 0
                warm.add(call["tier"])
                cost = self._cost(call["tier"], call["input"], call["output"], read=read)
                calls.append({**call, "cost_usd": None if cost is None else f"{cost:f}"})
            found.append({**one, "calls": calls})
        return found

    def with_batch(self, outcomes: Sequence[Outcome], share: float) -> list[Outcome]:
        """Return the outcomes when a share of all calls, 0..1, can wait and is billed at batch rates, as an expectation.

        Prompts that wait read nothing from a prompt cache here. A model whose batch rate is not known keeps its price.
        """
        found: list[Outcome] = []
        for one in outcomes:
            calls: list[Call] = []
            for call in one["calls"]:
                now = None if call["cost_usd"] is None else Decimal(call["cost_usd"])
                waiting = self._cost(call["tier"], call["input"], call["output"], service_tier="batch")
                if now is not None and waiting is not None:
                    now += Decimal(str(share)) * (min(waiting, now) - now)
                calls.append({**call, "cost_usd": None if now is None else f"{now:f}"})
            found.append({**one, "calls": calls})
        return found

    def _cost(self, tier: Tier, given: int, written: int, *, read: int = 0, service_tier: str = "") -> Decimal | None:
        usage: Usage = {
            "input": given, "output": written, "cache_read": read, "cache_write": 0, "reasoning": 0, "estimated": False,
            "service_tier": service_tier,
        }  # fmt: skip
        return self._table.cost(usage, self._names[tier])
