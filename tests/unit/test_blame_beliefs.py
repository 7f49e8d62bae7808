"""What is believed about causes moves as it should, and an investigation stops when it is clear."""

import dataclasses
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.blame.beliefs import Outcome, accomplice, looked, most_telling, named, replayed, stored_asked
from groat.blame.causes import (
    AGAIN,
    BYPASS,
    EXPENSIVE,
    FULL,
    GOLD,
    ORIGIN,
    STORED,
    SUFFIXES,
    TOLD,
    Cause,
    Hypothesis,
    Lever,
    Situation,
    chance,
    prior,
)
from groat.blame.facts import Facts
from groat.blame.investigate import SURE, Replay, investigate

CHEAP = Situation(hit=False, tier="cheap", rejected=True)
DEAR = Situation(hit=False, tier="expensive", rejected=True)
HIT = Situation(hit=True)
SITUATIONS = st.builds(
    Situation,
    hit=st.booleans(),
    tier=st.sampled_from(["cheap", "expensive"]),
    routed=st.booleans(),
    documents=st.booleans(),
    shortened=st.booleans(),
    rejected=st.booleans(),
    answerable=st.booleans(),
)
MAYBE = st.none() | st.booleans()
FACTS = st.builds(
    Facts, right=MAYBE, verified=st.booleans(), rejected_right=MAYBE, found=MAYBE, sent=MAYBE, stands=MAYBE,
    one_question=MAYBE, fits=MAYBE, changed=MAYBE,
)  # fmt: skip


def sums_to_one(beliefs: Mapping[Hypothesis, float]) -> bool:
    return abs(sum(beliefs.values()) - 1) < 1e-9 and all(p >= 0 for p in beliefs.values())


@settings(deadline=None)
@given(SITUATIONS, FACTS, st.lists(st.tuples(st.sampled_from(SUFFIXES), MAYBE, MAYBE, st.booleans())), st.floats(0, 0.5))
def test_beliefs_stay_probabilities_whatever_is_seen(
    situation: Situation, facts: Facts, outcomes: list[tuple[Lever, bool | None, bool | None, bool]], error: float
) -> None:
    beliefs: Mapping[Hypothesis, float] = prior(situation, mistaken=0.1)
    assert sums_to_one(beliefs)
    beliefs = looked(beliefs, facts, error=error)
    assert sums_to_one(beliefs)
    for lever, right, same, verbatim in outcomes:
        beliefs = replayed(beliefs, lever, Outcome(right=right, same=same, verbatim=verbatim, error=error))
        assert sums_to_one(beliefs)
    cause, p = named(beliefs)
    assert 0 <= p <= 1
    assert accomplice(beliefs, cause) != cause


@settings(deadline=None)
@given(SITUATIONS)
def test_a_judge_who_tosses_a_coin_changes_nothing(situation: Situation) -> None:
    before = prior(situation, mistaken=0.1)
    after = replayed(before, AGAIN, Outcome(right=True, error=0.5))
    assert all(abs(before[hypothesis] - p) < 1e-9 for hypothesis, p in after.items())


@settings(deadline=None)
@given(st.sampled_from(SUFFIXES), st.sampled_from(CHEAP.causes()), st.sampled_from(CHEAP.causes()))
def test_a_lever_does_no_better_against_two_faults_than_against_either(lever: Lever, one: Cause, other: Cause) -> None:
    both = chance(frozenset({one, other}), lever)
    assert both <= min(chance(frozenset({one}), lever), chance(frozenset({other}), lever)) + 1e-12


@pytest.mark.parametrize(
    ("situation", "facts", "expected"),
    [
        (CHEAP, Facts(right=False, found=False, stands=True), "retrieval"),
        (CHEAP, Facts(right=False, found=False, stands=False), "knowledge_wrong"),
        (CHEAP, Facts(right=False, found=True, sent=False, stands=True), "compression"),
        (DEAR, Facts(right=False, rejected_right=True), "validation"),
        (DEAR, Facts(right=True, rejected_right=True, verified=False), "validation"),
        (DEAR, Facts(right=False, rejected_right=False, found=True, sent=True, stands=True), "expensive_slip"),
        (HIT, Facts(right=False, one_question=False, fits=True, changed=False), "wrong_hit"),
        (HIT, Facts(right=False, one_question=True, changed=True), "stale"),
        (CHEAP, Facts(right=True), "none"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_on_record_points_to_its_cause(situation: Situation, facts: Facts, expected: Cause) -> None:
    assert named(looked(prior(situation, mistaken=0.2), facts, error=0.02))[0] == expected


def test_what_nobody_routed_is_not_blamed_on_the_router() -> None:
    assert "router" not in dataclasses.replace(CHEAP, routed=False).causes()
    assert "router" in CHEAP.causes()


def test_a_slip_and_a_wrong_route_are_told_apart_by_asking_again() -> None:
    situation = dataclasses.replace(CHEAP, rejected=False)
    seen = looked(prior(situation, mistaken=0.1), Facts(right=False, found=True, sent=True, stands=True), error=0.02)
    again = replayed(seen, AGAIN, Outcome(right=True, same=False, error=0.02))
    lasting = replayed(seen, AGAIN, Outcome(right=False, same=True, verbatim=True, error=0.02))
    lasting = replayed(lasting, EXPENSIVE, Outcome(right=True, same=False, error=0.02))
    assert named(again)[0] == "cheap_slip"
    assert named(lasting)[0] == "router"
    assert named(lasting)[1] > 0.9


def test_the_stored_question_tells_wrong_hits_from_stale_ones() -> None:
    seen = looked(prior(HIT, mistaken=0.1), Facts(right=False, one_question=False), error=0.02)
    seen = replayed(seen, BYPASS, Outcome(right=True, same=False, error=0.02))
    assert named(stored_asked(seen, True, one_question=False))[0] == "wrong_hit"
    assert named(stored_asked(seen, False, one_question=False))[0] == "stale"


def test_a_lever_that_tells_nothing_is_not_pulled() -> None:
    sure: dict[Hypothesis, float] = {frozenset({"router"}): 1.0}
    assert most_telling(sure, [AGAIN, EXPENSIVE], {"again": 1.0, "expensive": 2.0}, error=0.02) is None


@dataclass
class Simulated:
    """A run whose causes are known: each replay comes out as the model of causes says, by a seeded draw."""

    causes: Hypothesis
    situation: Situation
    seen: Facts
    seed: int
    error: float = 0.0
    broken: str = ""
    pulled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def levers(self) -> Sequence[Lever]:
        if self.situation.hit:
            return [BYPASS, STORED]
        return [lever for lever in SUFFIXES if self.situation.tier == "cheap" or lever.tier == "same"]

    @property
    def costs(self) -> Mapping[str, float]:
        return {lever.name: 2.0 if lever.tier == "expensive" else 1.0 for lever in self.levers}

    async def facts(self) -> Facts:
        return self.seen

    async def replay(self, lever: Lever) -> Replay:
        self.pulled.append(lever.name)
        truth = self.rng.random() < chance(self.causes, lever)
        right: bool | None = truth != (self.rng.random() < self.error)
        same: bool | None = not truth
        if lever == STORED:
            right, same = None, self.causes == frozenset({"wrong_hit"})
        return Replay(
            lever=lever.name, answer=f"{truth}{len(self.pulled)}", right=right, same=same, verbatim=False, error=self.error,
            calls=0 if self.broken else 1, cost_usd="0.01", path=(), skipped=self.broken,
        )  # fmt: skip

    def afresh(self) -> None:
        return None


SIGNS: dict[Cause, Facts] = {
    "retrieval": Facts(right=False, found=False, stands=True),
    "compression": Facts(right=False, found=True, sent=False, stands=True),
    "router": Facts(right=False, found=True, sent=True, stands=True),
    "cheap_slip": Facts(right=False, found=True, sent=True, stands=True),
    "knowledge_missing": Facts(right=False, found=False, stands=False),
    "wrong_hit": Facts(right=False, one_question=False),
    "stale": Facts(right=False, one_question=False),
}


@pytest.mark.parametrize("error", [0.0, 0.05], ids=["good judge", "noisy judge"])
@pytest.mark.parametrize("cause", SIGNS, ids=str)
async def test_an_investigation_names_the_cause_and_shows_it(cause: Cause, error: float) -> None:
    situation = HIT if cause in ("wrong_hit", "stale") else dataclasses.replace(CHEAP, rejected=False)
    right, calls = 0, []
    for seed in range(60):
        run = Simulated(frozenset({cause}), situation, SIGNS[cause], seed, error)
        verdict = await investigate(run, mark="user", error=max(error, 0.02))
        right += verdict.origin == ORIGIN[cause]
        calls.append(verdict.calls)
        assert verdict.calls == len(run.pulled) >= 1
    assert right >= (57 if error == 0 else 52)
    assert sorted(calls)[30] <= 3


async def test_an_investigation_stops_when_it_is_clear_and_shown() -> None:
    run = Simulated(frozenset({"knowledge_missing"}), dataclasses.replace(CHEAP, rejected=False), SIGNS["knowledge_missing"], 1)
    verdict = await investigate(run, mark="user", error=0.02)
    assert (verdict.stopped, verdict.origin, run.pulled) == ("clear", "knowledge", ["told_the_answer"])
    assert verdict.confidence >= SURE


async def test_an_investigation_without_a_budget_asks_nobody_and_names_nobody() -> None:
    run = Simulated(frozenset({"router"}), CHEAP, SIGNS["router"], 1)
    verdict = await investigate(run, mark="user", error=0.02, most_calls=0)
    assert (verdict.origin, verdict.stopped, run.pulled) == ("unclear", "budget", [])


async def test_replays_that_fail_end_without_a_verdict() -> None:
    run = Simulated(frozenset({"router"}), CHEAP, SIGNS["router"], 1, broken="the knowledge base cannot be read")
    verdict = await investigate(run, mark="user", error=0.02)
    assert (verdict.origin, verdict.calls) == ("unclear", 0)
    assert verdict.stopped == "nothing left to try"


async def test_two_faults_at_once_are_both_named_when_only_both_levers_help() -> None:
    hits = 0
    for seed in range(40):
        run = Simulated(frozenset({"retrieval", "router"}), CHEAP, SIGNS["retrieval"], seed)
        verdict = await investigate(run, mark="user", error=0.02)
        hits += verdict.origin in ("retrieval", "router")
    assert hits >= 36


async def test_an_honest_no_answer_to_a_question_without_one_is_nobodys_fault() -> None:
    run = Simulated(frozenset({"none"}), dataclasses.replace(CHEAP, answerable=False), Facts(right=True), 1)
    verdict = await investigate(run, mark="user", error=0.02)
    assert (verdict.origin, verdict.calls) == ("unanswerable", 0)


def test_every_lever_mends_what_it_is_for() -> None:
    assert chance(frozenset({"compression"}), FULL) > 0.8 > 0.2 > chance(frozenset({"retrieval"}), FULL)
    assert chance(frozenset({"retrieval"}), GOLD) > 0.8 > 0.2 > chance(frozenset({"knowledge_wrong"}), GOLD)
    assert chance(frozenset({"knowledge_wrong"}), TOLD) > 0.8
