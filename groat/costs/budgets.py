"""Budgets of a day, for each tenant and for all together, held before a call is made."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from groat.costs.amounts import exact_sum
from groat.costs.ledger import Balance, Ceilings, Ledger, Used
from groat.errors import StorageError
from groat.types import Tier

Policy = Literal["warn", "degrade", "refuse"]
"""What happens to a call that does not fit: it is made all the same, only the cheap model is called, or none is."""

HOLD_S = 600.0
"""Seconds after which a reservation is given up, so that a worker that died blocks nobody. Longer than any call."""

_Scope = Literal["tenant", "overall"]
_STRICTNESS: tuple[Policy, ...] = ("warn", "degrade", "refuse")


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Most that may be spent in one day, which begins at 00:00 UTC."""

    usd_per_day: Decimal
    """Not negative; zero allows only what costs nothing."""
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """Whether one call may be made."""

    allowed: bool
    policy: Policy | None = None
    """Of the budget that decided; None when no budget is set."""
    spent: Decimal | None = None
    """What that budget's day holds, reservations included, without this call; None when that is not known."""
    limit: Decimal | None = None
    reason: str = ""
    """One sentence that says what does not fit and what to do, also when the call is allowed; empty when it fits."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a budget stands, before anything is asked of it."""

    spent: Decimal | None = None
    """Charged today; None when no budget is set or the ledger cannot be read."""
    reserved: Decimal | None = None
    limit: Decimal | None = None
    policy: Policy | None = None
    over: bool = False
    """Nothing is left, or nobody knows."""


class Budgets:
    """Asks the ledger whether a call fits and holds its worst price, in one step and across threads and processes.

    A charge under the same key settles the reservation. Two budgets may apply, the tenant's and the one of all; a call must
    fit both. Without any budget nothing is read or written.

    Args:
        ledger: where charges and reservations are kept.
        default: of tenants that have no budget of their own; None for none.
        by_tenant: budgets of tenants by name.
        overall: of all tenants together; None for none.
        clock: seconds since 1970; the one that the books use.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        default: Budget | None = None,
        by_tenant: Mapping[str, Budget] | None = None,
        overall: Budget | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep the parts."""
        self._ledger = ledger
        self._default = default
        self._by_tenant = dict(by_tenant or {})
        self._overall = overall
        self._clock = clock

    async def reserve(self, *, key: str, tenant: str, amount: Decimal | None, tier: Tier) -> Reservation:
        """Hold ``amount`` for a call, about 0.3 ms; nothing is raised.

        What cannot be known does not fit: an unknown price and a ledger that fails are refused under every policy but "warn".

        Args:
            key: the key that the call's charge will have; asking again replaces what was held.
            tenant: who pays.
            amount: the most that the call can cost, in dollars; None when its price is unknown.
            tier: which model is called; under "degrade" the cheap one always may.
        """
        budgets = self._of(tenant)
        if not budgets:
            return Reservation(allowed=True)
        if amount is None:
            reason = "the price of the model is unknown, so no budget can be held to; give it a price or set the policy to warn"
            return _unknown(budgets, reason)
        binding = {scope: budget.usd_per_day for scope, budget in budgets.items() if _binds(budget, tier)}
        now = self._clock()
        try:
            allowed, balance = await self._ledger.reserve(
                key=key, tenant=tenant, amount=amount, at=now, until=now + HOLD_S, within=Ceilings(**binding)
            )
        except StorageError as error:
            return _unknown(budgets, f"{error}; until then no budget can be held to")
        used = {scope: _used(scope, balance) for scope in budgets}
        passed = [scope for scope, budget in budgets.items() if used[scope].leaves(budget.usd_per_day) < amount]
        # A budget that refuses is stricter than one that lets the call through, so a refusal is told in its name.
        scope = _strictest(budgets, passed or list(budgets))
        budget = budgets[scope]
        return Reservation(
            allowed=allowed,
            policy=budget.policy,
            spent=exact_sum(used[scope]),
            limit=budget.usd_per_day,
            reason=_reason(scope, tenant, budget, used[scope], amount) if passed else "",
        )

    async def release(self, key: str) -> None:
        """Give back what was held for a call that was not made. A ledger that fails is left to the reservation's end."""
        if self._default is None and self._overall is None and not self._by_tenant:
            return
        with contextlib.suppress(StorageError):  # what is held too long only errs on the safe side
            await self._ledger.release(key)

    async def standing(self, tenant: str) -> Standing:
        """Return how the tenant's budgets stand: of two, the one with less left. Nothing is raised."""
        budgets = self._of(tenant)
        if not budgets:
            return Standing()
        try:
            balance = await self._ledger.balance(tenant=tenant, at=self._clock())
        except StorageError:
            budget = budgets[_strictest(budgets, list(budgets))]
            return Standing(limit=budget.usd_per_day, policy=budget.policy, over=True)
        scope = min(budgets, key=lambda scope: _used(scope, balance).leaves(budgets[scope].usd_per_day))
        budget, used = budgets[scope], _used(scope, balance)
        return Standing(
            spent=used.spent,
            reserved=used.reserved,
            limit=budget.usd_per_day,
            policy=budget.policy,
            over=used.leaves(budget.usd_per_day) <= 0,
        )

    def degrades(self, tenant: str) -> bool:
        """Tell whether a budget that the tenant has spent leaves it the cheap model."""
        policies = {budget.policy for budget in self._of(tenant).values()}
        return "degrade" in policies and "refuse" not in policies

    def _of(self, tenant: str) -> dict[_Scope, Budget]:
        found: dict[_Scope, Budget] = {}
        own = self._by_tenant.get(tenant, self._default)
        if own is not None:
            found["tenant"] = own
        if self._overall is not None:
            found["overall"] = self._overall
        return found


def _binds(budget: Budget, tier: Tier) -> bool:
    return budget.policy == "refuse" or (budget.policy == "degrade" and tier == "expensive")


def _used(scope: _Scope, balance: Balance) -> Used:
    return balance.tenant if scope == "tenant" else balance.overall


def _strictest(budgets: Mapping[_Scope, Budget], among: Sequence[_Scope]) -> _Scope:
    return max(among, key=lambda scope: _STRICTNESS.index(budgets[scope].policy))


def _unknown(budgets: Mapping[_Scope, Budget], reason: str) -> Reservation:
    budget = budgets[_strictest(budgets, list(budgets))]
    return Reservation(allowed=budget.policy == "warn", policy=budget.policy, limit=budget.usd_per_day, reason=reason)


def _reason(scope: _Scope, tenant: str, budget: Budget, used: Used, amount: Decimal) -> str:
    whose = f"the tenant {tenant!r}" if scope == "tenant" else "all tenants together"
    return (
        f"a call of up to ${amount:f} does not fit the budget of {whose}: ${exact_sum(used):f} of ${budget.usd_per_day:f} "
        "are spent or reserved today; raise the budget or wait until 00:00 UTC"
    )
