"""The tree of spans on the terminal, and the commands that speak with LangSmith."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from groat.tracing.names import attributes as at
from groat.tracing.tree import tree_lines
from tests.langsmith_server import serve_langsmith

ROOT = Path(__file__).parents[2]


def _spans() -> list[ReadableSpan]:
    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("groat", attributes={at.PURPOSE: "question", at.OUTCOME: "cheap", at.TOTAL_COST: "0.5"}):
        with tracer.start_as_current_span("route", attributes={at.ROUTE_TIER: "cheap", at.ROUTE_SCORE: 0.912}):
            pass
        with tracer.start_as_current_span("answer_cheap"):
            chat = tracer.start_span("chat m", attributes={at.CALL_OUTCOME: "rate_limit", at.COST: "0.000"})
            chat.set_status(StatusCode.ERROR)
            chat.end()
    return list(kept.get_finished_spans())


def test_each_span_stands_below_its_parent_with_what_it_decided() -> None:
    lines = [re.sub(r"  [\d.]+ ms", "", line) for line in tree_lines(_spans())]
    assert lines == [
        "groat  cheap  $0.5", "├─ route  cheap  p=0.91", "└─ answer_cheap", "   └─ ✗ chat m  rate_limit"
    ]  # fmt: skip


def test_a_span_whose_parent_is_elsewhere_stands_at_the_left() -> None:
    spans = [span for span in _spans() if span.name != "groat"]
    assert tree_lines(spans)[0].startswith("route")


def _groat(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GROAT_", "LANGSMITH_", "OPENAI_"))}
    environ = {**kept, "GROAT_DATA_DIR": str(folder), "GROAT_JUDGE": "off", "PYTHONIOENCODING": "utf-8", **more}
    return subprocess.run(
        [sys.executable, "-m", "serve.command", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, encoding="utf-8", timeout=180, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("question", ["How long is a link valid?", "链接多久有效？"], ids=["en", "zh"])
def test_ask_prints_its_tree_and_leaves_json_alone(tmp_path: Path, question: str) -> None:
    done = _groat(tmp_path, "ask", question, "--trace", "--json", "-")
    assert json.loads(done.stdout)["path"][0] == "check_cache"
    assert "├─ check_cache" in done.stderr
    assert question not in done.stderr


def test_feedback_and_data_sets_go_where_the_environment_says(tmp_path: Path) -> None:
    run = "44444444-4444-4444-8444-444444444444"
    with serve_langsmith() as langsmith:
        where = {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": langsmith.url,
            "LANGSMITH_API_KEY": "k",
            "LANGSMITH_PROJECT": "support",
        }
        said = _groat(tmp_path, "feedback", run, "--score", "0", "--comment", "数字不对", "--json", "-", **where)
        filled = _groat(tmp_path, "langsmith", "fill", "own", "--where", "route=cheap", **where)
        wrong = _groat(tmp_path, "langsmith", "fill", "own", "--where", "route", **where)
    alone = _groat(tmp_path, "feedback", run, "--score", "0")
    assert json.loads(said.stdout)["run_id"] == run, said.stderr
    assert langsmith.feedback[0]["comment"] == "数字不对"
    assert (alone.returncode, "nobody can be told" in alone.stderr) == (1, True)
    assert "0 runs fit: 0 added" in filled.stdout
    assert (wrong.returncode, "--where route is no condition" in wrong.stderr) == (1, True)
