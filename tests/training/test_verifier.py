"""Fitting the accept rule: the trees as they are written, and the points that bound its errors."""

from dataclasses import replace

import numpy as np
import pytest

from groat.cache.evidence import NAMES
from groat.cache.verifier import Mode, Verifier
from training.verifier import _Boosted, fit
from training.verifier_points import served, veto
from training.verifier_rows import Requests, Scored

LOGIT, COSINE = NAMES.index("logit"), NAMES.index("cosine")


def scored(count: int, seed: int, lang: str = "en") -> Scored:
    """Return pairs whose label is told by the judge's opinion and, less well, by the cosine."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < 0.5
    values = rng.random((count, len(NAMES))).round(2)
    values[:, LOGIT] = np.where(labels, 2.0, -2.0) + rng.normal(size=count)
    values[:, COSINE] = 0.9 + np.where(labels, 0.02, -0.02) + rng.normal(size=count) / 50
    langs = [lang if place % 5 else "across" for place in range(count)]
    return Scored([(f"question {seed} {place}", f"other {place}") for place in range(count)], labels, values, langs)


def stream(name: str, lang: str, seed: int) -> Requests:
    part = scored(600, seed, lang)
    near = {place: [2 * place, 2 * place + 1] for place in range(300)}
    return Requests(name, lang, ["q"] * 300, ["a"] * 300, list(near), near, [0] * 600, part)


@pytest.mark.parametrize("mode", ["judged", "plain"])
def test_the_trees_that_are_written_score_as_those_that_were_fitted(mode: Mode) -> None:
    part = scored(800, 1)
    model = _Boosted(mode, part.values, part.labels, np.ones(800))
    artifact = replace(fit({"pairs": part, "written": scored(400, 2)}, [], [], "j")[0], trees={mode: model.trees()})
    assert Verifier(artifact).scores(mode, part.values) == pytest.approx(model.scores(part.values), abs=1e-3)


def test_without_the_judge_its_opinion_changes_nothing() -> None:
    part = scored(800, 1)
    model = _Boosted("plain", part.values, part.labels, np.ones(800))
    other = part.values.copy()
    other[:, LOGIT] *= -1
    assert model.scores(other).tolist() == model.scores(part.values).tolist()


def test_an_opinion_that_is_surer_never_lowers_the_score() -> None:
    part = scored(800, 1)
    model = _Boosted("judged", part.values, part.labels, np.ones(800))
    surer = part.values.copy()
    surer[:, LOGIT] += 1.5
    assert (model.scores(surer) >= model.scores(part.values) - 1e-9).all()


def test_a_request_is_served_by_the_best_of_its_neighbours_without_the_judge() -> None:
    one = stream("qqp-en", "en", 3)
    one.near.update({0: [0, 1, 2]})  # type: ignore[attr-defined]  # a plain dict here
    plain = np.zeros(600)
    plain[[0, 1, 2]] = (1.0, 2.0, 1.0)
    assert next(iter(served(one, plain))) == (1, 2.0, bool(one.scored.labels[1]), one.scored.pairs[1])


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("How long is the link valid?", "how long is the link valid"),
        ("What is my current balance?", "What is my balance?"),
        ("我的订单现在到哪里了？", "我的订单到哪里了？"),
    ],
    ids=["equal", "personal", "personal zh"],
)
def test_what_the_rule_never_decides_on_counts_for_no_promise(asked: str, kept: str) -> None:
    one = stream("qqp-en", "zh" if "我" in asked else "en", 3)
    pairs = [(asked, kept), *one.scored.pairs[1:]]
    one = replace(one, asked=[0], near={0: [0]}, scored=replace(one.scored, pairs=pairs))
    assert list(served(one, np.full(600, 9.0))) == []


def test_the_judge_may_overrule_as_long_as_few_right_hits_are_lost() -> None:
    one = stream("clinc150-en", "en", 3)
    first = [rows[0] for rows in one.near.values()]
    right = [row for row in first if one.scored.labels[row]]
    plain, judged = np.full(600, -9.0), np.full(600, 3.0)
    plain[first] = 5.0
    judged[right[: len(right) // 15]] = 0.05
    assert veto([(one, plain, judged)]) == 2.0
    judged[right[: len(right) // 5]] = 0.05
    assert veto([(one, plain, judged)]) == 0.0


def test_every_language_gets_points_without_the_judge_and_a_veto_of_the_judge() -> None:
    played = [stream("qqp-en", "en", 3), stream("lcqmc-zh", "zh", 4), stream("bq-zh", "zh", 5)]
    artifact, doubts = fit({"pairs": scored(600, 1), "written": scored(600, 2)}, played, played[:2], "j")
    assert sorted(artifact.points) == ["across/judged", "across/plain", "en/plain", "zh/plain"]
    assert all(artifact.points.values())
    assert sorted(artifact.veto) == ["en", "zh"]
    assert doubts == sorted(doubts, key=lambda doubt: -doubt[1])
    assert {doubt[0] for doubt in doubts} <= {one.name for one in played}
