"""One request on its way: rate limit, circuit breaker, sending, record."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from langchain_core.messages import BaseMessage

from groat.answering.breaker import Breakers, Guard
from groat.answering.endpoint import Endpoint, Reply, Sent
from groat.answering.failures import explained, out_of_time
from groat.answering.limits import Gate
from groat.answering.seen import Seen, seen
from groat.answering.wire import Arriving, Wish, request, spent
from groat.errors import ModelError
from groat.types import Tier, Usage

ASSUMED_OUTPUT = 150
"""Tokens of an answer that budgets and limits count with before the call is made: three times the longest right answer of the
help centre (45), since models say more than they are asked for."""


async def _permit_all(number: int, endpoint: Endpoint) -> None:
    """Permit every request: for calls outside the graph."""


async def _record_none(sent: Sent) -> None:
    """Keep no record: for calls outside the graph."""


def _nobody() -> None:
    """Tell nobody."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who must be asked before a request of an answer is sent, and told when it is over."""

    permit: Callable[[int, Endpoint], Awaitable[None]] = _permit_all
    """Asked right before the request with this number is sent; raises ModelError to forbid it."""
    record: Callable[[Sent], Awaitable[None]] = _record_none
    """Told of every request as soon as it is over, of those too whose answer nobody waits for any more."""
    retract: Callable[[], None] = _nobody
    """Told when pieces that were passed on belong to a reply that broke off."""


@dataclass(kw_only=True)
class Task:
    """One answer that is wanted, and what was done for it so far."""

    prompt: Sequence[BaseMessage]
    tier: Tier
    wish: Wish
    deadline: float
    """Seconds since 1970; infinite for none. What is left of it is measured on a clock that nobody sets."""
    watch: Watch
    tokens: int
    """Of the prompt."""
    asked_at: float = field(default_factory=time.perf_counter)
    """When the next request could have been sent, had nobody made it wait."""
    sent: int = 0
    speaker: "Runner | None" = None
    """Whose pieces are passed on: of two that race, only one may be heard."""

    def __post_init__(self) -> None:
        """Note the deadline on the other clock."""
        self._until = time.monotonic() + self.deadline - time.time()

    @property
    def left_s(self) -> float:
        """Seconds until the deadline."""
        return self._until - time.monotonic()

    @property
    def patience_s(self) -> float | None:
        """Seconds until the deadline as asyncio wants them: None for ever."""
        return None if self.deadline == float("inf") else self.left_s


class Runner:
    """One request of a task to one endpoint. ``run`` is called once.

    Args:
        task: what is wanted.
        endpoint: who is asked.
        gate: rate limits.
        breakers: circuit breakers.
        hedge: it is sent because another one is slow.
    """

    def __init__(self, task: Task, endpoint: Endpoint, gate: Gate, breakers: Breakers, *, hedge: bool = False) -> None:
        """Send nothing yet."""
        self.endpoint = endpoint
        self.arriving = Arriving()
        self._task = task
        self._gate = gate
        self._breakers = breakers
        self._hedge = hedge
        self._lease = uuid.uuid4().hex
        self._used = 0
        self._seen = Seen()

    async def run(self) -> Reply:
        """Return the reply. The request, once sent, is recorded, also when this is cancelled.

        Raises:
            ModelError: there is none.
        """
        limited = self._gate.limits(self.endpoint.limits)
        try:
            if limited:
                # Nobody stands in line for an endpoint that is left alone.
                await self._breakers.guard(self.endpoint, self._task.tier)
                await self._turn()
            return await self._send()
        finally:
            if limited:
                await asyncio.shield(self._gate.leave(self.endpoint.scope, self.endpoint.limits, self._lease, self._used))
            self.arriving.sent.set()
            self.arriving.begun.set()

    async def _turn(self) -> None:
        """Wait until the rate limits allow the request, or the deadline has come."""
        most = self.endpoint.most(self._task.wish.max_output) or ASSUMED_OUTPUT
        try:
            async with asyncio.timeout(self._task.patience_s):
                await self._gate.enter(self.endpoint.scope, self.endpoint.limits, self._task.tokens + most, self._lease)
        except TimeoutError as error:
            raise ModelError(
                f"the rate limits set for the {self._task.tier} model {self.endpoint.name!r} left no room before the deadline "
                "of the question; raise them, or allow more with deadline_s",
                failure="deadline",
            ) from error

    async def _send(self) -> Reply:
        task = self._task
        guard = await self._breakers.guard(self.endpoint, task.tier)
        if task.left_s <= 0:
            raise out_of_time(self.endpoint, task.tier)
        number, task.sent = task.sent, task.sent + 1
        await task.watch.permit(number, self.endpoint)
        self.arriving.sent_at = time.perf_counter()
        self.arriving.sent.set()
        with seen(self.endpoint, task.tier, task.prompt, task.wish, number, hedge=self._hedge) as self._seen:
            return await self._await_reply(number, guard)

    async def _await_reply(self, number: int, guard: Guard) -> Reply:
        task = self._task
        by_deadline = task.left_s < self.endpoint.timeout_s
        try:
            async with asyncio.timeout(min(self.endpoint.timeout_s, task.left_s)) as limit:
                reply = await request(self.endpoint, task.prompt, self._heard(), self.arriving, run_id=self._seen.run_id)
            if limit.expired():  # a client that swallows the cancellation hands over half a reply as a whole one
                raise TimeoutError
        except asyncio.CancelledError as error:
            await asyncio.shield(self._over(number, "cancelled", spent(error, task.prompt, self.arriving)))
            raise
        except Exception as error:  # every provider has its own errors; all become one, and none is lost
            late = isinstance(error, TimeoutError) and by_deadline
            failure = out_of_time(self.endpoint, task.tier) if late else explained(error, self.endpoint, task.tier)
            await self._failed(number, failure, spent(error, task.prompt, self.arriving), guard)
            raise failure from error
        await guard.ended(None)
        await asyncio.shield(self._over(number, "ok", reply.usage, reply=reply))
        return reply

    async def _failed(self, number: int, failure: ModelError, used: Usage, guard: Guard) -> None:
        await guard.ended(failure)
        if self._task.speaker is self and self.arriving.pieces:
            self._task.speaker = None
            self._task.watch.retract()
        if failure.failure == "rate_limit":
            await self._gate.refused(self.endpoint.scope, self._lease)
        if failure.retry_after_s:
            await self._gate.pause(self.endpoint.scope, failure.retry_after_s)
        await asyncio.shield(self._over(number, failure.failure, used, error=failure))

    def speak(self) -> None:
        """Pass on everything that has come so far, and what still comes, unless another one is speaking."""
        on_token = self._task.wish.on_token
        if on_token is not None and self._task.speaker is None and self.arriving.pieces:
            self._task.speaker = self
            on_token("".join(self.arriving.pieces))

    def _heard(self) -> Wish:
        """Return the wish with the pieces of this request passed on only while nobody else speaks."""
        on_token = self._task.wish.on_token
        if on_token is None:
            return self._task.wish

        def pass_on(piece: str) -> None:
            if self._task.speaker is self:
                on_token(piece)
            else:
                self.speak()

        return replace(self._task.wish, on_token=pass_on)

    async def _over(
        self, number: int, outcome: str, used: Usage, *, reply: Reply | None = None, error: ModelError | None = None
    ) -> None:
        self._used = used["input"] + used["output"]
        sent = Sent(
            number=number,
            endpoint=self.endpoint,
            outcome=outcome,
            error=error,
            reply=reply,
            usage=used,
            waited_ms=(self.arriving.sent_at - self._task.asked_at) * 1000,
            latency_ms=self.arriving.latency_ms,
            first_token_ms=self.arriving.first_token_ms,
            hedge=self._hedge,
        )
        self._task.asked_at = time.perf_counter()
        with self._seen.ending(sent):
            await self._task.watch.record(sent)
