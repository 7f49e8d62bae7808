"""A circuit breaker for every endpoint, over the library ``purgatory``."""

import time
from collections.abc import Callable

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OPENED
from purgatory.service._async.circuitbreaker import AsyncCircuitBreaker

from groat.answering.endpoint import Endpoint
from groat.answering.failures import BREAKING
from groat.errors import ModelError
from groat.types import Tier


class Breakers:
    """Stops asking an endpoint that fails again and again, and tries it anew after a while.

    Args:
        failures: failures in a row that open a breaker.
        rest_s: seconds for which an open breaker refuses; the calls after that decide whether it closes.
        clock: seconds, never going back.
    """

    def __init__(self, *, failures: int = 5, rest_s: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        """All closed."""
        self._factory = AsyncCircuitBreakerFactory(
            default_threshold=failures,
            # The library measures the rest on the wall clock: set back, it would refuse for as long as it was set back.
            default_ttl=float("-inf"),
            exclude=[(ModelError, lambda error: error.failure not in BREAKING)],
        )
        self._rest_s = rest_s
        self._clock = clock
        self._rests_until: dict[str, float] = {}
        self._met: dict[str, AsyncCircuitBreaker] = {}

    async def guard(self, endpoint: Endpoint, tier: Tier) -> "Guard":
        """Return the guard of one call.

        Raises:
            ModelError: the breaker is open; the failure is "overloaded".
        """
        breaker = self._met[endpoint.scope] = await self._factory.get_breaker(endpoint.scope)
        if breaker.context.state == OPENED and self._clock() < self._rests_until.get(endpoint.scope, 0.0):
            raise ModelError(
                f"the {tier} model {endpoint.name!r} failed several times in a row and is left alone for a while",
                failure="overloaded",
            )
        await breaker.__aenter__()

        def opened() -> None:
            self._rests_until[endpoint.scope] = self._clock() + self._rest_s

        return Guard(breaker, opened)

    async def is_open(self, endpoint: Endpoint) -> bool:
        """Tell whether the endpoint is being left alone, for a health report."""
        breaker = await self._factory.get_breaker(endpoint.scope)
        return breaker.context.state == OPENED

    def was_open(self, endpoint: Endpoint) -> bool:
        """Tell whether the endpoint was left alone after its last call, from whichever thread, for a metric."""
        breaker = self._met.get(endpoint.scope)
        return breaker is not None and breaker.context.state == OPENED


class Guard:
    """Tells the breaker how one call ended. A call that was given up says nothing about its endpoint: tell it nothing."""

    def __init__(self, breaker: AsyncCircuitBreaker, opened: Callable[[], None]) -> None:
        """Keep the breaker that let the call through, and who is told when it opens."""
        self._breaker = breaker
        self._opened = opened

    async def ended(self, error: ModelError | None) -> None:
        """Count the failure, or forget those before."""
        before = self._breaker.context.state
        await self._breaker.__aexit__(type(error) if error else None, error, None)
        if before != OPENED == self._breaker.context.state:
            self._opened()
