"""What the router's heads are made of gives what the library that fitted it gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesRegressor

from groat.errors import ArtifactError
from groat.routing import RouterArtifact
from groat.routing.fit_familiar import known
from groat.routing.fit_topics import topics
from groat.routing.fit_trees import COUNT, trees
from tests.routing import artifact_of

RNG = np.random.default_rng(9)
VECTORS = RNG.normal(size=(300, 8))
NAMED = np.array(["geometry", "几何", "law", ""])[np.argmax(VECTORS[:, :4] + 0.3 * RNG.normal(size=(300, 4)), axis=1)]
SURFACE = RNG.normal(size=(300, 5))
QUALITY = np.column_stack([(NAMED == "law") & (SURFACE[:, 0] > 0), RNG.random(300) < 0.9]).astype(np.float64)
WEIGHTS = np.ones(300)


def test_a_subject_is_told_by_the_vector_as_its_discriminants_do() -> None:
    learned = topics(VECTORS, NAMED, QUALITY, WEIGHTS)
    known = NAMED != ""
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).fit(VECTORS[known], NAMED[known])
    unnamed = np.array([""] * 300)
    expected = model.predict_proba(VECTORS) @ learned.values
    np.testing.assert_allclose(learned.expected(VECTORS, unnamed), expected, atol=1e-9)
    assert learned.names == ("geometry", "law", "几何")


def test_a_subject_that_the_application_names_is_taken_at_its_word() -> None:
    learned = topics(VECTORS, NAMED, QUALITY, WEIGHTS)
    told = learned.expected(VECTORS[:3], np.array(["law", "几何", "of nobody"]))
    np.testing.assert_allclose(told[:2], learned.values[1:])
    np.testing.assert_allclose(told[2], learned.expected(VECTORS[2:3], np.array([""]))[0])
    assert learned.values[1, 0] > 0 > learned.values[2, 0]


def test_rows_that_name_fewer_than_three_subjects_teach_none() -> None:
    two = np.where(NAMED == "几何", "", NAMED)
    learned = topics(VECTORS, two, QUALITY, WEIGHTS)
    assert learned.names == ()
    assert not learned.expected(VECTORS, NAMED).any()


def test_the_packed_trees_give_what_they_gave_when_they_were_grown() -> None:
    grown = trees(SURFACE, VECTORS, QUALITY, WEIGHTS, seed=3)
    model = ExtraTreesRegressor(COUNT, min_samples_leaf=15, max_features=0.25, random_state=3, n_jobs=1)
    model.fit(grown.inputs(SURFACE, VECTORS), np.column_stack([QUALITY[:, 1] - QUALITY[:, 0], QUALITY[:, 0]]))
    predicted = model.predict(grown.inputs(SURFACE, VECTORS))
    mean = QUALITY.mean(axis=0)
    expected = np.column_stack([predicted[:, 1] - mean[0], predicted[:, 0] + predicted[:, 1] - mean[1]])
    np.testing.assert_allclose(grown.expected(SURFACE, VECTORS), expected, atol=1e-9)
    np.testing.assert_allclose(grown.expected(SURFACE[:1], VECTORS[:1])[0], expected[0], atol=1e-9)


@pytest.mark.parametrize(
    ("part", "value"), [("right", 9_999), ("right", -1), ("leaf", 9_999), ("roots", 9_999), ("feature", 9_999)]
)
def test_trees_that_do_not_hang_together_are_refused(part: str, value: int, tmp_path: Path) -> None:
    made = artifact_of(0.1, dimensions=8)
    grown = trees(np.zeros((300, 5)), VECTORS, QUALITY, WEIGHTS)
    inner = np.flatnonzero(grown.feature >= 0)
    broken = getattr(grown, part).copy()
    broken[0 if part == "roots" else inner[0] if part != "leaf" else np.flatnonzero(grown.feature < 0)[0]] = value
    path = tmp_path / "router.npz"
    replace(made, heads=replace(made.heads, trees=grown)).save(path)
    RouterArtifact.load(path)
    replace(made, heads=replace(made.heads, trees=replace(grown, **{part: broken}))).save(path)
    with pytest.raises(ArtifactError, match="cannot be read"):
        RouterArtifact.load(path)


def test_what_is_near_in_meaning_and_of_another_form_is_unlike_all_that_is_known() -> None:
    folds = np.arange(300) % 5
    like = known(SURFACE, VECTORS, folds)
    assert like.knows(SURFACE, VECTORS).mean() > 0.95
    assert not like.knows(SURFACE + 8, VECTORS).any()
    assert not like.knows(SURFACE, VECTORS + 8).any()


def test_questions_of_one_form_are_known_and_others_are_not_refused_for_what_never_varied() -> None:
    same = np.tile(SURFACE[:3], (100, 1))
    like = known(same, VECTORS, np.arange(300) % 5)
    assert like.knows(same, VECTORS).mean() > 0.95
