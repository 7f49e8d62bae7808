"""``groat ladder`` and ``groat replay`` as people run them."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evals.ladder import Request, run
from evals.ladder_arms import STEPS
from evals.ladder_report import page
from groat.errors import BadInput
from serve.cli.ladder import prices_of
from serve.cli.main import app
from tests.ladder_day import document_row, raw_row, write_day

PLAIN = ["all cheap", "oracle", "oracle, ideal cache"]


@pytest.fixture
def day(tmp_path: Path) -> Path:
    rows = [document_row("1", "en", category="documents", assumed=True), document_row("2", "zh", category="documents")]
    rows += [raw_row("3", "How do pumps work?", "en", category="<b>open</b>"), raw_row("4", "水泵怎样工作？", "zh")]
    return write_day(tmp_path / "day.jsonl", rows)


def ladder(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["ladder", *arguments])


def test_the_json_holds_every_figure_of_every_step_and_all_expensive_comes_first(day: Path, tmp_path: Path) -> None:
    done = ladder("--workload", str(day), "--arms", *PLAIN, "--folder", str(tmp_path / "kept"), "--json", "-")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["rows"], found["assumed"], found["placeholders"]) == (4, 1, 4)
    assert [one["name"] for one in found["steps"]] == ["all expensive", *PLAIN]
    wanted = (
        "cost_usd saved quality quality_ci p50_ms p95_ms first_token_ms hit_rate wrong_hits expensive_share tokens_in "
        "tokens_out by_category by_lang"
    )
    for one in found["steps"]:
        assert set(wanted.split()) <= set(one)
        assert {name: part["n"] for name, part in one["by_lang"].items()} == {"en": 2, "zh": 2}
    assert found["steps"][1]["saved"] == pytest.approx(1 - (500 * 0.25 + 20 * 1.25) / (500 * 1.75 + 20 * 14), abs=1e-4)


def test_without_json_a_table_says_how_many_rows_there_were(day: Path) -> None:
    done = ladder("--workload", str(day), "--arms", "all cheap")
    assert done.exit_code == 0
    assert "all cheap" in done.stdout
    assert "4 requests" in done.stdout


def test_a_model_that_is_not_in_the_price_table_is_named_and_its_cost_is_unknown(day: Path) -> None:
    done = ladder("--workload", str(day), "--arms", "all cheap", "--prices", "cheap=gpt-5-mini,expensive=nobody-knows-it")
    assert "unknown" in done.stdout
    assert "no list price known" in done.stdout
    assert "nobody-knows-it" in done.stdout


def test_bad_rows_are_named_and_left_out_only_when_that_is_asked_for(day: Path) -> None:
    with day.open("a", encoding="utf-8") as file:
        file.write("{broken\n")
    stopped = ladder("--workload", str(day), "--arms", "all cheap")
    assert isinstance(stopped.exception, BadInput)
    assert "line 5" in str(stopped.exception)
    done = ladder("--workload", str(day), "--arms", "all cheap", "--skip-bad")
    assert done.exit_code == 0
    assert "line 5" in done.stderr


def test_a_step_that_does_not_exist_is_refused_with_the_names_of_those_that_do(day: Path) -> None:
    stopped = ladder("--workload", str(day), "--arms", "magic")
    assert isinstance(stopped.exception, BadInput)
    assert "'magic'" in str(stopped.exception)
    assert "+ cascade" in str(stopped.exception)


@pytest.mark.parametrize("text", ["gpt-5.2", "cheap=a", "cheap=a,expensive=", "cheap=a,dear=b"])
def test_prices_name_both_models(text: str) -> None:
    with pytest.raises(BadInput, match="cheap=MODEL,expensive=MODEL"):
        prices_of(text)


def test_the_page_stands_alone_shows_every_step_and_escapes_what_the_file_says(day: Path, tmp_path: Path) -> None:
    request = Request(workload=day, prices=prices_of("cheap=gpt-5-mini,expensive=gpt-5.2"), folder=tmp_path, steps=tuple(PLAIN))
    html = page(run(request, lambda name, done, total: None))
    assert html.count("<svg") == 2
    assert all(name in html for name in ("all expensive", *PLAIN))
    assert "<b>open</b>" not in html
    assert "&lt;b&gt;open" in html
    assert not re.findall(r'(?:src|href)="', html)


def test_the_page_can_be_made_without_known_prices(day: Path, tmp_path: Path) -> None:
    request = Request(workload=day, prices=prices_of("cheap=no-one,expensive=nobody"), folder=tmp_path, steps=("all cheap",))
    assert "unknown" in page(run(request, lambda name, done, total: None))


def test_every_step_has_a_name_of_its_own() -> None:
    assert len(STEPS) == len(set(STEPS))


def test_recorded_answers_are_served_to_any_client_until_interrupted(day: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from serve.cli.main import main; main()",
        "replay",
        str(day),
        "--port",
        "0",
        "--pace",
        "0",
    ]
    server = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # Tests that run in the background of a shell are started deaf to it, and so would be the server.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert server.stderr is not None
    with server.stderr:
        told = server.stderr.readline()
        url = re.search(r"http://\S+/v1", told)
        assert url is not None, told
        body = {"model": "expensive", "messages": [{"role": "user", "content": "水泵怎样工作？"}]}
        request = urllib.request.Request(f"{url.group()}/chat/completions", json.dumps(body).encode())
        with urllib.request.urlopen(request) as reply:
            assert json.loads(reply.read())["usage"]["total_tokens"] == 520
        server.send_signal(signal.SIGINT)
        try:
            assert server.wait(60) == 130
        finally:
            server.kill()
