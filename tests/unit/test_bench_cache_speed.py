import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from typer.testing import CliRunner

from evals.made_entries import DIMENSION, MadeEntries
from groat.errors import BadInput
from serve.cli.bench import bench_app
from tests.redis_server import serve_redis

EXPECTED = {
    "store", "entries", "lookups", "exact_p50_ms", "exact_p99_ms", "p50_ms", "p99_ms", "nearest_p50_ms", "first_ms", "fill_s",
    "memory_mb", "vectors_mb", "recall_at_1", "recall_at_8",
}  # fmt: skip


def measured(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    out = folder / "out.json"
    result = CliRunner().invoke(bench_app, ["cache-speed", *arguments, "--json", str(out)])
    assert (result.exit_code, result.output) == (0, "")
    found: list[dict[str, Any]] = json.loads(out.read_text(encoding="utf-8"))
    return found


def check(one: dict[str, Any], store: str, entries: int) -> None:
    assert set(one) == EXPECTED
    assert (one["store"], one["entries"], one["lookups"]) == (store, entries, 3 * min(entries, 200))
    # The vector sets of Redis search approximately.
    assert (one["recall_at_1"], one["recall_at_8"]) == (1, 1) or (store == "redis" and one["recall_at_8"] > 0.99)
    assert 0 < one["exact_p50_ms"] <= one["exact_p99_ms"]
    assert 0 < one["nearest_p50_ms"] <= one["p50_ms"] <= one["p99_ms"]
    assert one["vectors_mb"] == pytest.approx(entries * DIMENSION * 4 / 2**20, abs=0.05)


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_command_measures_each_size_once(store: str, tmp_path: Path) -> None:
    small, large = measured(tmp_path, "--entries", "200", "5", "200", "--store", store)
    check(small, store, 5)
    check(large, store, 200)


def test_redis_is_measured_and_left_as_it_was(tmp_path: Path) -> None:
    with serve_redis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        client.set("someone else's", "1")
        [found] = measured(tmp_path, "--entries", "200", "--store", "redis", "--redis-url", server.url)
        left = b" ".join(client.scan_iter())
    check(found, "redis", 200)
    assert b"someone else's" in left
    assert b"made" not in left


def test_people_get_a_table() -> None:
    result = CliRunner().invoke(bench_app, ["cache-speed", "--entries", "200"])
    assert result.exit_code == 0
    assert "memory  200" in result.output
    assert "100.0%" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--store", "redis"], "name one with --redis-url"), (["--entries", "0"], "at least 1")],
    ids=["no redis", "nothing"],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], said: str) -> None:
    stopped = CliRunner().invoke(bench_app, ["cache-speed", *arguments])
    assert isinstance(stopped.exception, BadInput)
    assert said in str(stopped.exception)


def test_made_up_vectors_lie_as_those_of_real_questions_do_and_stay_the_same() -> None:
    made = MadeEntries(3_000, embedder="e")
    [(vectors, entries)] = made.chunks()
    cosines = vectors @ vectors.T
    assert np.abs(np.diag(cosines) - 1).max() < 1e-5
    assert cosines.min() > 0.6
    assert 0.75 < np.median(cosines) < 0.8
    assert [one.vector is not None and one.vector.tolist() for one in entries[:3]] == vectors[:3].tolist()
    assert {one.language for one in entries} == {"zh", "en"}
    assert len({one.exact_text for one in entries}) == 3_000
    [(again, _)] = MadeEntries(3_000, embedder="e").chunks()
    assert np.array_equal(vectors, again)
