"""The command that teaches the judge one's own rows."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groat.errors import BadInput, MissingExtra
from serve.cli.main import app

ARGUMENTS = ["judge", "fit", "--rows", "one.jsonl", "two.jsonl", "--out", "weights"]


def test_without_torch_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "training"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = CliRunner().invoke(app, ARGUMENTS)
    assert isinstance(done.exception, MissingExtra)
    assert str(done.exception).endswith("pip install torch==2.13.0 onnx")


@pytest.mark.parametrize("odd", [["--minutes", "0"], ["--minutes", "nan"], ["--minutes", "-3"], ["--seed", "-1"]])
def test_numbers_out_of_range_are_refused(odd: list[str]) -> None:
    done = CliRunner().invoke(app, [*ARGUMENTS, *odd])
    assert isinstance(done.exception, BadInput)


def test_an_unknown_head_is_refused() -> None:
    assert CliRunner().invoke(app, [*ARGUMENTS, "--head", "other"]).exit_code == 2


def test_every_file_is_read_and_the_bad_one_named(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    good = tmp_path / "good.jsonl"
    good.write_text(json.dumps({"a": "哪里有壶", "b": "where is the pot", "same": 1}), encoding="utf-8")
    done = CliRunner().invoke(
        app, ["judge", "fit", "--rows", str(good), str(tmp_path / "none.jsonl"), "--out", str(tmp_path / "w")]
    )
    assert isinstance(done.exception, BadInput)
    assert "none.jsonl cannot be read" in str(done.exception)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("refusal", [None, "nothing was written: the new weights are no better"])
def test_the_figures_are_shown_and_a_refusal_is_the_error(monkeypatch: pytest.MonkeyPatch, refusal: str | None) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from training import fit
    from training.compare import Compared

    asked: list[tuple[list[Path], Path, fit.Wish]] = []

    def fake(files: list[Path], out: Path, wish: fit.Wish, tell: Callable[[str], None]) -> fit.Outcome:
        asked.append((files, out, wish))
        tell("measuring")
        return fit.Outcome(
            version=None if refusal else "2026-11-24-abc", refusal=refusal, parent="2026-11-23-def", rows={"fit": 40},
            left_out={"there before": 2}, figures={"own rows": Compared(n=12, old=0.71, new=0.84, low=0.01, high=0.2)},
        )  # fmt: skip

    monkeypatch.setattr(fit, "fit", fake)
    done = CliRunner().invoke(app, [*ARGUMENTS, "--weights", "mine", "--minutes", "2", "--seed", "4", "--head", "answers"])
    assert asked == [
        (
            [Path("one.jsonl"), Path("two.jsonl")],
            Path("weights"),
            fit.Wish(head="answers", weights=Path("mine"), minutes=2.0, seed=4),
        )
    ]
    assert all(part in done.stdout for part in ("own rows", "0.710", "0.840", "+0.010", "2 rows left out: there before"))
    assert "measuring" in done.stderr
    if refusal:
        assert (done.exit_code, str(done.exception)) == (1, refusal)
    else:
        assert done.exit_code == 0
        assert "GROAT_JUDGE=weights" in done.stdout
