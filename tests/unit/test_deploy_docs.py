"""What docs/deploy.md tells people to run can be run, in both languages alike."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer.main

from graph.settings import Settings
from serve.application import ROOT
from serve.cli.main import app

PAGES = ("deploy.md", "deploy.zh-CN.md")
_BLOCK = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)


def _text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _commands(text: str) -> list[str]:
    return [line for line in _BLOCK.findall(text) if not line.startswith("|")]


def test_both_languages_say_the_same() -> None:
    english, chinese = (_text(name) for name in PAGES)
    assert _commands(english) == _commands(chinese)
    shapes = [re.findall(r"^(#+ |\||- )", text, re.MULTILINE) for text in (english, chinese)]
    assert shapes[0] == shapes[1]
    assert set(re.findall(r"`([A-Z_]{4,}|[\w./-]+/[\w.-]+)`", english)) == set(
        re.findall(r"`([A-Z_]{4,}|[\w./-]+/[\w.-]+)`", chinese)
    )


@pytest.mark.parametrize("line", _commands(_text(PAGES[0])))
def test_every_command_is_one(line: str) -> None:
    words = shlex.split(line)
    while "=" in words[0]:
        name, _, _ = words.pop(0).partition("=")
        assert name in ("DATABASE_URI", "REDIS_URI") or name.removeprefix("GROAT_").lower() in Settings.model_fields
    match words:
        case ["groat", command, *options]:
            group: Any = typer.main.get_command(app)
            known = {name for one in group.commands[command].params for name in one.opts}
            assert {option for option in options if option.startswith("--")} <= known
        case ["make", target]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        case _:
            assert words[0].rpartition("/")[2] in ("langgraph", "langhost", "docker")
    for file in (word for word in words if word.startswith(("deploy/", "docs/"))):
        assert (ROOT / file).exists()


@pytest.mark.parametrize("page", PAGES)
def test_everything_it_points_to_is_there(page: str) -> None:
    text = _text(page)
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert find_spec(module) is not None
    for file in re.findall(r"`((?:docs|tests|deploy)/[\w./-]+|requirements-[\w.]+)`", text):
        assert Path(ROOT, file).exists(), file
    for name in re.findall(r"GROAT_[A-Z_]+", text):
        assert name.removeprefix("GROAT_").lower() in Settings.model_fields
