"""Looks again at what the cache decided, when nobody waits for it: were hits right, and were near misses the same question?"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from groat.cache.answers import AnswerCache, Embed
from groat.cache.background import Background
from groat.cache.entry import NewAnswer
from groat.cache.online import OnlineBound, Place, place_of
from groat.cache.paraphrases import Paraphrases, versions_agree
from groat.errors import StorageError
from groat.types import Asked, CacheCandidate, CachedAnswer, DocumentVersion, Identity, Lookup, Passage

Outcome = Literal["right", "wrong", "undecided"]
"""Whether one answer serves both questions; undecided counts neither way."""
AUDIT_SHARE = 0.02
"""Share of hits by likeness that are answered afresh when nothing is set. An audit costs what the hit saved, so 2 % of what
likeness saves are given for knowing its errors. A rule that has come to be wrong in one of ten hits is found out after about 40
audits, in one of twenty after about 120: at 1,000 hits a day, and with the closer look, in a day or two."""
CLOSER = 5
"""How many times as many hits are audited while the outcomes speak against the promise: after a second wrong one among the
first 50, for instance, until it is shown to be broken or others turn out right."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A kept answer that was served to a question in other words."""

    run: str
    identity: Identity
    asked: Asked
    lookup: Lookup
    served: CachedAnswer
    again: Mapping[str, object]
    """What was asked, in the form in which the application takes it."""
    knobs: object
    """What the run could choose, in the form of the application."""


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A question that was answered, with the kept question that nearly served it."""

    run: str
    identity: Identity
    asked: Asked
    candidate: CacheCandidate
    answer: NewAnswer
    passages: Sequence[Passage]
    """What the models read."""


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """What came of asking again."""

    answer: NewAnswer | None
    """None when none was accepted, or nobody was asked."""
    passages: Sequence[Passage] = ()
    skipped: str = ""
    """Why nobody was asked, such as "budget"."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two answers that are to be compared."""

    run: str
    asked: Asked
    kept: str
    fresh: str
    passages: Sequence[Passage]
    dear: bool
    """The fresh answer was bought to be compared, so that more may be spent on comparing it."""


Afresh = Callable[[Hit], Awaitable[Fresh]]
Compare = Callable[[Pair], Awaitable[Outcome]]
Versions = Callable[[Collection[str], str], Awaitable[Mapping[str, str]]]
"""Present versions of documents of a tenant."""


class Audits:
    """Audits hits, and compares near misses with the answer that was given instead.

    Nothing here touches the request: the methods that take something return at once and raise nothing. What is asked for and
    compared in the background is bounded; what comes beyond is dropped, and counted.

    - A hit by likeness, or on an alias, is answered afresh with a probability of ``share``, drawn from its run alone; five
      times that while the outcomes so far speak against the promise. An entry that answers another question keeps its own; the
      pair is refused from then on, and the fresh answer kept.
    - A near miss (``Audited.gray``) costs no model call: both answers are there. When they say the same, the question becomes
      an alias of the entry; when not, the pair is refused.
    - Either outcome moves the bound.

    Args:
        answers: the cache.
        paraphrases: writes down what was found, in the store of ``answers``.
        bound: counts the outcomes.
        afresh: answers a question again, without the cache.
        compare: tells whether two answers say the same.
        embed: returns the vector of a question.
        versions: tells the present versions of documents.
        share: of hits that are audited, 0 to 1.
        background: does the work.
    """

    def __init__(
        self,
        answers: AnswerCache,
        paraphrases: Paraphrases,
        bound: OnlineBound,
        *,
        afresh: Afresh,
        compare: Compare,
        embed: Embed,
        versions: Versions,
        share: float = AUDIT_SHARE,
        background: Background | None = None,
    ) -> None:
        """Keep the arguments; nothing is started."""
        self._answers = answers
        self._paraphrases = paraphrases
        self.bound = bound
        self._afresh = afresh
        self._compare = compare
        self._embed = embed
        self._versions = versions
        self._share = share
        self._background = background or Background()
        self._dropped = 0
        self._failed = 0

    def served(self, hit: Hit) -> None:
        """Audit a hit, if it is chosen."""
        if _place_of(hit) is not None and chosen(hit.run, self._share * (CLOSER if _is_suspected(hit) else 1)):
            self._submit(lambda: self._audit(hit))

    def answered(self, miss: Miss) -> None:
        """Compare the answer with that of the kept question, if it is near enough."""
        if (audits := miss.candidate.get("audits")) is not None and audits["gray"]:
            self._submit(lambda: self._look_at(miss))

    async def close(self, *, within_s: float) -> None:
        """Wait for what is under way, at most ``within_s`` seconds, and drop the rest."""
        given_up = await self._background.close(within_s=within_s)
        self._dropped += given_up
        await self._note()

    async def count_aliases(self) -> int:
        """Return how many further wordings are known. Raises ``StorageError``."""
        return await self._paraphrases.count()

    def _submit(self, work: Callable[[], Awaitable[None]]) -> None:
        async def noted() -> None:
            try:
                await work()
            except StorageError:
                # The cache is away: nothing was lost but this look.
                self._failed += 1
            except Exception:
                self._failed += 1
                raise
            finally:
                await self._note()

        if not self._background.submit(noted):
            self._dropped += 1

    async def _note(self) -> None:
        events = {"dropped": self._dropped, "failed": self._failed}
        self._dropped = self._failed = 0
        await self.bound.note(events)

    async def _audit(self, hit: Hit) -> None:
        place = _place_of(hit)
        assert place is not None  # it was looked at before
        fresh = await self._afresh(hit)
        if fresh.skipped:
            await self.bound.note({f"skipped_{fresh.skipped}": 1})
            return
        outcome: Outcome = "undecided"
        if fresh.answer is not None and versions_agree(hit.served["documents"], fresh.answer["documents"]):
            outcome = await self._compare(_pair(hit, hit.served["answer"], fresh.answer, fresh.passages, dear=True))
        await self.bound.add("alias" if place.mode == "alias" else "audit", outcome, place)
        if outcome == "wrong" and fresh.answer is not None:
            await self._paraphrases.different(hit.identity, hit.asked, hit.served["entry_id"])
            await self._answers.remember(hit.identity, hit.asked, fresh.answer, embed=self._embed)

    async def _look_at(self, miss: Miss) -> None:
        candidate, audits = miss.candidate, miss.candidate["audits"]
        entry = await self._paraphrases.kept(miss.identity, candidate["question"])
        if entry is None or entry.entry_id != candidate["entry_id"]:
            return
        if not versions_agree(entry.documents, miss.answer["documents"]) or not await self._is_true(
            entry.documents, miss.asked
        ):
            return
        outcome = await self._compare(_pair(miss, entry.answer, miss.answer, miss.passages, dear=False))
        await self.bound.add("gray", outcome, place_of(audits))
        if outcome == "right":
            vector = await self._embed(miss.asked["search_text"])
            embedder = self._answers.rule.embedder
            await self._paraphrases.same(miss.identity, miss.asked, entry.entry_id, vector=vector, embedder=embedder)
        elif outcome == "wrong":
            await self._paraphrases.different(miss.identity, miss.asked, entry.entry_id)

    async def _is_true(self, documents: Sequence[DocumentVersion], asked: Asked) -> bool:
        kept = {document["id"]: document["version"] for document in documents}
        current = await self._versions(list(kept), asked["tenant"]) if kept else {}
        return all(current.get(name) == version for name, version in kept.items())


def chosen(run: str, share: float) -> bool:
    """Say whether a run is among those that are audited: by a hash of its name, so by nothing that the cache decided on."""
    drawn = int.from_bytes(hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return drawn < share * 2.0**64


def _is_suspected(hit: Hit) -> bool:
    candidate = hit.lookup["candidate"]
    return candidate is not None and "audits" in candidate and candidate["audits"]["suspected"]


def _pair(about: Hit | Miss, kept: str, fresh: NewAnswer, passages: Sequence[Passage], *, dear: bool) -> Pair:
    return Pair(run=about.run, asked=about.asked, kept=kept, fresh=fresh["answer"], passages=passages, dear=dear)


def _place_of(hit: Hit) -> Place | None:
    """Return where the outcome of a hit is counted; None for a hit that is no likeness's."""
    candidate = hit.lookup["candidate"]
    if hit.lookup["reason"] == "alias":
        return Place(hit.asked["language"], "alias", "", 0.0, 1.0, None)
    if candidate is None or hit.lookup["tier"] != "semantic" or "audits" not in candidate:
        return None
    return place_of(candidate["audits"])
