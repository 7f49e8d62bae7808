"""The pages "put it before your existing application": each piece of their code runs, against a server without a key."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_server import Says, serve_model
from tests.web import clients
from tests.web.conftest import listening, review

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("before-your-app.md", "before-your-app.zh-CN.md")
SHOWN = "http://127.0.0.1:8765/v1"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with serve_model(Says(text="Click the link. 点击链接。[en-reset]")) as server:
        made = asyncio.run(review(tmp_path, server, []))
        with listening(made.app()) as url:
            yield f"{url}/v1"


def pieces(page: str, language: str) -> list[str]:
    """Return the code of a page in one language."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [re.sub(r"(?m)^   ", "", found) for found in re.findall(rf"```{language}\n(.*?)   ```", text, re.DOTALL)]


@pytest.mark.parametrize("page", PAGES)
def test_the_pythons_code_prints_an_answer(page: str, address: str) -> None:
    codes = pieces(page, "python")
    assert len(codes) == 2
    for code in codes:
        run = [sys.executable, "-c", code.replace(SHOWN, address)]
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
        assert done.stdout.strip(), done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_javascripts_code_prints_an_answer(page: str, address: str, tmp_path: Path) -> None:
    node, (code,) = shutil.which("node"), pieces(page, "javascript")
    if node is None or not (clients.SCRIPT.parent / "node_modules" / "openai").exists():
        pytest.skip("node or its package openai is not installed; make clients")
    script = clients.SCRIPT.parent / "node_modules" / f"{tmp_path.name}.mjs"
    script.write_text(code.replace(SHOWN, address), encoding="utf-8")
    try:
        done = subprocess.run([node, script], capture_output=True, text=True, check=False, timeout=120)
    finally:
        script.unlink()
    assert done.stdout.strip(), done.stderr


def test_both_pages_say_the_same_in_the_same_order() -> None:
    english, chinese = ((DOCS / page).read_text(encoding="utf-8") for page in PAGES)
    commands = [re.findall(r"(?m)^       \S.*$", text) for text in (english, chinese)]
    assert commands[0] == commands[1]
    assert len(re.findall(r"(?m)^\d\.", english)) == len(re.findall(r"(?m)^\d\.", chinese))
    assert sorted(re.findall(r"\]\((\S+?)\)", english))[1:] == sorted(re.findall(r"\]\((\S+?)\)", chinese))[1:]
