"""The ledger on a real SQLite file."""

import asyncio
import sqlite3
import stat
from decimal import Decimal
from pathlib import Path

import pytest

from groat.costs import LedgerTotals, SqliteLedger
from groat.errors import StorageError
from groat.types import Charge
from tests.fakes import usage


def _charge(key: str, cost: str | None = "0.001") -> Charge:
    return {
        "key": key, "kind": "chat", "model": "m", "priced_as": "m", "tier": "cheap", "usage": usage(10, 5, cache_read=3),
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
    await ledger.record([_charge("a")], run="run", tenant="租户", at=1.5)
    with sqlite3.connect(tmp_path / "data" / "ledger.sqlite") as connection:
        rows = connection.execute("SELECT * FROM charges").fetchall()
    connection.close()
    assert rows == [("a", "run", "租户", 1.5, "chat", "cheap", "m", "m", 10, 5, 3, 0, 0, 0, "0.001", "p", "ok")]


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
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda file, timeout: connect(file, timeout=0.05))
    holder = connect(path)
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
