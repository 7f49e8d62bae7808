"""The measurement of a router: figures that can be known, what a router may see, and promises held against other rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.bench_route import Setting, report
from evals.route_judging import Judged, by_fitting, stripped
from evals.route_metrics import Outcomes, curve, figures, oracle_score, random_figures
from evals.route_picture import picture
from evals.route_promise import held, hindsight, resplit
from evals.route_run import Judgement
from groat.costs.prices import PriceTable
from groat.errors import BadInput
from groat.routing.fit_linear import Rows
from groat.routing.rows import Labelled, Side
from groat.types import Language
from tests.routing_rows import labelled

_FORM = {
    "en": ("Answer the following question with one letter.", "Give the letter only."),
    "zh": ("请回答下面的单项选择题。", "只写出字母。"),
}
_KINDS = {
    "en": (("capital of the country", "river"), ("proof of the theorem", "lemma")),
    "zh": (("这个国家的首都", "河流"), ("这个定理的证明", "引理")),
}


def _rows(made: list[Labelled], *, seed: int = 3) -> Rows:
    vectors = np.random.default_rng(seed).normal(size=(len(made), 8))
    return Rows.of(made, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))


def _outcomes(cheap: list[float], expensive: list[float], dear: float = 10.0) -> Outcomes:
    count = len(cheap)
    return Outcomes(
        cheap_ok=np.array(cheap), expensive_ok=np.array(expensive), cheap_usd=np.ones(count), expensive_usd=np.full(count, dear)
    )


def _choices(count: int, language: Language) -> list[Labelled]:
    """Multiple choice in a fixed form, whose hard questions are no longer than the easy ones."""
    rng = np.random.default_rng(2)
    before, behind = _FORM[language]
    rows = []
    for n in range(count):
        hard = bool(rng.random() < 0.4)
        subject, word = _KINDS[language][hard]
        options = "\n".join(f"{letter}. {word} {rng.integers(100)}" + " x" * int(rng.integers(6)) for letter in "ABCD")
        rows.append(
            Labelled(
                source="made",
                prompt=f"{before}\n{subject} {n}\n{options}\n{behind}",
                language=language,
                cheap=Side(model="gpt-5-mini", ok=float(rng.random() < (0.2 if hard else 0.95))),
                expensive=Side(model="gpt-5.2", ok=1.0),
            )
        )
    return rows


def test_an_order_that_knows_the_outcomes_recovers_the_gap_with_as_few_calls_as_there_are_gains() -> None:
    known = _outcomes([1, 1, 1, 0, 0], [1, 1, 1, 1, 1])
    best = figures(oracle_score(known), known)
    assert (best["apgr"], best["cpt50"], best["cpt80"]) == (0.8, 0.2, 0.4)
    assert best["saved_at_quality"]["1.0"] == pytest.approx(1 - (3 * 1 + 2 * 10) / 50)
    assert figures(-oracle_score(known), known)["apgr"] == pytest.approx(0.2)


def test_chance_recovers_half_of_the_gap() -> None:
    known = _outcomes([1, 1, 0, 0], [1, 1, 1, 1])
    assert random_figures(known)["apgr"] == 0.5
    orders = [figures(np.random.default_rng(seed).random(4), known)["apgr"] for seed in range(300)]
    assert np.mean([apgr for apgr in orders if apgr is not None]) == pytest.approx(0.5, abs=0.03)


def test_without_a_gap_there_is_nothing_to_recover() -> None:
    none = figures(np.arange(3.0), _outcomes([1, 0, 1], [1, 0, 1]))
    assert (none["apgr"], none["cpt50"], none["cpt80"]) == (None, None, None)
    assert none["saved_at_quality"]["1.0"] == pytest.approx(0.9)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.0, 0.5, 1.0])), min_size=2, max_size=40))
@settings(max_examples=50, deadline=None)
def test_no_order_beats_the_oracle(pairs: list[tuple[float, float]]) -> None:
    known = _outcomes([cheap for cheap, _ in pairs], [expensive for _, expensive in pairs])
    best, other = figures(oracle_score(known), known), figures(np.arange(len(pairs), dtype=float), known)
    assert best["saved_at_quality"]["1.0"] >= other["saved_at_quality"]["1.0"] - 1e-9
    if best["apgr"] is not None and other["apgr"] is not None:
        assert best["apgr"] >= other["apgr"] - 1e-9


def test_the_curve_goes_from_all_cheap_to_all_expensive() -> None:
    points = curve(np.arange(4.0), _outcomes([1, 1, 0, 0], [1, 1, 1, 1]))
    assert (points[0]["share"], points[0]["quality_vs_expensive"], points[0]["saved"]) == (0, 0.5, 0.9)
    assert (points[-1]["share"], points[-1]["quality_vs_expensive"], points[-1]["saved"]) == (1, 1, 0)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_letters_and_fixed_lines_the_order_is_still_better_than_by_length(language: Language) -> None:
    made = _choices(300, language)
    bare = stripped(made)
    assert all(line not in row.prompt for row in bare for line in _FORM[language])
    assert all("A." not in row.prompt for row in bare)
    judged = by_fitting(_rows(bare), _rows(made))
    gain = np.array([row.gain for row in made])
    known = _outcomes((1 - gain).tolist(), [1.0] * len(made))
    length = figures(np.array([float(len(row.prompt)) for row in bare]), known)["apgr"]
    found = figures(judged.gain, known)["apgr"]
    assert found is not None
    assert length is not None
    assert found > length + 0.1


def test_a_question_in_both_files_is_judged_by_heads_that_did_not_see_it() -> None:
    made = labelled(200)
    # Outcomes without reason: who has seen them would know them.
    rng = np.random.default_rng(4)
    blind = [
        replace(row, prompt=f"q {n}", cheap=replace(row.cheap, ok=float(rng.random() < 0.5))) for n, row in enumerate(made)
    ]
    judged = by_fitting(_rows(blind), _rows(blind))
    assert judged.by == "cross-fitted"
    gain = np.array([row.gain for row in blind])
    assert abs(np.corrcoef(judged.gain, gain)[0, 1]) < 0.25
    others = [replace(row, prompt=f"other {n}") for n, row in enumerate(blind)]
    assert by_fitting(_rows(others), _rows(blind)).by == "fitted"


def test_domains_are_judged_by_heads_that_saw_none_of_them() -> None:
    made = [replace(row, domain=f"d{n % 3}") for n, row in enumerate(labelled(150))]
    with pytest.raises(BadInput, match="3 domains and --split-domain needs 5"):
        by_fitting(_rows(made), _rows(made), split_domain=True)


def _judged(rows: Rows, gain: np.ndarray) -> Judged:
    real = by_fitting(rows, rows)
    return replace(real, gain=gain, known=np.ones(len(rows), dtype=bool))


def test_a_promise_is_seldom_broken_and_the_best_threshold_of_hindsight_is_no_worse() -> None:
    rows = _rows(labelled(400))
    rng = np.random.default_rng(1)
    gain = np.array([row.gain for row in rows.labelled]) + rng.normal(size=400)
    (kept,) = resplit("made", rows, _judged(rows, gain), [0.1], resplits=40)
    assert kept["broken"] <= 0.25
    assert kept["hindsight_share"] <= kept["strong_share"] <= 1
    assert (kept["labels"], kept["judged"]) == (200, 200)
    (few,) = resplit("made", rows, _judged(rows, gain), [0.1], resplits=5, labels=50)
    assert (few["without_point"], few["strong_share"]) == (1, 1)


def test_hindsight_sends_as_few_as_the_rows_allow() -> None:
    quality = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    assert hindsight(np.array([0.0, 0.1, 0.2, 0.3]), quality, 0.0) == 0.5
    assert hindsight(np.array([0.0, 0.1, 0.2, 0.3]), quality, 0.25) == 0.25


def test_a_promise_is_held_against_questions_of_another_file() -> None:
    fitted, other = _rows(labelled(300)), _rows(labelled(100, seed=5, first=900))
    judged = by_fitting(other, fitted)
    kept, moved = held(
        [Judgement(path=Path("other.jsonl"), rows=other, judged=judged, seen=0)], fitted, [0.05], resplits=3, labels=None
    )
    assert kept == []
    assert (moved[0]["fitted_on"], moved[0]["judged"]) == (300, 100)
    assert moved[0]["loss"] <= 0.1


def test_a_report_has_both_languages_and_a_picture() -> None:
    rows = _rows(labelled(200))
    found = report(rows, Setting(name="a<b.jsonl", judged=by_fitting(rows, rows), seen=0, prices=PriceTable()))
    assert {language: part["n"] for language, part in found["by_lang"].items()} == {"en": 100, "zh": 100}
    assert found["apgr"] is not None
    assert found["apgr"] > 0.6
    assert found["assumed"] == []
    assert sum(one["n"] for one in found["reliability"]["cheap"]["bins"]) == 200
    drawn = picture([found])
    assert drawn.startswith("<svg")
    assert "a&lt;b" in drawn
