"""The files of pairs that nothing was trained on, and the labels that were read and corrected."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from evals.adjudication import key_of
from groat.errors import GroatError
from groat.text import fold
from training import held_out
from training.frames import frame_rows
from training.pools import CLUSTERS
from training.sources import PAIRS, UNSEEN, read_pairs, split


def data(folder: Path, count: int = 120) -> Path:
    """Small sources of both languages, each row a component of its own."""
    (folder / "cache").mkdir(parents=True)
    for name in (*PAIRS, *UNSEEN):
        lang = "en" if name.endswith("en") else "zh"
        rows = [
            {"a": f"{name} 壶{n}怎么修", "b": f"{name} mend kettle {n}", "same": n % 2, "lang": lang, "kind": "labelled"}
            for n in range(count)
        ]
        (folder / "cache" / f"pairs-{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in CLUSTERS:
        row = {"query": f"{name} alone", "answer_id": "1", "lang": "en"}
        (folder / "cache" / f"stream-{name}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return folder


def test_no_held_out_pair_shares_a_text_with_a_row_that_is_trained_on(tmp_path: Path) -> None:
    data(tmp_path)
    sources = {name: read_pairs(tmp_path / "cache", name) for name in PAIRS}
    chosen = split(sources)
    trained = {
        fold(text) for rows in sources.values() for row in rows if not chosen.holds(row.a, row.b) for text in (row.a, row.b)
    }
    held = held_out.held_out(tmp_path)
    for name in PAIRS:
        assert held[name]
        assert not {fold(text) for row in held[name] for text in (row.a, row.b)} & trained
    assert all(len(held[name]) == 120 for name in UNSEEN)


def test_no_generated_row_is_one_of_our_own_traps() -> None:
    own = {key_of(row.a, row.b) for row in held_out.held_out_own()}
    assert not own & {key_of(row.a, row.b) for row in frame_rows(3000, 1)}


def test_our_own_traps_are_as_many_in_each_language_and_across_and_half_of_them_the_same() -> None:
    rows = list(held_out.held_out_own())
    for lang in ("en", "zh", "zh-en"):
        labels = [row.label for row in rows if row.lang == lang]
        assert (len(labels), sum(labels)) == (96, 48)


def test_a_corrected_label_is_written_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = held_out.held_out(data(tmp_path / "data"))["qqp-en"][0]
    other = 1 - int(first.label)
    file = tmp_path / "read.json"
    file.write_text(json.dumps({"verdicts": {key_of(first.b, first.a): other}}), encoding="utf-8")
    monkeypatch.setattr(held_out, "_READ", file)
    for flags, label in ((["--adjudicated"], other), ([], int(first.label))):
        held_out.main(["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), *flags])
        lines = (tmp_path / "out" / "pairs-qqp-en.jsonl").read_text(encoding="utf-8").splitlines()
        assert json.loads(lines[0]) == {"a": first.a, "b": first.b, "same": label, "lang": "en", "kind": "labelled"}


def test_the_verdicts_that_come_with_the_project_can_be_read() -> None:
    verdicts = held_out.adjudicated()
    assert set(verdicts.values()) <= {0, 1}
    assert all(len(key) == 16 for key in verdicts)


def test_damaged_verdicts_are_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "read.json").write_text("[", encoding="utf-8")
    monkeypatch.setattr(held_out, "_READ", tmp_path / "read.json")
    with pytest.raises(GroatError, match=r"read\.json is not there or damaged; it must hold"):
        held_out.adjudicated()
