"""What a promise leaves to be risked on questions of which nothing is proven."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from groat.types import Asked, Route

ASSUMED_LOSS: Final = 0.1
"""Loss of quality of the cheap model's answer that is assumed over documents like none that anybody labelled.

No measurement of those questions, or none would be needed. Where short questions were asked of a small and a large model and
both were graded, the small one lost 8 % of the quality (389 natural questions), 18 % (373 trivia) and less than nothing (357
of common sense); over documents it has the answer before it.
"""
FULL: Final = 1.0
"""Most that is saved up, in lost answers: a long quiet spell must not be followed by a long bad one."""
RATE: Final = 0.05
"""How fast the price of what is left follows demand."""
_MOST_KEYS: Final = 10_000


class Account(NamedTuple):
    """What one promise has left."""

    left: float = 0.0
    """Lost answers that may still be risked."""
    price: float = 0.0
    """Least worth of a question that is let in, so that what is left goes where it saves most."""
    usual: float = 0.0
    """Worth of such questions, a moving average."""


class Allowance:
    """Keeps account of a promise: every question earns its promised loss; cheap answers and shortened contexts spend of it.

    A promise of 5 % is five lost answers in a hundred questions. What proven decisions leave of that is given to questions
    over documents that are unlike all labelled ones, at an assumed loss each; when nothing is left they go to the expensive
    model. So the mean loss keeps the promise if the assumption holds, and exceeds it by no more than the assumption falls
    short. When more questions ask than can be let in, those are that save most: a price rises while they ask for more than is
    earned and falls while they ask for less (dual descent for online budgets: Balseiro, Lu and Mirrokni 2020). Each tenant,
    language and promise has an account of its own, in this process: several processes keep the promise each on its own
    questions.

    Args:
        assumed: loss of one such answer, 0..1; 0 means that nothing is assumed, and nothing risked.
        accounts: what an earlier one ended with.
    """

    def __init__(self, assumed: float = ASSUMED_LOSS, accounts: Mapping[str, Sequence[float]] | None = None) -> None:
        """Begin with nothing saved up."""
        self._assumed = assumed
        self._lock = threading.Lock()
        self._accounts = OrderedDict((name, Account(*one)) for name, one in (accounts or {}).items())

    @property
    def accounts(self) -> dict[str, Account]:
        """What is left, by promise, language and tenant."""
        return dict(self._accounts)

    def settle(self, route: Route, asked: Asked, *, max_quality_loss: float, worth: float = 1.0, spent: float = 0.0) -> Route:
        """Return the route, to the cheap model where the account reaches for that, and enter it.

        Args:
            route: the router's decision; only one marked ``unproven`` is changed.
            asked: the question.
            max_quality_loss: the promise in force, 0..1.
            worth: what the cheap model would save on this question, in any unit that all questions share.
            spent: loss that something else may cause on this question, whoever answers it: shortening its documents.
        """
        # Servers run questions on several event loops, in threads of their own.
        with self._lock:
            return self._entered(route, asked, max_quality_loss, worth, spent)

    def _entered(self, route: Route, asked: Asked, max_quality_loss: float, worth: float, spent: float) -> Route:
        key = f"{max_quality_loss:g}/{asked['language']}/{asked['tenant']}"
        account = self._accounts.pop(key, Account())
        left = max(min(account.left + max_quality_loss, FULL) - spent, -FULL)
        price, usual, wanted = account.price, account.usual, 0.0
        if route["tier"] == "cheap":
            left = max(left - max(route.get("gain", 0.0), 0.0), -FULL)
        elif route.get("unproven", False) and self._assumed > 0:
            usual = usual + RATE * (worth - usual) if usual else worth
            if worth >= price:
                wanted = self._assumed
                if self._assumed <= left + 1e-9:
                    left -= self._assumed
                    route = self._let_in(route)
        if self._assumed > 0:
            price = max(price + RATE * usual * (wanted + spent - max_quality_loss) / self._assumed, 0.0)
        self._accounts[key] = Account(left, price, usual)
        if len(self._accounts) > _MOST_KEYS:
            self._accounts.popitem(last=False)
        return route

    def _let_in(self, route: Route) -> Route:
        said = f"{self._assumed:.0%} loss is assumed of an answer over documents like these, and the promise reaches for it"
        sure = round(1 - self._assumed, 6)
        return {**route, "tier": "cheap", "p_cheap_ok": sure, "threshold": sure, "reasons": [said, *route["reasons"]]}
