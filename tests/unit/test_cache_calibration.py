"""Fitting thresholds, measuring them, and refusing those of another make."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache import Calibration
from groat.cache.calibrate import fit, read_stream
from groat.cache.calibration import version_of
from groat.cache.replay import Outcome, Replay, Stream, interval, upper_bound
from groat.embedding import Matrix
from groat.embedding.bundled import BundledEmbedder
from groat.errors import ArtifactError, BadInput

NAMES = "amber birch cedar dune ember fjord grove haze islet jade kelp larch maple nectar olive pearl quartz ridge".split()


def toy_stream(name: str, groups: int = 400) -> tuple[Stream, dict[str, list[float]]]:
    """Two wordings per answer at cosine 0.98; a stranger to each at 0.93."""
    questions, answers, vectors = [], [], {}
    for group in range(groups):
        word = NAMES[group % len(NAMES)] + "abcdefghijklmnopqrstuvwxyz"[group % 26] + NAMES[group // len(NAMES) % len(NAMES)]
        angle = np.arccos([1.0, 0.98, 0.93])
        for text, turn, answer in [
            (f"tell about {word}", angle[0], f"g{group}"),
            (f"please do tell about {word}", angle[1], f"g{group}"),
            (f"anything on the moors near {word} or so", -angle[2], f"s{group}"),
        ]:
            row = [0.0] * (2 * groups)
            row[2 * group], row[2 * group + 1] = float(np.cos(turn)), float(np.sin(turn))
            questions.append(text)
            answers.append(answer)
            vectors[text] = row
    return Stream(name, "en", questions, answers), vectors


@pytest.fixture(scope="module")
def fitted() -> Calibration:
    stream, vectors = toy_stream("toy")
    return fit([stream], lambda texts: rows(vectors, texts), embedder="toy", max_wrong={"en": 0.05}, date="2026-11-24")


def rows(vectors: dict[str, list[float]], texts: Sequence[str]) -> Matrix:
    return np.asarray([vectors[text] for text in texts], dtype=np.float32)


def test_the_lowest_safe_threshold_is_chosen(fitted: Calibration) -> None:
    english = fitted.languages["en"]
    assert 0.93 < english.threshold <= 0.9325
    assert english.reached
    assert english.bound <= 0.05
    assert english.fitted.wrong_hits == 0
    assert (english.held_out.recall, english.held_out.wrong_share) == (1.0, 0.0)
    assert fitted.fitted_on == ["toy"]


def test_fitting_twice_gives_the_same_version(fitted: Calibration) -> None:
    stream, vectors = toy_stream("toy")
    again = fit([stream], lambda texts: rows(vectors, texts), embedder="toy", max_wrong={"en": 0.05}, date="2026-11-24")
    assert again == fitted


def test_an_unreachable_bound_is_stated() -> None:
    stream, vectors = toy_stream("toy", groups=60)
    made = fit([stream], lambda texts: rows(vectors, texts), embedder="toy", max_wrong={"en": 0.01}, date="2026-11-24")
    english = made.languages["en"]
    assert not english.reached
    assert english.bound == upper_bound(english.fitted.wrong_hits, english.fitted.hits) > 0.01


def test_fitting_needs_a_stream() -> None:
    stream, vectors = toy_stream("toy", groups=3)
    with pytest.raises(BadInput, match="no stream to fit on"):
        fit(
            [stream],
            lambda texts: rows(vectors, texts),
            embedder="toy",
            max_wrong={"en": 0.1},
            date="2026-11-24",
            only_measured=["toy"],
        )


def test_a_replay_keeps_misses_and_counts_hits() -> None:
    questions = ["alpha one", "Alpha one?", "beta two", "please beta two", "do tell beta two"]
    stream = Stream("s", "en", questions, ["a", "a", "b", "b", "b"])
    vectors = np.asarray([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0.28, 0.96, 0]], dtype=np.float32)
    replay = Replay(stream, vectors, floor=0.9)
    assert replay.at(0.95) == Outcome(requests=5, reachable=3, hits=3, wrong_hits=0)
    assert replay.at(0.97) == Outcome(requests=5, reachable=3, hits=2, wrong_hits=0)
    with pytest.raises(ValueError, match="below the floor"):
        replay.at(0.8)


def test_a_wrong_hit_is_named() -> None:
    stream = Stream("s", "en", ["beta two", "please beta two"], ["a", "b"])
    replay = Replay(stream, np.asarray([[1, 0], [1, 0]], dtype=np.float32), floor=0.9)
    assert replay.at(0.9) == Outcome(requests=2, reachable=0, hits=1, wrong_hits=1, wrong_pairs=[(1, 0)])


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_bounds_hold_the_share_and_stay_within_0_and_1(one: int, other: int) -> None:
    successes, trials = min(one, other), max(one, other)
    low, high = interval(successes, trials)
    assert 0 <= low <= high <= 1
    assert trials == 0 or low <= successes / trials <= high
    assert upper_bound(successes, trials) <= high


def test_known_bounds() -> None:
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59), abs=1e-4)
    assert interval(5, 10) == (0.1871, 0.8129)


def test_the_bundled_calibration_loads_for_the_bundled_embedder_only() -> None:
    calibration = Calibration.load(embedder=BundledEmbedder.name)
    assert sorted(calibration.languages) == ["en", "zh"]
    assert all(0.9 < (calibration.threshold(language) or 0) < 1 for language in calibration.languages)
    with pytest.raises(ArtifactError, match="fit one for yours"):
        Calibration.load(embedder="openai/text-embedding-3-small")


def test_a_saved_calibration_loads_equal(fitted: Calibration, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(fitted.to_json(), encoding="utf-8")
    assert Calibration.load(path, embedder="toy") == fitted
    assert fitted.threshold("zh") is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": 1}, "was changed after it was measured"),
        ({"feature_version": 99}, "fit it anew"),
        ({"languages": {}}, "was changed after it was measured"),
        ({"rows": "many"}, "missing or damaged"),
        ({"embedder": None}, "missing or damaged"),
    ],
    ids=["rows", "features", "languages", "type", "null"],
)
def test_a_damaged_or_foreign_calibration_is_refused(
    fitted: Calibration, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(json.loads(fitted.to_json()) | change), encoding="utf-8")
    with pytest.raises(ArtifactError, match=says):
        Calibration.load(path, embedder="toy")


def test_a_threshold_outside_0_to_1_is_refused(fitted: Calibration, tmp_path: Path) -> None:
    broken = replace(fitted, languages={"en": replace(fitted.languages["en"], threshold=1.7)})
    path = tmp_path / "own.json"
    path.write_text(replace(broken, version=version_of(broken)).to_json(), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"threshold 1\.7 is outside 0\.\.1"):
        Calibration.load(path, embedder="toy")


@pytest.mark.parametrize("text", ["", "no json", "[]"], ids=["empty", "text", "list"])
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "own.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ArtifactError, match="missing or damaged"):
        Calibration.load(path, embedder="toy")
    with pytest.raises(ArtifactError, match="missing or damaged"):
        Calibration.load(tmp_path / "nowhere.json", embedder="toy")


def test_a_stream_is_read_and_its_broken_row_named(tmp_path: Path) -> None:
    path = tmp_path / "stream-mine-zh.jsonl"
    path.write_text('{"query": "怎么退货", "answer_id": "r", "lang": "zh"}\n', encoding="utf-8")
    assert read_stream(path) == Stream("stream-mine-zh", "zh", ["怎么退货"], ["r"])
    path.write_text('{"query": "怎么退货", "answer_id": "r", "lang": "zh"}\n{"query": "x"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 2"):
        read_stream(path)
    path.write_text('{"query": "quoi", "answer_id": "r", "lang": "fr"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="same"):
        read_stream(path)
