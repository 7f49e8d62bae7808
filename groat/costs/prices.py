"""List prices of models, offline."""

import datetime
import importlib.metadata
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import TypedDict

import genai_prices
import genai_prices.data_snapshot

from groat.types import Usage

LOCAL = "local"
"""Stands for a model that runs in this process: it has no list price and costs nothing to call."""


# Other providers resell models under the same names at other prices.
_OPENAI_NAMES = ("gpt-", "o1", "o3", "o4", "text-embedding-")

_PLAIN_TIERS = frozenset({"", "default"})


class ListPrice(TypedDict):
    """Dollars per million tokens, as decimal strings."""

    input: str
    cached_input: str
    output: str


class PriceTable:
    """Prices a usage at list prices: our dated overrides first, then the ``genai-prices`` table that is installed.

    A model is named as its provider names it, or as "provider:model" with a provider of ``genai-prices``, such as
    "azure:gpt-5-mini", "zai:glm-4.6" or "openrouter:qwen/qwen3-max", where several sell it. A service tier other than the
    plain one ("flex", "batch", "priority") has a price only where one of the tables has it for that model.

    Args:
        overrides: own prices by model name, for models that the table lacks or contracts that differ.
        service_tiers: own prices by model name and service tier.
    """

    def __init__(
        self,
        overrides: Mapping[str, ListPrice] | None = None,
        *,
        service_tiers: Mapping[str, Mapping[str, ListPrice]] | None = None,
    ) -> None:
        """Read the dated override file of the package."""
        shipped = json.loads(resources.files("groat.costs").joinpath("overrides.json").read_text(encoding="utf-8"))
        self._overrides: dict[str, ListPrice] = {**shipped["models"], **(overrides or {})}
        self._tiers: dict[str, Mapping[str, ListPrice]] = {**shipped["service_tiers"]["models"], **(service_tiers or {})}
        self.version = f"genai-prices {importlib.metadata.version('genai-prices')}, overrides {shipped['date']}"
        """Names the tables, so that a ledger row can be checked later."""

    def cost(self, usage: Usage, model: str, *, at: float | None = None) -> Decimal | None:
        """Return what ``usage`` costs in dollars, None when the price is unknown (which is not zero); about 70 µs.

        Args:
            usage: the tokens, and the service tier that was used.
            model: whose list price applies, ``LOCAL`` for none.
            at: when the call was made, in seconds since 1970, for prices that change with the date or the hour; None: now.
        """
        if model == LOCAL:
            return Decimal(0)
        tier = usage.get("service_tier", "")
        if tier in _PLAIN_TIERS:
            price = self._overrides.get(model)
            return _at(usage, price) if price is not None else _listed(usage, model, {}, at)
        price = self._tiers.get(model, {}).get(tier)
        if price is not None or model in self._overrides:
            return None if price is None else _at(usage, price)
        context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier}
        return _listed(usage, model, context, at)

    def knows(self, model: str) -> bool:
        """Tell whether the model has a price."""
        nothing: Usage = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True}
        return self.cost(nothing, model) is not None


def _at(usage: Usage, price: ListPrice) -> Decimal | None:
    # Input tokens include the cached ones; cache writes are billed as plain input where no price of their own is known.
    plain = usage["input"] - usage["cache_read"]
    if plain < 0:
        return None
    per_million = (
        plain * Decimal(price["input"])
        + usage["cache_read"] * Decimal(price["cached_input"])
        + usage["output"] * Decimal(price["output"])
    )
    return per_million / 1_000_000


def _listed(usage: Usage, model: str, context: Mapping[str, str], at: float | None) -> Decimal | None:
    """Return the price by ``genai-prices``; ``context`` must be one that it has a price for, or empty."""
    tokens = genai_prices.Usage(
        input_tokens=usage["input"],
        output_tokens=usage["output"],
        cache_read_tokens=usage["cache_read"],
        cache_write_tokens=usage["cache_write"],
    )
    provider, name = _provider(model)
    moment = datetime.datetime.now(datetime.UTC) if at is None else datetime.datetime.fromtimestamp(at, datetime.UTC)
    try:
        found = genai_prices.calc_price(
            tokens, model_ref=name, provider_id=provider, genai_request_timestamp=moment, price_context=context
        )
    except (LookupError, ValueError):
        # ValueError: an endpoint reported more cached tokens than tokens; what that costs cannot be known.
        return None
    variants = found.model.price_variants or ()
    # A context that the table does not know would be given the plain price.
    if context and not any(
        variant.when == context and (variant.constraint is None or variant.constraint.active(moment)) for variant in variants
    ):
        return None
    return found.total_price


@lru_cache(maxsize=1)
def _providers() -> frozenset[str]:
    return frozenset(provider.id for provider in genai_prices.data_snapshot.get_snapshot().providers)


def _provider(model: str) -> tuple[str | None, str]:
    prefix, colon, name = model.partition(":")
    if colon and prefix in _providers():
        return prefix, name
    return ("openai" if model.startswith(_OPENAI_NAMES) else None), model
