"""The official clients get the same answers, whatever language they are written in."""

from pathlib import Path

import pytest

from tests.graph.conftest import GOOD
from tests.web import clients


def test_openais_javascript_client_is_served_unchanged(tmp_path: Path) -> None:
    with clients.endpoint(tmp_path) as base_url:
        lines = clients.javascript_client(base_url)
    if lines is None:
        pytest.skip("node or its package openai is not installed; make clients")
    assert [line.partition(": ")[0] for line in lines] == [
        "models", "answer", "tokens", "path", "streamed", "tokens of the hit", "tool call", "streamed tool call", "structured",
        "vectors", "refused",
    ]  # fmt: skip
    told = dict(line.split(": ", 1) for line in lines)
    assert told["answer"] == told["streamed"] == GOOD
    assert (told["tokens of the hit"], told["streamed tool call"]) == ("0", '{"place": "北京"}')
    assert told["refused"] == "BadRequestError 400 n"


def test_the_python_client_gets_what_the_javascript_one_gets(tmp_path: Path) -> None:
    with clients.endpoint(tmp_path) as base_url:
        told = dict(clients.python_client(base_url))
    assert told["answer"] == told["streamed"] == GOOD
    assert (told["tokens of the hit"], told["streamed tool call"]) == (0, '{"place": "北京"}')
    assert told["structured"] == clients.Validity(minutes=20)
    assert told["refused"] == "BadRequestError 400 n"
