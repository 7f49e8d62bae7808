"""Browsers that have logged in, for those who cannot send a header."""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from serve.web.keys import Caller

COOKIE = "groat_session"
LASTS_S = 12 * 3600
_MOST = 1000


class Sessions:
    """Names of sessions and whom they stand for, in this process alone: a restart logs everybody out.

    Args:
        clock: seconds, rising.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty."""
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def begin(self, caller: Caller) -> str:
        """Return the name of a new session; the oldest makes room when there are too many."""
        name = secrets.token_urlsafe(32)
        self._known[name] = (self._clock() + LASTS_S, caller)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return name

    def caller(self, name: str) -> Caller | None:
        """Return whom a session stands for; None when there is none of that name, or its time is up."""
        until, caller = self._known.get(name, (0.0, None))
        if caller is not None and self._clock() >= until:
            del self._known[name]
            return None
        return caller

    def end(self, name: str) -> None:
        """Forget a session."""
        self._known.pop(name, None)
