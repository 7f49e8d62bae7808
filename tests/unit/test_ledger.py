"""The ledger on a real SQLite file."""

import asyncio
import sqlite3
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from groat.costs import KeptReply, LedgerTotals, Settled, SqliteLedger
from groat.costs.schema import connect
from groat.errors import StorageError
from groat.types import Charge
from tests.fakes import usage

NOON = 1_795_521_600.0
"""2026-11-24 12:00 UTC."""

_FIRST_SCHEMA = """
CREATE TABLE charges (
    key TEXT PRIMARY KEY, run TEXT NOT NULL, tenant TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL, tier TEXT,
    model TEXT NOT NULL, priced_as TEXT NOT NULL, input INTEGER NOT NULL, output INTEGER NOT NULL,
    cache_read INTEGER NOT NULL, cache_write INTEGER NOT NULL, reasoning INTEGER NOT NULL, estimated INTEGER NOT NULL,
    cost_usd TEXT, prices TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE INDEX charges_at ON charges (at);
PRAGMA user_version=1;
"""


def _charge(key: str, cost: str | None = "0.001") -> Charge:
    return {
        "key": key, "kind": "chat", "box": "answer_cheap", "purpose": "answer", "model": "m",
        "priced_as": "m", "tier": "cheap", "usage": usage(10, 5, cache_read=3),
        "cost_usd": cost, "prices": "p", "outcome": "ok",
    }  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "data" / "ledger.sqlite")


def test_making_a_ledger_opens_nothing(tmp_path: Path) -> None:
    SqliteLedger(tmp_path / "data" / "ledger.sqlite")
    assert not (tmp_path / "data").exists()


async def test_a_charge_written_twice_is_charged_once(ledger: SqliteLedger) -> None:
    for _ in range(2):
        await ledger.record([_charge("a"), _charge("b")], run="r", tenant="t", at=1.0)
    assert await ledger.totals(since=0) == LedgerTotals(charges=2, cost_usd=Decimal("0.002"), unknown=0)


async def test_a_key_written_again_keeps_what_was_written_first(ledger: SqliteLedger) -> None:
    await ledger.record([_charge("a", "0.001")], run="r", tenant="t", at=1.0)
    await ledger.record([_charge("a", "9")], run="r", tenant="t", at=2.0)
    assert await ledger.totals(since=0) == LedgerTotals(charges=1, cost_usd=Decimal("0.001"), unknown=0)


async def test_unknown_prices_are_counted_apart(ledger: SqliteLedger) -> None:
    await ledger.record([_charge("a"), _charge("b", None)], run="r", tenant="t", at=1.0)
    assert await ledger.totals(since=0) == LedgerTotals(charges=2, cost_usd=Decimal("0.001"), unknown=1)


async def test_totals_are_of_a_span_and_a_tenant(ledger: SqliteLedger) -> None:
    await ledger.record([_charge("a", "0.1")], run="r", tenant="one", at=10.0)
    await ledger.record([_charge("b", "0.2")], run="r", tenant="two", at=20.0)
    assert (await ledger.totals(since=20.0)).cost_usd == Decimal("0.2")
    assert (await ledger.totals(since=0.0, tenant="one")).cost_usd == Decimal("0.1")
    assert (await ledger.totals(since=0.0, tenant="' OR 1=1 --")).charges == 0


async def test_a_row_holds_every_part_of_the_charge(ledger: SqliteLedger, tmp_path: Path) -> None:
    plain, flex = _charge("a"), _charge("b")
    flex["usage"]["service_tier"] = "flex"
    vector: Charge = {**_charge("c"), "kind": "embedding", "box": "route", "tier": None}
    del vector["purpose"]
    await ledger.record([plain, flex, vector], run="run", tenant="租户", at=1.5)
    same = ("m", "m", 10, 5, 3, 0, 0, 0, "0.001", "p", "ok")
    assert _rows(tmp_path / "data" / "ledger.sqlite", "charges") == [
        ("a", "run", "租户", 1.5, "chat", "cheap", *same, "answer_cheap", "answer", None),
        ("b", "run", "租户", 1.5, "chat", "cheap", *same, "answer_cheap", "answer", "flex"),
        ("c", "run", "租户", 1.5, "embedding", None, *same, "route", None, None),
    ]


async def test_amounts_are_summed_to_the_last_digit(ledger: SqliteLedger) -> None:
    costs = ["0.1", "0.2", "123456789012345678901234567890", "0.000000000000000000001"]
    await ledger.record([_charge(cost, cost) for cost in costs], run="r", tenant="t", at=NOON)
    exact = Decimal("123456789012345678901234567890.300000000000000000001")
    assert await ledger.totals(since=0) == LedgerTotals(charges=4, cost_usd=exact, unknown=0)
    assert (await ledger.balance(tenant="t", at=NOON)).tenant.spent == exact


def _rows(path: Path, table: str) -> list[tuple[object, ...]]:
    connection = connect(path)
    rows = connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()
    connection.close()
    return rows


def _settled(run: str = "r", **changed: object) -> Settled:
    said = {"outcome": "cheap", "verified": True, "escalated": False, "cost_usd": "0.001", "baseline_cost_usd": "0.01"}
    return Settled(run=run, tenant="t", **{**said, **changed})  # type: ignore[arg-type]


async def test_a_question_is_kept_and_written_again_replaced(ledger: SqliteLedger, tmp_path: Path) -> None:
    await ledger.record_question(_settled("a", outcome="failed", verified=False, cost_usd=None), at=NOON)
    await ledger.record_question(_settled("a", path=["check_cache", "retrieve"], escalated=True), at=NOON + 1)
    await ledger.record_question(_settled("b", outcome="hit_exact", baseline_cost_usd=None), at=NOON + 86_400)
    assert _rows(tmp_path / "data" / "ledger.sqlite", "questions") == [
        ("a", "t", NOON + 1, "2026-11-24", "cheap", 1, 1, "0.001", "0.01", '["check_cache", "retrieve"]'),
        ("b", "t", NOON + 86_400, "2026-11-25", "hit_exact", 1, 0, "0.001", None, "[]"),
    ]


async def test_a_paid_reply_is_found_again_until_its_run_ends(ledger: SqliteLedger) -> None:
    reply, other = KeptReply(key="r1:answer_cheap:0", json='{"文":1}'), KeptReply(key="r2:answer_cheap:0", json="{}")
    await ledger.record([_charge("r1:answer_cheap:0:1")], run="r1", tenant="t", at=NOON, reply=reply)
    await ledger.keep_reply(other, run="r2", at=NOON)
    assert await ledger.kept_reply("r1:answer_cheap:0") == '{"文":1}'
    assert await ledger.kept_reply("r1:answer_cheap:1") is None
    await ledger.drop_replies("r1")
    assert await ledger.kept_reply("r1:answer_cheap:0") is None
    assert await ledger.kept_reply("r2:answer_cheap:0") == "{}"
    assert (await ledger.totals(since=0)).charges == 1


async def test_a_reply_is_forgotten_after_a_day(ledger: SqliteLedger) -> None:
    await ledger.keep_reply(KeptReply(key="old", json="1"), run="r1", at=NOON)
    await ledger.keep_reply(KeptReply(key="day", json="2"), run="r2", at=NOON + 86_400)
    assert [await ledger.kept_reply(key) for key in ("old", "day")] == ["1", "2"]
    await ledger.keep_reply(KeptReply(key="new", json="3"), run="r3", at=NOON + 86_400.5)
    assert [await ledger.kept_reply(key) for key in ("old", "day", "new")] == [None, "2", "3"]


async def test_charges_and_their_reply_are_kept_as_a_whole_or_not_at_all(ledger: SqliteLedger) -> None:
    spoiled: Charge = {**_charge("b"), "outcome": None}  # type: ignore[typeddict-item]
    with pytest.raises(StorageError, match=r"ledger .* failed: NOT NULL"):
        await ledger.record([_charge("a"), spoiled], run="r", tenant="t", at=NOON, reply=KeptReply(key="k", json="1"))
    assert await ledger.totals(since=0) == LedgerTotals(charges=0, cost_usd=Decimal(0), unknown=0)
    assert await ledger.kept_reply("k") is None
    assert (await ledger.balance(tenant="t", at=NOON)).tenant.spent == 0


async def test_a_ledger_of_the_first_schema_is_brought_up_to_date_in_place(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    old = sqlite3.connect(path)
    old.executescript(_FIRST_SCHEMA)
    same = ("m", "m", 10, 5, 3, 0, 0, 0)
    before = [
        ("a", "r", "t", NOON, "chat", "cheap", *same, "0.1", "p", "ok"),
        ("b", "r", "t", NOON + 1, "chat", "cheap", *same, "0.2", "p", "ok"),
        ("c", "r", "t", NOON + 2, "chat", "cheap", *same, None, "p", "ok"),
        ("d", "r", "u", NOON + 86_400, "embedding", None, *same, "0.4", "p", "ok"),
    ]
    old.executemany(f"INSERT INTO charges VALUES ({','.join('?' * 17)})", before)
    old.commit()
    old.close()
    ledgers = [SqliteLedger(path) for _ in range(4)]
    await asyncio.gather(*(ledger.record([_charge("a", "9")], run="r", tenant="t", at=NOON) for ledger in ledgers))
    assert _rows(path, "charges") == [(*row, None, None, None) for row in before]
    assert _rows(path, "spent") == [("2026-11-24", "t", "0.3"), ("2026-11-25", "u", "0.4")]
    assert await ledgers[0].totals(since=0) == LedgerTotals(charges=4, cost_usd=Decimal("0.7"), unknown=1)


async def test_a_file_that_was_moved_away_is_not_written_to_any_more(ledger: SqliteLedger, tmp_path: Path) -> None:
    await ledger.record([_charge("a")], run="r", tenant="t", at=1.0)
    (tmp_path / "data").rename(tmp_path / "moved")
    await ledger.record([_charge("b")], run="r", tenant="t", at=1.0)
    assert (await ledger.totals(since=0)).charges == 1
    assert (await SqliteLedger(tmp_path / "moved" / "ledger.sqlite").totals(since=0)).charges == 1


async def test_a_closed_ledger_opens_again(ledger: SqliteLedger) -> None:
    ledger.close()
    await ledger.record([_charge("a")], run="r", tenant="t", at=1.0)
    ledger.close()
    ledger.close()
    assert (await ledger.totals(since=0)).charges == 1


async def test_an_amount_that_is_no_number_is_damage(ledger: SqliteLedger, tmp_path: Path) -> None:
    await ledger.record([_charge("a")], run="r", tenant="t", at=NOON)
    connection = connect(tmp_path / "data" / "ledger.sqlite")
    for table, column in (("charges", "cost_usd"), ("spent", "amount")):
        connection.execute(f"UPDATE {table} SET {column} = 'much'")
    connection.close()
    with pytest.raises(StorageError, match=r"is damaged; move it away"):
        await ledger.totals(since=0)
    with pytest.raises(StorageError, match=r"is damaged; move it away"):
        await ledger.record([_charge("b")], run="r", tenant="t", at=NOON)


async def test_only_the_owner_may_read_it(ledger: SqliteLedger, tmp_path: Path) -> None:
    await ledger.check()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "ledger.sqlite").stat().st_mode) == 0o600


async def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    ledgers = [SqliteLedger(tmp_path / "ledger.sqlite") for _ in range(4)]
    writes = [
        ledger.record([_charge(f"{n}:{i}")], run="r", tenant="t", at=1.0) for n, ledger in enumerate(ledgers) for i in range(8)
    ]
    await asyncio.gather(*writes)
    assert (await ledgers[0].totals(since=0)).charges == 32


async def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match=r"ledger\.sqlite is damaged; move it away"):
        await SqliteLedger(path).check()


async def test_a_folder_in_its_place_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(StorageError, match="cannot be written; check the permissions or set GROAT_DATA_DIR"):
        await SqliteLedger(tmp_path / "ledger.sqlite").check()


async def test_a_path_below_a_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(StorageError, match=r"ledger .* failed: "):
        await SqliteLedger(tmp_path / "file" / "ledger.sqlite").check()


async def test_a_locked_file_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.sqlite"
    await SqliteLedger(path).check()
    opened = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file, **options: opened(file, **{**options, "timeout": 0.05}))
    holder = opened(path)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageError, match="locked by another process; end it or try again"):
        await SqliteLedger(path).check()
    holder.close()


async def test_a_file_of_a_newer_groat_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StorageError, match=r"newer groat \(schema 99\); update groat"):
        await SqliteLedger(path).totals(since=0)
