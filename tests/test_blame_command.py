"""``groat blame`` as people run it: a kept run, what somebody says of it, and the report, offline."""

from pathlib import Path

import pytest

from tests.test_command import _groat, _json

DOCUMENT = "# 密码\n\n新密码至少要有 12 个字符。修改之后其他设备会自动退出登录。忘记密码时请点击登录页的链接。\n"
QUESTION = "新密码最少几位"
KEEPS = {"GROAT_KEEP_RUN_TEXTS": "true", "GROAT_JUDGE": "off"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "password.md").write_text(DOCUMENT, encoding="utf-8")
    return tmp_path


def test_a_bad_answer_is_blamed_and_reported(home: Path) -> None:
    _groat(home, "ingest", "docs", environ=KEEPS)
    trace = _json(_groat(home, "ask", QUESTION, "--no-cache", "--json", "-", environ=KEEPS))["trace_id"]
    told = ("--answer", "新密码至少要有 16 个字符。", "--document", "password")
    found = _json(_groat(home, "blame", trace, *told, "--json", "-", environ=KEEPS))
    assert {"origin", "missed_by", "evidence", "replays"} <= set(found)
    assert (found["origin"], found["missed_by"]) == ("knowledge", "none")
    report = _json(_groat(home, "blame", "report", "--json", "-", environ=KEEPS))
    assert [cause["origin"] for cause in report["causes"]] == ["knowledge"]
    shown = _groat(home, "blame", trace, "--max-cost", "0", environ=KEEPS).stdout.decode()
    assert "origin" in shown
    assert _groat(home, "blame", "mark", trace, "good", "--by", "me", environ=KEEPS).returncode == 0
    unknown = _groat(home, "blame", "unknown", environ=KEEPS)
    assert (unknown.returncode, unknown.stderr.decode().count("\n")) == (1, 1)
    assert "no run 'unknown' is kept" in unknown.stderr.decode()


def test_without_texts_it_says_what_to_switch_on(home: Path) -> None:
    trace = _json(_groat(home, "ask", "谢谢！", "--no-cache", "--json", "-"))["trace_id"]
    refused = _groat(home, "blame", trace, "--unanswerable")
    assert refused.returncode == 1
    assert "GROAT_KEEP_RUN_TEXTS=true" in refused.stderr.decode()
