"""Two judges on the same rows, and calibration drawn towards a few rows."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from groat.judge.artifact import TONGUES, Scaling, Tongue
from training.compare import compare
from training.rescale import moved
from training.rows import Row

LABELS = np.array([True, False] * 60)


def test_the_areas_are_those_of_scikit_learn_ties_included() -> None:
    chance = np.random.default_rng(3)
    old, new = (np.round(chance.normal(size=120) + LABELS * shift, 1) for shift in (0.5, 1.0))
    found = compare(LABELS, old, new, chance)
    assert found.n == 120
    assert found.old == pytest.approx(roc_auc_score(LABELS, old), abs=1e-4)
    assert found.new == pytest.approx(roc_auc_score(LABELS, new), abs=1e-4)


def test_the_same_scores_gain_nothing_and_any_rising_curve_of_them_is_the_same() -> None:
    old = np.random.default_rng(1).normal(size=120)
    found = compare(LABELS, old, np.exp(old), np.random.default_rng(0))
    assert (found.gain, found.low, found.high) == (0, 0, 0)


def test_a_clear_loss_is_sure_and_a_small_one_is_not() -> None:
    chance = np.random.default_rng(2)
    good = LABELS + chance.normal(scale=0.3, size=120)
    clear = compare(LABELS, good, chance.normal(size=120), np.random.default_rng(0))
    assert clear.low < clear.gain < clear.high < 0
    small = compare(LABELS, good, good + chance.normal(scale=0.05, size=120), np.random.default_rng(0))
    assert small.low <= small.gain <= small.high
    assert small.high >= 0


def test_the_same_generator_gives_the_same_bounds() -> None:
    old, new = np.random.default_rng(5).normal(size=(2, 120))
    assert compare(LABELS, old, new, np.random.default_rng(9)) == compare(LABELS, old, new, np.random.default_rng(9))


def rows(count: int, share: float, lang: str = "zh") -> list[Row]:
    """Rows of which this share has label 1."""
    return [
        Row(f"a{number}", f"b{number}", float(number < share * count), "same", lang, "own", "own", "", open_licence=False)
        for number in range(count)
    ]


SHIPPED: dict[Tongue, Scaling] = {tongue: Scaling(slope=0.6, intercept=-0.2) for tongue in TONGUES}


def test_a_language_without_rows_keeps_its_calibration() -> None:
    found = moved(SHIPPED, np.zeros(40), rows(40, 0.9))
    assert found["en"] == found["zh-en"] == {"slope": 0.6, "intercept": -0.2}
    assert found["zh"] != found["en"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_few_rows_move_the_intercept_alone_towards_their_share_of_yes(share: float) -> None:
    found = moved(SHIPPED, np.random.default_rng(0).normal(size=40), rows(40, share))["zh"]
    assert found["slope"] == 0.6
    assert abs(found["intercept"]) < 3
    assert (found["intercept"] > -0.2) == (share > 0.5)


def test_more_rows_move_it_farther_and_many_move_the_slope_as_well() -> None:
    chance = np.random.default_rng(0)
    few, more = (moved(SHIPPED, np.zeros(count), rows(count, 0.9))["zh"]["intercept"] for count in (20, 200))
    assert -0.2 < few < more
    many = rows(800, 0.5)
    logits = np.array([row.label * 8 - 4 for row in many]) + chance.normal(scale=2, size=800)
    assert moved(SHIPPED, logits, many)["zh"]["slope"] > 0.7
