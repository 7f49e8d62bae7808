"""The reader of labelled rows: whatever a file or a data set holds, the answer is rows or one sentence."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.errors import BadInput
from groat.routing.gathering import gathered
from groat.routing.rows import Known, Labelled, collected, read_labelled
from tests.routing_rows import labelled, raw, write

ROW = raw(labelled(1)[0])
FIELDS = sorted(ROW)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def _read(tmp_path: Path, *rows: dict[str, object]) -> list[Labelled]:
    return list(read_labelled(write(tmp_path / "rows.jsonl", list(rows)), strict=True))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_whole_row_is_read(language: str, tmp_path: Path) -> None:
    row = raw(labelled(1, languages=(language,))[0])
    full = {**row, "domain": "d", "similarities": [0.9, 0.1], "documents": 2, "history_turns": 3, "drawn_with": 0.02, "id": "x"}
    (found,) = read_labelled(write(tmp_path / "rows.jsonl", [full]), strict=True)
    assert (found.prompt, found.language, found.domain) == (row["prompt"], language, "d")
    assert (found.similarities, found.documents, found.history_turns, found.weight) == ((0.9, 0.1), 2, 3, 50.0)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"strong_model": "gpt-5-mini"}, "one model only, 'gpt-5-mini'; it needs a cheap and an expensive one"),
        ({"strong_model": None}, '"strong_model" must be a text that is not empty'),
        ({"weak_ok": float("nan")}, '"weak_ok" must be a number from 0 to 1, not nan'),
        ({"weak_ok": float("inf")}, '"weak_ok" must be a number from 0 to 1, not inf'),
        ({"weak_ok": -1.5}, '"weak_ok" must be a number from 0 to 1, not -1.5'),
        ({"weak_ok": 1.01}, '"weak_ok" must be a number from 0 to 1, not 1.01'),
        ({"weak_ok": True}, '"weak_ok" must be a number from 0 to 1, not True'),
        ({"weak_ok": "good"}, "not 'good'"),
        ({"drawn_with": 0}, '"drawn_with" must be a number from 0.0001 to 1'),
        ({"drawn_wiht": 0.5}, "the field 'drawn_wiht' is not known (did you mean 'drawn_with'?)"),
        ({"zzzz": 1}, "the field 'zzzz' is not known; --ignore NAME skips it"),
        ({"lang": "fr"}, '"lang" must be "en" or "zh", not \'fr\''),
        ({"similarities": [2]}, '"similarities" must be a number from -1 to 1'),
        ({"models": {"m": 1}}, '"models" must hold an object with "ok" for each model'),
        ({"prompt": " "}, '"prompt" must be a text'),
    ],
)
def test_a_row_that_cannot_be_used_is_named_with_its_file_and_line(
    changed: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        _read(tmp_path, ROW, {**ROW, "prompt": "another", **changed})
    assert f"{tmp_path / 'rows.jsonl'}, line 2: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("deducted", [-0.033, -1, -0.0])
def test_marks_that_deductions_brought_below_nothing_count_as_nothing(deducted: float, tmp_path: Path) -> None:
    (found,) = _read(tmp_path, {**ROW, "weak_ok": deducted})
    assert found.cheap.ok == 0


@pytest.mark.parametrize("missing", ["prompt", "weak_ok", "strong_ok", "weak_model", "strong_model"])
def test_a_row_without_what_it_needs_is_refused(missing: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=missing):
        _read(tmp_path, {name: value for name, value in ROW.items() if name != missing})


def test_fields_that_mean_nothing_can_be_skipped_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [{**ROW, "zzzz": 1}])
    assert len(read_labelled(path, strict=True, ignore=["zzzz"])) == 1
    assert len(read_labelled(path)) == 1


def test_contradictions_are_found_across_files_and_equal_rows_count_once(tmp_path: Path) -> None:
    known: Known = {}
    first = write(tmp_path / "a.jsonl", [ROW, {**ROW, "weak_ok": ROW["weak_ok"]}])
    assert len(read_labelled(first, known=known)) == 1
    again = write(tmp_path / "b.jsonl", [ROW, {**ROW, "prompt": "another"}])
    assert [row.prompt for row in read_labelled(again, known=known)] == ["another"]
    other = write(tmp_path / "c.jsonl", [{**ROW, "prompt": f"  {ROW['prompt']}  ", "weak_ok": 0.5}])
    with pytest.raises(BadInput, match=r"c.jsonl, line 1: .* has another outcome in .*a.jsonl, line 1"):
        read_labelled(other, known=known)


def test_with_leave_broken_rows_are_counted_and_the_rest_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [ROW, {**ROW, "weak_ok": 0.5}, {"prompt": "half"}])
    told: list[str] = []
    found = gathered([path, path], embedder="e", skip_bad=True, tell=told.append)
    assert (len(found.written), dict(found.left_out)) == (1, {"broken or contradicting another": 2})
    assert [message.split(": ")[0].rpartition(", ")[2] for message in told] == ["line 2", "line 3"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.jsonl", b"", "holds no row that can be used"),
        ("rows.jsonl", b"\xff\xfe", "is not UTF-8"),
        ("rows.jsonl.gz", b"no gzip", "cannot be read"),
        ("rows.jsonl.gz", gzip.compress(json.dumps(ROW).encode())[:-6], "cannot be read"),
        ("rows.jsonl", b"[" * 100_000, "nested too deeply"),
        ("rows.jsonl", b"{broken", "this is no JSON"),
        ("rows.jsonl", b"[1, 2]", "a row must be a JSON object"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=says):
        read_labelled(tmp_path / name)
    with pytest.raises(BadInput, match="cannot be read"):
        read_labelled(tmp_path / "none.jsonl")


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, "similarities", "documents", "drawn_with", "models", "domain"]), JSON))
def test_whatever_a_row_holds_it_is_used_or_left_out_with_a_reason(changed: dict[str, object]) -> None:
    told: list[str] = []
    rows = collected([("line 1", {**ROW, **changed})], "f", "f", on_bad=told.append, strict=True)
    assert len(rows) + len(told) == 1
    for row in rows:
        assert 0 <= row.cheap.ok <= 1
        assert row.weight >= 1
        assert row.cheap.model != row.expensive.model


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60) | JSON.map(lambda value: json.dumps(value)))
def test_whatever_a_line_holds_nothing_but_a_reason_is_raised(line: str) -> None:
    told: list[str] = []
    assert collected([("line 1", line)], "f", "f", on_bad=told.append, strict=True) == []
    assert len(told) == 1
