"""The fitted accept rule: trees that are followed, promises that are kept, and files that are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.cache.evidence import EVIDENCE_VERSION, NAMES
from groat.cache.replay import upper_bound
from groat.cache.verifier import Point, Trees, Verifier, VerifierArtifact, hits_needed, points_of, version_of
from groat.errors import ArtifactError

COSINE = NAMES.index("cosine")
STEP = Trees(
    base=-1.0, depth=1, feature=[[COSINE, 0, 0]], threshold=[[0.9, 0.0, 0.0]], left=[[1, 1, 2]], right=[[2, 1, 2]],
    value=[[0.0, -2.0, 3.0]],
)  # fmt: skip


def point(score: float, hits: int, wrong: int) -> Point:
    return Point(score, hits, wrong, upper_bound(wrong, hits))


def artifact(**changes: object) -> VerifierArtifact:
    made = VerifierArtifact(
        version="", date="2026-11-26", evidence_version=EVIDENCE_VERSION, embedder="e", judge="j",
        trees={"judged": STEP, "plain": STEP},
        points={"en/judged": [point(5, 10, 0), point(4, 1200, 3), point(3, 2400, 5), point(2, 2600, 60), point(1, 9000, 61)]},
        card={},
    )  # fmt: skip
    made = replace(made, **changes)  # type: ignore[arg-type]  # names are checked by replace
    return replace(made, version=version_of(made))


def test_a_score_is_the_base_and_the_leaf_that_the_evidence_leads_to() -> None:
    values = np.zeros((2, len(NAMES)))
    values[:, COSINE] = 0.9, 0.91
    assert Verifier(artifact()).scores("plain", values).tolist() == [-3.0, 2.0]


def test_on_average_the_promise_takes_the_least_score_down_to_which_the_bound_never_exceeds_it() -> None:
    verifier = Verifier(artifact())
    assert verifier.least_score("en", "judged", 0.01) == (3, round(6 / 2401, 4))
    # The last point alone would keep it, but the one before it does not.
    assert verifier.least_score("en", "judged", 0.02) == (3, round(6 / 2401, 4))
    assert verifier.least_score("en", "judged", 0.5) == (1, round(62 / 9001, 4))


def test_who_must_be_sure_needs_more_evidence() -> None:
    verifier = Verifier(artifact())
    assert verifier.least_score("en", "judged", 0.01, sure=True) == (3, upper_bound(5, 2400))
    few = [point(4, 90, 0), point(3, 160, 0), point(2, 200, 1)]
    assert Verifier(artifact(points={"zh/judged": few})).least_score("zh", "judged", 0.01) == (2, round(2 / 201, 4))
    assert Verifier(artifact(points={"zh/judged": few})).least_score("zh", "judged", 0.01, sure=True) is None


def test_a_promise_that_the_surest_hits_break_is_kept_by_nothing() -> None:
    bad = [point(4, 50, 2), point(3, 300, 8), point(2, 900, 9), point(1, 9000, 9)]
    assert Verifier(artifact(points={"zh/judged": bad})).least_score("zh", "judged", 0.01) is None


@pytest.mark.parametrize(("scope", "mode"), [("zh", "judged"), ("en", "plain"), ("across", "judged")])
def test_nothing_is_promised_where_nothing_was_measured(scope: str, mode: str) -> None:
    assert Verifier(artifact()).least_score(scope, mode, 0.5) is None  # type: ignore[arg-type]  # one of each


@pytest.mark.parametrize("promise", [0.0, -1.0, 1e-9])
def test_a_promise_that_no_evidence_can_keep_allows_nothing(promise: float) -> None:
    assert Verifier(artifact()).least_score("en", "judged", promise) is None


@given(st.floats(0.001, 0.5), st.booleans())
def test_the_hits_needed_prove_the_promise_when_none_is_wrong_and_one_fewer_does_not(promise: float, sure: bool) -> None:
    def bound(hits: int) -> float:
        return 1 - 0.05 ** (1 / hits) if sure else 1 / (hits + 1)

    needed = hits_needed(promise, sure=sure)
    assert bound(needed) <= promise + 1e-9
    assert needed == 1 or bound(needed - 1) > promise - 1e-9


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    made, file = artifact(), tmp_path / "verifier.json"
    file.write_text(made.to_json(), encoding="utf-8")
    assert VerifierArtifact.load(file) == made


def damaged() -> list[tuple[str, str]]:
    whole = json.loads(artifact().to_json())
    bad_node = artifact(trees={"plain": replace(STEP, left=[[1, 1, 3]])})
    bad_feature = artifact(trees={"plain": replace(STEP, feature=[[99, 0, 0]])})
    bad_shape = artifact(trees={"plain": replace(STEP, value=[[0.0, 1.0]])})
    return [
        ("no json", "damaged"),
        (json.dumps({**whole, "date": "2020-01-01"}), "changed after it was fitted"),
        (json.dumps({**whole, "evidence_version": 99}), "fit it anew"),
        (bad_node.to_json(), "points outside itself"),
        (bad_feature.to_json(), "points outside itself"),
        (bad_shape.to_json(), "no common shape"),
    ]


@pytest.mark.parametrize(("text", "says"), damaged())
def test_a_file_that_is_not_whole_is_refused_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "verifier.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match=says):
        VerifierArtifact.load(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="missing or damaged"):
        VerifierArtifact.load(tmp_path / "none.json")


def test_points_count_what_is_served_from_each_score_on() -> None:
    points = points_of([(5.0, True), (4.0, False), (3.0, True), (-9.0, True)])
    assert [(point.score, point.hits, point.wrong) for point in points] == [(5.0, 1, 0), (4.0, 2, 1), (3.0, 3, 1)]
    assert points[1].bound == upper_bound(1, 2)
    assert points_of([]) == []
