"""A circuit breaker for every endpoint, over the library ``purgatory``."""

from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.model import OpenedState
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
    """

    def __init__(self, *, failures: int = 5, rest_s: float = 30.0) -> None:
        """All closed."""
        self._factory = AsyncCircuitBreakerFactory(
            default_threshold=failures,
            default_ttl=rest_s,
            exclude=[(ModelError, lambda error: error.failure not in BREAKING)],
        )
        self._met: dict[str, AsyncCircuitBreaker] = {}

    async def guard(self, endpoint: Endpoint, tier: Tier) -> "Guard":
        """Return the guard of one call.

        Raises:
            ModelError: the breaker is open; the failure is "overloaded".
        """
        breaker = self._met[endpoint.scope] = await self._factory.get_breaker(endpoint.scope)
        try:
            await breaker.__aenter__()
        except OpenedState:
            # The library raises one error for all, whose traceback would grow: ours takes its place.
            raise ModelError(
                f"the {tier} model {endpoint.name!r} failed several times in a row and is left alone for a while",
                failure="overloaded",
            ) from None
        return Guard(breaker)

    async def is_open(self, endpoint: Endpoint) -> bool:
        """Tell whether the endpoint is being left alone, for a health report."""
        breaker = await self._factory.get_breaker(endpoint.scope)
        return breaker.context.state == "opened"

    def was_open(self, endpoint: Endpoint) -> bool:
        """Tell whether the endpoint was left alone after its last call, from whichever thread, for a metric."""
        breaker = self._met.get(endpoint.scope)
        return breaker is not None and breaker.context.state == "opened"


class Guard:
    """Tells the breaker how one call ended. A call that was given up says nothing about its endpoint: tell it nothing."""

    def __init__(self, breaker: AsyncCircuitBreaker) -> None:
        """Keep the breaker that let the call through."""
        self._breaker = breaker

    async def ended(self, error: ModelError | None) -> None:
        """Count the failure, or forget those before."""
        await self._breaker.__aexit__(type(error) if error else None, error, None)
