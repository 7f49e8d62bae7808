import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from groat.errors import ArtifactError
from groat.types import Asked, Attempt, Check, Language, Opinion, Passage
from groat.validation.acceptance import AcceptanceModel, Regression, calibrated, evidence_of, products, worth
from groat.validation.acceptance_calibration import isotonic, platt
from groat.validation.acceptance_cases import Cases
from groat.validation.acceptance_evidence import AGREEMENT, BOUGHT, NAMES
from groat.validation.acceptance_fit import fit, held_out, learn, loss_bound, operating_points

PASSED: list[Check] = [{"name": "not_empty", "passed": True, "score": 1.0, "reason": ""}]
SUPPORTED: list[Check] = [*PASSED, {"name": "support", "passed": True, "score": 0.7, "reason": ""}]


def asked(text: str = "How long may I return a lamp?", language: Language = "en") -> Asked:
    return {
        "text": text,
        "language": language,
        "answer_language": language,
        "search_text": text,
        "history": [],
        "tenant": "default",
    }


def attempt(text: str = "You may return it within 14 days. [returns]", **other: Any) -> Attempt:
    made: Attempt = {
        "box": "answer_cheap",
        "tier": "cheap",
        "model": "small",
        "text": text,
        "abstained": False,
        "finish_reason": "stop",
        "latency_ms": 1.0,
        "begun_ms": 0.0,
        "first_token_ms": None,
        "calls": [],
        "level": "cheap",
        "repaired": False,
    }
    made.update(other)  # type: ignore[typeddict-item]  # tests name the fields that they change
    return made


def passage(similarity: float | None, document: str = "returns") -> Passage:
    text = "Lamps may be returned within 14 days."
    return {
        "id": f"{document}#0",
        "document_id": document,
        "version": "1",
        "title": "Returns",
        "heading": "",
        "text": text,
        "language": "en",
        "sentences": [(0, len(text))],
        "score": 1.0,
        "similarity": similarity,
    }


def opinion(agreement: float) -> Opinion:
    return {"model": "other", "text": "Two weeks.", "agreement": agreement}


def evidence(
    text: str = "You may return it within 14 days. [returns]",
    *,
    bought: float | None = None,
    question: str = "How long may I return a lamp?",
    language: Language = "en",
) -> dict[str, float]:
    return evidence_of(
        PASSED,
        asked=asked(question, language),
        attempt=attempt(text),
        route_p=0.8,
        opinion=None if bought is None else opinion(bought),
        passages=[],
    )


def test_evidence_has_every_name_and_the_language() -> None:
    assert set(evidence()) == {*NAMES, "asked_han"}


@pytest.mark.parametrize(("model", "same"), [("small", 1.0), ("other", 0.0)])
def test_an_opinion_of_the_same_model_is_told_apart(model: str, same: float) -> None:
    said: Opinion = {"model": model, "text": "Two weeks.", "agreement": 1.0}
    found = evidence_of(PASSED, asked=asked(), attempt=attempt(), route_p=None, opinion=said, passages=[])
    assert found["opinion_of_same_model"] == same


def test_what_was_not_bought_or_not_given_is_marked_and_neutral() -> None:
    found = evidence_of(PASSED, asked=asked(), attempt=attempt(), route_p=None, opinion=None, passages=[passage(None)])
    names = (
        "route_known",
        "route_logit",
        "probability_known",
        "log_probability",
        "similar_known",
        "opinion_bought",
        "agreement",
    )
    assert {name: found[name] for name in names} == dict.fromkeys(names, 0.0)


def test_what_was_given_is_told() -> None:
    found = evidence_of(
        SUPPORTED,
        asked=asked(),
        attempt=attempt(log_probability=-0.25, repaired=True, finish_reason="length"),
        route_p=0.5,
        opinion=opinion(0.75),
        passages=[passage(0.8), passage(0.9), passage(None)],
    )
    told = {
        "route_known": 1.0,
        "route_logit": 0.0,
        "probability_known": 1.0,
        "log_probability": -0.25,
        "similar_known": 1.0,
        "top_similarity": 0.9,
        "opinion_bought": 1.0,
        "agreement": 0.75,
        "support": 0.7,
        "lowest_check": 0.7,
        "repaired": 1.0,
        "finished": 0.0,
        "cited": 1.0,
    }
    assert {name: found[name] for name in told} == told
    assert found["similarity_gap"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "hedges"),
    [("It is probably two weeks, perhaps more.", 2), ("大概两周，可能更久。", 2), ("Two weeks.", 0)],
    ids=["en", "zh", "none"],
)
def test_hedging_words_count_in_both_languages(text: str, hedges: int) -> None:
    assert evidence(text)["log_hedges"] == pytest.approx(math.log1p(hedges))


def test_figures_that_the_question_does_not_hold_are_new() -> None:
    found = evidence("2 lamps cost 30 euros.", question="What do 2 lamps cost?")
    assert [found["log_figures"], found["log_new_figures"]] == pytest.approx([math.log1p(2), math.log1p(1)])


def test_words_said_again_and_again_are_repetition() -> None:
    assert evidence("lamp lamp lamp lamp")["repetition"] == 0.75


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(max_size=200),
    question=st.text(max_size=80),
    p=st.none() | st.floats(0, 1),
    agreement=st.none() | st.floats(-1, 2),
    similarity=st.none() | st.floats(-1, 1),
)
def test_any_answer_gives_finite_evidence_and_a_probability(
    text: str, question: str, p: float | None, agreement: float | None, similarity: float | None
) -> None:
    found = evidence_of(
        PASSED,
        asked=asked(question),
        attempt=attempt(text),
        route_p=p,
        opinion=None if agreement is None else opinion(agreement),
        passages=[passage(similarity)],
    )
    assert all(math.isfinite(value) for value in found.values())
    for grounded in (True, False):
        p_ok, threshold = SHIPPED.judge(found, grounded=grounded, max_quality_loss=0.02)
        assert 0 <= p_ok <= 1
        assert threshold is None or 0 < threshold <= 1


SHIPPED = AcceptanceModel.load()


@pytest.mark.parametrize(
    ("question", "answer", "language"),
    [
        ("A box holds 12 eggs. How many eggs are in 7 boxes?", "7 * 12 = 84 eggs.", "en"),
        ("一盒有12个鸡蛋，7盒一共有多少个？", "7乘以12等于84个。", "zh"),
    ],
    ids=["en", "zh"],
)
def test_agreement_speaks_for_an_open_answer(question: str, answer: str, language: Language) -> None:
    p_ok = [
        SHIPPED.judge(
            evidence(answer, bought=agreement, question=question, language=language), grounded=False, max_quality_loss=0.01
        )[0]
        for agreement in (0.0, 0.5, 1.0)
    ]
    assert p_ok == sorted(p_ok)
    assert p_ok[2] - p_ok[0] > 0.1


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("grounded", [True, False])
def test_a_stricter_promise_never_has_a_lower_threshold(grounded: bool, language: Language) -> None:
    found = evidence(question="How long?" if language == "en" else "多久？", language=language)
    cuts = [SHIPPED.judge(found, grounded=grounded, max_quality_loss=loss)[1] for loss in (0.2, 0.1, 0.05, 0.02, 0.01, 0.005)]
    finite = [math.inf if cut is None else cut for cut in cuts]
    assert finite == sorted(finite)


@pytest.mark.parametrize("grounded", [True, False])
def test_a_promise_of_no_loss_at_all_accepts_nothing(grounded: bool) -> None:
    assert SHIPPED.judge(evidence(bought=1.0), grounded=grounded, max_quality_loss=0.0)[1] is None


@pytest.mark.parametrize(("question", "language"), [("How long?", "en"), ("可以退多久？", "zh")])
def test_the_threshold_is_that_of_the_questions_language(question: str, language: Language) -> None:
    _, cut = SHIPPED.judge(evidence(question=question, language=language), grounded=False, max_quality_loss=0.02)
    assert cut == dict(shipped()["populations"]["open"]["thresholds"][language])[0.02]


def test_a_promise_between_two_measured_ones_takes_the_stricter() -> None:
    found = evidence()
    assert SHIPPED.judge(found, grounded=False, max_quality_loss=0.08) == SHIPPED.judge(
        found, grounded=False, max_quality_loss=0.05
    )


def test_a_promise_that_arithmetic_made_inexact_is_still_kept() -> None:
    assert SHIPPED.judge(evidence(), grounded=False, max_quality_loss=0.1 - 0.05) == SHIPPED.judge(
        evidence(), grounded=False, max_quality_loss=0.05
    )


def test_the_chance_of_reaching_a_threshold_falls_as_it_rises() -> None:
    chances = [SHIPPED.chance(0.7, cut, grounded=False) for cut in (0.0, 0.3, 0.6, 0.9, 1.01)]
    assert chances == sorted(chances, reverse=True)
    assert (chances[0], chances[-1]) == (1.0, 0.0)


def test_without_a_threshold_there_is_no_chance() -> None:
    assert SHIPPED.chance(0.99, None, grounded=True) == 0.0


@pytest.mark.parametrize(
    ("opinion_price", "expensive_price", "chance", "is_worth"),
    [
        (0.01, 0.10, 0.2, True),
        (0.01, 0.10, 0.05, False),
        (0.01, 0.10, 0.0999, False),
        (0.0, 0.10, 0.01, True),
        (0.0, 0.10, 0.0, False),
        (None, 0.10, 1.0, False),
        (0.01, None, 1.0, False),
        (math.nan, 0.10, 1.0, False),
        (0.01, math.inf, 1.0, False),
        (-0.01, 0.10, 1.0, False),
        (Decimal("0.0001"), Decimal("0.01"), 0.5, True),
    ],
)
def test_an_opinion_is_worth_what_it_may_save(
    opinion_price: float | Decimal | None, expensive_price: float | Decimal | None, chance: float, is_worth: bool
) -> None:
    assert worth(0.6, opinion_price, expensive_price, chance=chance) is is_worth


def test_no_opinion_saves_an_answer_that_cannot_be_right() -> None:
    assert not worth(0.0, 0.001, 1.0, chance=1.0)


@settings(max_examples=60)
@given(p=st.floats(), price=st.none() | st.floats(), expensive=st.none() | st.floats(), chance=st.floats())
def test_worth_is_total(p: float, price: float | None, expensive: float | None, chance: float) -> None:
    assert worth(p, price, expensive, chance=chance) in (True, False)


# ---- the artifact


def shipped() -> dict[str, Any]:
    path = Path(__file__).parents[2] / "groat" / "validation" / "acceptance.json"
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return raw


def test_an_artifact_for_other_evidence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "acceptance.json"
    path.write_text(json.dumps({**shipped(), "features": "acceptance/0"}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="fit it again"):
        AcceptanceModel.load(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw["populations"].pop("open"),
        lambda raw: raw["populations"]["open"]["alone"]["weights"].pop(),
        lambda raw: raw["populations"]["open"]["agreed"].update(scale=[0.0] * (2 * len(NAMES))),
        lambda raw: raw["populations"]["grounded"]["edges"].append(0.5),
        lambda raw: raw["populations"]["grounded"].update(thresholds=[[0.01, 0.9]]),
        lambda raw: raw["populations"]["grounded"]["alone"].update(intercept=None),
        lambda raw: raw["populations"]["grounded"]["alone"].update(curve=[[0, 1], [0.9, 0.1]]),
    ],
    ids=["population", "weight", "scale", "edge", "thresholds", "intercept", "curve"],
)
def test_a_damaged_artifact_is_refused(tmp_path: Path, damage: Any) -> None:
    raw = shipped()
    damage(raw)
    path = tmp_path / "acceptance.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ArtifactError, match="cannot be read"):
        AcceptanceModel.load(path)


def test_a_missing_artifact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        AcceptanceModel.load(tmp_path / "none.json")


def test_the_shipped_artifact_says_where_it_comes_from() -> None:
    card = shipped()["card"]
    assert set(card) == {"date", "data_sha256", "scikit_learn", "numpy", "target", "held_out"}
    assert set(card["held_out"]) == {"open", "grounded"}


# ---- the fit


def made(count: int = 600, *, informative: bool = True, seed: int = 1) -> Cases:
    """Answers of which six in ten are as good; the opinion agrees with nine in ten of the good, and one in ten of the bad."""
    rng = np.random.default_rng(seed)
    good = rng.random(count) < 0.6
    first = np.zeros((count, len(NAMES)))
    first[:, 4] = rng.normal(size=count) + 0.3 * good
    second = first.copy()
    second[:, BOUGHT] = 1.0
    agrees = np.where(good, rng.random(count) < 0.9, rng.random(count) < 0.1)
    second[:, AGREEMENT] = agrees if informative else rng.random(count) < 0.5
    return Cases(
        first=first,
        second=second,
        bought=np.ones(count, dtype=bool),
        passed=rng.random(count) < 0.95,
        weak_ok=good.astype(float),
        strong_ok=np.ones(count),
        groups=[str(n // 2) for n in range(count)],
        sources=["made"] * count,
        languages=["en" if n % 4 < 2 else "zh" for n in range(count)],
        weights=np.ones(count),
    )


def test_what_was_fitted_is_read_back_and_judges_alike(tmp_path: Path) -> None:
    cases = made(360)
    path = tmp_path / "acceptance.json"
    artifact = fit({"grounded": cases}, date="2026-01-01")
    artifact["populations"]["open"] = artifact["populations"]["grounded"]
    path.write_text(json.dumps(artifact), encoding="utf-8")
    model = AcceptanceModel.load(path)
    fitted = learn(cases, 7)
    for number in range(5):
        found = {**dict(zip(NAMES, cases.second[number].tolist(), strict=True)), "asked_han": 0.0}
        p_ok, _ = model.judge(found, grounded=True, max_quality_loss=0.1)
        assert p_ok == pytest.approx(float(fitted.agreed.p_ok(cases.second[[number]])[0]), abs=1e-4)


def test_fitting_twice_gives_the_same_artifact() -> None:
    cases = made(360)
    assert fit({"open": cases}, date="d") == fit({"open": cases}, date="d")


def test_an_informative_opinion_lifts_what_is_held_out() -> None:
    found = held_out(made(900), 7)["all"]
    assert found["auc_with_opinion"] > 0.85 > found["auc_alone"]
    assert found["ece_with_opinion"] < 0.08


def test_an_opinion_that_says_nothing_lifts_nothing() -> None:
    found = held_out(made(900, informative=False), 7)["all"]
    assert found["auc_with_opinion"] < found["auc_alone"] + 0.03


def test_noise_is_not_mistaken_for_evidence() -> None:
    rng = np.random.default_rng(5)
    cases = made(400)
    noise = rng.normal(size=cases.first.shape)
    noise[:, [BOUGHT, AGREEMENT]] = 0.0
    fitted = learn(Cases(**{**vars(cases), "first": noise}), 7)
    assert roc_auc_score(cases.as_good, fitted.p_first) < 0.6
    assert np.ptp(fitted.alone.p_ok(noise)) < 0.1


def test_logits_that_come_true_the_wrong_way_round_are_calibrated_to_the_mean() -> None:
    logits = np.linspace(-2, 2, 400)
    fitted = platt(logits, (logits < 0).astype(int), np.ones(400))
    assert fitted.apply(logits).tolist() == pytest.approx([0.5] * 400)


def test_too_few_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        learn(made(150), 7)


def test_thresholds_keep_their_promise_on_the_cases_they_came_from() -> None:
    cases = made(2000)
    fitted = learn(cases, 7)
    points = operating_points(fitted.p_first, fitted.p_second, cases)
    assert points
    _, member = np.unique(np.asarray(cases.groups), return_inverse=True)
    best = np.where(cases.passed, np.maximum(fitted.p_first, fitted.p_second), 0.0)
    for promise, cut in points:
        assert loss_bound(best >= cut, cases, member) <= promise
    assert [cut for _, cut in points] == sorted((cut for _, cut in points), reverse=True)


def test_answers_whose_checks_failed_are_never_counted_as_accepted() -> None:
    cases = made(2000)
    failed = Cases(**{**vars(cases), "weak_ok": np.where(cases.passed, 1.0, 0.0), "strong_ok": np.ones(2000)})
    points = operating_points(np.full(2000, 0.9), np.full(2000, 0.9), failed)
    assert points[0] == [0.0025, 0.9]


def test_no_threshold_is_kept_where_everything_loses() -> None:
    cases = made(400)
    worst = Cases(**{**vars(cases), "weak_ok": np.zeros(400)})
    assert operating_points(np.full(400, 0.9), np.full(400, 0.9), worst) == []


def test_few_cases_prove_no_small_loss() -> None:
    cases = made(100)
    perfect = Cases(**{**vars(cases), "weak_ok": np.ones(100)})
    points = operating_points(np.full(100, 0.9), np.full(100, 0.9), perfect)
    assert [promise for promise, _ in points] == [0.02, 0.03, 0.05, 0.1, 0.2]


def test_copies_of_one_question_prove_no_more_than_the_question() -> None:
    cases = made(100)
    lost = Cases(**{**vars(cases), "weak_ok": (np.arange(100) < 75).astype(float)})
    accepted = np.ones(100, dtype=bool)
    assert loss_bound(accepted, lost, np.arange(100) // 25) > loss_bound(accepted, lost, np.arange(100))


def test_platt_recovers_a_logistic_truth() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(size=4000) * 2
    good = (rng.random(4000) < 1 / (1 + np.exp(-(0.5 * logits + 0.3)))).astype(int)
    fitted = platt(logits, good, np.ones(4000))
    assert [fitted.slope, fitted.shift] == pytest.approx([0.5, 0.3], abs=0.1)


def test_the_isotonic_curve_rises_and_stays_off_the_edges() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=800)
    good = (rng.random(800) < np.where(logits > 0, 0.9, 0.2)).astype(int)
    curve = isotonic(logits, good, np.ones(800)).curve
    assert (np.diff(curve[0]) > 0).all()
    assert (np.diff(curve[1]) > 0).all()
    assert 0 < curve[1].min() < curve[1].max() < 1


def test_without_a_curve_logits_go_through_the_logistic_function() -> None:
    assert calibrated(np.array([0.0, math.log(3)]), np.zeros((2, 0))).tolist() == pytest.approx([0.5, 0.75])


def test_evidence_far_outside_of_the_training_carries_the_estimate_no_further() -> None:
    count = len(NAMES)
    regression = Regression(
        mean=np.zeros(count), scale=np.ones(count), weights=np.ones(count) * 0.1, intercept=0.0, curve=np.zeros((2, 0))
    )
    far, farther = np.zeros((1, count)), np.zeros((1, count))
    far[0, 4], farther[0, 4] = 4.0, 4_000.0
    assert regression.p_ok(far)[0] == regression.p_ok(farther)[0]


def test_more_agreement_never_speaks_against_an_answer() -> None:
    count = len(NAMES)
    weights = np.zeros(2 * count)
    weights[count + 4] = -1.0
    regression = Regression(mean=np.zeros(count), scale=np.ones(count), weights=weights, intercept=0.0, curve=np.zeros((2, 0)))
    rows = np.zeros((3, count))
    rows[:, BOUGHT], rows[:, AGREEMENT], rows[:, 4] = 1.0, [0.0, 0.5, 1.0], 2.0
    assert regression.p_ok(rows).tolist() == [0.5, 0.5, 0.5]
    rows[:, 4] = -2.0
    assert regression.logits(rows).tolist() == [0.0, 1.0, 2.0]


def test_what_an_item_means_is_scaled_by_the_agreement() -> None:
    own = np.arange(float(len(NAMES)))[None, :]
    found = products(own, np.array([0.5]))
    assert found[0, AGREEMENT] == 0.0
    assert found[0, 1] == 0.5
