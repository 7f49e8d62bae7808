"""Charges, made and kept."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from groat.costs import LOCAL, Books, LedgerTotals, PriceTable, SqliteLedger
from groat.errors import StorageError
from groat.types import Charge
from tests.fakes import FixedClock, usage

PRICES = PriceTable({"ours": {"input": "2", "cached_input": "0.5", "output": "8"}})


class _FullLedger:
    """A ledger whose disk is full."""

    async def record(self, charges: Sequence[Charge], *, run: str, tenant: str, at: float) -> None:
        raise StorageError("no space is left for the ledger")

    async def totals(self, *, since: float, tenant: str | None = None) -> LedgerTotals:
        raise StorageError("no space is left for the ledger")

    async def check(self) -> None:
        raise StorageError("no space is left for the ledger")


def test_a_call_becomes_a_charge() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="ours")
    assert books.chat(key="r:answer_cheap:0", model="llama", priced_as="ours", tier="cheap", usage=usage(1_000, 100)) == {
        "key": "r:answer_cheap:0",
        "kind": "chat",
        "model": "llama",
        "priced_as": "ours",
        "tier": "cheap",
        "usage": usage(1_000, 100),
        "cost_usd": "0.0028",
        "prices": PRICES.version,
        "outcome": "ok",
    }


def test_a_small_amount_is_written_as_a_plain_decimal() -> None:
    charge = Books(PRICES, _FullLedger(), baseline_model="ours").chat(
        key="k", model="ours", priced_as="ours", tier="cheap", usage=usage(0, 0, cache_read=0) | {"input": 0, "output": 0}
    )
    assert charge["cost_usd"] is not None
    assert "E" not in charge["cost_usd"]


def test_an_unknown_price_is_none() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="unknown", embedding_priced_as="unknown")
    assert books.chat(key="k", model="m", priced_as="unknown", tier="cheap", usage=usage(1, 1))["cost_usd"] is None
    assert books.embedding(key="k", model="m", text="hello")["cost_usd"] is None
    assert books.baseline(input_tokens=1, output_tokens=1) is None


def test_a_vector_is_charged_by_its_tokens() -> None:
    local = Books(PRICES, _FullLedger(), baseline_model="ours").embedding(key="k", model="bundled", text="hello world")
    assert (local["cost_usd"], local["priced_as"], local["usage"]["input"]) == ("0", LOCAL, 2)
    paid = Books(PRICES, _FullLedger(), baseline_model="ours", embedding_priced_as="ours")
    assert paid.embedding(key="k", model="e", text="hello world")["cost_usd"] == "0.000004"


def test_the_baseline_uses_the_baseline_model() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="ours")
    assert books.baseline(input_tokens=1_000, output_tokens=100) == Decimal("0.0028")


async def test_a_ledger_that_fails_is_a_sentence_and_no_exception() -> None:
    assert await Books(PRICES, _FullLedger(), baseline_model="ours").record([], run="r", tenant="t") == (
        "no space is left for the ledger"
    )


async def test_charges_are_kept_at_the_time_of_the_clock(tmp_path: Path) -> None:
    books = Books(PRICES, SqliteLedger(tmp_path / "l.sqlite"), baseline_model="ours", clock=FixedClock(500.0))
    charge = books.chat(key="k", model="ours", priced_as="ours", tier="cheap", usage=usage(1_000, 100))
    assert await books.record([charge], run="r", tenant="t") is None
    assert await books.ledger.totals(since=500.0) == LedgerTotals(charges=1, cost_usd=Decimal("0.0028"), unknown=0)
    assert await books.ledger.totals(since=500.5) == LedgerTotals(charges=0, cost_usd=Decimal(0), unknown=0)
