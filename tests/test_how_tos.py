"""Every command and snippet of the how-tos runs as it stands, in both languages, before models on loopback."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch_server import serve_batches
from tests.forked import forking, groat_on_path
from tests.model_server import COUNTED, Body, Outcome, Says, serve_model

ROOT = Path(__file__).resolve().parent.parent
HOW_TOS = ("ten-minutes", "batch", "tune-the-promise", "bad-answer", "drop-in")
LANGUAGES = ("", ".zh-CN")
_BLOCK = re.compile(r"^```(sh|python)( batch-endpoint)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANSWERS = {
    "shop open": "The shop opens at {} in the morning.",
    "shop close": "The shop closes at 6 in the evening.",
    "几点开门": "商店早上 {} 点开门。",
    "几点关门": "商店晚上 6 点关门。",
    "reset link": "A reset link is valid for 20 minutes.",
}


def _document(name: str, language: str) -> str:
    return (ROOT / "docs" / f"{name}{language}.md").read_text(encoding="utf-8")


def _well(body: Body) -> str:
    """Answer by the document that was sent, and cite it."""
    told = "\n".join(str(message["content"]) for message in body["messages"])
    asked = told.split("<question>")[-1]
    hour = "10" if re.search(r"opens at 10|早上 10 点", told) else "9"
    document = re.search(r'<document id="([^"]+)"', told)
    cited = f" [{document.group(1)}]" if document else ""
    return next((text.format(hour) + cited for words, text in _ANSWERS.items() if words in asked), "Bonjour.")


def _say(body: Body, number: int) -> Outcome:
    return Says(text=_well(body), usage=COUNTED)


@pytest.fixture(scope="module")
def tools() -> Iterator[Path]:
    """A folder with the commands that the how-tos use; one of its own since a socket's path must be short."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "python").symlink_to(sys.executable)
        # Everything is installed already: that the target is there is looked at.
        (folder / "make").write_text(f'#!/bin/sh\nexec /usr/bin/env -i PATH=/usr/bin:/bin make -n -C {ROOT} "$@"\n')
        (folder / "make").chmod(0o755)
        with groat_on_path(forking(), folder):
            yield folder


@pytest.mark.parametrize("language", LANGUAGES, ids=["en", "zh"])
@pytest.mark.parametrize("name", HOW_TOS)
def test_every_command_and_snippet_runs(name: str, language: str, tools: Path, tmp_path: Path) -> None:
    blocks = _BLOCK.findall(_document(name, language))
    assert blocks
    environ = {
        "PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT),
        "GROAT_DATA_DIR": str(tmp_path / "data"), "PYTHON_DOTENV_DISABLED": "1", "GROAT_AUDIT_SHARE": "0",
        "GROAT_ROUTE_AUDIT_SHARE": "0", "OPENAI_API_KEY": "" if name == "ten-minutes" else "sk-test",
    }  # fmt: skip
    with serve_model(answer_with=_say) as models, serve_batches(_well) as batches:
        environ["OPENAI_BASE_URL"] = models.url
        # One shell and one interpreter for a whole document, so that what one block sets holds in the next.
        shell = [(batches.url if mode else models.url, code) for kind, mode, code in blocks if kind == "sh"]
        script = "".join(f"export OPENAI_BASE_URL={url}\n{code}" for url, code in shell)
        told = _run(["bash", "-euo", "pipefail", "-c", script], tmp_path, environ) if script else ""
        program = "".join(code for kind, _, code in blocks if kind == "python")
        if program:
            (tmp_path / "program.py").write_text(program, encoding="utf-8")
            told += _run([sys.executable, "-W", "error::SyntaxWarning", "program.py"], tmp_path, environ)
    for word in _EXPECTED[name]:
        assert word in told, told


_EXPECTED = {
    "ten-minutes": ["cost", "check_cache"],
    "batch": ['"row": 3', '"failure": "bad_input"', "replies at the provider's batch rates, saved $"],
    "tune-the-promise": [],
    "bad-answer": ["origin      knowledge", "10"],
    "drop-in": ["20 minutes", "exact", "Reset", "cheap"],
}


def _run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", HOW_TOS)
def test_both_languages_say_the_same(name: str) -> None:
    english, chinese = (_document(name, language) for language in LANGUAGES)
    assert _skeleton(english) == _skeleton(chinese)
    for pattern in (r"(?m)^#+ ", r"(?m)^\| ", r"(?m)^- "):
        assert len(re.findall(pattern, english)) == len(re.findall(pattern, chinese)), pattern


def _skeleton(document: str) -> list[tuple[str, str, str]]:
    """Return the blocks with their texts left out."""
    return [(kind, mode, re.sub(r"'[^']*'|\"[^\"]*\"", "''", code)) for kind, mode, code in _BLOCK.findall(document)]


@pytest.mark.parametrize("language", LANGUAGES, ids=["en", "zh"])
def test_every_file_that_a_how_to_names_is_there(language: str) -> None:
    for name in HOW_TOS:
        links = re.findall(r"\]\(([\w./-]+)\)", _document(name, language))
        assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
