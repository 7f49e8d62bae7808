"""What one box of one question may still spend."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.costs import Books, Budget, Budgets, Policy, PriceTable, Purse, SqliteLedger
from groat.errors import ModelError
from groat.types import Charge
from tests.fakes import usage

DOLLAR = {"input": "100", "cached_input": "10", "output": "1000"}
"""A price of 0.0001 dollars for a token of input and 0.001 for one of output."""
PRICES = PriceTable(overrides={"m": DOLLAR, "free": {"input": "0", "cached_input": "0", "output": "0"}})  # type: ignore[dict-item]


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "data" / "ledger.sqlite")


def _purse(
    ledger: SqliteLedger, *, most: float | None = None, budgets: Budgets | None = None, spent: list[Charge] | None = None
) -> Purse:
    return Purse(
        Books(PRICES, ledger, baseline_model="m"),
        budgets or Budgets(ledger),
        run="r",
        tenant="t",
        box="answer_cheap",
        tier="cheap",
        spent=spent or [],
        max_cost_usd=most,
    )


def _day(ledger: SqliteLedger, amount: str, policy: Policy) -> Budgets:
    return Budgets(ledger, default=Budget(usd_per_day=Decimal(amount), policy=policy))


async def _permit(purse: Purse, key: str, *, given: int = 100, most: int = 10, priced_as: str = "m") -> None:
    await purse.permit(key, model=priced_as, priced_as=priced_as, input_tokens=given, output_tokens=most)


async def _pay(
    purse: Purse, key: str, *, given: int = 100, written: int = 10, outcome: str = "ok", billed_usd: str | None = None
) -> None:
    await purse.pay(key, model="m", priced_as="m", usage=usage(given, written), outcome=outcome, billed_usd=billed_usd)


def _charge(cost: str | None) -> Charge:
    return {
        "key": "earlier", "kind": "chat", "box": "answer_cheap", "purpose": "answer", "model": "m", "priced_as": "m",
        "tier": "cheap", "usage": usage(1, 1), "cost_usd": cost, "prices": "p", "outcome": "ok",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("most", "spent", "priced_as", "affordable"),
    [
        (None, [], "m", None),
        (None, [_charge(None)], "no price", None),
        (1.0, [], "m", 990),  # 0.01 for the prompt leaves 0.99
        (1.0, [_charge("0.5")], "m", 490),
        (0.01, [], "m", 0),
        (0.009, [], "m", 0),
        (1.0, [_charge(None)], "m", 0),
        (1.0, [], "no price", 0),
        (0.0, [], "free", None),
    ],
)
def test_what_is_left_pays_for_so_many_tokens(
    ledger: SqliteLedger, most: float | None, spent: list[Charge], priced_as: str, affordable: int | None
) -> None:
    assert _purse(ledger, most=most, spent=spent).affordable(100, priced_as) == affordable


async def test_a_call_is_written_down_under_its_key_with_its_outcome(ledger: SqliteLedger) -> None:
    purse = _purse(ledger)
    await _pay(purse, "k0", written=0, outcome="timeout")
    await _pay(purse, "k1", billed_usd="0.5")
    assert [(one["key"], one["outcome"], one["cost_usd"], one["box"], one["tier"]) for one in purse.charges] == [
        ("k0", "timeout", "0.01", "answer_cheap", "cheap"),
        ("k1", "ok", "0.5", "answer_cheap", "cheap"),
    ]
    totals = await ledger.totals(since=0)
    assert (totals.charges, totals.cost_usd, totals.unknown) == (2, Decimal("0.51"), 0)
    assert (purse.ledger_failed, purse.warning) == (None, "")


async def test_the_questions_budget_holds_calls_that_are_under_way(ledger: SqliteLedger) -> None:
    purse = _purse(ledger, most=0.05)
    await _permit(purse, "a")
    await _permit(purse, "b")
    with pytest.raises(ModelError) as caught:
        await _permit(purse, "c")
    assert (caught.value.failure, str(caught.value)) == (
        "budget",
        "the budget of this question does not reach another call of 'm'; raise max_cost_usd",
    )
    assert purse.affordable(10, "m") == 9
    await _pay(purse, "a", written=0)
    await _permit(purse, "c")


async def test_an_unknown_price_spends_the_questions_budget_and_without_one_is_permitted(ledger: SqliteLedger) -> None:
    with pytest.raises(ModelError, match="does not reach another call of 'no price'"):
        await _permit(_purse(ledger, most=100.0), "a", priced_as="no price")
    await _permit(_purse(ledger), "a", priced_as="no price")


@pytest.mark.parametrize("policy", ["warn", "refuse"])
async def test_a_budget_of_the_day_warns_or_refuses(ledger: SqliteLedger, policy: Policy) -> None:
    purse = _purse(ledger, budgets=_day(ledger, "0.03", policy))
    await _permit(purse, "a")
    assert purse.warning == ""
    if policy == "refuse":
        with pytest.raises(ModelError, match=r"does not fit the budget of the tenant 't'.*raise the budget or wait") as caught:
            await _permit(purse, "b")
        assert caught.value.failure == "budget"
    else:
        await _permit(purse, "b")
        assert "does not fit the budget of the tenant 't'" in purse.warning


async def test_what_a_call_cost_takes_the_place_of_what_was_held_for_it(ledger: SqliteLedger) -> None:
    budgets = _day(ledger, "1", "refuse")
    purse = _purse(ledger, budgets=budgets)
    await _permit(purse, "a", most=900)
    assert (await budgets.standing("t")).reserved == Decimal("0.91")
    await _pay(purse, "a", written=1)
    standing = await budgets.standing("t")
    assert (standing.spent, standing.reserved) == (Decimal("0.011"), Decimal(0))


async def test_a_ledger_that_fails_is_told_and_the_charge_is_kept_with_the_question(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    purse = _purse(SqliteLedger(tmp_path / "ledger.sqlite"))
    await _pay(purse, "a")
    assert "is damaged" in str(purse.ledger_failed)
    assert [charge["cost_usd"] for charge in purse.charges] == ["0.02"]


@settings(max_examples=30, deadline=None)
@given(
    calls=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60), st.floats(0, 1)), max_size=12),
    most=st.floats(0, 0.2, allow_subnormal=False),
)
def test_no_order_of_permits_and_payments_passes_the_questions_budget(calls: list[tuple[int, int, float]], most: float) -> None:
    class Nowhere(SqliteLedger):
        """Keeps nothing: the question's own budget needs no ledger."""

        async def record(self, *args: object, **more: object) -> None:
            return

    async def spend() -> Decimal:
        purse = _purse(Nowhere(Path("nowhere")), most=most)
        for number, (given_, written, share) in enumerate(calls):
            try:
                await _permit(purse, str(number), given=given_, most=written)
            except ModelError:
                continue
            if share < 0.8:  # else it is still under way
                await _pay(purse, str(number), given=given_, written=int(written * share))
        return sum((Decimal(charge["cost_usd"] or 0) for charge in purse.charges), Decimal(0))

    assert asyncio.run(spend()) <= Decimal(str(most))
