"""What is asked of the place where runs are kept; ``groat.blame.sqlite.SqliteRuns`` is the one that ships."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from groat.blame.snapshot import Blamed, Finding, Mark, MarkKind, Origin, Snapshot
from groat.types import Language, Step, Tier

Cursor = tuple[float, str]
"""Time and id of the last run of a page."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which runs are listed; None stands for all."""

    since: float | None = None
    """Seconds since 1970; runs at this moment are listed."""
    until: float | None = None
    """Runs at this moment are not."""
    tenant: str | None = None
    language: Language | None = None
    tier: Tier | None = None
    """Of the last attempt; hits have none."""
    cache: Literal["exact", "semantic", "miss", "off", "error"] | None = None
    step: Step | None = None
    """The last step of validation."""
    bad: bool | None = None
    """Marked bad by whoever spoke last, or bad by the run's own account."""
    mark: MarkKind | None = None
    """Has a mark of this kind, good or bad."""
    origin: Finding | Literal["not_blamed"] | None = None
    document: str | None = None
    """Names this document."""
    after: Cursor | None = None
    """Where the page before ended."""
    limit: int = 50


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One line of a list of runs."""

    run: str
    at: float
    tenant: str
    language: Language
    question: str
    """Empty when texts are not kept."""
    cache: str
    tier: str
    """Empty on a hit."""
    step: str
    """Empty on a hit."""
    verified: bool
    bad: bool
    cost_usd: str | None
    baseline_cost_usd: str | None
    texts: bool
    marks: tuple[MarkKind, ...]
    origin: Finding | None
    """None before anybody looked for it."""
    confidence: float | None


@dataclass(frozen=True, kw_only=True)
class Page:
    """A part of a list of runs, newest first."""

    runs: tuple[Listed, ...]
    next: Cursor | None
    """Given as ``Wanted.after`` to get the next page; None at the end."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Everything about one run."""

    snapshot: Snapshot
    marks: tuple[Mark, ...]
    """Oldest first."""
    blamed: Blamed | None


@dataclass(frozen=True, kw_only=True)
class Causes:
    """What investigations found in one span of time."""

    begin: float
    """Seconds since 1970."""
    runs: int
    """Kept runs that began in the span."""
    bad: int
    found: dict[Finding, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is kept."""

    runs: int
    bad: int
    bytes: int
    """Of the bodies, as they lie in the file."""
    oldest: float | None
    """Seconds since 1970; None when nothing is kept."""


class RunRecords(Protocol):
    """Keeps runs with what was said about them. Every method raises StorageError when the place cannot be used.

    Laws: a run that is written again takes the place of what was there, its marks stay. Bad runs are those that were not
    verified or failed, and those whose newest mark says so. What retention drops is gone with its marks and its verdict.
    """

    async def add(self, run: Snapshot, *, sampled: bool) -> None:
        """Keep a run; one that is neither sampled nor bad is dropped once nobody has marked it bad in time."""
        ...

    async def mark(self, mark: Mark) -> bool:
        """Keep what somebody said; False when the run is not kept."""
        ...

    async def blame(self, blamed: Blamed) -> bool:
        """Keep what was found, in place of what was found before; False when the run is not kept."""
        ...

    async def get(self, run: str) -> Kept | None:
        """Return a run by its id, or by an id of its trace; None when it is not kept."""
        ...

    async def find(self, wanted: Wanted) -> Page:
        """Return a page of the runs wanted, newest first."""
        ...

    async def causes(self, *, since: float, until: float, step_s: float, tenant: str | None = None) -> Sequence[Causes]:
        """Return what was found, span by span of ``step_s`` seconds, oldest first; spans without runs are there too."""
        ...

    async def origins(self, *, since: float, until: float, tenant: str | None = None) -> dict[Origin, list[str]]:
        """Return the ids of the runs blamed on each origin, newest first."""
        ...

    async def forget(self, *, tenant: str | None = None, document: str | None = None, run: str | None = None) -> int:
        """Drop the runs that all of what is given applies to, and return how many; with nothing given, all runs."""
        ...

    async def prune(self, *, now: float) -> int:
        """Drop what is too old or too much, and return how many runs that were."""
        ...

    async def size(self) -> Size:
        """Return how much is kept."""
        ...
