"""What the command does with what it cannot use: one sentence, an exit code, nothing half-written."""

import io
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from serve.cli import main
from tests.fresh import forget_application
from tests.model_server import serve_model


@dataclass(frozen=True)
class Said:
    """What one command left behind."""

    code: int
    out: str
    err: str


Groat = Callable[..., Said]


@pytest.fixture
def groat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Groat]:
    """Run the command in this process, as if it were a new one, with its data in ``tmp_path / "data"``."""
    monkeypatch.setenv("PYTHON_DOTENV_DISABLED", "1")
    monkeypatch.setenv("GROAT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, question: bytes = b"") -> Said:
        forget_application()
        monkeypatch.setattr(sys, "argv", ["groat", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(question), encoding="utf-8"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return Said(int(ended.value.code or 0), shown.out, shown.err)

    yield run
    forget_application()


def _refused(said: Said, sentence: str) -> None:
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("groat: ")
    assert said.err.count("\n") == 1
    assert sentence in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (b"", "the question is empty; write what you want to know"),
        (b" \n\t ", "the question is empty"),
        ("密码".encode() * 200_000, "the question has 400,000 characters and at most 20,000 can be asked"),
        (b"x" * 5_000_000, "characters and at most 20,000 can be asked"),
        (b"reset\x1b[31m my password", "control character U+001B at position 5; remove it"),
        ("怎么修改密码".encode("gbk"), "not UTF-8; convert it, for instance with iconv"),
    ],
)
def test_a_question_that_cannot_be_asked(groat: Groat, tmp_path: Path, question: bytes, sentence: str) -> None:
    _refused(groat("ask", "-", question=question), sentence)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--tenant", "nobody"], "the tenant 'nobody' is not known; ingest documents with `groat ingest PATH --tenant nobody`"),
        (["--tenant", " "], "the tenant is empty"),
        (["--max-quality-loss", "7"], "max_quality_loss 7.0 is outside 0..1"),
        (["--max-cost", "-1"], "max_cost_usd -1.0 is not an amount of dollars"),
        (["--thread", " "], "the thread is empty"),
    ],
)
def test_an_option_that_means_nothing(groat: Groat, options: list[str], sentence: str) -> None:
    _refused(groat("ask", "How long?", *options), sentence)


@pytest.mark.parametrize("options", [["--tier", "medium"], ["--language", "fr"], ["--max-cost", "much"], ["--no-such-option"]])
def test_an_unknown_choice_is_shown_with_the_usage(groat: Groat, options: list[str]) -> None:
    said = groat("ask", "How long?", *options)
    assert (said.code, said.out) == (2, "")
    assert "Usage:" in said.err
    assert options[0] in said.err


def test_paths_without_documents(groat: Groat, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    _refused(groat("ingest", "empty"), "empty")
    _refused(groat("ingest", "missing"), "missing")
    _refused(groat("ingest", "empty", "--tenant", " "), "the tenant is empty")


def test_a_broken_document_is_named_and_the_others_are_kept(groat: Groat, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "good.md").write_text("# Good\n\nThis is readable.\n", encoding="utf-8")
    (docs / "gbk.txt").write_bytes("修改密码\n\n在设置里点账号安全即可修改密码，新密码至少要有十个字符。\n".encode("gbk"))
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7\nthis is not one")
    said = groat("ingest", "docs", "--json", "-")
    report = json.loads(said.out)
    assert (said.code, report["added"]) == (1, 2)
    assert [Path(failed["file"]).name for failed in report["failed"]] == ["broken.pdf"]
    assert "broken.pdf" in said.err
    assert "Traceback" not in said.err
    again = json.loads(groat("ingest", "docs", "--json", "-").out)
    assert (again["added"], again["unchanged"]) == (0, 2)


def test_arguments_that_are_no_text(groat: Groat, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n\nText.\n", encoding="utf-8")
    _refused(groat("ask", "\udcff"), "control character U+DCFF")
    _refused(groat("ingest", "a.md", "--tenant", "\udcff"), "an argument is not UTF-8")


def test_forgetting_must_say_what(groat: Groat) -> None:
    _refused(groat("forget"), "say what to forget")
    _refused(groat("forget", "--all", "--tenant", "acme"), "say what to forget")


@pytest.mark.parametrize("content", [b"this is no database" * 200, b"SQLite format 3\x00" + b"\xff" * 4_000])
def test_a_damaged_knowledge_base(groat: Groat, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "knowledge.sqlite").write_bytes(content)
    _refused(groat("ask", "How long?"), "knowledge.sqlite")
    (tmp_path / "a.md").write_text("# A\n\nText.\n", encoding="utf-8")
    said = groat("ingest", "a.md")
    assert (said.code, "Traceback" in said.err, "knowledge.sqlite" in said.err) == (1, False, True)
    assert (tmp_path / "data" / "knowledge.sqlite").read_bytes() == content


def test_a_folder_where_a_database_should_be(groat: Groat, tmp_path: Path) -> None:
    (tmp_path / "data" / "knowledge.sqlite").mkdir(parents=True)
    _refused(groat("ask", "How long?"), "knowledge.sqlite")


def test_a_data_folder_that_cannot_be_written(groat: Groat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    (tmp_path / "a.md").write_text("# A\n\nText.\n", encoding="utf-8")
    monkeypatch.setenv("GROAT_DATA_DIR", str(tmp_path / "file" / "data"))
    said = groat("ingest", "a.md")
    assert (said.code, said.out, "Traceback" in said.err) == (1, "", False)
    assert str(tmp_path / "file") in said.err
    _refused(groat("ask", "How long?", "--thread", "t"), "set GROAT_DATA_DIR to a folder of yours")


def test_damaged_conversations(groat: Groat, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "threads.sqlite").write_bytes(b"this is no database" * 200)
    _refused(groat("ask", "How long?", "--thread", "t"), "if the file is damaged, move it away")


def test_a_damaged_cache_and_ledger_do_not_stop_the_answer(groat: Groat, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("cache", "ledger"):
        (tmp_path / "data" / f"{name}.sqlite").write_bytes(b"this is no database" * 200)
    said = groat("ask", "谢谢！", "--json", "-")
    assert said.code == 0
    assert json.loads(said.out)["answer"].startswith("您好")
    assert groat("doctor", "--json", "-").code == 1


def test_settings_that_cannot_be_used(groat: Groat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROAT_TIMEOUT_S", "soon")
    _refused(groat("ask", "How long?"), "the setting GROAT_TIMEOUT_S cannot be used")
    monkeypatch.delenv("GROAT_TIMEOUT_S")
    monkeypatch.setenv("GROAT_EMBEDDINGS", "no_such_module:Class")
    _refused(groat("ask", "How long?"), "GROAT_EMBEDDINGS")


def test_a_model_that_cannot_be_reached(groat: Groat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_model("drop") as server:
        address = server.url
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    said = groat("ask", "How long?", "--json", "-")
    assert said.code == 1
    assert said.err == (
        "groat: the expensive model 'gpt-5.2' cannot be reached, or broke off; check the network and the base URL\n"
    )
    report = json.loads(said.out)
    assert (report["answer"], report["verified"], report["cost_usd"]) == ("", False, 0)
    with sqlite3.connect(tmp_path / "data" / "cache.sqlite") as cache:
        tables = {name for (name,) in cache.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    cache.close()
    assert tables
    monkeypatch.delenv("OPENAI_API_KEY")
    assert json.loads(groat("ask", "谢谢！", "--json", "-").out)["decisions"]["lookup"]["outcome"] == "miss"


def test_a_json_file_that_cannot_be_written(groat: Groat, tmp_path: Path) -> None:
    said = groat("ask", "谢谢！", "--json", str(tmp_path / "no" / "such" / "folder.json"))
    assert said.code == 1
    assert "choose another for --json" in said.err
