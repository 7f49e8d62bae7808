import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.pair_scores import (
    Flags,
    Numbers,
    auc,
    auc_intervals,
    calibration_error,
    recall_at_precision,
    served_at_traps,
    share_from,
)

# Few levels, so that ties are common.
ROWS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), min_size=1, max_size=25)


def _arrays(rows: list[tuple[bool, float]]) -> tuple[Flags, Numbers]:
    return np.array([same for same, _ in rows], dtype=bool), np.array([score for _, score in rows])


def _given(same: str, *scores: float) -> tuple[Flags, Numbers]:
    return np.array([mark == "+" for mark in same]), np.array(scores)


def test_the_auc_counts_pairs_in_the_right_order_and_ties_half() -> None:
    assert auc(*_given("++--", 0.9, 0.8, 0.2, 0.1)) == 1.0
    assert auc(*_given("++--", 0.1, 0.2, 0.8, 0.9)) == 0.0
    assert auc(*_given("+-", 0.5, 0.5)) == 0.5
    assert auc(*_given("+-+-", 0.9, 0.8, 0.7, 0.7)) == 0.625


@given(ROWS)
def test_the_auc_is_the_share_of_all_comparisons_won(rows: list[tuple[bool, float]]) -> None:
    right = [score for same, score in rows if same]
    wrong = [score for same, score in rows if not same]
    won = [float(one > other) + 0.5 * (one == other) for one in right for other in wrong]
    found = auc(*_arrays(rows))
    assert found is None if not won else found == pytest.approx(sum(won) / len(won), abs=1e-4)


def test_recall_at_precision_takes_the_lowest_threshold_that_is_precise_enough() -> None:
    same, scores = _given("++-+--", 0.9, 0.8, 0.7, 0.6, 0.5, 0.4)
    assert recall_at_precision(same, scores, 0.95) == pytest.approx(2 / 3, abs=1e-4)
    assert recall_at_precision(same, scores, 0.75) == 1.0


def test_recall_is_zero_when_no_threshold_is_precise_enough_and_unknown_without_same_pairs() -> None:
    assert recall_at_precision(*_given("-+", 0.9, 0.8), 0.95) == 0.0
    assert recall_at_precision(*_given("--", 0.9, 0.8), 0.95) is None


def test_a_precision_that_is_just_reached_counts() -> None:
    for right, of, precision in ((19, 20, 0.95), (57, 60, 0.95), (49, 50, 0.98), (99, 100, 0.99)):
        same = np.arange(of) < right
        assert recall_at_precision(same, np.ones(of), precision) == 1.0


def test_a_score_of_zero_is_never_served() -> None:
    same, scores = _given("+++-", 0.5, 0.0, 0.0, 0.0)
    assert recall_at_precision(same, scores, 0.5) == pytest.approx(1 / 3, abs=1e-4)
    assert served_at_traps(same, scores, 1.0) == pytest.approx(1 / 3, abs=1e-4)


def _every_threshold(rows: list[tuple[bool, float]]) -> list[tuple[int, int]]:
    """Right and wrong pairs served, for each threshold above 0."""
    cuts = {score for _, score in rows if score > 0}
    return [
        (sum(same for same, score in rows if score >= cut), sum(not same for same, score in rows if score >= cut))
        for cut in cuts
    ]


@given(ROWS, st.sampled_from([0.5, 0.75, 0.95]))
def test_no_threshold_gives_more_recall_at_the_precision(rows: list[tuple[bool, float]], precision: float) -> None:
    of = sum(same for same, _ in rows)
    best = max((right for right, wrong in _every_threshold(rows) if right >= precision * (right + wrong)), default=0)
    found = recall_at_precision(*_arrays(rows), precision)
    assert found is None if not of else found == pytest.approx(best / of, abs=1e-4)


@given(ROWS, st.sampled_from([0.0, 0.25, 0.5]))
def test_no_threshold_serves_more_at_that_share_of_traps(rows: list[tuple[bool, float]], share: float) -> None:
    of = sum(same for same, _ in rows)
    traps = len(rows) - of
    best = max((right for right, wrong in _every_threshold(rows) if wrong <= share * traps), default=0)
    found = served_at_traps(*_arrays(rows), share)
    assert found is None if not of or not traps else found == pytest.approx(best / of, abs=1e-4)


def test_one_trap_in_twenty_is_five_percent_and_not_two() -> None:
    same = np.array([True, True] + [False] * 20)
    scores = np.array([0.9, 0.6, 0.7] + [0.1] * 19)
    assert (served_at_traps(same, scores, 0.05), served_at_traps(same, scores, 0.02)) == (1.0, 0.5)


def test_the_cut_itself_is_served() -> None:
    assert share_from(0.5, np.array([0.5, 0.4999, 0.9, 0.0])) == 0.5
    assert share_from(0.5, np.zeros(0)) is None


def test_the_calibration_error_is_the_mean_gap_of_the_bins() -> None:
    # Bin 0.9 to 1: half are the same against 0.95; bin 0.1 to 0.2: none against 0.15.
    same, p = _given("+-+---", 0.95, 0.95, 0.95, 0.95, 0.15, 0.15)
    assert calibration_error(same, p) == pytest.approx((4 * 0.45 + 2 * 0.15) / 6, abs=1e-4)
    assert calibration_error(*_given("+-", 1.0, 0.0)) == 0.0
    assert calibration_error(*_given("")) is None


def test_intervals_hold_the_auc_and_depend_on_the_seed_alone() -> None:
    rng = np.random.default_rng(3)
    same = rng.random(200) < 0.5
    scores = {"first": same * 0.5 + rng.random(200), "other": rng.random(200)}
    found, again = (auc_intervals(same, scores, np.random.default_rng(1), resamples=200) for _ in range(2))
    assert found == again
    assert set(found) == {"first", "other", "first - other"}
    for name, each in scores.items():
        ends, value = found[name], auc(same, each)
        assert ends is not None
        assert value is not None
        assert 0 <= ends[0] < value < ends[1] <= 1
    lead = found["first - other"]
    assert lead is not None
    assert lead[0] > 0


def test_a_score_has_no_lead_over_itself() -> None:
    same, scores = _given("+-+-", 0.9, 0.8, 0.7, 0.1)
    assert auc_intervals(same, {"a": scores, "b": scores}, np.random.default_rng(1), resamples=50)["a - b"] == (0.0, 0.0)


def test_one_class_has_no_interval() -> None:
    same, scores = _given("++", 0.9, 0.8)
    assert auc_intervals(same, {"a": scores}, np.random.default_rng(1)) == {"a": None}
