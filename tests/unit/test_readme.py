"""The READMEs are true and equal."""

from pathlib import Path

import pytest
import regex

from evals.picture import READMES, with_picture


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_the_picture_is_the_one_of_the_graph(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    assert with_picture(text) == text
    assert "check_cache -.-> retrieve;" in text


def test_both_languages_have_the_same_structure_and_figures() -> None:
    english, chinese = (path.read_text(encoding="utf-8") for path in READMES)
    for pattern in (r"(?m)^#+ ", r"(?m)^\| \*?\*?groat.*$", r"`make \w+`", r"`(?:docs|graph|groat|nodes)/[\w./-]+`"):
        assert sorted(regex.findall(pattern, english)) == sorted(regex.findall(pattern, chinese)), pattern


@pytest.mark.parametrize("readme", READMES, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(readme: Path) -> None:
    named = regex.findall(r"`((?:docs|graph|groat|nodes|evals)/[\w./-]+)`", readme.read_text(encoding="utf-8"))
    assert [name for name in named if not (readme.parent / name).exists()] == []
