"""``groat doctor`` says whether the collector of traces takes them."""

from pathlib import Path

import pytest

from graph.settings import Settings
from serve.health_traces import traces_part
from tests.otlp_server import serve_collector


async def test_a_collector_that_takes_spans_is_well_and_gets_none(tmp_path: Path) -> None:
    with serve_collector() as collector:
        part = await traces_part(Settings(data_dir=tmp_path, otlp_endpoint=f"{collector.url}/"))
        assert (part["state"], collector.requests, collector.names) == ("ok", 1, [])
    assert "without texts" in part["says"]


@pytest.mark.parametrize("mood", ["refusing", "broken"])
async def test_a_collector_that_takes_none_is_named_with_what_to_do(tmp_path: Path, mood: str) -> None:
    with serve_collector() as collector:
        collector.mood = mood  # type: ignore[assignment]  # a parameter has no literal type
        part = await traces_part(Settings(data_dir=tmp_path, otlp_endpoint=collector.url))
    assert (part["state"], "correct GROAT_OTLP_ENDPOINT" in part["says"]) == ("broken", True)


async def test_without_a_collector_nothing_is_wrong(tmp_path: Path) -> None:
    assert (await traces_part(Settings(data_dir=tmp_path)))["state"] == "ok"
