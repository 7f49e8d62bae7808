"""Training the router on small rows of our own making."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groat.routing import RouterArtifact
from groat.routing.features import NAMES, surface
from groat.routing.fit import LOSSES, Rows, fit, operating_points


def _rows(count: int = 300, *, seed: int = 1) -> Rows:
    """Questions that ask why are hard for the cheap model, and two of three have a twin in their group."""
    rng = np.random.default_rng(seed)
    hard = rng.random(count) < 0.5
    texts = [f"Explain why number {n}" if is_hard else f"Where is number {n}" for n, is_hard in enumerate(hard)]
    weak = np.where(hard, (rng.random(count) < 0.1), (rng.random(count) < 0.995)).astype(np.float64)
    vectors = rng.normal(size=(count, 8)).astype(np.float32)
    return Rows(
        surface=np.stack([surface(text) for text in texts]),
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        weak_ok=weak,
        strong_ok=np.ones(count),
        groups=[str(n // 3) for n in range(count)],
        sources=["made"] * count,
        languages=["en"] * count,
        weights=np.ones(count),
    )


def test_what_is_fitted_can_be_loaded_and_tells_easy_from_hard(tmp_path: Path) -> None:
    rows = _rows()
    path = tmp_path / "router.json"
    path.write_text(json.dumps(fit(rows, embedder="e", date="2026-11-24")), encoding="utf-8")
    artifact = RouterArtifact.load(path)
    easy, hard = (artifact.p_cheap_ok(surface(text), rows.vectors[0]) for text in ("Where is number 4", "Explain why number 4"))
    assert easy > 0.8 > 0.4 > hard
    assert artifact.surface_weights.shape == (len(NAMES),)
    assert artifact.version.startswith("2026-11-24/")


def test_the_card_says_what_it_was_fitted_on() -> None:
    card = fit(_rows(), embedder="e", date="2026-11-24")["card"]
    assert card["rows"]["train"] + card["rows"]["test"] == 300
    assert card["held_out"]["made"]["auc"] > 0.8
    assert set(card) == {"date", "data_sha256", "rows", "scikit_learn", "target", "held_out"}


def test_fitting_is_the_same_each_time_and_follows_the_data() -> None:
    assert fit(_rows(), embedder="e", date="d") == fit(_rows(), embedder="e", date="d")
    assert fit(_rows(), embedder="e", date="d")["version"] != fit(_rows(seed=2), embedder="e", date="d")["version"]


@pytest.mark.parametrize("weak", [0.0, 1.0])
def test_one_class_is_refused(weak: float) -> None:
    rows = _rows()
    with pytest.raises(ValueError, match="300 rows with 1 classes are too few"):
        fit(replace(rows, weak_ok=np.full(300, weak)), embedder="e", date="d")


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="199 rows with 2 classes are too few"):
        fit(_rows(199), embedder="e", date="d")


def test_operating_points_keep_their_promise_and_loosen_with_it() -> None:
    rng = np.random.default_rng(3)
    probabilities = rng.random(4_000)
    weak = (rng.random(4_000) < probabilities).astype(np.float64)
    strong, weights = np.ones(4_000), np.ones(4_000)
    points = operating_points(probabilities, weak, strong, weights=weights)
    cuts = [cut for _, cut in points]
    assert [promise for promise, _ in points] == sorted(promise for promise, _ in points)
    assert cuts == sorted(cuts, reverse=True)
    for promise, cut in points:
        assert np.where(probabilities >= cut, strong - weak, 0.0).mean() <= promise


def test_losses_that_no_threshold_reaches_are_left_out() -> None:
    useless = operating_points(np.full(300, 0.5), np.zeros(300), np.ones(300), weights=np.ones(300))
    assert useless == []
    perfect = operating_points(np.full(300, 0.5), np.ones(300), np.ones(300), weights=np.ones(300))
    assert perfect == [[loss, 0.5] for loss in LOSSES]
