"""``groat cache`` and ``groat bench cache`` as people run them: real processes, vectors and weights."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from groat.cache.tallies import Cell
from groat.cache.tallies_sqlite import SqliteTallies
from groat.cache.verifier import VerifierArtifact

ROOT = Path(__file__).resolve().parent.parent
EN = ("How long is the password reset link valid?", "For how long is the password reset link valid?", "Where is the meter?")
ZH = ("怎么修改登录密码", "如何修改登录密码", "电表在哪里")


def groat(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "serve" / "command.py"), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "GROAT_DATA_DIR": str(home / "data"),
            "PYTHON_DOTENV_DISABLED": "1",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def told(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stream and a file of pairs in both languages."""
    folder = tmp_path_factory.mktemp("home")
    for lang, texts in (("en", EN), ("zh", ZH)):
        rows = [{"query": text, "answer_id": number, "lang": lang} for text, number in zip(texts, (1, 1, 2), strict=True)]
        _write(folder / f"stream-{lang}.jsonl", rows)
    pairs = [
        {"a": texts[0], "b": texts[place], "same": int(place == 1), "lang": lang}
        for lang, texts in (("en", EN), ("zh", ZH))
        for place in (1, 2)
    ]
    _write(folder / "pairs.jsonl", pairs)
    return folder


def _write(file: Path, rows: list[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def test_pairs_and_streams_are_played_and_told_with_the_fields_that_programs_read(home: Path) -> None:
    reports = told(
        groat(
            home, "bench", "cache", "--pairs", str(home / "pairs.jsonl"), "--stream", str(home / "stream-en.jsonl"),
            str(home / "stream-zh.jsonl"), "--max-wrong", "1", "--json", "-",
        )
    )  # fmt: skip
    assert [(one["name"], one["lang"], one["n"]) for one in reports] == [
        ("pairs.jsonl", "en", 2), ("pairs.jsonl", "zh", 2), ("stream-en", "en", 3), ("stream-zh", "zh", 3),
    ]  # fmt: skip
    for one in reports:
        assert {"hits", "correct_hits", "wrong_hits", "hit_rate", "recall", "precision", "wrong_rate"} <= one.keys()
        assert one["hits"] == one["correct_hits"] + one["wrong_hits"]
        assert "cosine 0.9" in one["baselines"]
    assert [one["auc"] for one in reports[:2]] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "name rows to play"),
        (("--pairs", "none.jsonl"), "cannot be read"),
        (("--pairs", "none.jsonl", "--max-wrong", "2"), "must lie between 0 and 1"),
        (("--pairs", "none.jsonl", "--embedder", "no.such:Class"), "cannot be loaded"),
    ],
)
def test_what_cannot_be_played_is_one_sentence(home: Path, arguments: tuple[str, ...], says: str) -> None:
    done = groat(home, "bench", "cache", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert says in done.stderr


def test_the_cache_tells_what_it_keeps_and_why_it_would_not_serve(home: Path) -> None:
    stats = told(groat(home, "cache", "stats", "--json", "-"))
    assert (stats["kept"], stats["questions"], stats["hits"], stats["hit_rate"]) == (0, 0, 0, None)
    assert (stats["max_wrong"], bool(stats["rule"])) == (0.01, True)
    assert (stats["aliases"], stats["audit_share"], stats["audit_calls"], stats["audit_cost_usd"]) == (0, 0.02, 0, "0")
    nothing = {"done": 0, "right": 0, "wrong": 0, "undecided": 0}
    assert stats["audits"] == {**nothing, "dropped": 0, "failed": 0, "skipped_for_budget": 0}
    assert stats["near_misses"] == stats["audits_of_aliases"] == nothing
    assert stats["bounds"]["en/plain"] == {
        "shipped": stats["bounds"]["en/plain"]["now"], "now": stats["bounds"]["en/plain"]["shipped"], "origin": "shipped",
        "right": 0, "wrong": 0, "suspected": False,
    }  # fmt: skip
    found = told(groat(home, "cache", "explain", EN[0], "--json", "-"))
    assert (found["outcome"], found["reason"], found["would_serve"]) == ("miss", "empty", None)
    found = told(groat(home, "cache", "explain", "我的订单到哪儿了", "--json", "-"))
    assert (found["outcome"], found["reason"]) == ("off", "personal")


def test_what_audits_found_is_shown_with_the_bound_before_and_after(home: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for cell, count in (
        ("audit/wrong/en/plain/30/general", 9),
        ("audit/right/en/plain/30/general", 40),
        ("event/dropped///0/", 2),
    ):
        _counted(tmp_path / "data" / "audits.sqlite", Cell.named(cell), count)
    stats = told(groat(tmp_path, "cache", "stats", "--json", "-"))
    assert stats["audits"] == {
        "done": 49, "right": 40, "wrong": 9, "undecided": 0, "dropped": 2, "failed": 0, "skipped_for_budget": 0
    }  # fmt: skip
    english = stats["bounds"]["en/plain"]
    assert (english["origin"], english["now"], english["right"], english["wrong"]) == ("closed", None, 40, 9)
    assert english["shipped"]["score"] < 3
    assert stats["proven"]["en/plain"] is None
    assert stats["bounds"]["zh/plain"]["origin"] == "shipped"
    shown = groat(tmp_path, "cache", "stats").stdout
    assert "bound en/plain: shipped" in shown
    assert "now none; closed: audits found the promise broken" in shown


def _counted(path: Path, cell: Cell, count: int) -> None:
    version = VerifierArtifact.load().version
    asyncio.run(SqliteTallies(path).add(version, {cell: count}))


def test_a_calibration_of_ones_own_is_in_force_from_then_on(home: Path) -> None:
    before = told(groat(home, "cache", "stats", "--json", "-"))["rule"]
    done = groat(home, "cache", "calibrate", "--stream", str(home / "stream-en.jsonl"))
    assert done.returncode == 0, done.stderr
    assert "en/plain: 1 candidates" in done.stdout
    after = told(groat(home, "cache", "stats", "--json", "-"))
    assert after["rule"] != before
    assert after["proven"]["en/plain"] is None  # one candidate proves nothing
