"""A real backend: Phoenix takes the spans of an escalated question and sees the tree and the kinds that groat means."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from evals.trace_sink import free_port
from groat.tracing.names import attributes as at
from groat.tracing.names.spans import BOX_KINDS

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("phoenix") is None, reason="arize-phoenix is not on the path: docs/tracing.md"),
]
ROOT = Path(__file__).parents[2]
START_S = 120.0


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    ports = free_port(), free_port()
    environ = {
        **os.environ, "PHOENIX_WORKING_DIR": str(tmp_path), "PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": str(ports[0]),
        "PHOENIX_GRPC_PORT": str(ports[1]), "PHOENIX_TELEMETRY_ENABLED": "false", "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }  # fmt: skip
    server = subprocess.Popen(["phoenix", "serve"], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{ports[0]}"
    try:
        end = time.monotonic() + START_S
        while not _answers(url):
            assert server.poll() is None, "phoenix ended at once"
            assert time.monotonic() < end, "phoenix does not start"
            time.sleep(0.5)
        yield url
    finally:
        server.kill()
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/healthz", timeout=2):
            return True
    except (URLError, OSError):
        return False


def _spans(url: str) -> list[dict[str, Any]]:
    with urlopen(f"{url}/v1/projects/groat/spans?limit=100", timeout=30) as response:
        return list(json.load(response)["data"])


def test_phoenix_shows_the_question_as_one_tree_with_a_kind_for_each_box(phoenix: str) -> None:
    subprocess.run([sys.executable, "-m", "evals.trace_example", "--endpoint", phoenix], cwd=ROOT, check=True, timeout=300)
    end = time.monotonic() + 60
    while not (found := _spans(phoenix)) and time.monotonic() < end:
        time.sleep(1)
    assert len({span["context"]["trace_id"] for span in found}) == 1
    ids = {span["context"]["span_id"] for span in found}
    assert [span["name"] for span in found if span["parent_id"] is None] == ["groat"]
    assert {span["parent_id"] for span in found} - {None} <= ids
    kinds = {span["name"]: span["span_kind"] for span in found}
    assert {name: kinds[name] for name in BOX_KINDS} == dict(BOX_KINDS)
    assert kinds["groat"] == "AGENT"
    models = Counter(span["name"] for span in found if span["span_kind"] == "LLM")
    assert models == {"chat gpt-5-mini": 3, "chat gpt-5.2": 1}
    assert all(at.LLM_TOTAL in span["attributes"] for span in found if span["span_kind"] == "LLM")
