"""Whether this process should be sent questions, and what of it is not as it should be."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from groat.types import Tier
from serve.application import Application

State = Literal["ok", "offline", "resting", "down"]
"""``offline``: the answerer that quotes documents stands in for a model; ``resting``: every model of the tier failed lately."""
_LOOK_S: Final = 2.0
"""Longest look at one part."""
_FRESH_S: Final = 1.0
"""For how long what was seen is told again: whoever asks often reads no database more often."""
_NEEDED: Final = frozenset({"knowledge", "embeddings"})
"""Without them no question can be answered; without the others answers cost more, are not billed, or come without a model."""


@dataclass
class Readiness:
    """Looks at each part when asked. It names no address and tells no error, since it needs no key: ``groat doctor`` does."""

    application: Application
    _seen: dict[str, State] = field(default_factory=dict)
    _seen_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def show(self, request: Request) -> Response:
        """Return 200 when questions can be answered, else 503, with the state of each part and the names of those not well."""
        async with self._lock:
            if time.monotonic() - self._seen_at > _FRESH_S:
                self._seen, self._seen_at = await self._look(), time.monotonic()
        ready = not any(self._seen[name] == "down" for name in _NEEDED)
        degraded = sorted(name for name, state in self._seen.items() if state in ("down", "resting"))
        return JSONResponse({"ready": ready, "degraded": degraded, "parts": self._seen}, 200 if ready else 503)

    async def _look(self) -> dict[str, State]:
        services = self.application.services
        looks: dict[str, Callable[[], Awaitable[object]]] = {
            "knowledge": services.knowledge.tenants,
            "embeddings": lambda: services.embedder.query("ready 就绪"),
            "cache": services.answers.count,
            "ledger": lambda: services.books.ledger.totals(since=time.time()),
        }
        states = await asyncio.gather(*(_state(look) for look in looks.values()))
        return {
            **dict(zip(looks, states, strict=True)),
            "cheap_model": self._model("cheap"),
            "expensive_model": self._model("expensive"),
        }

    def _model(self, tier: Tier) -> State:
        answerer = self.application.services.answerer
        if answerer.endpoints[tier].offline:
            return "offline"
        return "resting" if all(answerer.breakers.was_open(endpoint) for endpoint in answerer.chain(tier)) else "ok"


async def _state(look: Callable[[], Awaitable[object]]) -> State:
    try:
        async with asyncio.timeout(_LOOK_S):
            await look()
    except Exception:  # whatever it is, the part cannot be used
        return "down"
    return "ok"
