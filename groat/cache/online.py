"""The score that a promise takes, re-estimated from audited hits: what was shipped is where it begins."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from groat.cache.sequential import LEVEL, breaks, keeps, suspects, upper
from groat.cache.tallies import Cell, Kind, Tallies
from groat.errors import StorageError
from groat.types import Audited

GRAY: Final = 20
"""Tenths of the score, in log odds, by which a candidate may lie below the score in force and still be compared. Odds there are
down to one in seven of those at the score, and on the calibration streams most candidates of this band are paraphrases (en
1,718 of 1,896, zh 736 of 920); in the next half a unit it is six in ten and four in ten, and comparing finds little."""
STEP: Final = 5
"""Tenths by which the score may fall at once."""
RISES: Final = (0, 3, 6, 10)
"""Tenths above the shipped score at which a broken promise may be found kept again. Of the hits of the calibration streams 64,
31 and 2 % are left there in English, 92, 80 and 64 % in Chinese."""
BELIEF: Final = 30
"""Hits that the calibration counts for at most, at the rate of its bound. It delays what audits find by about 20 of them."""
FRESH_S: Final = 30.0
"""For how long the counts of other processes are taken for known."""
_RETRY_S = 2.0

Origin = Literal["shipped", "audited", "raised", "lowered", "closed", "unknown", "not_proven"]
"""Why this score is in force: as calibrated, without an outcome yet; the same, with outcomes that do not break the promise; a
higher one that the outcomes prove after the promise was broken; a lower one that they prove; none, since it was broken; none,
since the counts cannot be read; none, since the calibration proves none."""


@dataclass(frozen=True)
class Standing:
    """The bound in force at one place, and where it comes from."""

    origin: Origin
    shipped: tuple[float, float] | None
    """Score and bound of the calibration; None where it proves none."""
    least: tuple[float, float] | None
    """Score and bound now; None where nothing is served by likeness."""
    right: int = 0
    wrong: int = 0
    """Outcomes at and above the score in force, at the shipped one where nothing is served."""
    suspected: bool = False
    """The outcomes speak against the promise, and do not show yet that it is broken."""


Bins = Mapping[int, tuple[int, int]]
"""Tenths of the score, rounded down -> right and wrong outcomes."""


def standing(shipped: tuple[float, float] | None, bins: Bins, promise: float, *, broken: bool = False) -> Standing:
    """Return what is in force. Pure.

    - The promise counts as broken when the outcomes at and above the shipped score, together with the calibration at a bounded
      weight (``BELIEF``), show it with 95 % confidence (``groat.cache.sequential``: at any time, however often one looks).
    - After that the calibration counts for nothing. Of ``RISES`` the lowest is taken at which the outcomes alone show that the
      promise is kept, each at a quarter of the level; without one nothing is served by likeness.
    - While it is not broken, the score falls by a ``STEP``, at most by ``GRAY``, for each step whose outcomes alone show that
      the promise is kept there (fixed-sequence testing: the first step that does not ends it). Whoever passes that test passes
      both bounds of ``Verifier.least_score`` too.

    Args:
        shipped: score and bound of the calibration.
        bins: outcomes by score.
        promise: largest share of wrong hits, 0 to 1.
        broken: whether it was found broken at any time before.
    """
    if shipped is None:
        return Standing("not_proven", None, None)
    score, bound = shipped
    start = tenths(score)
    right, wrong = _sum(bins, start)
    if broken or is_broken(shipped, bins, promise):
        for rise in RISES:
            above = _sum(bins, start + rise)
            if _kept(above, promise, LEVEL / len(RISES)):
                return Standing("raised", shipped, (round(score + rise / 10, 4), _own(above)), *above)
        return Standing("closed", shipped, None, right, wrong)
    low = start
    while low - STEP >= start - GRAY and _kept(_sum(bins, low - STEP, low), promise, LEVEL):
        low -= STEP
    if low < start:
        lowered = _sum(bins, low)
        return Standing("lowered", shipped, (round(score - (start - low) / 10, 4), _own(lowered)), *lowered)
    if not right + wrong:
        return Standing("shipped", shipped, shipped)
    suspected = suspects(*_believed(shipped, (right, wrong), promise), promise)
    return Standing("audited", shipped, (score, _pooled(bound, right, wrong)), right, wrong, suspected)


def is_broken(shipped: tuple[float, float], bins: Bins, promise: float) -> bool:
    """Say whether the outcomes show that the promise is broken at and above the shipped score."""
    return breaks(*_believed(shipped, _sum(bins, tenths(shipped[0])), promise), promise)


def tenths(score: float) -> int:
    """Return the bin of a score."""
    # 2.8 * 10 is a little less than 28 for some such numbers.
    return math.floor(round(score * 10, 6))


def _believed(shipped: tuple[float, float], counts: tuple[int, int], promise: float) -> tuple[float, float]:
    """Return wrong outcomes and all, with the calibration among them: at first it only makes the bets lose."""
    right, wrong = counts
    return wrong + BELIEF * min(shipped[1], promise), right + wrong + BELIEF


def _sum(bins: Bins, low: int, high: int = 1 << 30) -> tuple[int, int]:
    found = [counts for at, counts in bins.items() if low <= at < high]
    return sum(right for right, _ in found), sum(wrong for _, wrong in found)


def _kept(counts: tuple[int, int], promise: float, level: float) -> bool:
    right, wrong = counts
    return keeps(wrong, right + wrong, promise, level=level)


def _own(counts: tuple[int, int]) -> float:
    right, wrong = counts
    return round(upper(wrong, right + wrong), 4)


def _pooled(bound: float, right: int, wrong: int) -> float:
    """Return the bound of the calibration, drawn towards the share that the outcomes show as they become many."""
    return round((BELIEF * bound + wrong) / (BELIEF + right + wrong), 4)


@dataclass(frozen=True)
class Place:
    """Where an outcome belongs."""

    scope: str
    mode: str
    category: str
    score: float
    """Log odds that one answer serves both questions."""
    promise: float
    """Largest share of wrong hits that was asked for, 0 to 1."""
    shipped: tuple[float, float] | None
    """Score and bound of the calibration for that promise."""


def audited(place: Place, found: Standing, *, gray: bool) -> Audited:
    """Return what travels with a candidate."""
    score, bound = place.shipped or (None, None)
    return {
        "scope": place.scope,
        "mode": place.mode,
        "category": place.category,
        "score": round(place.score, 4),
        "promise": place.promise,
        "shipped_score": score,
        "shipped_bound": bound,
        "origin": found.origin,
        "right": found.right,
        "wrong": found.wrong,
        "suspected": found.suspected,
        "gray": gray,
    }


def place_of(audits: Audited) -> Place:
    """Return where an outcome of a candidate belongs."""
    score, bound = audits["shipped_score"], audits["shipped_bound"]
    shipped = None if score is None or bound is None else (score, bound)
    return Place(audits["scope"], audits["mode"], audits["category"], audits["score"], audits["promise"], shipped)


class OnlineBound:
    """Knows the counts of audits as they were read last, and what follows from them.

    Any number of event loops and threads may share one object.

    Args:
        tallies: where the counts are kept.
        version: of the rule: scores of another version say nothing here.
        clock: seconds from any moment on.
    """

    def __init__(self, tallies: Tallies, version: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Read nothing yet."""
        self._tallies = tallies
        self._version = version
        self._clock = clock
        self._counts: Counter[Cell] | None = None
        self._due = -math.inf
        self._known: dict[tuple[str, str, str, float], Standing] = {}
        self._bins: dict[tuple[str, str, str | None], dict[int, tuple[int, int]]] = {}
        self.last_failure: str | None = None
        """Why the counts could not be read or written; None since they last could."""

    async def refresh(self) -> None:
        """Read the counts when those known are older than half a minute. Never raises a ``StorageError``."""
        if self._clock() < self._due and self._counts is not None:
            return
        if self._counts is not None:
            # Others need not wait for this one: what is known serves them.
            self._due = self._clock() + FRESH_S
        elif self._clock() < self._due:
            return
        try:
            counts = await self._tallies.read(self._version)
        except StorageError as error:
            self.last_failure, self._due = str(error), self._clock() + _RETRY_S
            return
        self.last_failure, self._due = None, self._clock() + FRESH_S
        self._learn(Counter(counts))

    def standing(self, scope: str, mode: str, category: str, promise: float, shipped: tuple[float, float] | None) -> Standing:
        """Return what is in force at a place: the stricter of what all outcomes of the scope show, and those of the category.

        Until the counts could be read once nothing is served by likeness, since the bound in force is not known.
        """
        if self._counts is None:
            return Standing("unknown", shipped, None)
        key = (scope, mode, category, promise)
        if (known := self._known.get(key)) is None or known.shipped != shipped:
            known = self._standing(scope, mode, None, promise, shipped)
            if category and known.least is not None:
                own = self._standing(scope, mode, category, promise, shipped)
                if own.origin == "closed" or (own.origin == "raised" and (own.least or known.least) > known.least):
                    known = own
            self._known[key] = known
        return known

    async def add(self, kind: Kind, outcome: str, place: Place) -> None:
        """Count an outcome, and remember when it shows a promise to be broken. Never raises a ``StorageError``."""
        cell = Cell(kind, outcome, place.scope, place.mode, tenths(place.score), place.category)
        await self._add({cell: 1})
        if self._counts is None or place.shipped is None or outcome != "wrong" or kind not in _COUNTED:
            return
        for category in (None, place.category):
            bins = self._bins_of(place.scope, place.mode, category)
            flag = _flag(place.scope, place.mode, category, place.promise)
            if not self._counts[flag] and is_broken(place.shipped, bins, place.promise):
                await self._add({flag: 1})

    async def note(self, events: Mapping[str, int]) -> None:
        """Count what happened to audits, by name. Never raises a ``StorageError``."""
        await self._add({Cell("event", name): count for name, count in events.items() if count})

    def counts(self) -> Mapping[Cell, int]:
        """Return the counts as they are known."""
        return self._counts or {}

    async def _add(self, counts: Mapping[Cell, int]) -> None:
        if not counts:
            return
        try:
            await self._tallies.add(self._version, counts)
        except StorageError as error:
            self.last_failure = str(error)
            return
        if self._counts is not None:
            self._learn(self._counts + Counter(counts))

    def _learn(self, counts: Counter[Cell]) -> None:
        self._counts, self._known, self._bins = counts, {}, {}

    def _standing(
        self, scope: str, mode: str, category: str | None, promise: float, shipped: tuple[float, float] | None
    ) -> Standing:
        assert self._counts is not None  # the caller looked
        broken = self._counts[_flag(scope, mode, category, promise)] > 0
        return standing(shipped, self._bins_of(scope, mode, category), promise, broken=broken)

    def _bins_of(self, scope: str, mode: str, category: str | None) -> Bins:
        """Return the outcomes of a category, of all with None."""
        if (key := (scope, mode, category)) not in self._bins:
            found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
            for cell, count in (self._counts or {}).items():
                of_place = (cell.scope, cell.mode) == (scope, mode) and category in (None, cell.category)
                if of_place and cell.kind in _COUNTED and cell.outcome in _OUTCOMES:
                    found[cell.at][_OUTCOMES.index(cell.outcome)] += count
            self._bins[key] = {at: (right, wrong) for at, (right, wrong) in found.items()}
        return self._bins[key]


_COUNTED: Final = ("audit", "gray")
_OUTCOMES: Final = ("right", "wrong")


def _flag(scope: str, mode: str, category: str | None, promise: float) -> Cell:
    """Return the cell that says that a promise was found broken; of all categories together with None."""
    which = "all" if category is None else "one"
    return Cell("broken", which, scope, mode, round(promise * 1_000_000), category or "")
