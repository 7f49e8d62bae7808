"""Weights of the judge: written, read again, and refused with a sentence when anything is wrong with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from groat.errors import ArtifactError
from groat.judge.artifact import EMBEDDER, FORMAT, HEADS, MOST_BYTES, TONGUES, JudgeArtifact, Scaling, Weights, save, version_of

GRAPH = bytes(range(256)) * 8
WHAT_TO_DO = r"; reinstall groat, train them again with make train-judge, or go without: GROAT_JUDGE=off$"


def scalings() -> dict[str, dict[str, dict[str, float]]]:
    return {
        head: {tongue: {"slope": 0.5 + place, "intercept": -0.25 * other} for other, tongue in enumerate(TONGUES)}
        for place, head in enumerate(HEADS)
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    where = tmp_path / "weights" / "mine"
    save(where, weights="open", date="2026-11-24", graph=GRAPH, scalings=scalings(), card={"rows": 3, "来源": "自造"})
    return where


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = folder / "judge.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    edit(told)
    path.write_text(json.dumps(told), encoding="utf-8")


def test_what_was_saved_is_read_again(folder: Path) -> None:
    artifact = JudgeArtifact.load(folder)
    assert (artifact.weights, artifact.graph) == ("open", GRAPH)
    assert artifact.card == {"rows": 3, "来源": "自造"}
    assert artifact.scalings["answers"]["zh"] == Scaling(slope=1.5, intercept=-0.25)
    assert {(head, tongue) for head, each in artifact.scalings.items() for tongue in each} == {
        (head, tongue) for head in HEADS for tongue in TONGUES
    }


def test_the_version_names_the_day_the_graph_and_the_calibration(folder: Path) -> None:
    version = JudgeArtifact.load(folder).version
    assert version == version_of("2026-11-24", GRAPH, scalings())
    assert version.startswith("2026-11-24-")
    others = [version_of("2026-11-25", GRAPH, scalings()), version_of("2026-11-24", GRAPH + b"x", scalings())]
    moved = scalings()
    moved["same"]["en"]["slope"] += 0.001
    assert len({version, *others, version_of("2026-11-24", GRAPH, moved)}) == 4


def test_saving_twice_gives_the_same_version_and_replaces_the_old(folder: Path) -> None:
    first = JudgeArtifact.load(folder).version
    assert save(folder, weights="open", date="2026-11-24", graph=GRAPH, scalings=scalings(), card={}) == first
    second = save(folder, weights="open", date="2026-11-24", graph=GRAPH[1:], scalings=scalings(), card={})
    assert JudgeArtifact.load(folder).version == second != first


def test_a_graph_that_is_too_large_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=f"{MOST_BYTES + 1:,} bytes, and at most {MOST_BYTES:,} may be shipped"):
        save(tmp_path / "out", weights="all", date="d", graph=bytes(MOST_BYTES + 1), scalings=scalings(), card={})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["judge.onnx", "judge.json"])
def test_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match="are not there or damaged" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


def test_a_missing_folder_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nowhere.* are not there or damaged" + WHAT_TO_DO):
        JudgeArtifact.load(tmp_path / "nowhere")


@pytest.mark.parametrize("graph", [GRAPH[:-1], b"", GRAPH + b"\0", GRAPH[:100] + b"\xff" + GRAPH[101:]])
def test_a_graph_that_was_cut_or_changed_is_refused(folder: Path, graph: bytes) -> None:
    (folder / "judge.onnx").write_bytes(graph)
    with pytest.raises(ArtifactError, match="were changed after they were trained" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


def _steeper(told: dict[str, Any]) -> None:
    told["scalings"]["supports"]["zh"]["slope"] *= 1.01


def _later(told: dict[str, Any]) -> None:
    told["date"] = "2027-01-01"


@pytest.mark.parametrize("edit", [_steeper, _later])
def test_changed_scalings_or_dates_are_refused(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    change(folder, edit)
    with pytest.raises(ArtifactError, match="were changed after they were trained" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


@pytest.mark.parametrize(("field", "value"), [("format", FORMAT + 1), ("embedder", f"{EMBEDDER}-v2"), ("format", None)])
def test_weights_of_another_version_or_embedder_are_refused(folder: Path, field: str, value: object) -> None:
    change(folder, lambda told: told.update({field: value}))
    with pytest.raises(ArtifactError, match="made for another version of groat or another embedder" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


@pytest.mark.parametrize("field", ["version", "date", "weights", "format", "embedder", "scalings", "card"])
def test_a_missing_field_is_refused(folder: Path, field: str) -> None:
    change(folder, lambda told: told.pop(field))
    with pytest.raises(ArtifactError, match=WHAT_TO_DO):
        JudgeArtifact.load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\udcff", '{"version": 1}', "[" * 100_000])
def test_a_description_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "judge.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtifactError, match="are not there or damaged" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


@pytest.mark.parametrize("value", [None, [], {"en": 1}, {"en": {}}, {"en": {"slope": 1.0, "intercept": 0.0, "more": 1}}])
def test_scalings_of_another_form_are_refused(folder: Path, value: object) -> None:
    change(folder, lambda told: told["scalings"].update(same=value))
    with pytest.raises(ArtifactError, match="are not there or damaged" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


@pytest.mark.parametrize("value", ["1.0", None, float("nan"), float("inf"), True])
def test_a_scaling_that_is_no_number_is_refused(folder: Path, value: object) -> None:
    told = scalings()
    told["same"]["zh"]["slope"] = value  # type: ignore[assignment]
    save(folder, weights="all", date="2026-11-24", graph=GRAPH, scalings=told, card={})
    with pytest.raises(ArtifactError, match="are not there or damaged" + WHAT_TO_DO):
        JudgeArtifact.load(folder)


@pytest.mark.parametrize("weights", get_args(Weights))
def test_the_weights_that_come_with_groat_are_sound(weights: Weights) -> None:
    artifact = JudgeArtifact.load(weights)
    assert artifact.weights == weights
    assert len(artifact.graph) <= MOST_BYTES
    assert all(each.slope > 0 for by_tongue in artifact.scalings.values() for each in by_tongue.values())
