"""The answer cache: serves an answer again when, and only when, nothing speaks against it."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol

from groat.cache.accept import AcceptRule, Judged, Kept
from groat.cache.calibration import Calibration
from groat.cache.counts import Counts
from groat.cache.entry import Entry, NewAnswer, new_entry
from groat.cache.identity import exact_text, identity_key
from groat.cache.paraphrases import without_refused
from groat.cache.policy import CachePolicy, Ruling
from groat.cache.recent_uses import RecentUses
from groat.cache.stores.protocol import AnswerStore
from groat.cache.vetoes import DocumentsFor, Vetoes, refused_by
from groat.embedding import Vector
from groat.errors import BadInput, GroatError, StorageError
from groat.text import fold
from groat.types import Asked, CacheCandidate, CachedAnswer, Identity, Lookup

Embed = Callable[[str], Awaitable[Vector]]
CurrentVersions = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]

NEAREST = 8
"""How many kept questions are judged: more are never alike enough when eight nearer ones were refused."""


class InFlight(Kept, Protocol):
    """A question that is being answered."""

    @property
    def vector(self) -> Vector | None:
        """Its unit vector; None when only an equal question may share its answer."""
        ...


class AnswerCache:
    """Looks answers up and keeps them, in any store, under the thresholds of a calibration.

    Args:
        store: where entries are kept; it is opened at the first use.
        rule: decides on hits by likeness; a calibration alone stands for the rule by cosine and checks. None: only equal
            questions hit, and misses say "no_calibration".
        policy: what may be kept, for how long, and matched how; the shipped one without it.
        max_entries: largest number of entries, over all tenants; the ones used longest ago go first.
        clock: seconds since the epoch.
        counts: what the cache did, in numbers; those of this process alone without it. Who asks counts what came of it
            (``Counts.looked_up``), since one question may take several lookups.
    """

    def __init__(
        self,
        store: AnswerStore,
        rule: AcceptRule | Calibration | None,
        *,
        policy: CachePolicy | None = None,
        max_entries: int = 100_000,
        clock: Callable[[], float] = time.time,
        counts: Counts | None = None,
    ) -> None:
        """Keep the arguments; nothing is opened."""
        self._store = store
        self._rule = rule if isinstance(rule, AcceptRule) else AcceptRule(rule)
        self._policy = policy or CachePolicy.load(None)
        self._max_entries = max_entries
        self._clock = clock
        self._uses = RecentUses()
        self.counts = counts or Counts(clock=clock)
        """What the cache did, in numbers."""
        self.last_failure: str | None = None
        """What the newest failure was, for a health page; None since the last lookup or remembering that worked."""

    @property
    def rule(self) -> AcceptRule:
        """What decides on hits by likeness."""
        return self._rule

    async def lookup(
        self,
        identity: Identity,
        asked: Asked,
        *,
        embed: Embed,
        current_versions: CurrentVersions,
        documents_for: DocumentsFor | None = None,
    ) -> tuple[Lookup, CachedAnswer | None]:
        """Find an answer that may be served.

        An equal question is found without ``embed``, which is called at most once. Before anything is served,
        ``current_versions`` must return exactly the versions that the answer stands on, else the entry is deleted. Before
        anything is served by likeness, ``documents_for``, called at most once, must find the answer's documents for this
        question too (``groat.cache.vetoes``).

        Never raises a ``GroatError``: when the store, the embedder or the versions fail, the outcome is "error" and the
        reason is the sentence of the failure, since the question can still be answered. Outcome "off" means that the policy
        does not let this question into the cache; the reason says which rule.
        """
        ruling = self._policy.judge(asked)
        if ruling.cache == "never":
            return self._decided("off", ruling.reason), None
        try:
            vetoes = Vetoes(asked, documents_for)
            lookup, entry = await self._search(identity, asked, ruling, embed, current_versions, vetoes)
        except GroatError as error:
            self.last_failure = str(error)
            return self._decided("error", str(error)), None
        self.last_failure = None
        if entry is None:
            return lookup, None
        try:
            if self._uses.is_due(entry.entry_id, now=self._clock()):
                await self._store.mark_used(entry.entry_id, now=self._clock())
                self._uses.marked(entry.entry_id, now=self._clock())
        except StorageError as error:
            # Only the order of eviction suffers; the answer itself was read and is good.
            self.last_failure = str(error)
        return lookup, entry.served()

    async def remember(
        self, identity: Identity, asked: Asked, answer: NewAnswer, *, embed: Embed, ttl_s: float | None = None
    ) -> bool:
        """Keep an answer, in place of one kept for the same identity and question.

        Args:
            identity: what must be equal before it is served again.
            asked: the question.
            answer: the answer with all it stands on. Only validated, complete answers may be offered.
            embed: returns the vector of a text; called once, or not at all when only an equal question may hit.
            ttl_s: longest life in seconds, whether it is hit or not; the policy may set a shorter one. None: what the policy
                says, which may be until a document changes.

        Returns:
            True when it is kept. False when the policy refuses the question, the answer is empty, the life is not positive, or
            the store failed (see ``last_failure``). Never raises a ``GroatError``.
        """
        ruling = self._policy.judge(asked)
        ttl_s = min((life for life in (ttl_s, ruling.ttl_s) if life is not None), default=None)
        empty = not answer["answer"].strip() or (ttl_s is not None and ttl_s <= 0) or self._max_entries < 1
        if empty or ruling.cache == "never":
            self.counts.offered(ruling.reason if ruling.cache == "never" else "no_life", language=asked["language"])
            return False
        try:
            vector = await embed(asked["search_text"]) if self._threshold(asked, ruling)[0] is not None else None
            embedder = self._rule.embedder
            entry = new_entry(identity, asked, answer, vector=vector, embedder=embedder, now=self._clock(), ttl_s=ttl_s)
            await self._store.put(entry, max_entries=self._max_entries)
        except GroatError as error:
            self.last_failure = str(error)
            self.counts.offered("failed", language=asked["language"])
            return False
        self.last_failure = None
        self.counts.kept(self._store.removals, language=asked["language"])
        return True

    async def same_as(self, asked: Asked, vector: Vector, others: Sequence[InFlight]) -> str | None:
        """Return the key of the question in flight whose answer will serve this one, by the rule of the cache; None for none.

        Args:
            asked: the question.
            vector: its unit vector.
            others: questions of the same identity that are being answered; those without a vector are left out.
        """
        ruling = self._policy.judge(asked)
        if self._threshold(asked, ruling)[0] is None:
            return None
        near = [(one, float(one.vector @ vector)) for one in others if one.vector is not None]
        near = sorted(near, key=lambda each: -each[1])[:NEAREST]
        judged = await self._rule.judge(asked, near, max_wrong=ruling.max_wrong, category=ruling.category)
        return next((one.entry.entry_id for one in judged if one.accepted), None)

    def keeps(self, asked: Asked) -> bool:
        """Say whether the policy lets an answer to this question be kept at all."""
        return self._policy.judge(asked).cache != "never"

    async def forget(self, *, document_id: str | None = None, tenant: str | None = None, everything: bool = False) -> int:
        """Remove answers and return how many there were.

        Args:
            document_id: those that stand on this document.
            tenant: those of this tenant; with ``document_id``, those to which both apply.
            everything: all of them.

        Raises:
            BadInput: nothing was named, or ``everything`` together with something else.
            StorageError: the store failed; some may still be there.
        """
        named = document_id is not None or tenant is not None
        if named == everything:
            raise BadInput("name a document, a tenant, or both, or else say that everything is to be forgotten")
        return await self._store.forget(documents=None if document_id is None else [document_id], tenant=tenant)

    async def invalidate(self, documents: Collection[str], *, tenant: str) -> int:
        """Remove the tenant's answers that stand on any of these documents; return how many. Raises ``StorageError``."""
        return await self._store.forget(documents=documents, tenant=tenant) if documents else 0

    async def count(self) -> int:
        """Return how many answers are kept. Raises ``StorageError``."""
        return await self._store.count()

    async def check(self) -> None:
        """Raise ``StorageError`` if the store cannot be read and written."""
        await self._store.check()

    async def _search(
        self,
        identity: Identity,
        asked: Asked,
        ruling: Ruling,
        embed: Embed,
        current_versions: CurrentVersions,
        vetoes: Vetoes,
    ) -> tuple[Lookup, Entry | None]:
        key = identity_key(identity)
        same = await self._store.exact(key, exact_text(asked["text"]), now=self._clock())
        if same is not None and await self._is_true(same, current_versions):
            candidate: CacheCandidate = {
                "entry_id": same.entry_id, "question": same.question, "similarity": 1.0, "differences": []
            }  # fmt: skip
            reason = "alias" if same.alias else "exact" if fold(same.question) == fold(asked["text"]) else "normalised"
            return {**self._decided("hit", reason, tier="exact", candidate=candidate), "served": same.stands_on()}, same
        await self._rule.ready()
        threshold, reason = self._threshold(asked, ruling)
        if threshold is None:
            return self._decided("miss", "stale" if same else reason), None
        vector = await embed(asked["search_text"])
        embedder = self._rule.embedder
        nearest = await self._store.nearest(key, vector, embedder=embedder, limit=NEAREST, now=self._clock())
        judged = await self._rule.judge(asked, nearest, max_wrong=ruling.max_wrong, category=ruling.category)
        judged = [without_refused(one, exact_text(asked["text"])) for one in judged]
        return await self._choose(judged, threshold, same is not None, current_versions, vetoes)

    async def _choose(
        self,
        judged: Sequence[Judged[Entry]],
        threshold: float,
        stale: bool,
        current_versions: CurrentVersions,
        vetoes: Vetoes,
    ) -> tuple[Lookup, Entry | None]:
        """Serve the best accepted candidate whose documents are unchanged; explain the miss by the best one refused."""
        refusal: Lookup | None = None
        for one in judged:
            if not one.accepted:
                continue
            if not await self._is_true(one.entry, current_versions):
                stale = True
            elif not (against := await vetoes.against(one.entry)):
                hit = self._decided("hit", "similar", tier="semantic", candidate=one.candidate, threshold=threshold)
                return {**hit, "served": one.entry.stands_on()}, one.entry
            else:
                refusal = refusal or self._decided(
                    "miss", min(against), candidate=refused_by(one.candidate, against), threshold=threshold
                )
        if refusal is not None:
            return refusal, None
        if not judged:
            return self._decided("miss", "stale" if stale else "empty", threshold=threshold), None
        best = judged[0].candidate
        refused = "differs" if best.get("score", best["similarity"]) >= threshold else "below_threshold"
        return self._decided("miss", "stale" if stale else refused, candidate=best, threshold=threshold), None

    async def _is_true(self, entry: Entry, current_versions: CurrentVersions) -> bool:
        """Say whether every document is as it was when the answer was given; delete the entry if not."""
        kept = {document["id"]: document["version"] for document in entry.documents}
        if not kept:
            return True
        current = await current_versions(list(kept))
        if {document: current.get(document) for document in kept} == kept:
            return True
        self.counts.removed("stale", await self._store.delete([entry.entry_id]))
        return False

    def _threshold(self, asked: Asked, ruling: Ruling) -> tuple[float | None, str]:
        """Return the least score or cosine of a hit by likeness; None, and why, when there may be none."""
        if not self._rule.version:
            return None, "no_calibration"
        if ruling.cache == "exact":
            return None, ruling.reason
        return self._rule.threshold(asked, max_wrong=ruling.max_wrong, category=ruling.category), "not_proven"

    def _decided(
        self,
        outcome: Literal["hit", "miss", "off", "error"],
        reason: str,
        *,
        tier: Literal["exact", "semantic"] | None = None,
        candidate: CacheCandidate | None = None,
        threshold: float | None = None,
    ) -> Lookup:
        return {
            "outcome": outcome,
            "tier": tier,
            "reason": reason,
            "candidate": candidate,
            "threshold": threshold,
            "calibration": self._rule.version,
        }
