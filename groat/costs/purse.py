"""What one box of one question may still spend, and what it has spent."""

from collections.abc import Callable, Sequence
from decimal import Decimal

from groat.costs.amounts import exact_sum
from groat.costs.baseline import total
from groat.costs.books import Books
from groat.costs.budgets import Budgets
from groat.costs.ledger import KeptReply
from groat.errors import ModelError
from groat.types import Box, Charge, Purpose, Tier, Usage


class Purse:
    """Asks the question's own budget and those of the day before each call, and writes down each call when it is over.

    Args:
        books: prices and ledger.
        budgets: of the day.
        run: the question.
        tenant: who pays.
        box: the node that spends.
        tier: whose work is paid for.
        spent: what the question was charged so far.
        max_cost_usd: most that the question may cost; None for no limit.
        purpose: what the calls are for.
    """

    def __init__(
        self,
        books: Books,
        budgets: Budgets,
        *,
        run: str,
        tenant: str,
        box: Box,
        tier: Tier,
        spent: Sequence[Charge],
        max_cost_usd: float | None,
        purpose: Purpose = "answer",
    ) -> None:
        """Spend nothing yet."""
        self.charges: list[Charge] = []
        """What was spent, in the order in which the calls ended."""
        self.ledger_failed: str | None = None
        """Why a charge could not be kept; None while all were."""
        self.run, self.tenant, self.box = run, tenant, box
        self.warning: str = ""
        """What a budget that only warns has said."""
        self._books = books
        self._budgets = budgets
        self._tier = tier
        self._purpose = purpose
        self._before = list(spent)
        self._held: dict[str, Decimal] = {}
        self._most = None if max_cost_usd is None else Decimal(str(max_cost_usd))

    def affordable(self, input_tokens: int, priced_as: str) -> int | None:
        """Return how many tokens of answer the question's budget still pays; None without a budget.

        What has no known price cannot be shown to fit: budgets fail closed.
        """
        left = self._left()
        if left is None:
            return None
        prompt = self._books.worst_case(input_tokens, 0, priced_as)
        million = self._books.worst_case(0, 1_000_000, priced_as)
        if prompt is None or million is None or left < prompt:
            return 0
        return None if million == 0 else int((left - prompt) / million * 1_000_000)

    async def permit(self, key: str, *, model: str, priced_as: str, input_tokens: int, output_tokens: int) -> None:
        """Hold the price of a call against all budgets.

        Raises:
            ModelError: it does not fit; the failure is "budget".
        """
        amount = self._books.worst_case(input_tokens, output_tokens, priced_as)
        left = self._left()
        if left is not None and (amount is None or amount > left):
            raise ModelError(
                f"the budget of this question does not reach another call of {model!r}; raise max_cost_usd", failure="budget"
            )
        reservation = await self._budgets.reserve(key=key, tenant=self.tenant, amount=amount, tier=self._tier)
        if not reservation.allowed:
            raise ModelError(reservation.reason, failure="budget")
        if amount is not None:
            self._held[key] = amount
        self.warning = self.warning or reservation.reason

    async def pay(
        self,
        key: str,
        *,
        model: str,
        priced_as: str,
        usage: Usage,
        outcome: str,
        billed_usd: str | None = None,
        keep: Callable[[], KeptReply] | None = None,
    ) -> None:
        """Write down one call and, in the same step, what ``keep`` makes of its reply once ``charges`` holds the charge.

        A ledger that fails shows in ``ledger_failed``.
        """
        charge = self._books.chat(
            key=key,
            box=self.box,
            model=model,
            priced_as=priced_as,
            tier=self._tier,
            usage=usage,
            purpose=self._purpose,
            outcome=outcome,
            billed_usd=billed_usd,
        )
        self._held.pop(key, None)
        self.charges.append(charge)
        reply = None if keep is None else keep()
        failed = await self._books.record([charge], run=self.run, tenant=self.tenant, reply=reply)
        self.ledger_failed = failed or self.ledger_failed

    def _left(self) -> Decimal | None:
        if self._most is None:
            return None
        spent = total([*self._before, *self.charges])
        return Decimal(-1) if spent is None else exact_sum([self._most, -spent, *(-held for held in self._held.values())])
