import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from evals.bench_judge import summary
from evals.judge_baselines import cosines, guarded
from evals.judge_pairs import report
from evals.pair_rows import Pair, read_pairs
from groat.embedding.protocol import Matrix
from groat.errors import ArtifactError, BadInput
from groat.judge import Judged
from groat.judge.artifact import Head
from groat.judge.encoder import Prefix, States
from serve.cli.judge import judge_app

ROWS = [
    {"a": "How do I water the fern?", "b": "how should the fern be watered", "same": 1, "lang": "en", "kind": "paraphrase"},
    {"a": "How do I open the greenhouse?", "b": "How do I close the greenhouse?", "same": 0, "lang": "en", "kind": "opposite"},
    {"a": "蕨类植物怎么浇水？", "b": "怎样给蕨类植物浇水", "same": 1, "lang": "zh", "kind": "paraphrase"},
    {"a": "温室怎么打开？", "b": "温室怎么关闭？", "same": 0, "lang": "zh", "kind": "opposite"},
]
NAMES = ("name", "lang", "n", "auc", "cosine_auc", "recall_at_precision")


class Told:
    """A judge that says what it was told to, and has no opinion where that is None."""

    version = "told"

    def __init__(self, *p: float | None) -> None:
        self._p = p

    def judge(self, head: Head, pairs: Sequence[tuple[str, str]]) -> Judged:
        assert head == "same"
        assert len(pairs) == len(self._p)
        reasons = tuple("the text has no words" if p is None else None for p in self._p)
        return Judged(np.array([p or 0.0 for p in self._p]), reasons)


class Letters:
    """An encoder whose vector counts letters."""

    def states(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 64) -> list[States]:
        assert (prefix, most_tokens) == ("query: ", 512)
        return [np.array([[text.count(letter) for letter in "ab"]], dtype=np.float32) for text in texts]

    def vectors(self, states: Sequence[States]) -> Matrix:
        found = np.concatenate(states)
        vectors: Matrix = (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
        return vectors


def _pair(a: str, b: str, same: int, lang: str = "en", kind: str | None = None) -> Pair:
    return Pair(a, b, bool(same), lang, kind)


def _report(pairs: Sequence[Pair], *p: float | None, errors: int = 0) -> Any:
    return report("x.jsonl", pairs, Told(*p), Letters(), np.random.default_rng(1), errors=errors)


def _file(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def _run(*arguments: object) -> Any:
    return CliRunner().invoke(judge_app, ["eval", *map(str, arguments)])


def test_the_report_counts_what_is_served_by_kind_and_language() -> None:
    pairs = [
        _pair("a", "aa", 1, "en", "paraphrase"),
        _pair("a", "ab", 0, "en", "trap"),
        _pair("ab", "ba", 1, "zh", "paraphrase"),
        _pair("b", "a", 0, "zh", "trap"),
        _pair("b", "bb", 0, "zh"),
    ]
    found = _report(pairs, 0.95, 0.6, 0.55, 0.1, 0.2)
    assert (found["lang"], found["n"], found["same"]) == ("mixed", 5, 2)
    assert found["auc"] == pytest.approx(5 / 6, abs=1e-4)
    assert found["recall_at_precision"] == {"0.95": 0.5, "0.98": 0.5, "0.99": 0.5}
    assert found["served_at_p"]["0.5"] == {"served": 1.0, "traps_served": 0.3333}
    assert found["served_at_p"]["0.9"] == {"served": 0.5, "traps_served": 0.0}
    assert {lang: part["auc"] for lang, part in found["by_lang"].items()} == {"en": 1.0, "zh": 1.0}
    assert found["by_kind"] == {
        "paraphrase": {
            "n": 2,
            "same": 2,
            "served_at_p": {"0.5": {"served": 1.0, "traps_served": None}, "0.9": {"served": 0.5, "traps_served": None}},
        },
        "trap": {
            "n": 2,
            "same": 0,
            "served_at_p": {"0.5": {"served": None, "traps_served": 0.5}, "0.9": {"served": None, "traps_served": 0.0}},
        },
    }


def test_pairs_without_an_opinion_are_counted_and_kept_from_the_calibration() -> None:
    pairs = [_pair("a", "aa", 1), _pair("ab", "b", 0), _pair("b", "bb", 1)]
    found = _report(pairs, 1.0, 0.0, None)
    assert (found["out_of_range"], found["out_of_range_reasons"]) == (1, {"the text has no words": 1})
    assert (found["calibration_error"], found["recall_at_precision"]["0.95"]) == (0.0, 0.5)
    assert found["by_lang"] == {}


@pytest.mark.parametrize("same", [0, 1])
def test_one_class_only_has_no_auc_and_says_why(same: int) -> None:
    found = _report([_pair("a", "aa", same), _pair("b", "ab", same)], 0.9, 0.2)
    assert [found[name] for name in ("auc", "auc_ci", "cosine_auc", "cosine_auc_ci", "guarded_auc")] == [None] * 5
    assert found["auc_missing"] == f"every pair has same={same}; an AUC needs pairs of both classes"


def test_the_worst_errors_come_first_and_right_verdicts_are_none() -> None:
    pairs = [_pair("a", "aa", 1), _pair("ab", "b", 0), _pair("b", "bb", 1)]
    assert [error["p"] for error in _report(pairs, 0.4, 0.9, 0.8, errors=5)["errors"]] == [0.9, 0.4]
    assert len(_report(pairs, 0.4, 0.9, 0.8, errors=1)["errors"]) == 1


def test_the_cosine_is_that_of_the_vectors() -> None:
    assert cosines([_pair("a", "aaa", 1), _pair("a", "b", 0), _pair("a", "ab", 0)], Letters()) == pytest.approx(
        [1, 0, 0.5**0.5]
    )


def test_the_checks_of_the_cache_keep_opposites_from_being_served() -> None:
    pairs = [Pair(str(row["a"]), str(row["b"]), bool(row["same"]), str(row["lang"]), None) for row in ROWS]
    assert guarded(pairs, np.full(4, 0.9)).tolist() == [0.9, 0.0, 0.9, 0.0]


def test_the_command_tells_one_object_per_file_in_order(tmp_path: Path) -> None:
    first, second = _file(tmp_path / "first.jsonl", ROWS), tmp_path / "second.jsonl.gz"
    second.write_bytes(gzip.compress(first.read_bytes().splitlines(keepends=True)[2]))
    done = _run("--pairs", first, second, "--json", "-")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [(one["name"], one["lang"], one["n"]) for one in found] == [
        ("first.jsonl", "mixed", 4),
        ("second.jsonl.gz", "zh", 1),
    ]
    assert set(NAMES) <= set(found[0])
    assert list(found[0]["recall_at_precision"]) == ["0.95", "0.98", "0.99"]
    assert 0 <= found[0]["cosine_auc"] <= 1
    assert (found[1]["auc"], found[1]["recall_at_precision"]["0.95"]) == (None, 1.0)


def test_people_get_tables_in_both_languages(tmp_path: Path) -> None:
    done = _run("--pairs", _file(tmp_path / "mine.jsonl", [*ROWS, {"a": "Где ключ?", "b": "Где замок?", "same": 0}]))
    assert done.exit_code == 0, done.output
    for word in ("mine.jsonl", "zh", "en", "opposite", "1 pairs without an opinion", "neither Chinese"):
        assert word in done.stdout


def test_the_language_is_told_from_the_texts_when_the_row_does_not_say(tmp_path: Path) -> None:
    rows = [{"a": "怎么浇水？", "b": "How often do I water?", "same": 0}, {"a": "怎么浇水？", "b": "如何浇水？", "same": 1}]
    assert [pair.lang for pair in read_pairs(_file(tmp_path / "rows.jsonl", rows))] == ["zh-en", "zh"]


def test_any_text_can_be_judged(tmp_path: Path) -> None:
    odd = ["", "\ud800", "\0", "🌿", "a" + " " * 2_001]
    done = _run("--pairs", _file(tmp_path / "odd.jsonl", [{"a": a, "b": "浇水？", "same": 1} for a in odd]), "--json", "-")
    assert done.exit_code == 0, done.exception
    assert json.loads(done.stdout)[0]["out_of_range"] == len(odd)


BROKEN = [
    ("{not json", "this is no JSON"),
    ("[]", "a row must be a JSON object"),
    ('{"b": "b", "same": 1, "lang": "en"}', 'the field "a" is missing'),
    ('{"a": "a", "same": 1, "lang": "en"}', 'the field "b" is missing'),
    ('{"a": "a", "b": "b", "lang": "zh"}', 'the field "same" is missing'),
    ('{"a": "a", "b": 7, "same": 1, "lang": "en"}', '"a" and "b" must be texts'),
    ('{"a": "a", "b": "b", "same": 2, "lang": "en"}', '"same" must be 0 or 1, not 2'),
    ('{"a": "a", "b": "b", "same": "1", "lang": "en"}', "\"same\" must be 0 or 1, not '1'"),
    ('{"a": "a", "b": "b", "same": 1, "lang": 5}', '"lang" and "kind" must be texts'),
    ("[" * 100_000, "it is nested too deeply"),
]


@pytest.mark.parametrize(("line", "sentence"), BROKEN)
def test_a_broken_row_is_named_and_stops_the_run(tmp_path: Path, line: str, sentence: str) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n\n" + line + "\n", encoding="utf-8")
    error = _run("--pairs", path).exception
    assert isinstance(error, BadInput)
    assert f"{path}, line 3: {sentence}" in str(error)
    told: list[str] = []
    assert len(read_pairs(path, told.append)) == 1
    assert len(told) == 1


def test_files_that_cannot_be_read_are_refused_before_anything_is_judged(tmp_path: Path) -> None:
    good = _file(tmp_path / "good.jsonl", ROWS)
    empty, odd, cut = (tmp_path / name for name in ("empty.jsonl", "odd.jsonl", "cut.jsonl.gz"))
    empty.write_text("\n \n", encoding="utf-8")
    odd.write_bytes("温室".encode("gbk"))
    cut.write_bytes(gzip.compress(good.read_bytes())[:40])
    wrong = [
        (tmp_path / "missing.jsonl", "cannot be read: No such file"), (tmp_path, "cannot be read: Is a directory"),
        (empty, "holds no pair that can be used"), (odd, "is not UTF-8"), (cut, "cannot be read"),
    ]  # fmt: skip
    for path, sentence in wrong:
        error = _run("--pairs", good, path).exception
        assert isinstance(error, BadInput)
        assert sentence in str(error)


def test_broken_rows_that_may_be_left_out_are_counted(tmp_path: Path) -> None:
    done = _run("--pairs", _file(tmp_path / "rows.jsonl", [*ROWS, 7]), "--skip-bad", "--json", tmp_path / "out.json")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "line 5: a row must be a JSON object" in done.stderr
    (found,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert (found["n"], found["left_out"]) == (4, 1)


def test_weights_that_are_not_there_are_refused(tmp_path: Path) -> None:
    done = _run("--pairs", _file(tmp_path / "rows.jsonl", ROWS), "--weights", tmp_path / "none")
    assert isinstance(done.exception, ArtifactError)


def test_a_summary_holds_median_and_95th_percentile() -> None:
    assert summary([float(number) for number in range(1, 101)]) == {"p50": 50.5, "p95": 96.0}
    assert summary([3.0]) == {"p50": 3.0, "p95": 3.0}
