"""``groat ledger`` over a real ledger; only the application around it is left out."""

import asyncio
import datetime
import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from groat.costs import Books, PriceTable, QuestionOutcome, Settled, SqliteLedger
from groat.errors import BadInput
from groat.types import Box, Purpose, Tier
from serve.cli import ledger as command
from serve.cli.main import app
from tests.fakes import FixedClock, usage

NOON = 1_795_521_600.0
"""2026-11-24 12:00 UTC."""
PRICES = PriceTable({"small": {"input": "1", "cached_input": "0.1", "output": "4"}})


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Books:
    books = Books(
        PRICES, SqliteLedger(tmp_path / "ledger.sqlite"), baseline_model="gpt-5.2", clock=FixedClock(NOON)
    )  # fmt: skip
    application = SimpleNamespace(services=SimpleNamespace(books=books))
    monkeypatch.setattr(command, "load_application", lambda: application)
    return books


async def _charge(
    books: Books,
    key: str,
    *,
    tenant: str = "acme",
    tier: Tier = "cheap",
    model: str = "small",
    purpose: Purpose = "answer",
    box: Box = "answer_cheap",
    outcome: str = "ok",
    written: int = 100,
) -> None:
    charge = books.chat(
        key=key, box=box, model=model, priced_as=model, tier=tier, usage=usage(1_000, written, cache_read=500), purpose=purpose,
        outcome=outcome,
    )  # fmt: skip
    await books.record([charge], run=key.split(":")[0], tenant=tenant)


async def _question(
    books: Books, run: str, outcome: QuestionOutcome, cost: str | None, baseline: str | None, *, tenant: str = "acme"
) -> None:
    verified = outcome not in {"unverified", "failed"}
    await books.question(
        Settled(
            run=run, tenant=tenant, outcome=outcome, verified=verified, escalated=outcome == "expensive", cost_usd=cost,
            baseline_cost_usd=baseline,
        )
    )  # fmt: skip


async def _a_day(books: Books) -> None:
    await books.record([books.embedding(key="h1:e", box="check_cache", model="bundled", text="你好")], run="h1", tenant="acme")
    await _question(books, "h1", "hit_semantic", "0", "0.004")
    await _charge(books, "q1:a:0")
    await _question(books, "q1", "cheap", "0.00095", "0.005")
    # A failed call, its retry, and a second opinion.
    await _charge(books, "q2:a:0", outcome="server", written=0)
    await _charge(books, "q2:a:1")
    await _charge(books, "q2:v:0", box="validate", purpose="second_opinion")
    await _charge(books, "q2:x:0", box="answer_expensive", tier="expensive", model="no-such-model", outcome="cancelled")
    await _question(books, "q2", "unverified", None, "0.006")
    await _charge(books, "q3:a:0", tenant="乙")
    await _question(books, "q3", "cheap", "0.00095", "0.003", tenant="乙")


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["ledger", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0
    return done.output


def _json(*arguments: str) -> dict[str, Any]:
    found = json.loads(_run(*arguments, "--json", "-"))
    assert isinstance(found, dict)
    return found


def _spent(calls: int, cost: str, *, given: int | None = None, written: int = 0, unknown: int = 0) -> dict[str, object]:
    return {
        "calls": calls, "tokens_in": 1_000 * calls if given is None else given, "tokens_cached": 500 * calls,
        "tokens_out": written, "tokens_reasoning": 0, "cost_usd": cost, "unknown_prices": unknown,
    }  # fmt: skip


def _compared(questions: int, cost: str, baseline: str, saved: str, *, compared: int | None = None) -> dict[str, object]:
    return {
        "questions": questions, "compared": questions if compared is None else compared, "cost_usd": cost,
        "baseline_cost_usd": baseline, "saved_usd": saved,
    }  # fmt: skip


def test_a_day_is_told_in_exact_numbers(books: Books) -> None:
    asyncio.run(_a_day(books))
    report = _json("--day", "2026-11-24")
    assert report["rows"] == {"questions": 4, "calls": 7}
    assert report["questions"] == {
        **_compared(4, "0.00190", "0.012", "0.01010", compared=3),
        "verified": 3,
        "escalated": 0,
        "by_outcome": {
            "hit_semantic": _compared(1, "0", "0.004", "0.004"),
            "cheap": _compared(2, "0.00190", "0.008", "0.00610"),
            "unverified": _compared(1, "0", "0", "0", compared=0),
        },
    }
    assert report["cost"] == {**_spent(7, "0.00435", given=6_001, written=500, unknown=1), "tokens_cached": 3_000}
    line = {"tier": "cheap", "purpose": "answer", "model": "small", "service_tier": ""}
    assert report["by_model"] == [
        {**line, **_spent(4, "0.00340", written=300)},
        {**line, "purpose": "second_opinion", **_spent(1, "0.00095", written=100)},
        {
            "tier": "",
            "purpose": "vectors",
            "model": "bundled",
            "service_tier": "",
            **_spent(1, "0", given=1),
            "tokens_cached": 0,
        },
        {**line, "tier": "expensive", "model": "no-such-model", **_spent(1, "0", written=100, unknown=1)},
    ]
    assert {name: (found["calls"], found["questions"]["questions"]) for name, found in report["by_tenant"].items()} == {
        "acme": (6, 3), "乙": (1, 1)
    }  # fmt: skip
    assert report["cache"] == _compared(1, "0", "0.004", "0.004")
    assert report["failed"] == _spent(1, "0.00055")
    assert report["cancelled"] == _spent(1, "0", written=100, unknown=1)
    assert report["repeated"] == _spent(1, "0.00095", written=100)
    assert (report["tokens_estimated"], report["baseline"]) == (0, "gpt-5.2")


def test_the_sums_of_a_day_are_those_of_its_parts(books: Books) -> None:
    asyncio.run(_a_day(books))
    report = _json("--day", "2026-11-24")
    for parts in (report["by_model"], report["by_tenant"].values()):
        for key in ("calls", "tokens_in", "tokens_cached", "tokens_out", "unknown_prices"):
            assert sum(part[key] for part in parts) == report["cost"][key]
        assert sum(Decimal(part["cost_usd"]) for part in parts) == Decimal(report["cost"]["cost_usd"])


def test_a_tenant_sees_its_own_day_alone(books: Books) -> None:
    asyncio.run(_a_day(books))
    report = _json("--day", "2026-11-24", "--tenant", "乙")
    assert (report["tenant"], report["rows"]) == ("乙", {"questions": 1, "calls": 1})
    assert list(report["by_tenant"]) == ["乙"]
    assert _json("--day", "2026-11-24", "--tenant", "nobody")["rows"] == {"questions": 0, "calls": 0}


def test_the_table_says_the_same(books: Books) -> None:
    asyncio.run(_a_day(books))
    told = _run("--day", "2026-11-24")
    for part in (
        "2026-11-24 (UTC), all tenants: 4 questions, 7 calls, $0.004350 (1 of unknown price missing); 3 verified, 0 escalated",
        "second_opinion",
        "no-such-model",
        "乙",
        "failed calls: 1, $0.000550",
        "cancelled calls: 1, $0 (1 of unknown price missing)",
        "repeated calls: 1, $0.000950",
        "cache hits: 1, $0.004000 saved",
        "all expensive (gpt-5.2): $0.012000, paid: $0.001900, 84% less (left out for unknown prices: 1 of 4)",
    ):
        assert part in told


def test_a_day_without_rows_says_so(books: Books) -> None:
    assert _run("--day", "2026-11-23") == "2026-11-23 (UTC), all tenants: nothing was asked and nothing was paid\n"
    assert _run("--day", "2026-11-23", "--tenant", "[b]").startswith("2026-11-23 (UTC), tenant [b]: nothing was asked")
    assert _json("--day", "2026-11-23")["rows"] == {"questions": 0, "calls": 0}


def test_a_day_begins_and_ends_at_midnight_utc(books: Books) -> None:
    asyncio.run(_around_midnight(books))
    assert [_json("--day", f"2026-11-{day}")["rows"]["calls"] for day in (23, 24, 25)] == [1, 2, 1]


async def _around_midnight(books: Books) -> None:
    for number, at in enumerate((NOON - 43_200.001, NOON - 43_200, NOON + 43_199.999, NOON + 43_200)):
        charge = books.chat(key=f"k{number}", box="answer_cheap", model="m", priced_as="small", tier="cheap", usage=usage(1, 1))
        await books.ledger.record([charge], run="r", tenant="t", at=at)


def test_today_is_the_day_without_a_choice(books: Books) -> None:
    assert _json()["day"] == datetime.datetime.now(datetime.UTC).date().isoformat()


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "20261124", "2026-11-4", "", "２０２６-11-24"])
def test_what_is_no_day_is_refused_with_an_example(books: Books, day: str) -> None:
    with pytest.raises(BadInput, match="is no day; write it as YYYY-MM-DD, such as 2026-11-24"):
        _run("--day", day)
