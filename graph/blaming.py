"""Investigates one run: its facts, its levers, its replays, and the verdict as it is kept and shown."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from graph.blame_judging import AnswerJudge, judge_for, says_the_same
from graph.blame_reading import decision, fits, passages_read, rejected, situation_of, told
from graph.replaying import Replayer, Script, reading, unchanged
from graph.services import Services
from groat.blame.causes import BYPASS, STORED, SUFFIXES, Lever, Situation
from groat.blame.facts import Facts
from groat.blame.investigate import MOST_CALLS, Replay, Verdict, investigate
from groat.blame.missed import missed_by
from groat.blame.reference import Reference, stands_in
from groat.blame.snapshot import Blamed, MarkKind, Snapshot
from groat.costs import total_text
from groat.errors import BadInput, GroatError
from groat.types import Passage, Tier

_SEARCHED: Final = 40
_SEARCHED_TOKENS: Final = 4_000
"""How much is looked through for the passages that hold an answer."""
_GOLD_PASSAGES: Final = 3
"""How many of them are read where nobody named the documents that answer."""
_STRINGS: Final = 0.04
_PROSE: Final = 0.1
"""How often passages are taken to hold an answer, or not to, by mistake: by strings, and by the words of prose."""
_DEAR: Final = 2.0
"""What a call of the expensive model counts beside one of the cheap one when levers are chosen: less than at list prices, since
an hour of a person who waits for the verdict counts too."""


@dataclass(kw_only=True)
class Purse:
    """What one investigation may spend on replays."""

    most_usd: Decimal | None = None
    """None for no limit."""
    spent_usd: Decimal = Decimal(0)

    def left(self) -> float | None:
        """Return what is left, in dollars, never below 0; None for no limit."""
        return None if self.most_usd is None else float(max(self.most_usd - self.spent_usd, Decimal(0)))


@dataclass(kw_only=True)
class BlamedRun:
    """A run that is being investigated."""

    run: Snapshot
    services: Services
    replayer: Replayer
    judge: AnswerJudge
    reference: Reference | None
    purse: Purse
    situation: Situation = field(init=False)
    _gold: list[Passage] | None = field(default=None, init=False)
    _newest: Snapshot | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Say what kind of run it is."""
        self.situation = situation_of(self.run, self.reference)

    @property
    def levers(self) -> Sequence[Lever]:
        """What can be changed on it."""
        if self.run.is_hit:
            served = self.run.lookup.get("served")
            return [BYPASS, STORED] if served is not None and served["question"] else [BYPASS]
        return [lever for lever in SUFFIXES if self._is_there(lever)]

    def _is_there(self, lever: Lever) -> bool:
        if lever.tier == "expensive" and self.situation.tier == "expensive":
            return False
        match lever.context:
            case "full":
                return self.situation.shortened
            case "gold":
                return bool(self._gold)
            case "told":
                return self.situation.documents and bool(self.reference and self.reference.get("answer"))
            case _:
                return True

    @property
    def costs(self) -> Mapping[str, float]:
        """What each lever costs, in calls of the cheap model."""
        dear = self.situation.tier == "expensive"
        return {lever.name: _DEAR if dear or lever.tier == "expensive" else 1.0 for lever in self.levers}

    async def facts(self) -> Facts:
        """Return what the record and the documents show."""
        run, asked = self.run, self.run.asked
        judged = [await self.judge.right(asked, text, passages_read(run)) for text in rejected(run)]
        facts = Facts(
            right=await self.judge.right(asked, run.answer, passages_read(run)),
            verified=run.verified,
            rejected_right=(True in judged) if judged else None,
        )
        if run.is_hit:
            return await self._of_hit(facts)
        if not self.situation.documents or self.reference is None:
            return facts
        self._gold = await self._search_gold(self.reference)
        return dataclasses.replace(
            facts,
            signs_err=_STRINGS if self.reference.get("groups") else _PROSE,
            found=stands_in(self.reference, run.passages, asked["text"]),
            sent=stands_in(self.reference, passages_read(run), asked["text"]),
            stands=None if self._gold is None else stands_in(self.reference, self._gold, asked["text"]),
        )

    async def _of_hit(self, facts: Facts) -> Facts:
        served = self.run.lookup.get("served")
        if served is None:
            return facts
        asked, stood = self.run.asked, {one["id"]: one["version"] for one in served["documents"]}
        if served["question"]:
            facts = dataclasses.replace(facts, one_question=served["question"].strip() == asked["text"].strip())
        try:
            now = await self.services.knowledge.versions(list(stood), tenant=asked["tenant"])
            found = await self.services.knowledge.search(
                served["question"], tenant=asked["tenant"], k=self.services.retrieve_k,
                max_tokens=self.services.context_tokens,
            )  # fmt: skip
        except GroatError:
            # Without the documents the replays alone must tell.
            return facts
        now = {**now, **{passage["document_id"]: passage["version"] for passage in found}}
        changed = any(now.get(name) != version for name, version in stood.items()) if stood else None
        return dataclasses.replace(facts, changed=changed, fits=fits(self.run.answer, found))

    async def _search_gold(self, reference: Reference) -> list[Passage] | None:
        """Return the passages that hold the answer, found with its help; None when the documents cannot be read."""
        asked, answer = self.run.asked, reference.get("answer", "")
        needed = "\n".join([asked["search_text"], answer, *(group[0] for group in reference.get("groups", []))])
        try:
            found = await self.services.knowledge.search(
                needed, tenant=asked["tenant"], k=_SEARCHED, max_tokens=_SEARCHED_TOKENS
            )  # fmt: skip
        except GroatError:
            return None
        if gold := reference.get("documents"):
            return [passage for passage in found if passage["document_id"] in gold]
        holding = [passage for passage in found if stands_in(reference, [passage], asked["text"])]
        return (holding or found)[:_GOLD_PASSAGES]

    async def replay(self, lever: Lever) -> Replay:
        """Run it again, judged."""
        nothing = Replay(
            lever=lever.name, answer="", right=None, same=None, verbatim=False, error=self.judge.error, calls=0, cost_usd="0",
            path=(),
        )  # fmt: skip
        left = self.purse.left()
        if left == 0 or (await self.services.budgets.standing(self.run.asked["tenant"])).over:
            return dataclasses.replace(nothing, skipped="budget")
        try:
            again = await self._run(lever, left)
        except GroatError as error:
            return dataclasses.replace(nothing, skipped=str(error))
        calls, cost = sum(charge["kind"] == "chat" for charge in again.charges), total_text(again.charges)
        self.purse.spent_usd += Decimal(cost or 0)
        paid = dataclasses.replace(nothing, calls=calls, cost_usd=cost, path=tuple(again.path))
        failure = again.attempts[-1].get("failure") if again.attempts else None
        if failure is not None:
            return dataclasses.replace(paid, skipped="budget" if failure == "budget" else f"the model failed: {failure}")
        if lever.fresh == "question":
            self._newest = again
        stored = lever.fresh == "stored"
        return dataclasses.replace(
            paid,
            answer=again.answer,
            right=None if stored else await self.judge.right(self.run.asked, again.answer, passages_read(again)),
            same=says_the_same(again.asked, self.run.answer, again.answer),
            verbatim=again.answer == self.run.answer,
        )

    async def _run(self, lever: Lever, left: float | None) -> Snapshot:
        run, asked = self.run, self.run.asked
        if lever.fresh != "no":
            if lever.fresh == "stored":
                question = run.lookup["served"]["question"]
                asked = {**asked, "text": question, "search_text": question, "history": []}
            return await self.replayer.run(asked, run.knobs, Script(), tier=run.knobs["tier"], max_cost_usd=left)
        tier: Tier = "expensive" if lever.tier == "expensive" else self.situation.tier
        script = self._script(lever, tier)
        return await self.replayer.run(asked, run.knobs, script, tier=tier, max_cost_usd=left)

    def _script(self, lever: Lever, tier: Tier) -> Script:
        match lever.context:
            case "full":
                return reading(self.run, self.run.passages, tier=tier)
            case "gold":
                return reading(self.run, self._gold or [], tier=tier)
            case "told":
                assert self.reference is not None  # else the lever is not there
                return reading(self.run, [told(self.run.asked, self.reference)], tier=tier)
            case _:
                return unchanged(self.run, tier=tier)

    def afresh(self) -> "BlamedRun | None":
        """Return the newest run with the cache bypassed, as one that may be investigated."""
        if self._newest is None:
            return None
        return dataclasses.replace(self, run=self._newest)


async def blame(
    run: Snapshot,
    services: Services,
    replayer: Replayer,
    *,
    reference: Reference | None,
    mark: MarkKind,
    judge: AnswerJudge | None = None,
    max_cost_usd: Decimal | None = None,
    most_calls: int = MOST_CALLS,
) -> tuple[Verdict, Blamed]:
    """Return what a run's bad answer comes from, as a verdict and in the form that is kept.

    Args:
        run: with its texts.
        services: what the run was answered by.
        replayer: made from the same services.
        reference: what is known of the right answer; None for nothing.
        mark: who called the answer bad.
        judge: says what is right; by the reference, else a panel, without it.
        max_cost_usd: most that the replays may cost, in dollars; None for no limit.
        most_calls: calls of models that they may make.

    Raises:
        BadInput: the run was kept without its texts.
    """
    if not run.texts:
        raise BadInput(
            f"the run {run.run!r} was kept without its texts and cannot be asked again; "
            "set GROAT_KEEP_RUN_TEXTS=true to keep those of later runs"
        )
    judge = judge or judge_for(services, reference, run.run)
    blamed = BlamedRun(
        run=run, services=services, replayer=replayer, judge=judge, reference=reference, purse=Purse(most_usd=max_cost_usd)
    )  # fmt: skip
    verdict = await investigate(blamed, mark=mark, error=judge.error, most_calls=most_calls)
    judging = total_text(judge.charges)
    cost = None if verdict.cost_usd is None or judging is None else f"{Decimal(verdict.cost_usd) + Decimal(judging):f}"
    return verdict, Blamed(
        run=run.run,
        at=time.time(),
        origin=verdict.origin,
        missed_by=missed_by(verdict.origin, run),
        confidence=verdict.confidence,
        second=verdict.second,
        calls=verdict.calls,
        cost_usd=cost,
        body=shown(verdict, run),
    )


def shown(verdict: Verdict, run: Snapshot) -> dict[str, Any]:
    """Return a verdict as JSON: origin, missed_by, evidence, replays, and how sure one may be."""
    return {
        "run": run.run,
        "origin": verdict.origin,
        "missed_by": missed_by(verdict.origin, run),
        "second": verdict.second,
        "confidence": verdict.confidence,
        "stopped": verdict.stopped,
        "evidence": {
            "facts": {name: value for name, value in dataclasses.asdict(verdict.facts).items() if isinstance(value, bool)},
            "probabilities": verdict.beliefs,
            "decision": decision(verdict.origin, run),
        },
        "replays": [dataclasses.asdict(replay) for replay in verdict.replays],
        "afresh": None if verdict.afresh is None else shown(verdict.afresh, run),
        "calls": verdict.calls,
        "cost_usd": verdict.cost_usd,
    }
