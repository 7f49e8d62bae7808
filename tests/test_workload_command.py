"""``groat workload`` and ``groat ladder --record`` as people run them."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from evals.ladder_reading import read_rows
from groat.answering import Answerer
from groat.errors import BadInput
from groat.types import Tier
from serve.cli import record as record_module
from serve.cli.main import app
from tests.ladder_day import document_row, raw_row, write_day
from tests.langsmith_server import serve_langsmith
from tests.model_outcomes import COUNTED, Says
from tests.model_server import ModelServer, serve_model
from tests.served import served

TIERS: tuple[Tier, Tier] = ("cheap", "expensive")


def groat(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_a_log_becomes_a_day_with_what_is_known_of_it_beside(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text(
        "question,timestamp\nIs it free?,2026-11-24T10:00:00\n免费吗？,2026-11-24T09:00:00\nIs it free?,2026-11-24T11:00:00\n",
        encoding="utf-8",
    )
    done = groat("workload", "build", str(log), str(tmp_path / "day.jsonl.gz"))
    assert done.exit_code == 0, done.output
    assert "3 requests" in done.stdout
    assert "33% repeat an earlier one" in " ".join(done.stdout.split())
    about = json.loads((tmp_path / "day.about.json").read_text(encoding="utf-8"))
    assert (about["rows"], about["languages"], about["distinct_questions"]) == (3, {"zh": 1, "en": 2}, 2)
    assert about["first"] < about["last"]


def test_bad_rows_of_a_log_stop_it_unless_they_may_be_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"question": "a?"}\n{broken\n', encoding="utf-8")
    stopped = groat("workload", "build", str(log), str(tmp_path / "day.jsonl"))
    assert isinstance(stopped.exception, BadInput)
    assert "line 2" in str(stopped.exception)
    assert not (tmp_path / "day.jsonl").exists()
    done = groat("workload", "build", str(log), str(tmp_path / "day.jsonl"), "--skip-bad", "--json", "-")
    assert "line 2" in done.stderr
    assert (json.loads(done.stdout)["rows"], json.loads(done.stdout)["left_out"]) == (1, 1)


@pytest.mark.parametrize("arguments", [[], ["one"], ["--langsmith", "p"], ["--langsmith", "p", "in", "out"]])
def test_without_a_log_and_a_file_it_says_how_it_is_called(arguments: list[str]) -> None:
    done = groat("workload", "build", *arguments)
    assert isinstance(done.exception, BadInput)
    assert "build IN OUT" in str(done.exception)


def test_the_questions_of_a_project_of_langsmith_become_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"messages": [{"role": "user", "content": "免费吗？"}, {"role": "assistant", "content": "是。"}]}
    asked = [
        ({"question": "Is it free?"}, "2026-11-24T10:00:00"),
        (said, "2026-11-24T09:00:00"),
        ({"other": 1}, "2026-11-24T08:00:00"),
    ]
    with serve_langsmith() as langsmith:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", langsmith.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "k")
        for number, (inputs, start) in enumerate(asked):
            name = f"33333333-3333-4333-8333-{number:012d}"
            langsmith.runs[name] = {
                "id": name, "trace_id": name, "name": "groat", "run_type": "chain", "inputs": inputs, "start_time": start,
                "dotted_order": name, "extra": {"metadata": {"thread_id": f"t{number}"}},
            }  # fmt: skip
        done = groat("workload", "build", "--langsmith", "own", str(tmp_path / "day.jsonl"), "--skip-bad")
        assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in (tmp_path / "day.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["question"], row["conversation"]) for row in rows] == [("免费吗？", "t1"), ("Is it free?", "t0")]
    assert "no question" in done.stderr


def test_a_synthetic_day_can_be_drawn_and_read_by_the_ladder(tmp_path: Path) -> None:
    pool = write_day(tmp_path / "pool.jsonl", [document_row("1", "en"), raw_row("2", "谁？", "zh")])
    out = tmp_path / "day.jsonl.gz"
    done = groat("workload", "synth", str(pool), str(out), "--rows", "40", "--tenants", "2", "--churn", "1")
    assert done.exit_code == 0, done.output
    assert len(list(read_rows(out))) == 40
    ladder = groat("ladder", "--workload", str(out), "--arms", "all cheap")
    assert ladder.exit_code == 0, ladder.output
    assert "40 requests" in ladder.stdout


@pytest.fixture
def recorded_by(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes an application whose models are on a server."""

    def use(server: ModelServer) -> None:
        priced = {"cheap": "gpt-5-mini", "expensive": "gpt-5.2"}
        endpoints = {tier: served(server, priced[tier], priced_as=priced[tier]) for tier in TIERS}
        services = SimpleNamespace(answerer=Answerer(endpoints), knowledge=None)
        monkeypatch.setattr(record_module, "load_application", lambda: SimpleNamespace(services=services))

    return use


def test_recording_tells_its_price_and_asks_nobody_without_a_yes(tmp_path: Path, recorded_by: Any) -> None:
    day = write_day(tmp_path / "day.jsonl", [{"id": "1", "question": "Is it free?", "lang": "en"}])
    with serve_model(Says(text="Yes.", usage=COUNTED)) as server:
        recorded_by(server)
        stopped = groat("ladder", "--workload", str(day), "--record", str(tmp_path / "out.jsonl"))
        assert isinstance(stopped.exception, BadInput)
        assert "2 calls of gpt-5-mini and gpt-5.2, about $0.00" in stopped.stderr
        assert server.requests == []


def test_recording_with_a_yes_writes_the_day_that_the_ladder_reads(tmp_path: Path, recorded_by: Any) -> None:
    day = write_day(tmp_path / "day.jsonl", [{"id": "1", "question": "免费吗？", "lang": "zh", "answers": ["免费"]}])
    out = tmp_path / "out.jsonl.gz"
    with serve_model(Says(text="是的，免费。", usage=COUNTED)) as server:
        recorded_by(server)
        done = groat("ladder", "--workload", str(day), "--record", str(out), "--yes", "--samples", "1", "--json", "-")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert (told["rows"], told["calls"], told["failed"], told["unknown_prices"]) == (1, 3, {}, 0)
        assert float(told["spent_usd"]) > 0
    (row,) = read_rows(out)
    assert (row.recorded.cheap.ok, row.recorded.cheap.samples) == (1.0, ("是的，免费。",))


def test_a_budget_that_is_too_small_names_what_is_missing_and_keeps_what_was_answered(tmp_path: Path, recorded_by: Any) -> None:
    rows = [{"id": str(number), "question": f"Is it free {number}?", "lang": "en"} for number in range(4)]
    day = write_day(tmp_path / "day.jsonl", rows)
    with serve_model(Says(text="Yes.", usage=COUNTED)) as server:
        recorded_by(server)
        arguments = ("ladder", "--workload", str(day), "--record", str(tmp_path / "out.jsonl"), "--yes")
        stopped = groat(*arguments, "--max-usd", "0.003")
        assert isinstance(stopped.exception, BadInput)
        assert "have no answer yet" in str(stopped.exception)
        asked = len(server.requests)
        assert 0 < asked < 8
        assert groat(*arguments, "--max-usd", "1").exit_code == 0
        assert len(server.requests) == 8
