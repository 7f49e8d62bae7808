"""List prices of models, offline."""

import importlib.metadata
import json
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from typing import TypedDict

import genai_prices

from groat.types import Usage

LOCAL = "local"
"""Stands for a model that runs in this process: it has no list price and costs nothing to call."""


# Other providers resell models under the same names at other prices.
_OPENAI_NAMES = ("gpt-", "o1", "o3", "o4", "text-embedding-")


class ListPrice(TypedDict):
    """Dollars per million tokens, as decimal strings."""

    input: str
    cached_input: str
    output: str


class PriceTable:
    """Prices a usage at list prices: our dated overrides first, then the ``genai-prices`` table that is installed.

    Args:
        overrides: own prices by model name, for models that the table lacks or contracts that differ.
    """

    def __init__(self, overrides: Mapping[str, ListPrice] | None = None) -> None:
        """Read the dated override file of the package."""
        shipped = json.loads(resources.files("groat.costs").joinpath("overrides.json").read_text(encoding="utf-8"))
        self._overrides: dict[str, ListPrice] = {**shipped["models"], **(overrides or {})}
        self.version = f"genai-prices {importlib.metadata.version('genai-prices')}, overrides {shipped['date']}"
        """Names the tables, so that a ledger row can be checked later."""

    def cost(self, usage: Usage, model: str) -> Decimal | None:
        """Return what ``usage`` costs in dollars, None when the price of ``model`` is unknown (which is not zero)."""
        if model == LOCAL:
            return Decimal(0)
        if (price := self._overrides.get(model)) is not None:
            return _at(usage, price)
        tokens = genai_prices.Usage(
            input_tokens=usage["input"],
            output_tokens=usage["output"],
            cache_read_tokens=usage["cache_read"],
            cache_write_tokens=usage["cache_write"],
        )
        provider = "openai" if model.startswith(_OPENAI_NAMES) else None
        try:
            return genai_prices.calc_price(tokens, model_ref=model, provider_id=provider).total_price
        except (LookupError, ValueError):
            # ValueError: an endpoint reported more cached tokens than tokens; what that costs cannot be known.
            return None

    def knows(self, model: str) -> bool:
        """Tell whether the model has a price."""
        nothing: Usage = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True}
        return self.cost(nothing, model) is not None


def _at(usage: Usage, price: ListPrice) -> Decimal:
    # Input tokens include the cached ones; cache writes are billed as plain input where no price of their own is known.
    plain = usage["input"] - usage["cache_read"]
    per_million = (
        plain * Decimal(price["input"])
        + usage["cache_read"] * Decimal(price["cached_input"])
        + usage["output"] * Decimal(price["output"])
    )
    return per_million / 1_000_000
