"""Learning a router from one's own labels, and comparing two."""

from dataclasses import replace

import numpy as np
import pytest

from evals.route_compare import compare
from groat.costs.prices import PriceTable
from groat.errors import BadInput
from groat.routing.learning import Learned, decide, figures, learn, saw
from groat.routing.rows import Side
from tests.routing import artifact_of
from tests.routing_rows import labelled, looked_at

PRICES = PriceTable()


@pytest.fixture(scope="module")
def learned() -> Learned:
    """A router from 300 labels in both languages, begun with one that knows nothing."""
    prior = artifact_of(0.6, dimensions=8)
    return learn(looked_at(labelled(300)), embedder="e", date="2026-11-26", prior=prior, max_quality_loss=0.1, parts=3)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_own_labels_help_on_questions_that_were_left_out(learned: Learned, language: str) -> None:
    before, after = learned.before[language], learned.after[language]
    assert (before["n"], after["n"]) == (150, 150)
    assert before["auc"] == 0.5
    assert after["auc"] is not None
    assert after["auc"] > 0.6
    assert before["strong_share"] == 1.0
    assert after["loss_ci"][0] <= after["loss"] <= after["loss_ci"][1]


def test_what_was_learned_says_what_it_was_learned_from(learned: Learned) -> None:
    card = learned.artifact.card
    assert (card["rows"], card["prior"]) == (300, "v1")
    assert saw(learned.artifact, looked_at(labelled(30))).all()
    assert not saw(learned.artifact, looked_at(labelled(20, first=1_000))).any()


def test_rows_that_the_prior_was_fitted_on_are_counted(learned: Learned) -> None:
    again = learn(
        looked_at(labelled(120)), embedder="e", date="2026-11-26", prior=learned.artifact, max_quality_loss=0.05
    )  # fmt: skip
    assert (again.prior_saw, again.after) == (120, {})


@pytest.mark.parametrize(("ok", "count", "says"), [(None, 99, "99 rows are too few"), (1.0, 200, "one class only")])
def test_too_little_to_learn_from_is_one_sentence(ok: float | None, count: int, says: str) -> None:
    rows = labelled(count)
    if ok is not None:
        rows = [replace(row, cheap=replace(row.cheap, ok=ok)) for row in rows]
    with pytest.raises(BadInput, match=says):
        learn(looked_at(rows), embedder="e", date="2026-11-26", prior=None, max_quality_loss=0.05)


def test_a_drawn_row_counts_one_over_its_probability() -> None:
    rows = [
        replace(row, weight=9.0 if n == 0 else 1.0, cheap=replace(row.cheap, ok=0.0 if n == 0 else 1.0))
        for n, row in enumerate(labelled(10, languages=("en",)))
    ]
    looked = looked_at(rows)
    told = figures(looked, replace(decide(artifact_of(0.9, dimensions=8), looked, 0.05), strong=np.zeros(10, dtype=bool)))
    assert told["en"]["loss"] == 0.5


def test_the_one_that_loses_less_at_the_same_price_is_better() -> None:
    looked = looked_at(labelled(100))
    blind = artifact_of(0.0, dimensions=8, version="blind", points=((0.05, 0.1),))
    strict = artifact_of(0.9, dimensions=8, version="strict", points=((0.05, 0.1),))
    report = compare(blind, strict, looked, max_quality_loss=0.05, prices=PRICES)
    assert (report["a"]["strong_share"], report["b"]["strong_share"]) == (0.0, 1.0)
    assert (report["verdict"], report["n"], report["by_lang"]) == ("trade", 100, {"en": 50, "zh": 50})
    assert report["quality"][1] > 0 < report["usd_per_1000"][1]
    free = [replace(row, expensive=replace(row.expensive, in_tokens=1, out_tokens=1)) for row in labelled(100)]
    cheaper = looked_at(free)
    assert compare(blind, strict, cheaper, max_quality_loss=0.05, prices=PRICES)["verdict"] == "b"
    assert compare(strict, blind, cheaper, max_quality_loss=0.05, prices=PRICES)["verdict"] == "a"


def test_the_one_that_saves_without_losing_more_than_promised_is_better() -> None:
    equal = [replace(row, cheap=replace(row.cheap, ok=1.0)) for row in labelled(60)]
    blind, strict = (artifact_of(gain, dimensions=8, points=((0.05, 0.1),)) for gain in (0.0, 0.9))
    report = compare(strict, blind, looked_at(equal), max_quality_loss=0.05, prices=PRICES)
    assert (report["verdict"], report["quality"]) == ("b", [0, 0, 0])
    assert report["expensive_usd_per_1000"] == report["a"]["usd_per_1000"] > report["b"]["usd_per_1000"]


def test_a_question_unlike_all_known_or_of_a_kind_without_a_proof_goes_to_the_expensive_model() -> None:
    looked = looked_at(labelled(4))
    assert not decide(artifact_of(0.0, dimensions=8), looked, 0.05).strong.any()
    assert decide(artifact_of(0.0, dimensions=8, limit=0.0), looked, 0.05).strong.all()
    assert decide(artifact_of(0.0, dimensions=8), looked, 0.001).strong.all()


def test_two_that_decide_alike_cannot_be_told_apart() -> None:
    one = artifact_of(0.0, dimensions=8)
    report = compare(one, replace(one, version="v2"), looked_at(labelled(100)), max_quality_loss=0.05, prices=PRICES)
    assert (report["verdict"], report["quality"]) == ("unclear", [0, 0, 0])
    assert "cannot be told" in report["says"]


def test_questions_that_either_was_fitted_on_are_left_out(learned: Learned) -> None:
    rows = looked_at(labelled(60) + labelled(50, first=5_000))
    report = compare(artifact_of(0.9, dimensions=8), learned.artifact, rows, max_quality_loss=0.05, prices=PRICES)
    assert (report["n"], report["seen"]) == (50, 60)
    with pytest.raises(BadInput, match="0 questions are left that neither router was fitted on"):
        compare(learned.artifact, learned.artifact, looked_at(labelled(60)), max_quality_loss=0.05, prices=PRICES)


def test_models_without_a_price_are_named() -> None:
    rows = [replace(row, cheap=Side(model="secret-7b", ok=row.cheap.ok)) for row in labelled(60)]
    one = artifact_of(0.0, dimensions=8)
    report = compare(one, one, looked_at(rows), max_quality_loss=0.05, prices=PRICES)
    assert any("secret-7b" in note for note in report["assumed"])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_questions_that_the_shipped_router_was_fitted_on_judge_none_for_which_it_decides(language: str) -> None:
    looked = looked_at(labelled(120, languages=(language,)))
    hashes = np.unique(np.array([int(question, 16) for question in looked.rows.questions[:20]], dtype=np.uint64))
    shipped = replace(artifact_of(0.1, dimensions=8, version="shipped"), seen=hashes)
    own = artifact_of(0.2, dimensions=8, version="own")
    few = replace(own, version="few", proofs={kind: replace(proof, rows=5) for kind, proof in own.proofs.items()})
    told = [compare(own, other, looked, max_quality_loss=0.05, prices=PRICES, shipped=shipped)["seen"] for other in (own, few)]
    assert told == [0, 20]
