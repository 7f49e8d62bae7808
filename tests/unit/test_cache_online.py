"""The bound as audits move it: bets that may be looked at at any time, and the score that follows from counts."""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from groat.cache.online import GRAY, RISES, STEP, OnlineBound, Place, Standing, is_broken, standing, tenths
from groat.cache.replay import upper_bound
from groat.cache.sequential import breaks, keeps, suspects, upper
from groat.cache.tallies import Cell, MemoryTallies
from groat.errors import StorageError
from tests.fakes import FixedClock

SHIPPED, PROMISE = (2.8, 0.0094), 0.01
START = 28
Counts = dict[int, tuple[int, int]]

promises = st.floats(0.001, 0.5)
few = st.integers(0, 400)
counts = st.dictionaries(
    st.integers(START - GRAY - 5, START + 40), st.tuples(st.integers(0, 900), st.integers(0, 30)), max_size=8
)


def height(found: Standing) -> float:
    return math.inf if found.least is None else found.least[0]


@settings(max_examples=60, deadline=None)
@given(few, few, promises)
def test_what_is_shown_is_never_both_and_never_against_the_plain_share(wrong: int, right: int, promise: float) -> None:
    seen = wrong + right
    broken, kept = breaks(wrong, seen, promise), keeps(wrong, seen, promise)
    assert not (broken and kept)
    assert not broken or wrong / seen > promise
    assert not kept or wrong / seen < promise
    assert suspects(wrong, seen, promise) or not broken


@settings(max_examples=60, deadline=None)
@given(few, few, promises)
def test_what_is_kept_by_bets_is_kept_by_both_bounds_of_the_calibration(wrong: int, right: int, promise: float) -> None:
    seen = wrong + right
    if keeps(wrong, seen, promise):
        assert (wrong + 1) / (seen + 1) <= promise
        assert upper_bound(wrong, seen) <= promise + 1e-4  # it is rounded
    assert upper(wrong, seen) >= (wrong / seen if seen else 1.0) - 1e-9


@settings(max_examples=60, deadline=None)
@given(few, few, promises)
def test_a_wrong_outcome_more_speaks_against_the_promise_and_a_right_one_for_it(wrong: int, right: int, promise: float) -> None:
    seen = wrong + right
    assert breaks(wrong + 1, seen + 1, promise) or not breaks(wrong, seen, promise)
    assert keeps(wrong, seen, promise) or not keeps(wrong + 1, seen + 1, promise)
    assert breaks(wrong, seen, promise) or not breaks(wrong, seen + 1, promise)
    assert keeps(wrong, seen + 1, promise) or not keeps(wrong, seen, promise)


def test_promises_at_the_edges_are_settled_by_one_outcome() -> None:
    assert (breaks(1, 500, 0.0), breaks(0, 500, 0.0), keeps(0, 500, 0.0)) == (True, False, False)
    assert (breaks(500, 500, 1.0), keeps(499, 500, 1.0), keeps(500, 500, 1.0)) == (False, True, False)


def test_looking_after_every_outcome_errs_in_no_more_than_one_of_twenty_streams() -> None:
    rng, promise, long, streams = np.random.default_rng(5), 0.05, 800, 400
    false_alarms = false_proofs = 0
    for _ in range(streams):
        at = np.flatnonzero(rng.random(long) < promise).tolist()
        false_alarms += any(breaks(n + 1, place + 1, promise) for n, place in enumerate(at))
        # A proof comes with right outcomes: it is nearest just before a wrong one.
        false_proofs += any(keeps(n, place, promise) for n, place in enumerate([*at, long]))
    # Two standard errors of the count on top.
    assert false_alarms <= streams * (0.05 + 0.022)
    assert false_proofs <= streams * (0.05 + 0.022)


def test_without_outcomes_the_calibration_is_in_force() -> None:
    assert standing(SHIPPED, {}, PROMISE) == Standing("shipped", SHIPPED, SHIPPED)
    assert standing(None, {START: (5000, 0)}, PROMISE) == Standing("not_proven", None, None)


def test_right_audits_confirm_it_and_the_bound_follows_them() -> None:
    found = standing(SHIPPED, {START: (200, 0), START + 9: (100, 1)}, PROMISE)
    assert (found.origin, found.least, found.right, found.wrong) == ("audited", (2.8, round(1.282 / 331, 4)), 300, 1)


def test_wrong_audits_close_it_until_own_outcomes_prove_a_score() -> None:
    bad = {START: (60, 9), START + 3: (50, 0), START + 11: (40, 0)}
    found = standing(SHIPPED, bad, PROMISE)
    assert (found.origin, found.least, found.right, found.wrong) == ("closed", None, 150, 9)
    risen = standing(SHIPPED, {**bad, START + 6: (450, 0)}, PROMISE, broken=True)
    assert (risen.origin, risen.least and risen.least[0]) == ("raised", 3.1)
    assert risen.least is not None
    assert risen.least[1] <= PROMISE
    reopened = standing(SHIPPED, {**bad, START + 1: (4000, 0)}, PROMISE, broken=True)
    assert (reopened.origin, reopened.least and reopened.least[0]) == ("raised", 2.8)


def test_a_promise_once_broken_is_not_believed_again_for_a_few_right_ones() -> None:
    found = {START: (60, 6), START + 1: (500, 0)}
    assert not is_broken(SHIPPED, found, PROMISE)
    assert standing(SHIPPED, found, PROMISE).origin == "audited"
    assert standing(SHIPPED, found, PROMISE, broken=True).origin == "closed"


def test_near_misses_lower_the_score_step_by_step_and_a_step_that_is_not_proven_ends_it() -> None:
    step = [START - STEP * n for n in range(1, 5)]
    found = standing(SHIPPED, {step[0]: (400, 0), step[1]: (390, 0), step[2]: (300, 0), step[3]: (900, 0)}, PROMISE)
    assert (found.origin, found.least and found.least[0]) == ("lowered", 1.8)
    all_right = standing(SHIPPED, {at: (900, 0) for at in range(START - 60, START)}, PROMISE)
    assert all_right.least is not None
    assert all_right.least[0] == pytest.approx(2.8 - GRAY / 10)
    assert standing(SHIPPED, {step[0]: (5000, 60)}, PROMISE).least == SHIPPED


@settings(max_examples=60, deadline=None)
@given(counts, st.floats(0.002, 0.2), st.booleans())
def test_the_score_stays_within_its_range_and_a_broken_promise_never_lowers_it(
    found: Counts, promise: float, broken: bool
) -> None:
    score = height(standing(SHIPPED, found, promise, broken=broken))
    assert score == math.inf or 28 - GRAY <= tenths(score) <= 28 + RISES[-1]
    assert score >= height(standing(SHIPPED, found, promise))
    if broken:
        assert score >= 2.8


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(START - GRAY, START + 40), st.floats(0.002, 0.2), st.booleans())
def test_a_wrong_outcome_never_lowers_the_score_and_a_right_one_never_raises_it(
    found: Counts, at: int, promise: float, broken: bool
) -> None:
    before = height(standing(SHIPPED, found, promise, broken=broken))
    right, wrong = found.get(at, (0, 0))
    assert height(standing(SHIPPED, {**found, at: (right, wrong + 1)}, promise, broken=broken)) >= before
    assert height(standing(SHIPPED, {**found, at: (right + 1, wrong)}, promise, broken=broken)) <= before


Rate = Callable[[NDArray[np.float64]], NDArray[np.float64]]
SPREAD = 1.2


def candidates(seed: int, count: int) -> NDArray[np.float64]:
    """Scores of nearest kept questions, from the gray band up; fewer the higher."""
    drawn: NDArray[np.float64] = 0.8 + np.random.default_rng(seed).exponential(SPREAD, count).clip(0, 4)
    return drawn


def lived(seed: int, rate: Rate, *, share: float = 0.1, count: int = 4000) -> Standing:
    """Return what is in force after a stream in which the true rate of wrong answers at each score is ``rate``."""
    rng, scores = np.random.default_rng(seed + 1000), candidates(seed, count)
    wrong, drawn = rng.random(count) < rate(scores), rng.random(count)
    bins: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    now, broken = standing(SHIPPED, {}, PROMISE), False
    for place, score in enumerate(scores.tolist()):
        hit = now.least is not None and score >= now.least[0]
        if hit and drawn[place] >= share * (5 if now.suspected else 1):
            continue
        bins[tenths(score)][int(wrong[place])] += 1
        if (wrong[place] and not broken) or place % 200 == 0:
            known = {at: (right, bad) for at, (right, bad) in bins.items()}
            broken = broken or is_broken(SHIPPED, known, PROMISE)
            now = standing(SHIPPED, known, PROMISE, broken=broken)
    return now


def true_rate(found: Standing, rate: Rate) -> float:
    """Return the share of wrong answers among all that is served now."""
    if found.least is None:
        return 0.0
    scores = candidates(1, 50_000)
    return float(rate(scores[scores >= found.least[0]]).mean())


@pytest.mark.parametrize("middle", [2.3, 9.0], ids=["worse the lower the score", "wrong at every score"])
def test_when_errors_have_become_many_the_promise_is_kept_again_in_nearly_all_streams(middle: float) -> None:
    def rate(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.09 / (1 + np.exp(2.5 * (scores - middle))) if middle > 5 else 1 / (1 + np.exp(2.0 * (scores - middle)))

    assert true_rate(Standing("shipped", SHIPPED, SHIPPED), rate) > 0.05
    ends = [lived(seed, rate) for seed in range(12)]
    assert all(height(one) > 2.8 for one in ends)
    assert sum(true_rate(one, rate) > PROMISE for one in ends) <= 1


def test_audits_that_confirm_the_promise_tighten_nothing() -> None:
    def rate(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1 / (1 + np.exp(2.2 * (scores - 0.5)))

    assert 0.001 < true_rate(Standing("shipped", SHIPPED, SHIPPED), rate) < 0.006
    ends = [lived(seed, rate) for seed in range(12)]
    assert sum(height(one) > 2.8 for one in ends) == 0
    assert all(true_rate(one, rate) <= PROMISE for one in ends)


PLACE = Place("en", "judged", "general", 3.05, PROMISE, SHIPPED)


class Lost(MemoryTallies):
    """Counts that cannot be reached for a while."""

    away = False

    async def read(self, version: str) -> dict[Cell, int]:
        if self.away:
            raise StorageError("the counts are away; bring them back")
        return await super().read(version)


def at(found: OnlineBound, *, category: str = "general", promise: float = PROMISE) -> Standing:
    return found.standing("en", "judged", category, promise, SHIPPED)


async def told(found: OnlineBound, place: Place, *, right: int = 0, wrong: int = 0) -> None:
    for outcome, times in (("right", right), ("wrong", wrong)):
        for _ in range(times):
            await found.add("audit", outcome, place)


async def test_until_the_counts_are_known_nothing_is_served_and_when_they_get_lost_what_is_known_stays() -> None:
    tallies, clock = Lost(), FixedClock()
    bound = OnlineBound(tallies, "v", clock=clock)
    tallies.away = True
    await bound.refresh()
    assert (at(bound).origin, at(bound).least, bound.last_failure) == ("unknown", None, "the counts are away; bring them back")
    tallies.away = False
    await bound.refresh()
    assert at(bound).origin == "unknown"  # it is not asked at every question
    clock.now += 5
    await bound.refresh()
    assert (at(bound).origin, bound.last_failure) == ("shipped", None)
    tallies.away = True
    clock.now += 60
    await bound.refresh()
    assert at(bound).origin == "shipped"


async def test_what_one_process_finds_holds_for_others_as_soon_as_they_look() -> None:
    tallies, clock = MemoryTallies(), FixedClock()
    here, there = OnlineBound(tallies, "v", clock=clock), OnlineBound(tallies, "v", clock=clock)
    await here.refresh()
    await there.refresh()
    await told(here, PLACE, right=40, wrong=7)
    assert (at(here).origin, at(there).origin) == ("closed", "shipped")
    clock.now += 31
    await there.refresh()
    assert at(there) == at(here)
    assert here.standing("en", "plain", "general", PROMISE, SHIPPED).origin == "shipped"
    assert here.standing("zh", "judged", "general", PROMISE, SHIPPED).origin == "shipped"


async def test_a_broken_promise_is_remembered_over_restarts_and_another_calibration_begins_anew() -> None:
    tallies = MemoryTallies()
    first = OnlineBound(tallies, "v")
    await first.refresh()
    await told(first, PLACE, right=40, wrong=7)
    await told(first, PLACE, right=700)
    assert not is_broken(SHIPPED, {30: (740, 7)}, PROMISE)
    again, other = OnlineBound(tallies, "v"), OnlineBound(tallies, "w")
    await again.refresh()
    await other.refresh()
    assert (at(again).origin, at(other).origin) == ("closed", "shipped")


async def test_a_category_alone_is_closed_where_only_its_own_answers_are_wrong() -> None:
    bound = OnlineBound(MemoryTallies(), "v")
    await bound.refresh()
    await told(bound, PLACE, right=900)
    await told(bound, replace(PLACE, category="prices"), right=12, wrong=4)
    assert at(bound, category="prices").origin == "closed"
    assert at(bound).origin == "audited"
    assert at(bound, category="never asked").origin == "audited"


async def test_undecided_looks_and_looks_at_aliases_move_nothing_and_are_counted() -> None:
    bound = OnlineBound(MemoryTallies(), "v")
    await bound.refresh()
    for _ in range(300):
        await bound.add("audit", "undecided", PLACE)
        await bound.add("alias", "wrong", PLACE)
    await bound.note({"dropped": 3, "failed": 0})
    assert at(bound).origin == "shipped"
    assert {(cell.kind, cell.outcome): count for cell, count in bound.counts().items()} == {
        ("audit", "undecided"): 300, ("alias", "wrong"): 300, ("event", "dropped"): 3,
    }  # fmt: skip
