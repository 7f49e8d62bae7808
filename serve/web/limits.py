"""Requests and tokens a minute for each key, over all processes that name the same Redis."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from graph.settings import Settings
from groat.answering import ASSUMED_OUTPUT, Gate, Limits, ProcessLimiter
from groat.answering.limits_redis import RedisLimiter
from groat.types import Charge
from serve.web.guard import API
from serve.web.keys import Caller
from serve.web.openai.errors import Refused, reply_to

SPENT: Final = "spent_tokens"
"""Name in a request's state of the tokens that its answer took, in and out."""
_BYTES_PER_TOKEN: Final = 4
"""Of a request: about that of English in JSON, and less than that of Chinese, which has 3 bytes and 0.8 tokens a character."""


class KeyLimits:
    """Refuses what a key sends beyond its limits, before it is read: 429, with the seconds after which to come again.

    A slot is held until one minute after the answer (``groat.answering.limits``). The tokens of a request are estimated from
    its size while it is answered, and those that were really paid count after it: none for a hit.

    Args:
        app: what is limited; only what is sent to its paths for programs is.
        counts: of each key.
    """

    def __init__(self, app: ASGIApp, counts: "Counts") -> None:
        """Keep the arguments."""
        self._app, self._limits, self._gate = app, counts.limits, counts.gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        caller: Caller | None = scope.get("state", {}).get("caller") if scope["type"] == "http" else None
        if caller is None or scope["method"] != "POST" or not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        name, lease = f"key:{caller.key}", uuid.uuid4().hex
        wait_s = await self._gate.try_enter(name, self._limits, _estimate(scope), lease)
        if wait_s > 0:
            told = f"this key is over its limit of {_told(self._limits)}; come again in {wait_s:.0f} seconds"
            refused = Refused(told, status=429, code="rate_limit_exceeded", retry_after_s=wait_s)
            await reply_to(refused)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            await asyncio.shield(self._gate.leave(name, self._limits, lease, scope["state"].get(SPENT, 0)))


def note_spent(request: Request, charges: Sequence[Charge]) -> None:
    """Note what an answer took of its key's tokens: those of all calls of chat models for it."""
    tokens = sum(charge["usage"]["input"] + charge["usage"]["output"] for charge in charges if charge["kind"] == "chat")
    setattr(request.state, SPENT, tokens)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What each key may send, and what it has sent."""

    limits: Limits
    gate: Gate
    shared: RedisLimiter | None
    """Counts for all processes, until it cannot be reached; None where each counts for itself."""

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        if self.shared is not None:
            await self.shared.aclose()


def open_limits(settings: Settings) -> Counts | None:
    """Return the counts of each key; None where no limits are set."""
    limits = Limits(requests=settings.key_rpm, tokens=settings.key_tpm)
    if limits.requests is None and limits.tokens is None:
        return None
    url = settings.redis_url.get_secret_value()
    shared = RedisLimiter(url) if url else None
    return Counts(limits=limits, gate=Gate(ProcessLimiter(), shared), shared=shared)


def _estimate(scope: Scope) -> int:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(length) // _BYTES_PER_TOKEN + ASSUMED_OUTPUT if length.isdigit() else ASSUMED_OUTPUT


def _told(limits: Limits) -> str:
    named = {"requests": limits.requests, "tokens": limits.tokens}
    return " and ".join(f"{number} {name}" for name, number in named.items() if number is not None) + " a minute"
