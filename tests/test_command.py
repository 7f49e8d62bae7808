"""The ``groat`` command as people run it: real processes, one folder of data."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.model_server import Says, serve_model

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "怎么修改密码?"
FIELDS = {
    "answer", "verified", "error", "path", "sources", "cost_usd", "baseline_cost_usd", "latency_ms", "first_token_ms",
    "decisions", "trace_id"
}  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with documents in ``docs``; its data go to ``data``."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "docs").mkdir()
    documents = {
        "zh-password.md": "# 修改密码\n\n在“设置”里点“账号安全”即可修改密码。新密码至少要有 10 个字符。\n",
        "en-refund.md": "# Refunds\n\nA refund arrives within 5 working days on the card that paid.\n",
    }
    for name, text in documents.items():
        (folder / "docs" / name).write_text(f"---\nid: {Path(name).stem}\n---\n{text}", encoding="utf-8")
    return folder


def _groat(
    home: Path, *arguments: str, question: bytes = b"", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, str(ROOT / "serve" / "command.py"), *arguments],
        cwd=home,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "GROAT_DATA_DIR": str(home / "data"),
            "PYTHON_DOTENV_DISABLED": "1",
            **(environ or {}),
        },
        input=question,
        capture_output=True,
        timeout=60,
        check=False,
    )


def _json(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_documents_are_ingested_and_a_question_is_answered_then_hit(home: Path) -> None:
    added = _json(_groat(home, "ingest", "docs", "--json", "-"))
    assert {name: added[name] for name in ("added", "changed", "unchanged", "removed", "answers_invalidated")} == {
        "added": 2, "changed": 0, "unchanged": 0, "removed": 0, "answers_invalidated": 0
    }  # fmt: skip
    first = _json(_groat(home, "ask", QUESTION, "--json", "-"))
    assert set(first) == FIELDS
    assert first["answer"].startswith("在“设置”里点“账号安全”即可修改密码。")
    assert (first["verified"], first["error"], [source["id"] for source in first["sources"]]) == (True, "", ["zh-password"])
    assert first["path"][0] == "check_cache"
    assert first["path"][-1] == "remember"
    assert first["cost_usd"] > 0
    assert set(first["decisions"]) == {"lookup", "route", "compression", "attempts", "verdicts"}
    again = _json(_groat(home, "ask", "-", "--json", "-", question=f" {QUESTION}\n".encode()))
    assert (again["path"], again["answer"], again["cost_usd"]) == (["check_cache"], first["answer"], 0)
    assert again["baseline_cost_usd"] == first["baseline_cost_usd"]
    assert again["trace_id"] != first["trace_id"]
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [home / "data", *(home / "data").glob("*.sqlite")]}
    kept = ("knowledge", "cache", "ledger", "audits", "cache-counts", "runs")
    assert modes == {"data": 0o700} | {f"{name}.sqlite": 0o600 for name in kept}


def test_a_wrong_key_is_one_sentence_and_an_answer_that_comes_is_charged(home: Path) -> None:
    key = "sk-secret-0123456789"
    with serve_model("unauthorized", "unauthorized", Says(text="A refund arrives within 5 working days.")) as server:
        real = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.url}
        refused = _groat(home, "ask", "When does a refund arrive?", "--tier", "cheap", environ=real)
        assert refused.returncode == 1
        told = refused.stderr.decode()
        assert told == (
            "groat: the cheap model 'gpt-5-mini' refused the key; check GROAT_CHEAP_API_KEY or OPENAI_API_KEY (HTTP 401)\n"
        )
        assert key not in refused.stdout.decode() + told
        assert len(server.requests) == 1
        server.outcomes.pop(0)
        answered = _json(_groat(home, "ask", "When does a refund arrive?", "--tier", "cheap", "--json", "-", environ=real))
    assert answered["answer"] == "A refund arrives within 5 working days."
    # 100 tokens in and 20 out, as the server said, at the list price of gpt-5-mini.
    assert answered["cost_usd"] == pytest.approx(100 * 0.25e-6 + 20 * 2e-6)


def test_a_report_for_people_shows_the_way_the_source_and_the_price(home: Path) -> None:
    shown = _groat(home, "ask", QUESTION).stdout.decode()
    assert "path     check_cache" in shown
    assert "[zh-password]" in shown
    assert "all expensive $0." in shown


def test_forgetting_answers_alone_leaves_the_conversations(tmp_path: Path) -> None:
    _json(_groat(tmp_path, "ask", "谢谢！", "--thread", "t", "--json", "-"))
    assert _json(_groat(tmp_path, "forget", "--tenant", "default", "--answers", "--json", "-")) == {
        "documents": 0, "answers": 1, "conversations": 0, "runs": 0
    }  # fmt: skip
    assert _json(_groat(tmp_path, "forget", "--tenant", "default", "--json", "-")) == {
        "documents": 0, "answers": 0, "conversations": 1, "runs": 1
    }  # fmt: skip
