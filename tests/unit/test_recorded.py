import gzip
import json
from pathlib import Path

import pytest

from evals.recorded import Answer, read_rows
from groat.errors import BadInput

ROW: dict[str, object] = {
    "id": "x-1", "lang": "en", "prompt": "What is 3 + 4?", "domain": "sums", "weak_ok": 1, "strong_ok": 1,
    "weak_model": "small", "strong_model": "big", "weak_out_tokens": 5, "strong_out_tokens": 9,
}  # fmt: skip


def _write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_row_of_two_models_has_no_answers_but_outcomes(tmp_path: Path) -> None:
    (row,) = read_rows(_write(tmp_path / "rows.jsonl", ROW))
    assert row.others == (Answer(model="small", parts=(), out_tokens=5, quality=1.0),)
    assert row.strong == Answer(model="big", parts=(), out_tokens=9, quality=1.0)


def test_every_recorded_model_but_the_strong_one_may_be_asked(tmp_path: Path) -> None:
    models = {
        "big": {"ok": 1, "out_tokens": 9, "answer": "7"},
        "small": {"ok": 0.0, "out_tokens": 5, "answer": None},
        "middle": {"ok": 1, "out_tokens": 6, "answer": "7.0"},
    }
    (row,) = read_rows(_write(tmp_path / "rows.jsonl", {**ROW, "models": models}))
    assert row.others == (
        Answer(model="small", parts=(None,), out_tokens=5, quality=0.0),
        Answer(model="middle", parts=("7.0",), out_tokens=6, quality=1.0),
    )


def test_each_sample_of_the_weak_model_is_an_answer_of_its_own(tmp_path: Path) -> None:
    samples = {
        "weak_samples": [["A", "C"], ["A", "D"]],
        "weak_samples_ok": [1, 0.5],
        "n_blanks": 2,
        "strong_answer": ["A", "C"],
    }
    (row,) = read_rows(_write(tmp_path / "rows.jsonl", {**ROW, **samples, "lang": "zh"}))
    assert [(one.parts, one.quality) for one in row.others] == [(("A", "C"), 1.0), (("A", "D"), 0.5)]
    assert (row.blanks, row.language, row.strong.parts) == (2, "zh", ("A", "C"))


def test_a_zipped_file_reads_the_same(tmp_path: Path) -> None:
    plain = _write(tmp_path / "rows.jsonl", ROW)
    zipped = tmp_path / "rows.jsonl.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_rows(zipped) == read_rows(plain)


def test_one_question_is_known_in_several_files_by_its_words(tmp_path: Path) -> None:
    rows = read_rows(_write(tmp_path / "rows.jsonl", ROW, {**ROW, "prompt": " What is  3 + 4?\n"}, {**ROW, "prompt": "5?"}))
    assert [row.question == rows[0].question for row in rows] == [True, True, False]


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"prompt": ""}, '"prompt" must be a text that is not empty'),
        ({"lang": "fr"}, '"lang" must be "en" or "zh", not \'fr\''),
        ({"weak_ok": 2}, '"weak_ok" must be a number from 0 to 1, not 2'),
        ({"strong_ok": True}, '"strong_ok" must be a number from 0 to 1, not True'),
        ({"strong_out_tokens": -1}, '"strong_out_tokens" must be a number of tokens, not -1'),
        ({"models": []}, '"models" must hold an object for each model'),
        ({"models": {"m": {"ok": 1, "out_tokens": 1, "answer": 7}}}, '"models.m.answer" must be a list of texts'),
        ({"weak_samples": [["A"]]}, '"weak_samples" and "weak_samples_ok" must be lists of one length, not empty'),
        ({"n_blanks": 0}, '"n_blanks" must be a whole number from 1, not 0'),
    ],
)
def test_a_broken_row_is_named_with_file_and_line(tmp_path: Path, broken: dict[str, object], says: str) -> None:
    path = _write(tmp_path / "rows.jsonl", ROW, {**ROW, **broken})
    with pytest.raises(BadInput) as caught:
        read_rows(path)
    assert str(caught.value) == f"{path}, line 2: {says}; mend the row, or leave such rows out with --skip-bad"


def test_broken_rows_can_be_left_out_and_are_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "rows.jsonl", ROW)
    path.write_text("{\n[]\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    told: list[str] = []
    assert len(read_rows(path, told.append)) == 1
    assert told == [
        f"{path}, line 1: this is no JSON (Expecting property name enclosed in double quotes at column 2)",
        f"{path}, line 2: a row must be a JSON object",
    ]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"\n\n"])
def test_a_file_without_rows_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadInput):
        read_rows(path)


def test_a_missing_or_damaged_file_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "rows.jsonl.gz"
    damaged.write_bytes(gzip.compress(json.dumps(ROW).encode())[:-12])
    for path in (tmp_path / "none.jsonl", damaged):
        with pytest.raises(BadInput, match="cannot be read"):
            read_rows(path)
