"""What the answer cache did, in numbers: no texts, no tenants.

Counting takes a few microseconds and touches nothing but memory. Once in a few seconds a thread adds what is new to a place
that all processes share, so that a process that dies loses at most what it counted since.
"""

import datetime
import logging
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from groat.cache.alarm import Alarm, Watch, alarms_in
from groat.cache.reasons import code_of, known
from groat.cache.stores.protocol import Removals
from groat.errors import StorageError
from groat.types import Lookup

_LOG = logging.getLogger(__name__)

FLUSH_S: Final = 5.0
"""Longest time, in seconds, that a count is in memory alone: so much a crash loses."""
PAST_DAYS: Final = 7
"""How far back a cache is compared with itself."""
_WINDOWS_H: Final = (1, 3, 8, 24)
"""Hours that are taken for "lately" when the counts of all processes are looked at; the first is the one that goes on."""
_QUIET_S: Final = 3600.0
"""How long the log is silent about an alarm that it has told."""


class Cell(NamedTuple):
    """What one number counts."""

    day: str
    """In UTC, YYYY-MM-DD."""
    hour: int
    """In UTC, 0 to 23."""
    language: str
    """Of the question; empty where it makes no difference."""
    name: str
    """What happened: "hit.exact", "miss.CODE", "off.CODE", "error.failed", "waited.kept", "waited.alone", "kept",
    "not_kept.CODE", "removed.expired", "removed.evicted", "removed.stale", "alarm.KIND". The codes: ``groat.cache.reasons``."""


class CountsPlace(Protocol):
    """Keeps counts for all processes. Its methods wait, so they are called from threads; each may raise ``StorageError``.

    The laws, which ``tests/contract/test_counts.py`` checks on every place:

    - ``read`` returns the sums of all that was added for these days, by whichever process.
    - ``add`` adds all of a batch or nothing of it, and a batch that is added again adds nothing.
    """

    def add(self, batch: str, counts: Mapping[Cell, int]) -> None:
        """Add a batch of counts, known by a name of its own."""
        ...

    def read(self, days: Iterable[str]) -> dict[Cell, int]:
        """Return the counts of these days, YYYY-MM-DD."""
        ...


class Counts:
    """Counts for one process and watches its hit rate.

    Args:
        place: keeps the counts of all processes; None: they end with this one.
        clock: seconds since the epoch.
        flush_s: how long counts wait before they are added to those of the others.
    """

    def __init__(
        self, place: CountsPlace | None = None, *, clock: Callable[[], float] = time.time, flush_s: float = FLUSH_S
    ) -> None:
        """Start nothing yet."""
        self.place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._watch = Watch()
        self._totals: Counter[tuple[str, str]] = Counter()
        self._told: dict[str, float] = {}
        self._ledger = _Pending(place, self._watch, self._lock, clock, flush_s)
        # Also when the process ends, so that one that asks a single question is counted.
        self._end = weakref.finalize(self, self._ledger.close)

    @property
    def last_failure(self) -> str | None:
        """Why the newest counts could not be added to those of all; None since they last could."""
        return self._ledger.last_failure

    def looked_up(self, lookup: Lookup, *, language: str) -> list[str]:
        """Count what came of a question, once for each question, and return the codes of the alarms in force."""
        name = f"{lookup['outcome']}.{code_of(lookup)}"
        with self._lock:
            raised = self._watch.see(language, name)
            self._add(language, name)
            if (waited := lookup.get("waited")) is not None:
                self._add(language, "waited.kept" if waited["kept"] else "waited.alone")
            for alarm in raised:
                self._add(alarm.language, f"alarm.{alarm.kind}")
            in_force = [*self._watch.alarms]
        for alarm in raised:
            self._tell(alarm)
        return in_force

    def offered(self, refusal: str, *, language: str) -> None:
        """Count an answer that was kept ("") or not kept, and why."""
        with self._lock:
            self._add(language, f"not_kept.{known(refusal)}" if refusal else "kept")

    def kept(self, removals: Removals, *, language: str) -> None:
        """Count an answer that was kept, and those that the store removed to make place."""
        self.offered("", language=language)
        expired, evicted = removals.take()
        self.removed("expired", expired)
        self.removed("evicted", evicted)

    def removed(self, why: str, number: int) -> None:
        """Count answers that went: "expired", "evicted" or "stale"."""
        if number:
            with self._lock:
                self._add("", f"removed.{why}", number)

    def totals(self) -> dict[tuple[str, str], int]:
        """Return what this process counted, by language and name."""
        with self._lock:
            return dict(self._totals)

    def alarms(self) -> list[Alarm]:
        """Return what is not as it was, as far as this process saw it by itself."""
        with self._lock:
            return [*self._watch.alarms.values()]

    def flush(self) -> None:
        """Add what is new to the counts of all processes, in this thread; failures are noted and tried again."""
        self._ledger.flush()

    def close(self) -> None:
        """Flush, and end the thread."""
        self._end()

    def _add(self, language: str, name: str, number: int = 1) -> None:
        self._totals[language, name] += number
        self._ledger.add(language, name, number)

    def _tell(self, alarm: Alarm) -> None:
        now = time.monotonic()
        if now - self._told.get(alarm.code, -_QUIET_S) >= _QUIET_S:
            self._told[alarm.code] = now
            _LOG.warning("%s", alarm.sentence(), extra={"alarm": alarm.code, "lookups": alarm.lookups, "usual": alarm.usual})


class _Pending:
    """What was counted and not yet added to the counts of all; outlives ``Counts`` until that is done."""

    def __init__(
        self, place: CountsPlace | None, watch: Watch, lock: threading.Lock, clock: Callable[[], float], flush_s: float
    ) -> None:
        self._place = place
        self._watch = watch
        self._lock = lock
        self._clock = clock
        self._flush_s = flush_s
        self._counts: Counter[Cell] = Counter()
        self._hour = (-1, "", 0)
        self._batch: tuple[str, Counter[Cell]] | None = None
        self._flushing = threading.Lock()
        self._news, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.last_failure: str | None = None

    def add(self, language: str, name: str, number: int) -> None:
        """Count; the lock is held."""
        if self._place is None:
            return
        hour = int(self._clock() // 3600)
        if hour != self._hour[0]:
            self._hour = (hour, *_of_hour(hour))
        self._counts[Cell(self._hour[1], self._hour[2], language, name)] += number
        if not self._news.is_set():
            self._news.set()
        # A forked process has none either.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._keep_flushing, name="groat-counts", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._news.set()
        self.flush()

    def flush(self) -> None:
        if self._place is None:
            return
        with self._flushing:
            # After a failure there is a batch that waits, and what was counted since.
            while self._send(self._place):
                pass

    def _send(self, place: CountsPlace) -> bool:
        """Add one batch; return whether it was added and more may follow."""
        with self._lock:
            # A batch that was sent and not acknowledged is sent again as it was.
            if self._batch is None and self._counts:
                self._batch, self._counts = (uuid.uuid4().hex, self._counts), Counter()
        if self._batch is None:
            return False
        try:
            place.add(*self._batch)
        except StorageError as error:
            self.last_failure = str(error)
            return False
        self._batch, self.last_failure = None, None
        return True

    def _keep_flushing(self) -> None:
        self._learn()
        while not self._end.is_set():
            self._news.wait()
            self._end.wait(self._flush_s)
            self._news.clear()
            self.flush()
            if self._batch is not None:
                self._news.set()

    def _learn(self) -> None:
        """Take what all processes counted before this one for the past of its own."""
        if self._place is None:
            return
        try:
            counts = self._place.read(days_before(self._clock(), PAST_DAYS))
        except StorageError as error:
            self.last_failure = str(error)
            return
        with self._lock:
            self._watch.remember(by_language(counts.items()))


def days_before(now: float, days: int) -> list[str]:
    """Return the day of ``now``, in UTC, and those before it, YYYY-MM-DD, the newest first."""
    today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
    return [(today - datetime.timedelta(days=back)).isoformat() for back in range(days + 1)]


def by_language(counts: Iterable[tuple[Cell, int]]) -> dict[str, Counter[str]]:
    """Return language -> name -> number; the alarm compares these."""
    found: dict[str, Counter[str]] = {}
    for cell, number in counts:
        if cell.language:
            found.setdefault(cell.language, Counter())[cell.name] += number
    return found


def alarms_of(place: CountsPlace, *, now: float) -> list[Alarm]:
    """Return what the counts of all processes show lately against the week before. Waits; raises ``StorageError``."""
    counts = place.read(days_before(now, PAST_DAYS + 2))
    ages = [(_age_h(cell, now), cell, number) for cell, number in counts.items()]
    found: dict[str, Alarm] = {}
    for hours in _WINDOWS_H:
        recent = by_language((cell, number) for age, cell, number in ages if age < hours)
        past = by_language((cell, number) for age, cell, number in ages if hours <= age < hours + 24 * PAST_DAYS)
        for alarm in alarms_in(recent, past):
            found.setdefault(alarm.code, alarm)
    return [*found.values()]


def _age_h(cell: Cell, now: float) -> int:
    begun = datetime.datetime.fromisoformat(cell.day).replace(hour=cell.hour, tzinfo=datetime.UTC)
    return int(now // 3600) - int(begun.timestamp() // 3600)


def _of_hour(hour: int) -> tuple[str, int]:
    at = datetime.datetime.fromtimestamp(hour * 3600, datetime.UTC)
    return at.date().isoformat(), at.hour
