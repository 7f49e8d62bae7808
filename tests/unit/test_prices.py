"""List prices and the sums made with them."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.costs import LOCAL, PriceTable, baseline_cost, total, total_text
from groat.types import Charge, Usage
from tests.fakes import usage

OWN = PriceTable({"ours": {"input": "2", "cached_input": "0.5", "output": "8"}})
TOKENS = st.integers(0, 1_000_000)


def _charge(cost: str | None) -> Charge:
    return {
        "key": "k", "kind": "chat", "box": "validate", "model": "m", "priced_as": "m", "tier": "cheap", "usage": usage(1, 1),
        "cost_usd": cost, "prices": "p", "outcome": "ok",
    }  # fmt: skip


def test_cached_input_is_part_of_the_input_and_costs_its_own_price() -> None:
    assert OWN.cost(usage(1_000_000, 0), "ours") == Decimal(2)
    assert OWN.cost(usage(1_000_000, 0, cache_read=400_000), "ours") == Decimal("1.4")
    assert OWN.cost(usage(0, 1_000_000), "ours") == Decimal(8)


@pytest.mark.parametrize("model", ["gpt-5-mini", "gpt-5.2", "gpt-4o-mini", "claude-sonnet-4-5"])
def test_known_models_have_a_price_and_cached_tokens_are_never_dearer(model: str) -> None:
    table = PriceTable()
    plain, cached = table.cost(usage(10_000, 100), model), table.cost(usage(10_000, 100, cache_read=8_000), model)
    assert table.knows(model)
    assert plain is not None
    assert cached is not None
    assert 0 < cached <= plain


def test_a_reasoning_model_bills_reasoning_as_output_once() -> None:
    thinking: Usage = {**usage(1_000, 500), "reasoning": 400}
    assert OWN.cost(thinking, "ours") == OWN.cost(usage(1_000, 500), "ours")


@pytest.mark.parametrize("model", ["no-such-model", "", "gpt-"])
def test_an_unknown_price_is_none_and_never_zero(model: str) -> None:
    assert PriceTable().cost(usage(10, 10), model) is None
    assert not PriceTable().knows(model)


def test_usage_that_cannot_be_true_has_no_known_price() -> None:
    assert PriceTable().cost(usage(10, 10, cache_read=20), "gpt-5.2") is None
    assert OWN.cost(usage(10, 10, cache_read=20), "ours") is None


@pytest.mark.parametrize(
    ("model", "tier", "cost"),
    [
        ("gpt-5-mini", "flex", "1.125"),
        ("gpt-5-mini", "batch", "1.125"),
        ("gpt-5-mini", "priority", "4.05"),
        ("gpt-5-mini", "default", "2.25"),
        ("o3", "flex", "5"),
        ("o4-mini", "batch", "2.75"),
        ("gpt-4.1", "batch", "5"),
        ("gpt-4.1", "flex", None),
        ("gpt-5-pro", "flex", None),
        ("gpt-5-mini", "scale", None),
        ("gpt-5-mini", "Flex", None),
        ("deepseek-v3.2", "flex", None),
        ("no-such-model", "flex", None),
    ],
)
def test_a_service_tier_has_its_own_price_or_none(model: str, tier: str, cost: str | None) -> None:
    used: Usage = {**usage(1_000_000, 1_000_000), "service_tier": tier}
    assert PriceTable().cost(used, model) == (None if cost is None else Decimal(cost))


def test_flex_halves_cached_tokens_too() -> None:
    used: Usage = {**usage(1_000_000, 0, cache_read=1_000_000), "service_tier": "flex"}
    assert PriceTable().cost(used, "gpt-5-mini") == Decimal("0.0125")


def test_an_own_price_holds_for_the_plain_tier_alone() -> None:
    flex: Usage = {**usage(1_000_000, 0), "service_tier": "flex"}
    assert OWN.cost(flex, "ours") is None
    contract = PriceTable(
        {"gpt-5.2": {"input": "2", "cached_input": "0.5", "output": "8"}},
        service_tiers={"gpt-5.2": {"flex": {"input": "1.5", "cached_input": "0.3", "output": "4"}}},
    )
    assert contract.cost(flex, "gpt-5.2") == Decimal("1.5")
    assert contract.cost(usage(1_000_000, 0), "gpt-5.2") == Decimal(2)
    assert contract.cost({**flex, "service_tier": "priority"}, "gpt-5.2") is None


@pytest.mark.parametrize(
    ("name", "cost"),
    [
        ("azure:gpt-5-mini", "0.25"),
        ("openrouter:qwen/qwen3-max", "1.2"),
        ("zai:glm-4.6", "0.6"),
        ("nobody:gpt-5-mini", None),
        ("llama3.1:8b", None),
        (":", None),
    ],
)
def test_a_provider_may_stand_before_the_model(name: str, cost: str | None) -> None:
    assert PriceTable().cost(usage(1_000_000, 0), name) == (None if cost is None else Decimal(cost))


def test_a_price_that_changes_with_the_hour_is_that_of_the_call() -> None:
    noon, evening = 1_795_521_600.0, 1_795_543_200.0
    assert PriceTable().cost(usage(1_000_000, 0), "deepseek-chat", at=noon) == Decimal("0.27")
    assert PriceTable().cost(usage(1_000_000, 0), "deepseek-chat", at=evening) == Decimal("0.135")


def test_what_runs_here_costs_nothing() -> None:
    assert PriceTable().cost(usage(10, 10), LOCAL) == 0


def test_the_version_names_both_tables() -> None:
    assert PriceTable().version.startswith("genai-prices ")
    assert ", overrides 20" in PriceTable().version


@settings(max_examples=50)
@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_costs_add_up_exactly(a: int, b: int, c: int, d: int) -> None:
    parts = [OWN.cost(usage(a, b), "ours"), OWN.cost(usage(c, d), "ours")]
    assert sum(part for part in parts if part is not None) == OWN.cost(usage(a + c, b + d), "ours")


def test_a_sum_is_exact_and_plain() -> None:
    assert total([_charge("0.1"), _charge("0.2")]) == Decimal("0.3")
    assert total_text([_charge("1E-7"), _charge("0")]) == "0.0000001"
    assert total([]) == 0
    assert total_text([]) == "0"


def test_a_sum_with_an_unknown_price_is_unknown() -> None:
    assert total([_charge("0.1"), _charge(None)]) is None
    assert total_text([_charge(None)]) is None


def test_the_baseline_is_one_uncached_call() -> None:
    assert baseline_cost(OWN, "ours", input_tokens=1_000, output_tokens=100) == Decimal("0.0028")
    assert baseline_cost(OWN, "no-such-model", input_tokens=1, output_tokens=1) is None
