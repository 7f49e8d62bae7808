"""Two ways on the same rows: by how much one is better, and how surely."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.paired import compare, in_words
from groat.errors import BadInput

SCORES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30)


@given(SCORES)
def test_the_other_way_round_everything_is_mirrored(pairs: list[tuple[float, float]]) -> None:
    a, b = [one for one, _ in pairs], [other for _, other in pairs]
    there, back = compare(a, b, draws=200), compare(b, a, draws=200)
    assert there["difference"] == pytest.approx(-back["difference"], abs=2e-6)
    assert (there["better"], there["worse"]) == (back["worse"], back["better"])
    assert there["interval"][0] == pytest.approx(-back["interval"][1], abs=2e-6)
    assert there["p_better"] == pytest.approx(1 - back["p_better"], abs=1e-4)


@given(SCORES)
def test_the_interval_lies_around_the_difference_within_what_is_possible(pairs: list[tuple[float, float]]) -> None:
    found = compare([one for one, _ in pairs], [other for _, other in pairs], draws=200)
    low, high = found["interval"]
    assert -1 <= low <= high <= 1


def test_mcnemar_is_the_exact_one() -> None:
    found = compare([1.0] * 8 + [0.0] * 12, [1.0] * 8 + [1.0] * 8 + [0.0] * 4)
    assert (found["better"], found["worse"]) == (8, 0)
    assert found["mcnemar_p"] == pytest.approx(2 * 0.5**8, abs=1e-6)


def test_scores_that_are_no_yes_or_no_have_no_mcnemar() -> None:
    assert compare([0.5, 1.0], [1.0, 1.0])["mcnemar_p"] is None


def test_equal_ways_are_told_as_equal() -> None:
    found = compare([1.0, 0.0, 1.0], [1.0, 0.0, 1.0])
    assert (found["p_better"], found["mcnemar_p"], found["interval"]) == (0.5, 1.0, (0.0, 0.0))
    assert in_words(found).startswith("B is as good as A on 3 rows")


@pytest.mark.parametrize(
    ("b", "says"), [([1.0] * 30, "surely better"), ([0.0] * 29 + [1.0], "perhaps better"), ([0.0] * 30, "as good")]
)
def test_the_sentence_says_how_sure_it_is(b: list[float], says: str) -> None:
    assert says in in_words(compare([0.0] * 30, b))


def test_the_same_seed_gives_the_same_figures() -> None:
    a, b = [0.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0]
    assert compare(a, b, seed=3) == compare(a, b, seed=3)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 0.0])])
def test_what_cannot_be_paired_is_told(a: list[float], b: list[float]) -> None:
    with pytest.raises(BadInput, match="row by row"):
        compare(a, b)
