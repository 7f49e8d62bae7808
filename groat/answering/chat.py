"""The one seam to chat models: every call goes through here, is timed, counted and, when it fails, retried or explained."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import tenacity
from langchain_core.messages import BaseMessage

from groat.answering.breaker import Breakers
from groat.answering.endpoint import Endpoint, Reply
from groat.answering.failures import PASSING
from groat.answering.limits import Gate, ProcessLimiter
from groat.answering.runner import Runner, Task, Watch
from groat.answering.usage import prompt_tokens
from groat.answering.wire import Wish
from groat.errors import ModelError
from groat.types import Tier


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How hard is tried before an endpoint is given up."""

    tries: int = 3
    """Most requests to one endpoint for one answer, hedges apart."""
    backoff_s: float = 0.5
    """Mean of the first wait; each further one is twice as long, and every wait is drawn anew between 0 and twice its mean."""
    backoff_max_s: float = 20.0
    """Longest mean wait; and longest ``Retry-After`` that is waited for while another model of the tier is left to ask."""
    hedge_after_s: float | None = None
    """A second request is sent when the first shows nothing for so long; None: never."""


class Answerer:
    """Calls the model of a tier until it answers, or says in one error why it does not.

    Args:
        endpoints: the model of each tier.
        fallbacks: models of a tier that are asked in turn when those before fail or are left alone.
        patience: retries, back-off and hedging.
        gate: rate limits.
        breakers: circuit breakers.
    """

    def __init__(
        self,
        endpoints: Mapping[Tier, Endpoint],
        *,
        fallbacks: Mapping[Tier, Sequence[Endpoint]] | None = None,
        patience: Patience | None = None,
        gate: Gate | None = None,
        breakers: Breakers | None = None,
    ) -> None:
        """Keep the endpoints; nothing is called yet."""
        self.endpoints = dict(endpoints)
        self.fallbacks = {tier: tuple(others) for tier, others in (fallbacks or {}).items()}
        self.patience = patience or Patience()
        self.gate = gate or Gate(ProcessLimiter())
        self.breakers = breakers or Breakers()

    @property
    def policy(self) -> str:
        """Names of the models that may answer, cheap first: part of what a kept answer is kept under."""
        return " > ".join("|".join(endpoint.name for endpoint in self.chain(tier)) for tier in ("cheap", "expensive"))

    def chain(self, tier: Tier) -> tuple[Endpoint, ...]:
        """Return the endpoints of a tier in the order in which they are asked."""
        return (self.endpoints[tier], *self.fallbacks.get(tier, ()))

    async def answer(
        self,
        prompt: Sequence[BaseMessage],
        *,
        tier: Tier,
        wish: Wish | None = None,
        deadline: float = float("inf"),
        watch: Watch | None = None,
        endpoints: Sequence[Endpoint] = (),
    ) -> tuple[Reply, Endpoint]:
        """Return the reply to the prompt and the endpoint that gave it.

        Refusals that may pass are tried again, with a jittered wait that honours ``Retry-After``; then the tier's next
        endpoint is asked. Nothing lasts past the deadline.

        Args:
            prompt: the messages.
            tier: which model.
            wish: length, form and streaming of the reply. One that was cut has the finish reason "length".
            deadline: seconds since 1970.
            watch: who is asked before every request, and told after it.
            endpoints: asked in place of the tier's own.

        Raises:
            ModelError: no endpoint answered; the message says what to do. It holds no text of the prompt and no key.
        """
        task = Task(
            prompt=prompt,
            tier=tier,
            wish=wish or Wish(),
            deadline=deadline,
            watch=watch or Watch(),
            tokens=prompt_tokens(prompt) + (wish.direct.tokens if wish is not None and wish.direct is not None else 0),
        )
        chain = tuple(endpoints) or self.chain(tier)
        failure: ModelError | None = None
        for place, endpoint in enumerate(chain):
            try:
                return await self._persist(task, endpoint, chain[place + 1 :])
            except ModelError as error:
                # An endpoint that is left alone says less than what failed before it.
                failure = error if failure is None or error.failure != "overloaded" else failure
                if error.failure == "deadline":
                    break
        assert failure is not None  # a tier has at least one endpoint
        raise failure

    async def _persist(self, task: Task, endpoint: Endpoint, others: Sequence[Endpoint]) -> tuple[Reply, Endpoint]:
        """Try one endpoint, a few times where that can help."""
        jitter = tenacity.wait_random_exponential(multiplier=self.patience.backoff_s * 2, max=self.patience.backoff_max_s)

        def wait(state: tenacity.RetryCallState) -> float:
            # All who were told the same would come back at once: what they were told is spread too.
            return _asked_to_wait(state) + jitter(state)

        def stop(state: tenacity.RetryCallState) -> bool:
            if others and _asked_to_wait(state) > self.patience.backoff_max_s:
                return True
            return state.attempt_number >= self.patience.tries or state.upcoming_sleep >= task.left_s

        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ModelError) and error.failure in PASSING),
            wait=wait,
            stop=stop,
            reraise=True,
        )
        return await retrying(self._round, task, endpoint, others)

    async def _round(self, task: Task, endpoint: Endpoint, others: Sequence[Endpoint]) -> tuple[Reply, Endpoint]:
        """Send one request, and a second one when the first is slow: the first to show something wins."""
        first = Runner(task, endpoint, self.gate, self.breakers)
        if self.patience.hedge_after_s is None or task.wish.direct is not None:
            return await first.run(), endpoint
        running = [asyncio.create_task(first.run())]
        try:
            with suppress(TimeoutError):
                await first.arriving.sent.wait()  # waiting for a rate limit is not being slow
                await asyncio.wait_for(first.arriving.begun.wait(), self.patience.hedge_after_s)
            if first.arriving.begun.is_set():
                return await running[0], endpoint
            second = Runner(task, others[0] if others else endpoint, self.gate, self.breakers, hedge=True)
            running.append(asyncio.create_task(second.run()))
            return await _winner((first, running[0]), (second, running[1]))
        finally:
            for task_ in running:
                task_.cancel()
            # What was cancelled is billed too: its record must be written before anybody adds up.
            await asyncio.gather(*running, return_exceptions=True)


def _asked_to_wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds that the provider asked for, 0 when it did not."""
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after_s or 0.0) if isinstance(error, ModelError) else 0.0


Racing = tuple[Runner, asyncio.Task[Reply]]


async def _winner(first: Racing, second: Racing) -> tuple[Reply, Endpoint]:
    """Return the reply of the one that shows something first; of the other when that one fails."""
    shows = {asyncio.create_task(racing[0].arriving.begun.wait()): racing for racing in (first, second)}
    try:
        done, _ = await asyncio.wait(shows, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in shows:
            waiting.cancel()
    ahead = shows[next(iter(done))]
    behind = second if ahead is first else first
    try:
        return await ahead[1], ahead[0].endpoint
    except ModelError as error:
        behind[0].speak()
        try:
            return await behind[1], behind[0].endpoint
        except ModelError:
            raise error from None
