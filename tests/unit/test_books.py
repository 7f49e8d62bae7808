"""Charges, made and kept."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Never

import pytest

from groat.costs import LOCAL, Books, KeptReply, LedgerTotals, PriceTable, Settled, SqliteLedger
from groat.errors import StorageError
from groat.sqlite_file import SqliteFile
from tests.fakes import FixedClock, usage

PRICES = PriceTable({"ours": {"input": "2", "cached_input": "0.5", "output": "8"}})


class _FullLedger(SqliteLedger):
    """A ledger whose disk is full."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere/ledger.sqlite"))
        self._file = _FullDisk()


class _FullDisk(SqliteFile):
    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), sqlite3.connect, lambda error: StorageError(str(error)))

    async def run(self, work: object) -> Never:
        raise StorageError("no space is left for the ledger")


def test_a_call_becomes_a_charge() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="ours")
    said = {"model": "llama", "priced_as": "ours", "usage": usage(1_000, 100)}
    assert books.chat(key="r:answer_cheap:0", box="answer_cheap", tier="cheap", **said) == {  # type: ignore[arg-type]
        "key": "r:answer_cheap:0",
        "kind": "chat",
        "box": "answer_cheap",
        "purpose": "answer",
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
        key="k",
        box="answer_cheap",
        model="ours",
        priced_as="ours",
        tier="cheap",
        usage=usage(0, 0, cache_read=0) | {"input": 0, "output": 0},
    )
    assert charge["cost_usd"] is not None
    assert "E" not in charge["cost_usd"]


def test_an_unknown_price_is_none() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="unknown", embedding_priced_as="unknown")
    assert (
        books.chat(key="k", box="validate", model="m", priced_as="unknown", tier="cheap", usage=usage(1, 1))["cost_usd"] is None
    )
    assert books.embedding(key="k", box="check_cache", model="m", text="hello")["cost_usd"] is None
    assert books.baseline(input_tokens=1, output_tokens=1) is None


def test_a_vector_is_charged_by_its_tokens() -> None:
    local = Books(PRICES, _FullLedger(), baseline_model="ours").embedding(
        key="k", box="check_cache", model="bundled", text="hello world"
    )
    assert (local["cost_usd"], local["priced_as"], local["usage"]["input"]) == ("0", LOCAL, 2)
    paid = Books(PRICES, _FullLedger(), baseline_model="ours", embedding_priced_as="ours")
    assert paid.embedding(key="k", box="check_cache", model="e", text="hello world")["cost_usd"] == "0.000004"


def test_the_baseline_uses_the_baseline_model() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="ours")
    assert books.baseline(input_tokens=1_000, output_tokens=100) == Decimal("0.0028")


async def test_a_ledger_that_fails_is_a_sentence_and_no_exception() -> None:
    assert await Books(PRICES, _FullLedger(), baseline_model="ours").record([], run="r", tenant="t") == (
        "no space is left for the ledger"
    )


async def test_charges_are_kept_at_the_time_of_the_clock(tmp_path: Path) -> None:
    books = Books(PRICES, SqliteLedger(tmp_path / "l.sqlite"), baseline_model="ours", clock=FixedClock(500.0))
    charge = books.chat(key="k", box="answer_cheap", model="ours", priced_as="ours", tier="cheap", usage=usage(1_000, 100))
    assert await books.record([charge], run="r", tenant="t") is None
    assert await books.ledger.totals(since=500.0) == LedgerTotals(charges=1, cost_usd=Decimal("0.0028"), unknown=0)
    assert await books.ledger.totals(since=500.5) == LedgerTotals(charges=0, cost_usd=Decimal(0), unknown=0)


def test_a_call_says_what_it_was_for_and_how_it_ended() -> None:
    charge = Books(PRICES, _FullLedger(), baseline_model="ours").chat(
        key="k", box="validate", model="m", priced_as="ours", tier="cheap", usage=usage(1, 1), purpose="second_opinion",
        outcome="cancelled",
    )  # fmt: skip
    assert (charge["box"], charge["purpose"], charge["outcome"]) == ("validate", "second_opinion", "cancelled")


def test_the_bill_of_the_endpoint_goes_before_the_list_price() -> None:
    charge = Books(PRICES, _FullLedger(), baseline_model="ours").chat(
        key="k", box="validate", model="m", priced_as="ours", tier="cheap", usage=usage(1, 1), billed_usd="0.00095"
    )
    assert (charge["cost_usd"], charge["prices"]) == ("0.00095", "the endpoint's own bill")


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        ("ours", "0.0028"),
        ("claude-sonnet-4-5", "0.00525"),  # 1,000 written to the prompt cache x 3.75 + 100 x 15, per million
        ("deepseek-chat", "0.00038"),  # the dearer hours begin within the life of a reservation
        ("unknown", None),
        (LOCAL, "0"),
    ],
)
def test_the_worst_case_is_the_dearest_way_to_pay_for_the_tokens(model: str, cost: str | None) -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="ours", clock=FixedClock(1_795_479_900.0))  # 00:25 UTC
    assert books.worst_case(1_000, 100, model) == (None if cost is None else Decimal(cost))


async def test_questions_and_replies_go_through_the_books(tmp_path: Path) -> None:
    books = Books(PRICES, SqliteLedger(tmp_path / "l.sqlite"), baseline_model="ours", clock=FixedClock(1_795_521_600.0))
    settled = Settled(
        run="r", tenant="t", outcome="cheap", verified=True, escalated=False, cost_usd="0.1", baseline_cost_usd="0.4"
    )  # fmt: skip
    charge = books.chat(key="r:0:0", box="answer_cheap", model="m", priced_as="ours", tier="cheap", usage=usage(1, 1))
    assert await books.record([charge], run="r", tenant="t", reply=KeptReply(key="r:0", json="{}")) is None
    assert await books.kept_reply("r:0") == "{}"
    assert await books.question(settled) is None
    assert await books.kept_reply("r:0") is None
    day = await books.ledger.day("2026-11-24")
    assert (day.questions.questions, day.questions.saved_usd, day.total.cost_usd) == (1, Decimal("0.3"), Decimal("0.00001"))


async def test_a_ledger_that_fails_costs_a_question_nothing() -> None:
    books = Books(PRICES, _FullLedger(), baseline_model="ours")
    settled = Settled(
        run="r", tenant="t", outcome="failed", verified=False, escalated=False, cost_usd=None, baseline_cost_usd=None
    )
    assert await books.question(settled) == "no space is left for the ledger"
    assert await books.kept_reply("k") is None
