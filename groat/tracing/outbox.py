"""What waits to be sent to a backend: bounded in bytes, sent by one thread, never in the way of who puts it there."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

from groat.tracing.metrics import instruments

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")

MOST_TRIES: Final = 60
"""Times that one parcel is tried, a quarter of an hour at the longest pause: one that is never taken must not stay for ever."""
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0
_HURRIED_PAUSE_S: Final = 0.1
_GATHER_S: Final = 1.0
"""For how long what comes is gathered, so that a batch holds more than one question."""


class Sent(Enum):
    """What became of a batch."""

    TAKEN = "taken"
    REFUSED = "refused"
    """The backend will not take it, however often it is sent."""
    FAILED = "failed"
    """It may be taken later."""


@dataclass
class _Parcel(Generic[_T]):
    items: Sequence[_T]
    size: int
    tries: int = 0


class Outbox(Generic[_T]):
    """Holds at most so many bytes; when more comes, the oldest goes, and is counted.

    A batch that fails is tried again behind what waits, after a pause that grows to 15 s; the first batch that is taken ends
    the pauses. Forked processes must not share one.

    Args:
        kind: of the items, in counts and logs: spans or runs.
        send: sends a batch; whatever it raises counts as a failure that may pass.
        most_bytes: estimated size of all that waits.
        most_items: largest batch.
    """

    def __init__(self, kind: str, send: Callable[[Sequence[_T]], Sent], *, most_bytes: int, most_items: int = 256) -> None:
        """Start nothing; the thread begins with the first item."""
        self.kind, self._send = kind, send
        self.most_bytes, self._most_items = most_bytes, most_items
        self._waiting: deque[_Parcel[_T]] = deque()
        self._pause_s = 0.0
        self._lock = threading.Lock()
        self._news, self._hurry, self._idle = threading.Event(), threading.Event(), threading.Event()
        self._idle.set()
        self._closed = False
        self._waiters = 0
        """Who waits until everything is sent; a failing backend is tried often for them."""
        self._thread: threading.Thread | None = None
        self.held_bytes = 0
        """Estimated size of what waits and of what is being sent."""
        self.most_held_bytes = 0
        """The largest that ever was."""
        self.sent = 0
        self.dropped: Counter[str] = Counter()
        """Items by reason: full, refused, tries or closed."""

    def put(self, items: Sequence[_T], size: int) -> None:
        """Take items that belong together; returns at once.

        Args:
            items: are kept or dropped together.
            size: their estimated size in bytes.
        """
        with self._lock:
            if self._closed or size > self.most_bytes:
                self._drop(len(items), "closed" if self._closed else "full")
                return
            while self.held_bytes + size > self.most_bytes and self._waiting:
                oldest = self._waiting.popleft()
                self.held_bytes -= oldest.size
                self._drop(len(oldest.items), "full")
            if self.held_bytes + size > self.most_bytes:
                self._drop(len(items), "full")
                return
            self._waiting.append(_Parcel(items, size))
            self.held_bytes += size
            self.most_held_bytes = max(self.most_held_bytes, self.held_bytes)
            self._idle.clear()
            if self.held_bytes > self.most_bytes // 4 and not self._pause_s:
                self._hurry.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=f"groat-{self.kind}", daemon=True)
                self._thread.start()
        self._news.set()

    def flush(self, *, within_s: float) -> bool:
        """Wait until everything is sent or dropped; return whether that happened in time."""
        with self._lock:
            self._waiters += 1
        self._hurry.set()
        self._news.set()
        try:
            return self._idle.wait(within_s)
        finally:
            with self._lock:
                self._waiters -= 1

    def close(self, *, within_s: float) -> bool:
        """Send what there is, and take no more; what is left then is dropped and counted."""
        done = self.flush(within_s=within_s)
        with self._lock:
            self._closed = True
            left = sum(len(parcel.items) for parcel in self._waiting)
            self.held_bytes -= sum(parcel.size for parcel in self._waiting)
            self._waiting.clear()
            if left:
                self._drop(left, "closed")
        self._hurry.set()
        self._news.set()
        return done

    def _drop(self, number: int, reason: str) -> None:
        self.dropped[reason] += number
        instruments().dropped.add(number, {"kind": self.kind, "reason": reason})

    def _work(self) -> None:
        while True:
            self._news.wait()
            self._hurry.wait(max(_GATHER_S, self._pause_s))
            self._news.clear()
            while batch := self._take():
                self._deliver(batch)
                if self._pause_s and not self._closed:
                    self._rest()
            self._hurry.clear()
            if self._closed:
                return

    def _rest(self) -> None:
        """Leave a failing backend alone for a while, a short one where somebody waits."""
        if not self._waiters:
            # What was in a hurry, since much waits, cannot be helped now.
            self._hurry.clear()
        if self._hurry.wait(self._pause_s):
            time.sleep(_HURRIED_PAUSE_S)

    def _take(self) -> list[_Parcel[_T]]:
        with self._lock:
            batch: list[_Parcel[_T]] = []
            while self._waiting and sum(len(parcel.items) for parcel in batch) < self._most_items:
                batch.append(self._waiting.popleft())
            if not batch:
                self._idle.set()
            return batch

    def _deliver(self, batch: list[_Parcel[_T]]) -> None:
        try:
            came = self._send([item for parcel in batch for item in parcel.items])
        except Exception as error:  # whatever a client raises: what is told of a question never fails anything
            _LOG.debug("sending %s failed: %s", self.kind, type(error).__name__)
            came = Sent.FAILED
        number = sum(len(parcel.items) for parcel in batch)
        with self._lock:
            if came is Sent.FAILED:
                self._failed(batch)
                return
            self._pause_s = 0.0
            self.held_bytes -= sum(parcel.size for parcel in batch)
            if came is Sent.TAKEN:
                self.sent += number
            else:
                self._drop(number, "refused")

    def _failed(self, batch: list[_Parcel[_T]]) -> None:
        if not self._pause_s:
            _LOG.warning("%s cannot be sent; they are kept up to %d bytes and tried again", self.kind, self.most_bytes)
        self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
        for parcel in batch:
            parcel.tries += 1
            if parcel.tries >= MOST_TRIES or self._closed:
                self.held_bytes -= parcel.size
                self._drop(len(parcel.items), "closed" if self._closed else "tries")
            else:
                self._waiting.append(parcel)
