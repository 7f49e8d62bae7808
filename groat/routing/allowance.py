"""What a promise leaves to be risked on questions of which nothing is proven."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from groat.types import Asked, Route

ASSUMED_LOSS: Final = 0.1
"""Loss of quality of the cheap model's answer that is assumed over documents like none that anybody labelled.

No measurement of those questions, or none would be needed. Where short questions were asked of a small and a large model and both
were graded, the small one lost 8 % of the quality (389 natural questions), 18 % (373 trivia) and less than nothing (357 of common
sense); over documents it has the answer before it.
"""
FULL: Final = 1.0
"""Most that is saved up, in lost answers: a long quiet spell must not be followed by a long bad one."""
_MOST_KEYS: Final = 10_000


class Allowance:
    """Keeps account of a promise: every question earns its promised loss; cheap answers and shortened contexts spend of it.

    A promise of 5 % is five lost answers in a hundred questions. What proven decisions leave of that is given to questions over
    documents that are unlike all labelled ones, at an assumed loss each; when nothing is left they go to the expensive model. So
    the mean loss keeps the promise if the assumption holds, and exceeds it by no more than the assumption falls short. Each
    tenant, language and promise has an account of its own, in this process: several processes keep the promise each on its own
    questions.

    Args:
        assumed: loss of one such answer, 0..1; 0 means that nothing is assumed, and nothing risked.
        balances: what an earlier account ended with.
    """

    def __init__(self, assumed: float = ASSUMED_LOSS, balances: Mapping[str, float] | None = None) -> None:
        """Begin with nothing saved up."""
        self._assumed = assumed
        self._balances: OrderedDict[str, float] = OrderedDict(balances or {})

    @property
    def balances(self) -> dict[str, float]:
        """What is left, in lost answers, by tenant, language and promise."""
        return dict(self._balances)

    def settle(self, route: Route, asked: Asked, *, max_quality_loss: float, spent: float = 0.0) -> Route:
        """Return the route, to the cheap model where the account reaches for that, and enter it.

        Args:
            route: the router's decision; only one marked ``unproven`` is changed.
            asked: the question.
            max_quality_loss: the promise in force, 0..1.
            spent: loss that something else may cause on this question, whoever answers it: shortening its documents.
        """
        key = f"{max_quality_loss:g}/{asked['language']}/{asked['tenant']}"
        left = max(min(self._balances.pop(key, 0.0) + max_quality_loss, FULL) - spent, -FULL)
        if route["tier"] == "cheap":
            left = max(left - max(route.get("gain", 0.0), 0.0), -FULL)
        elif route.get("unproven", False) and 0 < self._assumed <= left + 1e-9:
            left -= self._assumed
            said = f"{self._assumed:.0%} loss is assumed of an answer over documents like these, and the promise reaches for it"
            sure = round(1 - self._assumed, 6)
            route = {**route, "tier": "cheap", "p_cheap_ok": sure, "threshold": sure, "reasons": [said, *route["reasons"]]}
        self._balances[key] = left
        if len(self._balances) > _MOST_KEYS:
            self._balances.popitem(last=False)
        return route
