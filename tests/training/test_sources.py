"""The labelled pairs: how they are read, and that nothing held out is ever seen."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.errors import BadInput
from groat.text import fold
from training.rows import Row
from training.sources import Components, StreamRow, portion, read_contexts, read_pairs, read_stream, split


def pair(a: str, b: str, label: int = 1) -> Row:
    return Row(a, b, float(label), "same", "en", "s", "labelled", "", open_licence=False)


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def many(count: int = 300) -> list[Row]:
    """Short chains of pairs, in both languages."""
    found = []
    for number in range(count):
        stem = f"壶{number}怎么修" if number % 2 else f"mend kettle {number}"
        found += [pair(stem, f"{stem} a"), pair(f"{stem} a", f"{stem.upper()} b!", 0)]
    return found


def test_pairs_are_read_with_language_label_source_and_licence(tmp_path: Path) -> None:
    write(tmp_path, "pairs-bq-zh", [{"a": "怎么还款", "b": "如何还钱", "same": 1, "lang": "zh"}])
    write(tmp_path, "pairs-minimal-mixed", [{"a": "x 2", "b": "x 3", "same": 0, "lang": "en", "kind": "number"}])
    (one,), (other,) = read_pairs(tmp_path, "bq-zh"), read_pairs(tmp_path, "minimal-mixed")
    assert (one.a, one.b, one.label, one.lang, one.source, one.kind) == ("怎么还款", "如何还钱", 1.0, "zh", "bq", "labelled")
    assert (other.label, other.kind, other.source) == (0.0, "number", "minimal")
    assert (one.open_licence, other.open_licence) == (False, True)


def test_a_folder_that_is_not_there_is_named_with_what_it_must_hold(tmp_path: Path) -> None:
    for read in (read_pairs, read_stream):
        with pytest.raises(BadInput, match=r"is not there; DATA must be the folder that holds cache/ and compress/"):
            read(tmp_path / "none", "qqp-en")


@pytest.mark.parametrize("wrong", [{"same": None}, {"same": 2}, {"a": 1}, {"b": None}, {"lang": 3}])
def test_a_row_without_its_fields_is_named_by_its_line(tmp_path: Path, wrong: dict[str, Any]) -> None:
    right = {"a": "x", "b": "y", "same": 1, "lang": "en"}
    write(tmp_path, "pairs-qqp-en", [right, {**right, **wrong}])
    with pytest.raises(BadInput, match="line 2: needs the fields a, b, same"):
        read_pairs(tmp_path, "qqp-en")


def test_a_stream_keeps_the_order_of_arrival(tmp_path: Path) -> None:
    write(tmp_path, "stream-x", [{"query": f"第 {number} 问", "answer_id": number % 2, "lang": "zh"} for number in range(4)])
    assert [row.query for row in read_stream(tmp_path, "x")] == [f"第 {number} 问" for number in range(4)]
    assert {row.answer_id for row in read_stream(tmp_path, "x")} == {"0", "1"}


def test_no_pair_has_one_text_held_out_and_the_other_not() -> None:
    rows = many()
    chosen = split({"one": rows})
    assert {chosen.holds(row.a) for row in rows} == {True, False}
    assert all(chosen.holds(row.a) == chosen.holds(row.b) for row in rows)


def test_about_the_share_asked_for_is_held_out_of_each_source() -> None:
    rows = many(1000)
    for share in (0.1, 0.3):
        chosen = split({"one": rows[:1000], "two": rows[1000:]}, share=share)
        for part in (rows[:1000], rows[1000:]):
            assert sum(chosen.holds(row.a) for row in part) / len(part) == pytest.approx(share, abs=0.06)


def test_texts_that_differ_in_case_and_outer_marks_are_one_text() -> None:
    chosen = split({"one": many()})
    for text in chosen.held:
        assert chosen.holds(f"  {text.upper()}?")


def test_a_component_reaches_across_sources() -> None:
    rows = many(200)
    bridges = [pair(rows[2 * number].a, f"bridge {number}") for number in range(200)]
    chosen = split({"one": rows, "two": bridges})
    assert all(chosen.holds(row.a) == chosen.holds(row.b) for row in [*rows, *bridges])


def test_questions_with_one_answer_in_a_stream_stay_together() -> None:
    rows = [pair(f"pot {number}", f"pan {number}") for number in range(400)]
    stream = [StreamRow(f"pot {number}", f"answer {number // 4}", "en") for number in range(400)]
    chosen = split({"one": rows}, stream)
    sides = [
        {chosen.holds(f"pot {number}", f"pan {number}") for number in range(begin, begin + 4)} for begin in range(0, 400, 4)
    ]
    assert all(len(side) == 1 for side in sides)
    assert {side.pop() for side in sides} == {True, False}


def test_a_component_that_is_much_of_its_source_is_never_held_out() -> None:
    star = [pair("the one pan that all ask about", f"pan {number}") for number in range(60)]
    for name in range(20):
        rows = [replace_a(row, f"{row.a} {name}") for row in star] + many(20)
        assert not split({"one": rows}, share=0.99).holds(rows[0].a)


def replace_a(row: Row, a: str) -> Row:
    return pair(a, row.b, int(row.label))


def test_the_split_depends_on_the_texts_and_not_on_their_order() -> None:
    rows = many()
    assert split({"one": rows}) == split({"one": rows[::-1]})


@given(st.lists(st.tuples(st.sampled_from("甲乙丙abcdef"), st.sampled_from("甲乙丙abcdef"))))
def test_components_are_the_smallest_partition_that_joins_every_pair(pairs: list[tuple[str, str]]) -> None:
    components = Components()
    reached: dict[str, set[str]] = {}
    for a, b in pairs:
        components.join(a, b)
        both = reached.get(a, {a}) | reached.get(b, {b})
        reached |= dict.fromkeys(both, both)
    assert set(components.texts()) == set(reached)
    for text, together in reached.items():
        assert components.find(text) == min(together)


@given(st.text())
def test_a_portion_lies_between_0_and_1_whatever_the_text(text: str) -> None:
    assert 0 <= portion(text) < 1
    assert portion(fold(text)) == portion(fold(text))


def test_a_line_that_is_no_json_is_named_with_its_file_and_number(tmp_path: Path) -> None:
    (tmp_path / "hotpot.jsonl").write_text('{"id": 1}\n{"id": \n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"hotpot\.jsonl, line 2"):
        read_contexts(tmp_path, "hotpot")
