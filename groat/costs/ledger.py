"""What a ledger keeps and can be asked; ``SqliteLedger`` is the one that ships."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

from groat.costs.amounts import exact_sum
from groat.costs.days import DayReport
from groat.types import Box, Charge

QuestionOutcome = Literal["hit_exact", "hit_semantic", "cheap", "expensive", "unverified", "passed_on", "failed"]
"""How a question ended: from the cache, answered and accepted by a tier, answered without being accepted, passed on to a model
with the caller's tools, or not answered."""


@dataclass(frozen=True, kw_only=True)
class LedgerTotals:
    """What a span of time cost."""

    charges: int
    cost_usd: Decimal
    """Sum of the known prices."""
    unknown: int
    """How many charges have no known price and are missing from the sum."""


@dataclass(frozen=True, kw_only=True)
class Settled:
    """How one question ended and what it came to."""

    run: str
    tenant: str
    outcome: QuestionOutcome
    verified: bool
    escalated: bool
    cost_usd: str | None
    """Decimal dollars; None when one of its prices is unknown."""
    baseline_cost_usd: str | None
    """What the all-expensive baseline would have paid; None when that is unknown."""
    path: Sequence[Box] = ()
    """The boxes it went through, in order."""


@dataclass(frozen=True, kw_only=True)
class KeptReply:
    """What a box paid for, so that the same box, run again after a crash, need not pay twice."""

    key: str
    """Deterministic: the same for every execution of the same step of the same run."""
    json: str
    """Holds users' text; gone when the question ends, or after a day."""


class Used(NamedTuple):
    """What one budget's day holds, in dollars."""

    spent: Decimal
    """What was charged; a call of unknown price counts as what was reserved for it."""
    reserved: Decimal
    """What is held for calls that are under way."""

    def leaves(self, limit: Decimal) -> Decimal:
        """Return what is left below ``limit``; negative when it was passed."""
        return exact_sum([limit, -self.spent, -self.reserved])


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What stands against the budgets of one day."""

    tenant: Used
    overall: Used
    """Of all tenants together, this one among them."""


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """What a day must stay within, in dollars; None for no ceiling."""

    tenant: Decimal | None = None
    overall: Decimal | None = None

    def hold(self, balance: Balance, amount: Decimal) -> bool:
        """Tell whether ``amount`` fits beside what is spent and reserved."""
        return (self.tenant is None or amount <= balance.tenant.leaves(self.tenant)) and (
            self.overall is None or amount <= balance.overall.leaves(self.overall)
        )


class Ledger(Protocol):
    """Keeps charges, questions, paid replies and reservations.

    Times are in seconds since 1970, days are UTC. Every method raises StorageError when the ledger cannot be read or written.
    """

    async def record(
        self, charges: Sequence[Charge], *, run: str, tenant: str, at: float, reply: KeptReply | None = None
    ) -> None:
        """Keep the charges, and the reply that they paid for, all or nothing.

        A key that is there already is not charged again. A charge settles the reservation under its key.
        """
        ...

    async def record_question(self, question: Settled, *, at: float) -> None:
        """Keep how a question ended; the same run written again takes the place of what was there."""
        ...

    async def keep_reply(self, reply: KeptReply, *, run: str, at: float) -> None:
        """Keep a paid reply; those that are older than a day are dropped."""
        ...

    async def kept_reply(self, key: str) -> str | None:
        """Return the JSON kept under the key, None without one."""
        ...

    async def drop_replies(self, run: str) -> None:
        """Forget the replies of a run that has ended."""
        ...

    async def reserve(
        self, *, key: str, tenant: str, amount: Decimal, at: float, until: float, within: Ceilings
    ) -> tuple[bool, Balance]:
        """Hold ``amount`` until ``until`` if it fits, in one step with the look at what stands against the budgets.

        A reservation under the same key is replaced. Returns whether it fitted, and the balance without it.
        """
        ...

    async def release(self, key: str) -> None:
        """Give back what was held for a call that was not made."""
        ...

    async def balance(self, *, tenant: str, at: float) -> Balance:
        """Return what stands against the budgets on the day of ``at``."""
        ...

    async def totals(self, *, since: float, tenant: str | None = None) -> LedgerTotals:
        """Sum up what was charged at or after ``since``."""
        ...

    async def day(self, day: str, *, tenant: str | None = None) -> DayReport:
        """Sum up a day, "YYYY-MM-DD" in UTC, of one tenant or of all; reads every row of that day. BadInput: it is no day."""
        ...

    async def check(self) -> None:
        """Write and read."""
        ...
