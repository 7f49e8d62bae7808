"""One's own rows: what is read, what is left out, what is refused, and how they are split."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from groat.errors import BadInput
from training.own_rows import CHECKED, FEWEST, digest, parts, read_own

THINGS = ["kiln", "loom", "lathe", "anvil", "窑炉", "织机", "车床", "铁砧"]


def raw_rows(count: int = 60, field: str = "same") -> list[dict[str, Any]]:
    """Rows about different things: every second asks the same, half of them are Chinese."""
    found = []
    for number in range(count):
        thing, shelf = THINGS[number // 2 % len(THINGS)], f"{number}"
        asks, other = ("where is the {} on shelf {}?", "who bought the {} from shelf {}?")
        if thing > "z":
            asks, other = ("{} 号架上的{}在哪里？", "{} 号架上的{}是谁买的？")
        texts = [text.format(thing, shelf) if thing < "z" else text.format(shelf, thing) for text in (asks, other)]
        same = number % 2
        b = (
            (f"on which side of shelf {shelf} is the {thing}" if thing < "z" else f"{thing}在 {shelf} 号架哪一边")
            if same
            else texts[1]
        )
        found.append({"a": texts[0], "b": b, field: same})
    return found


def write(folder: Path, rows: list[Any], name: str = "own.jsonl") -> Path:
    file = folder / name
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("field", ["same", "label"])
def test_rows_of_both_languages_are_read_with_their_language(tmp_path: Path, field: str) -> None:
    raw = raw_rows(field=field)
    raw[0]["lang"], raw[2][field], raw[3][field] = "zh-en", 0.0, True
    own = read_own([write(tmp_path, raw)], "same")
    assert len(own.rows) == len(raw)
    assert own.left_out == {}
    assert {row.lang for row in own.rows} == {"en", "zh", "zh-en"}
    assert {row.label for row in own.rows} == {0.0, 1.0}
    assert not any(row.open_licence for row in own.rows)


def test_questions_are_put_in_one_order_and_claims_are_not(tmp_path: Path) -> None:
    file = write(tmp_path, [{**row, "a": row["b"], "b": row["a"]} for row in raw_rows()])
    assert all(row.a <= row.b for row in read_own([file], "same").rows)
    assert [row.a for row in read_own([file], "supports").rows] == [row["b"] for row in raw_rows()]


def test_rows_that_teach_nothing_or_contradict_each_other_are_left_out_and_counted(tmp_path: Path) -> None:
    raw = raw_rows()
    turned = {**raw[0], "a": raw[0]["b"].upper(), "b": raw[0]["a"]}
    odd = [
        turned,
        {**raw[1], "same": 0},
        {"a": "what is a loom?", "b": " What is a loom", "same": 1},
        {"a": "", "b": "what is a loom", "same": 0},
        {"a": "この織機はどこにありますか", "b": "what is a loom", "same": 0},
    ]
    own = read_own([write(tmp_path, raw), write(tmp_path, odd, "more.jsonl")], "same")
    assert own.left_out == {
        "both texts are the same": 1,
        "the text is empty": 1,
        "the text is neither Chinese nor English": 1,
        "there before": 1,
        "two labels for the same texts": 2,
    }
    assert len(own.rows) == len(raw) - 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "needs a JSON object with the fields a, b, and same or label"),
        ("[1]", "needs a JSON object"),
        ("7", "needs a JSON object"),
        ("[" * 100_000, "needs a JSON object"),
        ('{"a": "secret", "b": "y"}', "needs a JSON object"),
        ('{"a": "secret", "same": 1}', "needs a JSON object"),
        ('{"a": "secret", "b": 3, "same": 1}', "a and b must be texts"),
        ('{"a": "secret", "b": "y", "same": 2}', "same or label 0 or 1"),
        ('{"a": "secret", "b": "y", "same": "1"}', "same or label 0 or 1"),
        ('{"a": "secret", "b": "y", "label": NaN}', "same or label 0 or 1"),
        ('{"a": "secret", "b": "y", "label": [1]}', "same or label 0 or 1"),
        ('{"a": "secret", "b": "y", "label": 1, "lang": "fr"}', "lang must be one of en, zh, zh-en"),
    ],
)
def test_a_bad_line_is_named_by_its_number_and_never_quoted(tmp_path: Path, line: str, says: str) -> None:
    file = write(tmp_path, raw_rows())
    with file.open("a", encoding="utf-8") as more:
        more.write(line + "\n")
    with pytest.raises(BadInput, match=says) as caught:
        read_own([file], "same")
    assert "line 62" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_missing_or_no_utf_8_is_refused(tmp_path: Path) -> None:
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes('{"a": "café", "b": "x", "same": 1}'.encode("latin-1"))
    for file in (tmp_path / "none.jsonl", tmp_path, latin):
        with pytest.raises(BadInput, match="cannot be read"):
            read_own([file], "same")


def test_too_few_rows_or_rows_of_one_label_are_refused_with_their_numbers(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"24 rows with label 1 and 25 with label 0 .* at least {FEWEST}"):
        read_own([write(tmp_path, raw_rows(FEWEST - 1))], "same")
    with pytest.raises(BadInput, match="0 rows with label 1 and 60 with label 0"):
        read_own([write(tmp_path, [{**row, "same": 0} for row in raw_rows()])], "same")
    with pytest.raises(BadInput, match="0 rows"):
        read_own([write(tmp_path, [])], "same")


def test_rows_that_share_a_text_stand_on_one_side_and_a_fifth_of_each_label_checks(tmp_path: Path) -> None:
    raw = raw_rows(80)
    chained = [{"a": raw[number]["a"], "b": raw[number + 1]["a"].upper(), "same": 0} for number in range(10)]
    own = read_own([write(tmp_path, raw + chained)], "same")
    for seed in range(5):
        fit, check = parts(own.rows, random.Random(seed))
        assert {row.group for row in fit}.isdisjoint(row.group for row in check)
        assert {text.casefold() for row in fit for text in (row.a, row.b)}.isdisjoint(
            text.casefold() for row in check for text in (row.a, row.b)
        )
        assert len(fit) + len(check) == len(own.rows)
        assert sum(row.label for row in check) == pytest.approx(CHECKED * 40, abs=1)
    assert parts(own.rows, random.Random(1)) == parts(own.rows, random.Random(1))


def test_rows_that_all_hang_together_are_refused(tmp_path: Path) -> None:
    rows = [{"a": "where is the kiln?", "b": row["b"], "same": row["same"]} for row in raw_rows()]
    own = read_own([write(tmp_path, rows)], "same")
    with pytest.raises(BadInput, match="share too many texts"):
        parts(own.rows, random.Random(0))


def test_the_hash_of_the_rows_knows_their_labels_but_not_their_order(tmp_path: Path) -> None:
    rows = list(read_own([write(tmp_path, raw_rows())], "same").rows)
    turned = [*rows[1:], rows[0]]
    other = read_own([write(tmp_path, raw_rows(62))], "same").rows
    assert digest(rows) == digest(turned) != digest(other)
