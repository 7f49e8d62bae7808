"""The router's file: what is written is read again, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from groat.errors import ArtifactError
from groat.routing import RouterArtifact
from groat.routing.artifact import FORMAT
from groat.routing.estimator import Sight
from groat.routing.features import NAMES
from tests.routing import artifact_of

SIGHT = Sight.of("Explain why", np.zeros(len(NAMES)), np.array([1.0, 0.0]))


def _changed(path: Path, **changed: object) -> Path:
    """Write a small artifact with some entries of its archive replaced."""
    artifact_of(0.3).save(path)
    with np.load(path, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files}
    np.savez(path, **{**kept, **changed})
    return path


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    made = artifact_of(0.3, surface={"cue_reasoning": 0.5})
    made.save(tmp_path / "router.npz")
    loaded = RouterArtifact.load(tmp_path / "router.npz")
    assert (loaded.version, loaded.embedder, loaded.proofs, loaded.card) == (made.version, "e", made.proofs, made.card)
    assert loaded.estimate(SIGHT, "open", "en").gain == pytest.approx(made.estimate(SIGHT, "open", "en").gain, abs=1e-3)
    assert not list(tmp_path.glob("*.part"))


def test_what_is_known_of_questions_over_documents_is_saved_apart(tmp_path: Path) -> None:
    near = artifact_of(limit=1e6)
    replace(near, known=artifact_of(limit=-1.0).known, known_grounded={"en": near.known}).save(tmp_path / "router.npz")
    loaded = RouterArtifact.load(tmp_path / "router.npz")
    assert (loaded.estimate(SIGHT, "open", "en").known, loaded.estimate(SIGHT, "grounded", "en").known) == (False, True)
    assert not loaded.estimate(SIGHT, "grounded", "zh").known


def test_without_enough_questions_over_documents_all_questions_say_what_is_known(tmp_path: Path) -> None:
    artifact_of(limit=1e6).save(tmp_path / "router.npz")
    assert RouterArtifact.load(tmp_path / "router.npz").estimate(SIGHT, "grounded", "zh").known


@pytest.mark.parametrize("content", [b"", b"{}", b"PK\x03\x04 but no archive"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "router.npz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="cannot be read; reinstall groat or fit it again"):
        RouterArtifact.load(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        RouterArtifact.load(tmp_path / "none.npz")


def test_an_artifact_of_another_version_is_refused(tmp_path: Path) -> None:
    head = np.array(json.dumps({"format": FORMAT.replace("2", "1")}))
    with pytest.raises(ArtifactError, match=r"was made as .* fit it again"):
        RouterArtifact.load(_changed(tmp_path / "router.npz", head=head))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_none_is_refused(value: float, tmp_path: Path) -> None:
    broken = {"linear.intercept": np.array([value, 0.0])}
    with pytest.raises(ArtifactError, match="cannot be read"):
        RouterArtifact.load(_changed(tmp_path / "router.npz", **broken))


def test_coefficients_of_another_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="cannot be read"):
        RouterArtifact.load(_changed(tmp_path / "router.npz", **{"linear.mean": np.zeros(3)}))


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    hidden = np.array([{"a": 1}], dtype=object)
    with pytest.raises(ArtifactError, match="cannot be read"):
        RouterArtifact.load(_changed(tmp_path / "router.npz", **{"linear.intercept": hidden}))
