"""Putting the accept rule together: one's own calibration where it can be used, and never a start that fails for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from groat.cache.opening import open_rule
from groat.cache.verifier import VerifierArtifact, version_of
from groat.embedding.bundled import BundledEmbedder

EMBEDDER = BundledEmbedder.name


def own(**changes: object) -> VerifierArtifact:
    made = replace(VerifierArtifact.load(), version="", date="2030-01-01", **changes)  # type: ignore[arg-type]  # own names
    return replace(made, version=version_of(made))


def test_a_calibration_of_ones_own_is_used(tmp_path: Path) -> None:
    made, file = own(), tmp_path / "own.json"
    assert open_rule(EMBEDDER, verifier=file).version == VerifierArtifact.load().version
    file.write_text(made.to_json(), encoding="utf-8")
    assert open_rule(EMBEDDER, verifier=file).version == made.version


@pytest.mark.parametrize("text", ["no json", own(judge="another").to_json(), own(evidence_version=99).to_json()])
def test_one_that_cannot_be_used_any_more_gives_way_to_the_shipped_one_and_says_so(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "own.json"
    file.write_text(text, encoding="utf-8")
    assert open_rule(EMBEDDER, verifier=file).version == VerifierArtifact.load().version
    assert "groat cache calibrate" in caplog.text


def test_for_other_vectors_there_is_no_verifier() -> None:
    assert open_rule("others").verifier is None
