"""What the model server of the tests was asked, what it bills for that, and the limits that it enforces."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from tests.model_outcomes import Answering, Body, Outcome, Refuses, prompt_tokens


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the server enforces on chat requests: at most so many, and so many tokens, in any window; None for no limit.

    A request weighs its prompt and the output that it asks for at most while it is answered, and what was billed afterwards.
    One that is refused for the limit weighs nothing.
    """

    requests: int | None = None
    tokens: int | None = None
    window_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Billed:
    """One request on the bill.

    Attributes:
        number: from 0, in order of arrival; the place of its body in ``requests``.
        input: tokens, the cached ones included.
        outcome: "open" while it is answered (the tokens are then what it weighs), "ok", "cut", "cancelled" when the client
            went away before the end, "limit" when a limit refused it, or the name of the outcome.
        at: seconds from the server's start to its arrival.
    """

    number: int
    kind: Literal["chat", "embedding"] = "chat"
    model: str
    input: int
    output: int = 0
    cache_read: int = 0
    outcome: str = "open"
    at: float
    streamed: bool


@dataclass(frozen=True)
class Totals:
    """Sum of a bill."""

    requests: int
    input: int
    output: int
    cache_read: int


@dataclass(frozen=True)
class Traced:
    """One chat request as the limits saw it: figures of the window that ends with its arrival, itself included."""

    at: float
    tokens: int
    requests_in_window: int
    tokens_in_window: int
    refused: bool


@dataclass
class ModelServer:
    """What the server will do, what was asked of it, and the bill.

    Attributes:
        outcomes: of chat requests: taken from the front, one for each; the last one serves all further requests.
        answering: decides in place of ``outcomes`` when given.
        requests: body of every request, in order.
        keys: value of the authorization header of each.
        bill: one entry for each request, in the same order.
        violations: requests that were over a limit.
        most_at_once: largest number of requests that were answered at the same time.
        mistakes: errors of ``answering`` (told to the client as a status 500) and of the server; raised when it stops.
    """

    outcomes: list[Outcome]
    hang_s: float = 1.0
    answering: Answering | None = None
    limits: Limits | None = None
    keep_alive: bool = False
    url: str = ""
    requests: list[Body] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    bill: list[Billed] = field(default_factory=list)
    violations: int = 0
    most_at_once: int = 0
    mistakes: list[Exception] = field(default_factory=list)
    _open: int = 0
    _idle: threading.Event = field(default_factory=threading.Event)
    _begun: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        self._idle.set()

    def answer_with(self, answering: Answering) -> None:
        """Let this function decide every outcome from now on."""
        self.answering = answering

    def totals(self, model: str | None = None) -> Totals:
        """Sum the bill, of one model or of all, without requests that are still open; ``settled`` waits for these."""
        bill = [one for one in self.bill if one.outcome != "open" and model in {None, one.model}]
        return Totals(
            len(bill), sum(one.input for one in bill), sum(one.output for one in bill), sum(one.cache_read for one in bill)
        )

    async def settled(self, timeout_s: float = 5.0) -> None:
        """Wait until no request is open; one whose client has just gone away stays open for an instant.

        Raises:
            TimeoutError: some still are.
        """
        await asyncio.sleep(0.01)  # lets the caller's loop close the connections of what it has cancelled
        if not await asyncio.to_thread(self._idle.wait, timeout_s):
            raise TimeoutError(f"{self._open} requests are still open")

    def trace(self) -> list[Traced]:
        """Return every chat request with the load of its window, which is a minute when no limits were given."""
        chats = [one for one in self.bill if one.kind == "chat"]
        window_s = self.limits.window_s if self.limits else 60.0
        traced = []
        for place, one in enumerate(chats):
            count, tokens = _load(chats[: place + 1], one.at - window_s)
            traced.append(Traced(one.at, one.input + one.output, count, tokens, one.outcome == "limit"))
        return traced

    def admit(self, body: Body, key: str, *, kind: Literal["chat", "embedding"]) -> int:
        """Enter a request into the bill, open, and return its number."""
        number = len(self.bill)
        asked = body.get("max_completion_tokens") or body.get("max_tokens") or 0
        self.requests.append(body)
        self.keys.append(key)
        self.bill.append(
            Billed(
                number=number, kind=kind, model=str(body.get("model")), at=time.perf_counter() - self._begun,
                input=prompt_tokens(body) if kind == "chat" else 0, output=asked, streamed=bool(body.get("stream")),
            )
        )  # fmt: skip
        self._open += 1
        self._idle.clear()
        self.most_at_once = max(self.most_at_once, self._open)
        return number

    def leave(self, number: int) -> None:
        """The request is over; when nobody settled it, its client was cut off before anything was sent."""
        if self.bill[number].outcome == "open":
            self.settle(number, "cancelled", output=0)
        self._open -= 1
        if self._open == 0:
            self._idle.set()

    def settle(self, number: int, outcome: str, **tokens: int) -> None:
        """Replace the entry by what it came to in the end."""
        self.bill[number] = replace(self.bill[number], outcome=outcome, **tokens)  # type: ignore[arg-type]  # all are counts

    def next_outcome(self, number: int) -> Outcome:
        """Decide what happens to a chat request."""
        over_s = self._over_limit(number)
        if over_s is not None:
            self.violations += 1
            return Refuses(status=429, retry_after_s=over_s, retry_after_as="ms", code="rate_limit_exceeded", name="limit")
        try:
            if self.answering is not None:
                return self.answering(self.requests[number], number)
            return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        except Exception as error:  # a test's own function may raise anything; it fails the test when the server stops
            self.mistakes.append(error)
            return "broken"

    def _over_limit(self, number: int) -> float | None:
        if self.limits is None:
            return None
        chats = [one for one in self.bill if one.kind == "chat"]
        now, since = self.bill[number].at, self.bill[number].at - self.limits.window_s
        count, tokens = _load(chats, since)
        too_many = self.limits.requests is not None and count > self.limits.requests
        too_long = self.limits.tokens is not None and tokens > self.limits.tokens
        oldest = next((one.at for one in chats if one.at > since and one.outcome != "limit"), now)
        return max(0.001, oldest - since) if too_many or too_long else None


def _load(arrived: Sequence[Billed], since: float) -> tuple[int, int]:
    """Count the requests, and their tokens, that came after ``since`` and were let in."""
    count = tokens = 0
    for one in reversed(arrived):
        if one.at <= since:
            break
        if one.outcome != "limit":
            count += 1
            tokens += one.input + one.output
    return count, tokens
