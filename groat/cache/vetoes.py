"""What speaks against serving a kept answer, asked only when nothing else does: it takes a search, or the answer itself.

A veto can only refuse, so the share of wrong hits that the fitted rule promises stays an upper bound.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from groat.cache.coverage import uncovered
from groat.cache.entry import Entry
from groat.errors import GroatError
from groat.types import Asked, CacheCandidate

DocumentsFor = Callable[[Asked], Awaitable[Sequence[str]]]
"""Returns the ids of the documents whose passages fit a question, best first, each once."""
Veto = Literal["passages", "uncovered"]

BEST: Final = 5
"""Among so many documents found for the question one must stand that the answer quotes: chosen with ``evals.cache_vetoes``."""


@dataclass
class Vetoes:
    """The vetoes on answering one question; its documents are searched for once, and only when an answer stands on any."""

    asked: Asked
    documents_for: DocumentsFor | None
    """None where nobody can search: then no answer is refused for its passages."""
    _found: Sequence[str] | None = field(default=None, init=False)

    async def against(self, entry: Entry) -> dict[Veto, float]:
        """Return what speaks against this entry's answer, with how much of it there is; empty when nothing does.

        Never raises a ``GroatError``: a search that fails refuses nothing.
        """
        found: dict[Veto, float] = {}
        if missing := uncovered(self.asked["search_text"], entry.question, entry.answer):
            found["uncovered"] = float(len(missing))
        if entry.documents and elsewhere(await self._documents(), entry):
            found["passages"] = 1.0
        return found

    async def _documents(self) -> Sequence[str]:
        if self._found is None:
            try:
                self._found = await self.documents_for(self.asked) if self.documents_for is not None else ()
            except GroatError:
                self._found = ()
        return self._found


def refused_by(candidate: CacheCandidate, against: Mapping[Veto, float]) -> CacheCandidate:
    """Return the candidate with the vetoes among its differences and its evidence."""
    return {
        **candidate,
        "differences": sorted([*candidate["differences"], *against]),
        "evidence": candidate.get("evidence", {}) | {str(veto): much for veto, much in against.items()},
    }


def elsewhere(found: Sequence[str], entry: Entry) -> bool:
    """Say whether what is found for a question points to other documents than those that the answer quotes.

    Those that were sent along count only for an answer that quotes none: there are many of them, found for a question like it
    or not.

    Args:
        found: ids of the documents found for the question, best first.
        entry: the kept answer.
    """
    quoted = {source["id"] for source in entry.sources} or {document["id"] for document in entry.documents}
    return bool(found) and bool(quoted) and quoted.isdisjoint(found[:BEST])
