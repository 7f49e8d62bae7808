"""Hits that are answered afresh and near misses that are compared: a real cache, with answers and comparison made up."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from groat.cache import AnswerCache, MemoryStore, NewAnswer
from groat.cache.accept import AcceptRule
from groat.cache.audit import CLOSER, Audits, Fresh, Hit, Miss, Outcome, Pair, chosen
from groat.cache.background import Background
from groat.cache.online import OnlineBound, place_of
from groat.cache.paraphrases import Paraphrases, versions_agree
from groat.cache.tallies import Cell, MemoryTallies
from groat.cache.verifier import Trees, Verifier
from groat.errors import StorageError
from groat.types import Asked, CachedAnswer, Identity, Lookup
from tests.fakes import KnownVectors, asked, identity
from tests.unit.test_cache_accept import LOGIT, SURE, Says
from tests.unit.test_cache_answers import ANSWER
from tests.unit.test_cache_verifier import artifact

STEPS = Trees(
    base=0.0, depth=1, feature=[[LOGIT, 0, 0], [LOGIT, 0, 0]], threshold=[[1.0, 0.0, 0.0], [3.0, 0.0, 0.0]],
    left=[[1, 1, 2], [1, 1, 2]], right=[[2, 1, 2], [2, 1, 2]], value=[[0.0, -2.0, 2.0], [0.0, 0.0, 2.0]],
)  # fmt: skip
"""Scores of 4 where the judge is sure, 2 where it thinks so, -2 where it does not; the promise takes 3."""
HIT, GRAY, NO = 0.99, 0.9, 0.2
EN = ("How long is the reset link valid?", "For how long may I use the reset link?")
ZH = ("重置链接有效期是多久", "重置链接多久失效")
OTHER: NewAnswer = {**ANSWER, "answer": "It is valid for one hour."}
LANGUAGES = pytest.mark.parametrize("pair", [EN, ZH], ids=["en", "zh"])


@dataclass
class World:
    """A cache with its audits, and what those ask for."""

    pair: tuple[str, str] = EN
    p: float = HIT
    fresh: Fresh = field(default_factory=lambda: Fresh(answer=OTHER))
    outcome: Outcome | Exception = "right"
    share: float = 1.0
    store: MemoryStore = field(default_factory=MemoryStore)
    versions: dict[str, str] = field(default_factory=lambda: {"en-reset": "v1", "en-two": "v5"})
    background: Background = field(default_factory=Background)
    asked_again: list[Hit] = field(default_factory=list)
    compared: list[Pair] = field(default_factory=list)

    def __post_init__(self) -> None:
        kept, new = self.pair
        self.vectors = KnownVectors({kept: 1.0, new: 0.95})
        made = artifact(
            embedder="known/8", trees={"judged": STEPS, "plain": STEPS}, points={"en/judged": SURE, "zh/judged": SURE}
        )  # fmt: skip
        self.bound = OnlineBound(MemoryTallies(), "v")
        rule = AcceptRule(None, Verifier(made), Says({kept: self.p}), own=self.bound)
        self.cache = AnswerCache(self.store, rule)
        self.audits = Audits(
            self.cache, Paraphrases(self.store), self.bound, afresh=self._afresh, compare=self._compare,
            embed=self.vectors.query, versions=self._versions, share=self.share, background=self.background,
        )  # fmt: skip

    async def _afresh(self, hit: Hit) -> Fresh:
        self.asked_again.append(hit)
        return self.fresh

    async def _compare(self, pair: Pair) -> Outcome:
        self.compared.append(pair)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def _versions(self, ids: Collection[str], tenant: str) -> Mapping[str, str]:
        return {name: self.versions[name] for name in ids if name in self.versions}

    async def _current(self, ids: Collection[str]) -> Mapping[str, str]:
        return await self._versions(ids, "acme")

    @property
    def kept(self) -> Asked:
        return asked(self.pair[0])

    @property
    def new(self) -> Asked:
        return asked(self.pair[1])

    @property
    def under(self) -> Identity:
        return identity(self.kept)

    async def keep(self, question: Asked, answer: NewAnswer = ANSWER) -> None:
        assert await self.cache.remember(self.under, question, answer, embed=self.vectors.query)

    async def ask(self, question: Asked) -> tuple[Lookup, CachedAnswer | None]:
        return await self.cache.lookup(self.under, question, embed=self.vectors.query, current_versions=self._current)

    async def hit(self, *, run: str = "r") -> Lookup:
        """Ask in other words, be served, and let that be looked at."""
        lookup, served = await self.ask(self.new)
        assert served is not None, lookup
        again = {"question": self.new["text"]}
        self.audits.served(
            Hit(run=run, identity=self.under, asked=self.new, lookup=lookup, served=served, again=again, knobs=None)
        )
        return lookup

    async def miss(self) -> Lookup:
        """Ask in other words, get another answer that is kept, and let that be looked at."""
        lookup, served = await self.ask(self.new)
        assert served is None, lookup
        await self.keep(self.new, OTHER)
        if (candidate := lookup["candidate"]) is not None:
            self.audits.answered(
                Miss(run="r", identity=self.under, asked=self.new, candidate=candidate, answer=OTHER, passages=[])
            )
        return lookup

    async def done(self) -> dict[tuple[str, str], int]:
        """Wait for what is under way, and return what was counted."""
        await self.audits.close(within_s=30)
        return {(cell.kind, cell.outcome): count for cell, count in self.bound.counts().items()}


def test_which_runs_are_audited_is_drawn_by_their_names_alone_and_a_larger_share_takes_more() -> None:
    runs = [f"run {n}" for n in range(4000)]
    few, more = ({run for run in runs if chosen(run, share)} for share in (0.02, 0.1))
    assert 40 < len(few) < 120
    assert 320 < len(more) < 480
    assert few < more
    assert [sum(chosen(run, share) for run in runs) for share in (0.0, 1.0)] == [0, 4000]


@LANGUAGES
async def test_a_hit_that_was_right_is_counted_and_changes_nothing(pair: tuple[str, str]) -> None:
    world = World(pair)
    await world.keep(world.kept)
    assert (await world.hit())["reason"] == "similar"
    assert await world.done() == {("audit", "right"): 1}
    (compared,) = world.compared
    assert (compared.kept, compared.fresh, compared.dear) == (ANSWER["answer"], OTHER["answer"], True)
    (cell,) = world.bound.counts()
    assert cell == Cell("audit", "right", world.kept["language"], "judged", 40, "general")
    assert (await world.ask(world.new))[0]["reason"] == "similar"


@LANGUAGES
async def test_an_entry_that_was_wrong_keeps_its_own_question_and_never_serves_the_other_again(pair: tuple[str, str]) -> None:
    world = World(pair, outcome="wrong")
    await world.keep(world.kept)
    await world.hit()
    assert await world.done() == {("audit", "wrong"): 1}
    for question, answer in ((world.kept, ANSWER), (world.new, OTHER)):
        lookup, served = await world.ask(question)
        assert lookup["reason"] == "exact"
        assert served is not None
        assert served["answer"] == answer["answer"]
    (fresh,) = [one for one in world.store._entries.values() if one.answer == OTHER["answer"]]
    await world.store.delete([fresh.entry_id])
    lookup, served = await world.ask(world.new)
    assert (served, lookup["outcome"], lookup["reason"]) == (None, "miss", "differs")
    assert lookup["candidate"] is not None
    assert lookup["candidate"]["differences"] == ["refused"]


@pytest.mark.parametrize(
    "fresh", [Fresh(answer=None), Fresh(answer={**OTHER, "documents": [{"id": "en-reset", "version": "v2"}]})]
)
async def test_without_an_accepted_answer_from_the_same_documents_nothing_is_decided(fresh: Fresh) -> None:
    world = World(fresh=fresh, outcome="wrong")
    await world.keep(world.kept)
    await world.hit()
    assert await world.done() == {("audit", "undecided"): 1}
    assert (world.compared, await world.cache.count()) == ([], 1)


async def test_a_spent_budget_skips_audits_and_says_so() -> None:
    world = World(fresh=Fresh(answer=None, skipped="budget"))
    await world.keep(world.kept)
    await world.hit()
    assert await world.done() == {("event", "skipped_budget"): 1}


@pytest.mark.parametrize("error", [RuntimeError("boom"), StorageError("the store is away; bring it back")])
async def test_an_audit_that_fails_is_counted_and_nothing_else(error: Exception) -> None:
    world = World(outcome=error)
    await world.keep(world.kept)
    await world.hit()
    assert await world.done() == {("event", "failed"): 1}
    assert (await world.ask(world.new))[1] is not None


async def test_hits_of_equal_questions_and_of_runs_that_were_not_drawn_are_not_audited() -> None:
    world = World(share=0.5)
    await world.keep(world.kept)
    runs = [f"run {n}" for n in range(40)]
    for run in runs:
        await world.hit(run=run)
    lookup, served = await world.ask(world.kept)
    assert served is not None
    world.audits.served(
        Hit(run="r", identity=world.under, asked=world.kept, lookup=lookup, served=served, again={}, knobs=None)
    )  # fmt: skip
    await world.done()
    assert [hit.run for hit in world.asked_again] == [run for run in runs if chosen(run, 0.5)]


async def test_what_cannot_wait_is_dropped_and_counted() -> None:
    world = World(background=Background(at_once=1, waiting=1))
    await world.keep(world.kept)
    lookup, served = await world.ask(world.new)
    assert served is not None
    for _ in range(4):
        again = {"question": world.new["text"]}
        world.audits.served(
            Hit(run="r", identity=world.under, asked=world.new, lookup=lookup, served=served, again=again, knobs=None)
        )
    counted = await world.done()
    assert counted[("audit", "right")] + counted[("event", "dropped")] == 4
    assert counted[("event", "dropped")] >= 2


async def test_while_outcomes_speak_against_the_promise_more_hits_are_looked_at() -> None:
    world = World(share=0.05, outcome="undecided")
    await world.keep(world.kept)
    runs = [f"run {n}" for n in range(80)]
    for suspected in (False, True):
        if suspected:
            audits = (await world.ask(world.new))[0]["candidate"]
            assert audits is not None
            for _ in range(2):
                await world.bound.add("audit", "wrong", place_of(audits["audits"]))
        world.asked_again.clear()
        for run in runs:
            await world.hit(run=run)
            await asyncio.sleep(0)
        await world.audits.close(within_s=30)
        share = 0.05 * (CLOSER if suspected else 1)
        assert [hit.run for hit in world.asked_again] == [run for run in runs if chosen(run, share)]


async def test_enough_wrong_audits_end_hits_by_likeness_and_near_misses_bring_them_back() -> None:
    world = World(outcome="wrong")
    await world.keep(world.kept)
    lookup, _ = await world.ask(world.new)
    assert lookup["candidate"] is not None
    audits = lookup["candidate"]["audits"]
    for outcome, times in (("right", 20), ("wrong", 6)):
        for _ in range(times):
            await world.bound.add("audit", outcome, place_of(audits))
    lookup, served = await world.ask(world.new)
    assert (served, lookup["outcome"], lookup["reason"]) == (None, "miss", "below_threshold")
    assert lookup["candidate"] is not None
    shown = lookup["candidate"]["audits"]
    assert (shown["origin"], shown["gray"], lookup["candidate"]["least_score"]) == ("closed", True, None)
    assert (shown["right"], shown["wrong"], shown["shipped_score"]) == (20, 6, 3.0)
    await world.bound._tallies.add("v", {Cell("gray", "right", "en", "judged", 40, "general"): 2200})
    world.bound._due = 0.0
    await world.bound.refresh()
    lookup, served = await world.ask(world.new)
    assert (lookup["reason"], served is not None) == ("similar", True)
    assert lookup["candidate"] is not None
    assert lookup["candidate"]["audits"]["origin"] == "raised"


@LANGUAGES
async def test_a_near_miss_with_the_same_answer_becomes_an_alias_in_place_of_an_entry(pair: tuple[str, str]) -> None:
    world = World(pair, p=GRAY)
    await world.keep(world.kept)
    assert (await world.miss())["reason"] == "below_threshold"
    assert await world.done() == {("gray", "right"): 1}
    assert (await world.cache.count(), await world.audits.count_aliases()) == (1, 1)
    lookup, served = await world.ask(world.new)
    assert (lookup["tier"], lookup["reason"]) == ("exact", "alias")
    assert served is not None
    assert (served["answer"], served["question"]) == (ANSWER["answer"], world.pair[1])
    assert world.compared[0].dear is False


@LANGUAGES
async def test_a_near_miss_with_another_answer_keeps_both_and_is_refused_from_then_on(pair: tuple[str, str]) -> None:
    world = World(pair, p=GRAY, outcome="wrong")
    await world.keep(world.kept)
    await world.miss()
    assert await world.done() == {("gray", "wrong"): 1}
    assert (await world.cache.count(), await world.audits.count_aliases()) == (2, 0)
    (own,) = [one for one in world.store._entries.values() if one.answer == OTHER["answer"]]
    await world.store.delete([own.entry_id])
    lookup, _ = await world.ask(world.new)
    assert lookup["candidate"] is not None
    assert "refused" in lookup["candidate"]["differences"]


async def test_what_is_plainly_another_question_is_not_compared() -> None:
    world = World(p=NO)
    await world.keep(world.kept)
    await world.miss()
    assert await world.done() == {}
    assert world.compared == []


async def test_an_entry_that_is_gone_or_stands_on_changed_documents_gets_no_alias() -> None:
    for change in ("gone", "changed"):
        world = World(p=GRAY)
        await world.keep(world.kept)
        await world.miss()
        if change == "gone":
            await world.cache.forget(everything=True)
        else:
            world.versions["en-two"] = "v6"
        assert await world.done() == {}
        assert await world.audits.count_aliases() == 0


async def test_an_alias_that_is_found_wrong_is_taken_back() -> None:
    world = World(p=GRAY)
    await world.keep(world.kept)
    await world.miss()
    await world.done()
    world.outcome = "wrong"
    assert (await world.hit())["reason"] == "alias"
    assert (await world.done())[("alias", "wrong")] == 1
    assert await world.audits.count_aliases() == 0
    lookup, served = await world.ask(world.new)
    assert lookup["reason"] == "exact"
    assert served is not None
    assert served["answer"] == OTHER["answer"]


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [({}, {}, True), ({"a": "1"}, {"a": "1", "b": "2"}, True), ({"a": "1"}, {"a": "2"}, False), ({"a": "1"}, {"b": "1"}, False),
     ({"a": "1"}, {}, False)],
)  # fmt: skip
def test_answers_agree_in_versions_where_they_stand_on_something_in_common(
    one: dict[str, str], other: dict[str, str], agree: bool
) -> None:
    first, second = ([{"id": name, "version": version} for name, version in each.items()] for each in (one, other))
    assert versions_agree(first, second) is agree  # type: ignore[arg-type]  # dicts of this shape
