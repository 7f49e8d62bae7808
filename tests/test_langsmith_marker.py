"""Tests with LangSmith's marker: on this machine by default, on LangSmith when that is asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.langsmith_server import LangSmith, serve_langsmith

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("-p", "evals.langsmith_marker", "-p", "no:cacheprovider")
MARKED = """
import pytest
from langsmith import testing

from evals.evaluators import right

ASKED = {
    "en": ("How long is a reset link valid?", "It is valid for 20 minutes.", "20 minutes"),
    "zh": ("重置链接的有效期是多久？", "重置链接的有效期是20分钟。", "20分钟"),
}


@pytest.mark.langsmith(test_suite_name="own")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_answer_is_right(lang: str) -> None:
    question, answer, reference = ASKED[lang]
    testing.log_inputs({"question": question})
    testing.log_outputs({"answer": answer})
    testing.log_reference_outputs({"answer": reference})
    asked = {"text": question, "language": lang, "answer_language": lang, "search_text": question, "history": [], "tenant": "x"}
    score = right(outputs={"answer": answer, "asked": asked}, reference_outputs={"answer": reference})
    testing.log_feedback(key=score["key"], score=score["score"])
    assert score["score"] == 1
"""


def run(folder: Path, langsmith: LangSmith, *options: str, marked: str = MARKED) -> subprocess.CompletedProcess[str]:
    (folder / "test_marked.py").write_text(marked, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, *options, "test_marked.py"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANGSMITH_ENDPOINT": langsmith.url, "LANGSMITH_API_KEY": "k",
            "LANGSMITH_TRACING": "true", "OMP_NUM_THREADS": "1",
        },
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_without_the_option_a_marked_test_runs_and_nothing_leaves_the_machine(tmp_path: Path) -> None:
    with serve_langsmith() as langsmith:
        done = run(tmp_path, langsmith)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 passed" in done.stdout
        assert langsmith.asked == []


def test_with_the_option_questions_references_and_scores_are_on_langsmith(tmp_path: Path) -> None:
    with serve_langsmith() as langsmith:
        done = run(tmp_path, langsmith, "--langsmith-online")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "2 passed" in done.stdout
        examples = {one["inputs"]["question"]: one["outputs"]["answer"] for one in langsmith.added}
        assert examples == {"How long is a reset link valid?": "20 minutes", "重置链接的有效期是多久？": "20分钟"}
        assert len(langsmith.roots) == 2
        assert [one["score"] for one in langsmith.feedback if one["key"] == "right"] == [1.0, 1.0]
        assert [one["score"] for one in langsmith.feedback if one["key"] == "pass"] == [1, 1]


def test_a_marked_test_that_fails_fails_on_this_machine_as_well(tmp_path: Path) -> None:
    with serve_langsmith() as langsmith:
        done = run(tmp_path, langsmith, marked=MARKED.replace("20分钟。", "3天。"))
        assert done.returncode == pytest.ExitCode.TESTS_FAILED
        assert "1 failed, 1 passed" in done.stdout
        assert langsmith.asked == []
