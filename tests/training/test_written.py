"""The groups of questions that were written: what rows they give, and that every line is one."""

from collections import Counter
from pathlib import Path

import pytest

from groat.errors import GroatError
from training.written import written_groups, written_rows

GROUP = (
    '{"en": ["a b", "c d", "e f"], "zh": ["甲", "乙", "丙"], '
    '"near_en": [["number", "a x"], ["day", "c x"]], "near_zh": [["role", "丁"], ["unit", "戊"]]}'
)


def test_wordings_of_a_group_are_equal_and_its_near_misses_are_not(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text(GROUP + "\n", encoding="utf-8")
    rows = list(written_rows(1, tmp_path))
    assert Counter((row.lang, row.label) for row in rows) == {
        ("en", 1.0): 3, ("zh", 1.0): 3, ("zh-en", 1.0): 9, ("en", 0.0): 6, ("zh", 0.0): 6, ("zh-en", 0.0): 12,
    }  # fmt: skip
    assert {row.group for row in rows} == {"written:one:1"}
    for row in rows:
        near = {row.a, row.b} & {"a x", "c x", "丁", "戊"}
        assert len(near) == 1 - row.label
    assert rows == list(written_rows(1, tmp_path)) != list(written_rows(2, tmp_path))


@pytest.mark.parametrize(
    "line",
    ["no json", "[]", '{"en": ["a"], "zh": []}', GROUP.replace('"a b"', "3"), GROUP.replace('["number", "a x"]', '["a x"]')],
)
def test_a_line_that_is_no_group_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "one.jsonl").write_text(GROUP + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(GroatError, match=r"one\.jsonl, line 2"):
        list(written_rows(1, tmp_path))


def test_every_group_that_is_kept_has_wordings_and_near_misses_in_both_languages_and_none_twice() -> None:
    groups = list(written_groups())
    assert groups
    for name, number, group in groups:
        for lang in ("en", "zh"):
            near = [text for _, text in group[f"near_{lang}"]]
            assert len(group[lang]) >= 3 <= len(near), (name, number)
            assert not set(group[lang]) & set(near), (name, number)
