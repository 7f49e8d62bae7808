"""Lets both models answer a small random share of the questions, when nobody waits for it, to learn from."""

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from groat.embedding import Vector
from groat.errors import StorageError
from groat.routing.artifact import FORMAT
from groat.routing.estimator import Sight
from groat.routing.features import surface
from groat.routing.look import packed
from groat.routing.records import Decision, Found, Outcome, RouteRecords
from groat.routing.router import Evidence
from groat.routing.rows import Side, question_hash
from groat.types import Asked, Route, Tier

AUDIT_SHARE: Final = 0.01
"""Share of questions that both models answer when nothing is set. An audit costs what the other model's answer costs: about 1 %
of the all-expensive bill at most. At 1,000 questions a day the 300 labels that help are there after a month."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What one tier made of a question."""

    model: str
    answer: str
    ok: bool
    """It passed all checks, and is no "the documents do not say"."""
    failed: bool = False
    """There is no answer, since a call failed: that says nothing about how good the model is."""
    in_tokens: int | None = None
    out_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A question that was answered."""

    run: str
    asked: Asked
    route: Route
    evidence: Evidence
    """What retrieval found."""
    given: Mapping[Tier, Given]
    """What the tiers that answered made of it: one, or both after an escalation."""
    domain: str = ""
    """Collection or subject that the application named; empty for none."""
    again: object
    """What another answer needs, in the form of the application."""


@dataclass(frozen=True, kw_only=True)
class Bought:
    """What came of asking a tier."""

    given: Given | None
    """None when nobody was asked, since a budget is spent."""
    cost_usd: str | None = "0"
    """Decimal dollars; None when a price is unknown."""
    calls: int = 0


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Whether the cheap answer says the same as the expensive one, and what finding out cost."""

    same: Literal["right", "wrong", "undecided"]
    cost_usd: str | None = "0"
    calls: int = 0


Ask = Callable[[Ended, Tier], Awaitable[Bought]]
Compare = Callable[[Ended, Mapping[Tier, Given]], Awaitable[Compared]]
Embed = Callable[[str], Awaitable[Vector]]
Total = Callable[[str | None, str | None], str | None]
"""Adds amounts of dollars; None when one is unknown."""


class Background(Protocol):
    """Does work that nobody waits for, a bounded number of pieces at a time."""

    def submit(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Take work on and return at once; False when too much is waiting."""
        ...

    async def close(self, *, within_s: float) -> int:
        """Wait for what is under way, at most ``within_s`` seconds; return how much was given up."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asks:
    """What an audit asks of the application."""

    other: Ask
    """Has a tier answer a question, billed."""
    compare: Compare
    embed: Embed
    """Returns the vector of a question."""
    embedder: str
    """Its name."""
    total: Total
    clock: Callable[[], float] = field(default=time.time)
    """Seconds since 1970."""


class RouteAudits:
    """Draws questions that were answered, has the tier that did not answer do so, and records which was good.

    Nothing here touches the request: what takes something returns at once and raises nothing. Which questions are drawn depends
    on the run alone, so on nothing that the router or the answers decided: weighted by one over the share, the records stand
    for all questions. After an escalation both answers are there, and such an audit costs nothing but the comparison.

    Args:
        records: where outcomes go.
        asks: what is asked of the application.
        background: does the audits.
        notes: writes down what a candidate would have decided, which must not wait for audits.
        share: of questions that are drawn, 0 to 1.
        keep_text: whether records hold the questions' texts.
    """

    def __init__(
        self,
        records: RouteRecords,
        asks: Asks,
        background: Background,
        notes: Background,
        *,
        share: float = AUDIT_SHARE,
        keep_text: bool = False,
    ) -> None:
        """Start nothing."""
        self.records = records
        self.share = share
        self._asks = asks
        self._background = background
        self._notes = notes
        self._keep_text = keep_text
        self.dropped = 0
        """How much was not taken on, since too much was waiting, or given up at the end."""
        self.failed = 0
        """How much could not be written down."""

    def draws(self, run: str) -> bool:
        """Say whether a run is audited."""
        digest = hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8, person=b"route").digest()
        return int.from_bytes(digest, "big") < self.share * 2.0**64

    def answered(self, ended: Ended) -> None:
        """Audit a question, if it is drawn."""
        if self.draws(ended.run):
            self._submit(self._background, lambda: self._audit(ended))

    def decided(self, run: str, asked: Asked, route: Route) -> None:
        """Record what a candidate would have decided, if there is one."""
        if (shadow := route.get("shadow")) is None:
            return
        decision = Decision(
            run=run,
            at=self._asks.clock(),
            tenant=asked["tenant"],
            language=asked["language"],
            artifact=route["artifact"],
            tier=route["tier"],
            shadow=shadow["artifact"],
            shadow_tier=shadow["tier"],
        )
        self._submit(self._notes, lambda: self.records.decided(decision))

    async def close(self, *, within_s: float) -> None:
        """Wait for what is under way, at most ``within_s`` seconds, and drop the rest."""
        self.dropped += await self._background.close(within_s=within_s)
        self.dropped += await self._notes.close(within_s=within_s)

    def _submit(self, background: Background, work: Callable[[], Awaitable[None]]) -> None:
        async def noted() -> None:
            try:
                await work()
            except StorageError as error:
                # The question was answered; only this look at it is lost.
                self.failed += 1
                _LOG.warning("%s", error)

        if not background.submit(noted):
            self.dropped += 1

    async def _audit(self, ended: Ended) -> None:
        given, calls = dict(ended.given), 0
        spent: str | None = "0"
        tiers: tuple[Tier, Tier] = ("cheap", "expensive")
        for tier in tiers:
            if tier in given:
                continue
            bought = await self._asks.other(ended, tier)
            spent, calls = self._asks.total(spent, bought.cost_usd), calls + bought.calls
            if bought.given is None:
                await self._record(ended, given, "budget", spent, calls)
                return
            given[tier] = bought.given
        found = _without_comparison(given)
        if found is None:
            compared = await self._asks.compare(ended, given)
            spent, calls = self._asks.total(spent, compared.cost_usd), calls + compared.calls
            found = _FOUND[compared.same]
        await self._record(ended, given, found, spent, calls)

    async def _record(
        self, ended: Ended, given: Mapping[Tier, Given], found: Found, cost_usd: str | None, calls: int
    ) -> None:  # fmt: skip
        asked, evidence, turns = ended.asked, ended.evidence, len(ended.asked["history"])
        look = surface(asked["text"], history_turns=turns, similarities=evidence.similarities, documents=evidence.documents)
        vector = await self._asks.embed(asked["search_text"])
        cheap_ok, expensive_ok = _QUALITY.get(found, (None, None))
        await self.records.add(
            Outcome(
                run=ended.run,
                at=self._asks.clock(),
                tenant=asked["tenant"],
                question=question_hash(asked["text"]),
                language=asked["language"],
                found=found,
                drawn_with=self.share,
                cost_usd=cost_usd,
                calls=calls,
                cheap=None if cheap_ok is None else _side(given["cheap"], cheap_ok),
                expensive=None if expensive_ok is None else _side(given["expensive"], expensive_ok),
                similarities=tuple(round(one, 4) for one in evidence.similarities),
                documents=evidence.documents,
                history_turns=turns,
                embedder=self._asks.embedder,
                format=FORMAT,
                look=packed(Sight.of(asked["text"], look, vector.astype("float64"), ended.domain)),
                text=asked["text"] if self._keep_text else None,
            )
        )


_FOUND: dict[Literal["right", "wrong", "undecided"], Found] = {
    "right": "as_good", "wrong": "worse", "undecided": "undecided"
}  # fmt: skip
_QUALITY: dict[Found, tuple[float, float]] = {
    "as_good": (1.0, 1.0), "worse": (0.0, 1.0), "better": (1.0, 0.0), "neither": (0.0, 0.0)
}  # fmt: skip
"""Of the cheap and the expensive answer."""


def _without_comparison(given: Mapping[Tier, Given]) -> Found | None:
    """Return what is found where one answer or both passed no checks; None where they must be compared."""
    cheap, expensive = given["cheap"], given["expensive"]
    if cheap.failed or expensive.failed:
        return "failed"
    if cheap.ok and expensive.ok:
        return None
    if cheap.ok:
        return "better"
    return "worse" if expensive.ok else "neither"


def _side(given: Given, ok: float) -> Side:
    return Side(model=given.model, ok=ok, in_tokens=given.in_tokens, out_tokens=given.out_tokens)
