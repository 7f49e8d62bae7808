"""The layout is the documentation: what the folders promise, holds."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import graph
import groat
import nodes
import serve
from graph.build import build_graph
from graph.services import open_services
from graph.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("groat", "graph", "nodes", "serve", "evals", "training")
NAMES_OF_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_utils"}


def _modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_every_box_has_its_module() -> None:
    services = open_services(read_settings({}, home=Path("/nowhere")))
    boxes = set(build_graph(services).get_graph().nodes) - {"__start__", "__end__"}
    assert boxes == {module.name for module in pkgutil.iter_modules(nodes.__path__)}
    assert boxes == {
        "check_cache", "retrieve", "route", "compress", "answer_cheap", "answer_expensive", "validate", "remember"
    }  # fmt: skip


@pytest.mark.parametrize("package", [groat, graph, nodes, serve])
def test_our_packages_come_from_this_checkout(package: object) -> None:
    file = getattr(package, "__file__", None)
    assert isinstance(file, str)
    assert Path(file).is_relative_to(ROOT)


def test_foreign_packages_of_the_same_names_do_not_win(tmp_path: Path) -> None:
    for name in ("graph", "nodes", "serve"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('foreign')\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(ROOT / "serve" / "command.py"), "--help"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "ingest" in done.stdout


def test_no_module_has_a_name_of_nothing() -> None:
    assert [path for path in _modules(*SOURCES, "tests") if path.stem in NAMES_OF_NOTHING] == []


def test_no_module_is_longer_than_300_lines() -> None:
    long = {str(path.relative_to(ROOT)): lines for path in _modules(*SOURCES) if (lines := _length(path)) > 300}
    assert long == {}


def _length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_the_picture_fits_a_screen() -> None:
    assert _length(ROOT / "graph" / "build.py") <= 64


def test_every_module_says_what_it_owns() -> None:
    bare = [path for path in _modules(*SOURCES) if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert bare == []


def test_imports_run_one_way() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "5 kept, 0 broken" in done.stdout


def test_no_document_holds_both_sides_of_a_merge() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert documents
    assert [path.name for path in documents if "\n>>>>>>> " in path.read_text(encoding="utf-8")] == []
