"""Budgets of a day: what they allow, and that nothing slips past them."""

import asyncio
import random
import sqlite3
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.costs import Balance, Budget, Budgets, Ceilings, Policy, Reservation, SqliteLedger, Standing, Used, sqlite
from groat.types import Charge, Tier
from tests.fakes import FixedClock, usage

ROOT = Path(__file__).resolve().parent.parent.parent
NOON = 1_795_521_600.0
"""2026-11-24 12:00 UTC."""
MIDNIGHT = NOON + 43_200
AMOUNTS = st.decimals(min_value=0, max_value=10, places=9, allow_nan=False)


def _dollars(limit: str, policy: Policy = "refuse") -> Budget:
    return Budget(usd_per_day=Decimal(limit), policy=policy)


def _charge(key: str, cost: str | None) -> Charge:
    return {
        "key": key, "kind": "chat", "box": "answer_cheap", "purpose": "answer", "model": "m", "priced_as": "m",
        "tier": "cheap", "usage": usage(10, 5), "cost_usd": cost, "prices": "p", "outcome": "ok",
    }  # fmt: skip


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOON)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    return SqliteLedger(tmp_path / "data" / "ledger.sqlite")


@pytest.fixture
def broken(tmp_path: Path) -> SqliteLedger:
    (tmp_path / "broken.sqlite").write_bytes(b"no database at all" * 100)
    return SqliteLedger(tmp_path / "broken.sqlite")


async def _spend(ledger: SqliteLedger, cost: str, *, tenant: str = "t", at: float = NOON, key: str | None = None) -> None:
    await ledger.record([_charge(key or f"{tenant}:{at}:{cost}", cost)], run="r", tenant=tenant, at=at)


async def _may(budgets: Budgets, amount: str | None, *, key: str = "k", tenant: str = "t", tier: Tier = "cheap") -> Reservation:
    return await budgets.reserve(key=key, tenant=tenant, amount=None if amount is None else Decimal(amount), tier=tier)


async def test_without_a_budget_nothing_is_read_or_written(ledger: SqliteLedger, tmp_path: Path) -> None:
    budgets = Budgets(ledger)
    assert await _may(budgets, None) == Reservation(allowed=True)
    assert await budgets.standing("t") == Standing()
    await budgets.release("k")
    assert not (tmp_path / "data").exists()


async def test_a_budget_of_another_tenant_costs_nothing(ledger: SqliteLedger, tmp_path: Path) -> None:
    budgets = Budgets(ledger, by_tenant={"other": _dollars("0")})
    assert await _may(budgets, "5") == Reservation(allowed=True)
    assert not (tmp_path / "data").exists()


async def test_a_call_that_fits_is_held_and_one_that_does_not_is_refused(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    await _spend(ledger, "0.3")
    assert await _may(budgets, "0.7", key="a") == Reservation(
        allowed=True, policy="refuse", spent=Decimal("0.3"), limit=Decimal(1)
    )
    refused = await _may(budgets, "0.000000001", key="b")
    assert refused == Reservation(
        allowed=False,
        policy="refuse",
        spent=Decimal("1.0"),
        limit=Decimal(1),
        reason="a call of up to $0.000000001 does not fit the budget of the tenant 't': $1.0 of $1 are spent or reserved "
        "today; raise the budget or wait until 00:00 UTC",
    )
    assert (await ledger.balance(tenant="t", at=NOON)).tenant == Used(Decimal("0.3"), Decimal("0.7"))


async def test_what_costs_nothing_fits_a_budget_of_nothing(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("0"), clock=clock)
    assert (await _may(budgets, "0")).allowed
    assert not (await _may(budgets, "0.000001")).allowed


async def test_a_charge_settles_what_was_held_for_it(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    await _may(budgets, "0.9", key="a")
    await _spend(ledger, "0.2", key="a")
    assert await budgets.standing("t") == Standing(
        spent=Decimal("0.2"), reserved=Decimal(0), limit=Decimal(1), policy="refuse", over=False
    )
    assert (await _may(budgets, "0.8", key="b")).allowed


async def test_a_call_whose_price_turned_out_unknown_counts_as_what_was_held(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    await _may(budgets, "0.9", key="a")
    for _ in range(2):
        await ledger.record([_charge("a", None)], run="r", tenant="t", at=NOON)
    assert (await ledger.balance(tenant="t", at=NOON)).tenant == Used(Decimal("0.9"), Decimal(0))
    assert (await ledger.totals(since=0)).cost_usd == 0
    assert not (await _may(budgets, "0.2", key="b")).allowed


async def test_what_was_released_may_be_spent_again(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    await _may(budgets, "1", key="a")
    await budgets.release("a")
    assert (await _may(budgets, "1", key="b")).allowed


async def test_the_same_key_is_held_once(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    assert [(await _may(budgets, "0.8", key="a")).allowed for _ in range(3)] == [True, True, True]
    assert (await ledger.balance(tenant="t", at=NOON)).tenant == Used(Decimal(0), Decimal("0.8"))


async def test_a_dead_worker_blocks_nobody_for_longer_than_ten_minutes(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    await _may(budgets, "1", key="dead")
    clock.now += 599.9
    assert not (await _may(budgets, "1", key="b")).allowed
    assert (await budgets.standing("t")).over
    clock.now += 0.1
    assert not (await budgets.standing("t")).over
    assert (await _may(budgets, "1", key="b")).allowed


async def test_the_day_ends_at_midnight_utc(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    await _spend(ledger, "1", at=MIDNIGHT - 0.001)
    clock.now = MIDNIGHT - 0.001
    assert not (await _may(budgets, "1", key="a")).allowed
    clock.now = MIDNIGHT
    assert (await _may(budgets, "1", key="a")).allowed


async def test_a_call_that_began_before_midnight_is_held_against_the_new_day(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), clock=clock)
    clock.now = MIDNIGHT - 1
    assert (await _may(budgets, "0.6", key="a")).allowed
    clock.now = MIDNIGHT + 1
    assert not (await _may(budgets, "0.6", key="b")).allowed


@pytest.mark.parametrize(
    ("policy", "tier", "allowed"),
    [
        ("warn", "cheap", True),
        ("warn", "expensive", True),
        ("degrade", "cheap", True),
        ("degrade", "expensive", False),
        ("refuse", "cheap", False),
        ("refuse", "expensive", False),
    ],
)
async def test_the_policy_says_what_happens_to_a_call_that_does_not_fit(
    ledger: SqliteLedger, clock: FixedClock, policy: Policy, tier: Tier, allowed: bool
) -> None:
    budgets = Budgets(ledger, default=_dollars("1", policy), clock=clock)
    await _spend(ledger, "1")
    found = await _may(budgets, "0.5", tier=tier)
    assert (found.allowed, found.policy, found.spent, found.limit) == (allowed, policy, Decimal(1), Decimal(1))
    assert "raise the budget or wait until 00:00 UTC" in found.reason
    assert (await ledger.balance(tenant="t", at=NOON)).tenant.reserved == (Decimal("0.5") if allowed else 0)


@pytest.mark.parametrize("tier", ["cheap", "expensive"])
@pytest.mark.parametrize(("policy", "allowed"), [("warn", True), ("degrade", False), ("refuse", False)])
async def test_what_cannot_be_known_is_refused_unless_the_policy_only_warns(
    ledger: SqliteLedger, broken: SqliteLedger, policy: Policy, tier: Tier, allowed: bool
) -> None:
    unpriced = await _may(Budgets(ledger, default=_dollars("1", policy)), None, tier=tier)
    assert unpriced == Reservation(
        allowed=allowed,
        policy=policy,
        limit=Decimal(1),
        reason="the price of the model is unknown, so no budget can be held to; give it a price or set the policy to warn",
    )
    unread = await _may(Budgets(broken, default=_dollars("1", policy)), "0", tier=tier)
    assert (unread.allowed, unread.policy, unread.spent, unread.limit) == (allowed, policy, None, Decimal(1))
    assert unread.reason.endswith("is damaged; move it away, a new one will be made; until then no budget can be held to")


async def test_a_ledger_that_cannot_be_read_stands_as_over(broken: SqliteLedger) -> None:
    budgets = Budgets(broken, default=_dollars("1", "warn"))
    assert await budgets.standing("t") == Standing(limit=Decimal(1), policy="warn", over=True)
    await budgets.release("k")


async def test_a_tenant_of_its_own_budget_does_not_share_the_default(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), by_tenant={"大": _dollars("10")}, clock=clock)
    for tenant in ("大", "t", "u"):
        await _spend(ledger, "1", tenant=tenant)
    assert [(await _may(budgets, "0.5", tenant=tenant, key=tenant)).allowed for tenant in ("大", "t", "u")] == [
        True, False, False
    ]  # fmt: skip


async def test_a_call_must_fit_the_budget_of_all_as_well(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1"), overall=_dollars("1.5"), clock=clock)
    await _spend(ledger, "0.9", tenant="a")
    assert (await _may(budgets, "0.5", tenant="b", key="b")).allowed
    refused = await _may(budgets, "0.2", tenant="c", key="c")
    assert (refused.allowed, refused.spent, refused.limit) == (False, Decimal("1.4"), Decimal("1.5"))
    assert "the budget of all tenants together: $1.4 of $1.5" in refused.reason
    assert await budgets.standing("c") == Standing(
        spent=Decimal("0.9"), reserved=Decimal("0.5"), limit=Decimal("1.5"), policy="refuse", over=False
    )


async def test_a_refusal_is_told_in_the_name_of_the_budget_that_refuses(ledger: SqliteLedger, clock: FixedClock) -> None:
    budgets = Budgets(ledger, default=_dollars("1", "degrade"), overall=_dollars("1", "warn"), clock=clock)
    await _spend(ledger, "1")
    assert (await _may(budgets, "1", tier="expensive")).policy == "degrade"
    cheap = await _may(budgets, "1", tier="cheap")
    assert (cheap.allowed, cheap.policy) == (True, "degrade")


async def test_many_at_once_never_pass_the_limit(tmp_path: Path, clock: FixedClock) -> None:
    ledgers = [SqliteLedger(tmp_path / "ledger.sqlite") for _ in range(3)]
    chosen = random.Random(7)
    amounts = [Decimal(chosen.randrange(1, 10**9)) / 10**9 for _ in range(120)]

    async def call(number: int, amount: Decimal) -> Decimal:
        ledger = ledgers[number % 3]
        budgets = Budgets(ledger, default=_dollars("20"), overall=_dollars("30"), clock=clock)
        tenant, key = "ab"[number % 2], f"k{number}"
        if not (await _may(budgets, f"{amount:f}", tenant=tenant, key=key)).allowed:
            return Decimal(0)
        await asyncio.sleep(0)
        cost = amount if number % 5 else amount / 2
        await ledger.record([_charge(key, f"{cost:f}")], run="r", tenant=tenant, at=NOON)
        return cost

    paid = await asyncio.gather(*(call(number, amount) for number, amount in enumerate(amounts)))
    a, b = [(await ledgers[0].balance(tenant=tenant, at=NOON)) for tenant in "ab"]
    assert (a.tenant.spent, b.tenant.spent) == (sum(paid[::2]), sum(paid[1::2]))
    assert a.overall == Used(sum(paid, Decimal(0)), Decimal(0))
    assert max(a.tenant.spent, b.tenant.spent) <= 20
    assert 20 < a.overall.spent <= 30


async def test_two_that_look_at_the_same_moment_do_not_both_fit(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = sqlite._balance

    def look_slowly(db: sqlite3.Connection, tenant: str, at: float) -> Balance:
        balance = look(db, tenant, at)
        time.sleep(0.05)
        return balance

    monkeypatch.setattr(sqlite, "_balance", look_slowly)
    budgets = [Budgets(SqliteLedger(tmp_path / "l.sqlite"), default=_dollars("1"), clock=clock) for _ in range(2)]
    found = await asyncio.gather(*(_may(one, "0.6", key=f"k{number}") for number, one in enumerate(budgets)))
    assert sorted(one.allowed for one in found) == [False, True]


_WORKER = """
import asyncio, pathlib, sys
from decimal import Decimal
from groat.costs import Books, Budget, Budgets, PriceTable, SqliteLedger

NOON = 1_795_521_600.0
USAGE = {"input": 1, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": False}

async def call(books, budgets, key, amount):
    reservation = await budgets.reserve(key=key, tenant="t", amount=amount, tier="cheap")
    if not reservation.allowed:
        return Decimal(0)
    charge = books.chat(
        key=key, box="answer_cheap", model="m", priced_as="m", tier="cheap", usage=USAGE, billed_usd=str(amount)
    )
    assert await books.record([charge], run="r", tenant="t") is None
    return amount

async def main(path, name):
    ledger = SqliteLedger(pathlib.Path(path))
    books = Books(PriceTable(), ledger, baseline_model="m", clock=lambda: NOON)
    budgets = Budgets(ledger, default=Budget(usd_per_day=Decimal(1), policy="refuse"), clock=lambda: NOON)
    print("ready", flush=True)
    sys.stdin.readline()
    calls = (call(books, budgets, f"{name}{number}", Decimal(number % 9 + 1) / 100) for number in range(40))
    print(sum(await asyncio.gather(*calls)))

asyncio.run(main(*sys.argv[1:]))
"""


def test_two_processes_never_pass_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(path), name], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    paid = [Decimal(worker.communicate(timeout=60)[0]) for worker in workers]
    balance = asyncio.run(SqliteLedger(path).balance(tenant="t", at=NOON))
    assert balance.tenant == Used(sum(paid, Decimal(0)), Decimal(0))
    assert Decimal("0.9") < balance.tenant.spent <= 1


@settings(max_examples=200)
@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_what_a_ceiling_holds_never_passes_it(limit: Decimal, spent: Decimal, reserved: Decimal, amount: Decimal) -> None:
    nothing = Used(Decimal(0), Decimal(0))
    for ceilings, balance in (
        (Ceilings(tenant=limit), Balance(tenant=Used(spent, reserved), overall=nothing)),
        (Ceilings(overall=limit), Balance(tenant=nothing, overall=Used(spent, reserved))),
    ):
        assert ceilings.hold(balance, amount) == (spent + reserved + amount <= limit)
    assert Ceilings().hold(Balance(tenant=Used(spent, reserved), overall=nothing), amount)
    assert Used(spent, reserved).leaves(limit) == limit - spent - reserved


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.booleans(), AMOUNTS), max_size=12))
def test_any_order_of_calls_keeps_the_limit_and_the_sum(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[bool, Decimal]]
) -> None:
    asyncio.run(_any_order(tmp_path_factory.mktemp("any"), calls))


async def _any_order(folder: Path, calls: list[tuple[bool, Decimal]]) -> None:
    ledger = SqliteLedger(folder / "ledger.sqlite")
    budgets = Budgets(ledger, default=_dollars("15"), clock=FixedClock(NOON))
    spent = held = Decimal(0)
    for number, (finishes, amount) in enumerate(calls):
        fits = spent + held + amount <= 15
        assert (await _may(budgets, f"{amount:f}", key=f"k{number}")).allowed is fits
        if fits and finishes:
            await _spend(ledger, f"{amount:f}", key=f"k{number}")
            spent += amount
        elif fits:
            held += amount
    assert (await ledger.balance(tenant="t", at=NOON)).tenant == Used(spent, held)
