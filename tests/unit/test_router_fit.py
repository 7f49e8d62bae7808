"""Training the router on small rows of our own making."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groat.errors import BadInput
from groat.routing import RouterArtifact
from groat.routing.estimator import Sight
from groat.routing.fit import fit, fold_numbers
from groat.routing.fit_heads import heads, scores
from groat.routing.fit_linear import Rows, surface_of
from groat.routing.promise import LOSSES, operating_points, proven
from groat.routing.rows import Labelled, Side
from groat.types import Language

_HARD = {"en": "Explain why number {n} of the lamps fails", "zh": "解释为什么第{n}盏灯会坏"}
_EASY = {"en": "Where is number {n} of the lamps", "zh": "第{n}盏灯在哪里"}


def _labelled(count: int = 300, *, seed: int = 1, language: Language = "en") -> list[Labelled]:
    """Questions that ask why are hard for the cheap model, and two of three have a twin."""
    rng = np.random.default_rng(seed)
    hard = rng.random(count) < 0.5
    ok = np.where(hard, rng.random(count) < 0.1, rng.random(count) < 0.995).astype(float).tolist()
    return [
        Labelled(
            source="made",
            prompt=(_HARD if is_hard else _EASY)[language].format(n=n),
            language=language,
            cheap=Side(model="small", ok=cheap_ok),
            expensive=Side(model="large", ok=1.0),
            same_as=str(n // 3),
        )
        for n, (is_hard, cheap_ok) in enumerate(zip(hard, ok, strict=True))
    ]


def _rows(labelled: list[Labelled] | None = None, *, seed: int = 1) -> Rows:
    chosen = _labelled(seed=seed) if labelled is None else labelled
    # Hashes stand for questions, so that they must be hexadecimal.
    chosen = [replace(row, same_as=f"{int(row.same_as):016x}") for row in chosen]
    vectors = np.random.default_rng(seed).normal(size=(len(chosen), 8)).astype(np.float32)
    return Rows.of(chosen, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _gain(artifact: RouterArtifact, prompt: str, language: Language) -> float:
    row = replace(_labelled(1, language=language)[0], prompt=prompt)
    return artifact.estimate(Sight.of(prompt, surface_of(row), np.zeros(8)), "open", "en").gain


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_is_fitted_can_be_loaded_and_tells_easy_from_hard(language: Language, tmp_path: Path) -> None:
    fit(_rows(_labelled(language=language)), embedder="e", date="2026-11-26").save(tmp_path / "router.npz")
    artifact = RouterArtifact.load(tmp_path / "router.npz")
    assert (
        _gain(artifact, _HARD[language].format(n=901), language)
        > 0.5
        > 0.3
        > _gain(artifact, _EASY[language].format(n=902), language)
    )
    assert artifact.version.startswith("2026-11-26/")
    assert artifact.most_gain(0.02, population="open", language=language) is not None
    assert artifact.most_gain(0.02, population="grounded", language=language) is None


def test_the_card_says_what_it_was_fitted_on() -> None:
    card = fit(_rows(), embedder="e", date="2026-11-26").card
    assert (card["rows"], card["prior"]) == (300, None)
    assert card["left_out"]["made"]["auc_as_good"] > 0.8
    assert card["left_out"]["language en"]["rows"] == 300


def test_fitting_is_the_same_each_time_and_follows_the_data() -> None:
    first, again, other = (fit(_rows(seed=seed), embedder="e", date="d") for seed in (1, 1, 2))
    assert first.version == again.version != other.version
    np.testing.assert_array_equal(first.heads.linear.word_weights, again.heads.linear.word_weights)


def test_questions_that_say_the_same_are_never_on_both_sides() -> None:
    rows = _rows()
    folds = fold_numbers(rows, 7)
    for question in set(rows.questions.tolist()):
        assert len(set(folds[rows.questions == question].tolist())) == 1


def test_a_router_of_few_own_rows_starts_from_the_one_before() -> None:
    before = fit(_rows(), embedder="e", date="d")
    few = _rows(_labelled(100, seed=4))
    own = fit(few, embedder="e", date="d", prior=before)
    assert own.card["prior"] == before.version
    assert _gain(own, _HARD["en"].format(n=5), "en") > 0.5 > _gain(own, _EASY["en"].format(n=6), "en")


def test_many_rows_are_scored_as_each_alone() -> None:
    rows = _rows()
    fitted = heads(rows)
    one = fitted.scores(Sight.of(rows.labelled[3].prompt, rows.surface[3], rows.vectors[3]))
    np.testing.assert_allclose(scores(fitted, rows)[3], one, atol=1e-9)


@pytest.mark.parametrize("ok", [0.0, 1.0])
def test_one_class_is_refused(ok: float) -> None:
    same = [replace(row, cheap=replace(row.cheap, ok=ok)) for row in _labelled()]
    with pytest.raises(BadInput, match="outcomes of one class only"):
        fit(_rows(same), embedder="e", date="d")


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(BadInput, match="99 rows are too few to fit a router on: 100 are needed"):
        fit(_rows(_labelled(99)), embedder="e", date="d")


def test_operating_points_keep_their_promise_and_loosen_with_it() -> None:
    rng = np.random.default_rng(3)
    gain = rng.random(4_000)
    cheap, expensive = (rng.random(4_000) < 1 - gain).astype(np.float64), np.ones(4_000)
    points = operating_points(gain, cheap, expensive)
    assert [promise for promise, _ in points] == sorted(promise for promise, _ in points)
    assert [cut for _, cut in points] == sorted(cut for _, cut in points)
    for promise, cut in points:
        # What is truly lost: the mean of the gain below the cut.
        assert cut**2 / 2 <= promise


def test_nothing_is_promised_where_the_cheap_model_is_always_wrong() -> None:
    assert operating_points(np.full(300, 0.5), np.zeros(300), np.ones(300)) == []
    assert [loss for loss, _ in operating_points(np.full(3_000, 0.5), np.ones(3_000), np.ones(3_000))] == list(LOSSES)


def test_too_few_rows_prove_nothing() -> None:
    assert operating_points(np.zeros(99), np.ones(99), np.ones(99)) == []


def test_a_mean_of_zero_is_taken_for_less_as_seldom_as_stated() -> None:
    rng = np.random.default_rng(5)
    draws = rng.choice([-1.0, 1.0], size=(400, 500), p=[0.5, 0.5])
    assert np.mean([proven(values, bound=1.0, risk=0.1) for values in draws]) <= 0.14
    assert proven(np.full(500, -0.2), bound=1.0, risk=0.1)
