"""Counts of what the audits found: numbers under names, with no text."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["audit", "gray", "alias", "broken", "event"]
"""Where an outcome comes from: a hit by likeness that was answered afresh; a candidate that was not served, compared with the
answer that was given instead; a hit on an alias, answered afresh. Or that a promise was found broken, or something that
happened to an audit."""


@dataclass(frozen=True, order=True)
class Cell:
    """What one number counts."""

    kind: Kind
    outcome: str
    """"right", "wrong" or "undecided"; of an event its name."""
    scope: str = ""
    """A ``Scope``: language of both questions, or "across"."""
    mode: str = ""
    """A ``Mode`` of the verifier, or "cosine" without one."""
    at: int = 0
    """Tenths of the score (log odds that one answer serves both), rounded down; of a broken promise that, in millionths."""
    category: str = ""
    """Of the policy."""

    def name(self) -> str:
        """Return the form that is stored."""
        return "/".join((self.kind, self.outcome, self.scope, self.mode, str(self.at), self.category))

    @classmethod
    def named(cls, name: str) -> "Cell":
        """Return the cell of a name. Raises ``ValueError`` for what is none."""
        kind, outcome, scope, mode, at, category = name.split("/", 5)
        if kind not in ("audit", "gray", "alias", "broken", "event"):
            raise ValueError(f"{kind!r} is no kind of count")
        return cls(kind, outcome, scope, mode, int(at), category)  # type: ignore[arg-type]  # it was looked at


class Tallies(Protocol):
    """Keeps counts for each version of the rule that they were made under. Every method may raise ``StorageError``.

    The laws, which ``tests/contract/test_tallies.py`` checks on every place:

    - ``read`` returns the sums of all that was added under the version, by whichever process, and nothing of other versions.
    - ``add`` counts all cells or none; nothing that is counted at the same time is lost.
    """

    async def add(self, version: str, counts: Mapping[Cell, int]) -> None:
        """Add to the counts of a version."""
        ...

    async def read(self, version: str) -> dict[Cell, int]:
        """Return the counts of a version."""
        ...


class MemoryTallies:
    """Counts in this process, gone with it."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._counts: dict[str, Counter[Cell]] = {}

    async def add(self, version: str, counts: Mapping[Cell, int]) -> None:
        """Add to the counts of a version."""
        self._counts.setdefault(version, Counter()).update(counts)

    async def read(self, version: str) -> dict[Cell, int]:
        """Return the counts of a version."""
        return dict(self._counts.get(version, {}))
