"""``groat eval judge`` and ``groat eval shadow`` as people run them."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from evals.experiments import Experiment, Scored, read, write
from graph.shadowing import SHADOWS
from groat.errors import BadInput
from groat.types import Language
from serve.cli import evaluate
from serve.cli.main import app
from tests.model_outcomes import COUNTED, Says
from tests.model_server import serve_model
from tests.served import open_world


def groat(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["eval", *arguments])


def experiment(name: str, answers: dict[str, tuple[Language, str, float]]) -> Experiment:
    rows: list[Scored] = [
        {
            "id": key, "lang": lang, "category": "", "question": "why?", "answer": answer, "error": "",
            "scores": {"right": right}, "comments": {}, "cost_usd": "0", "path": [],
        }
        for key, (lang, answer, right) in answers.items()
    ]  # fmt: skip
    head: Any = {"experiment": name, "date": "2026-11-26", "rows": len(rows), "data_sha256": "d", "settings": {}}
    return Experiment(head=head, rows=tuple(rows))


def test_two_experiments_are_judged_blind_and_the_table_says_how_steady_the_judge_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    write(experiment("a", {"1": ("en", "wrong", 0.0), "2": ("zh", "一样", 1.0)}), a)
    write(experiment("b", {"1": ("en", "right", 1.0), "2": ("zh", "一样", 1.0)}), b)
    world = asyncio.run(open_world(tmp_path))
    with serve_model(
        answer_with=lambda body, number: Says(text="1" if "<first_answer>right" in str(body) else "2", usage=COUNTED)
    ) as server:
        services = world.with_models(server).services
        monkeypatch.setattr(evaluate, "load_application", lambda: SimpleNamespace(services=services))
        done = groat("judge", str(a), str(b), "--json", "-")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    found = {one["lang"]: one for one in told["preferences"]}
    assert (found["en"]["b_better"], found["en"]["agreed"], found["zh"]["equal"], found["all"]["steady"]) == (1, 1.0, 1, 1.0)
    assert (told["rows"], told["judge"]) == (2, "big")
    assert float(told["cost_usd"]) > 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(evaluate, "load_application", lambda: SimpleNamespace(settings=SimpleNamespace(data_dir=tmp_path)))
    return tmp_path


def test_the_new_configuration_is_compared_in_pairs_and_both_can_be_written_down_for_a_judge(folder: Path) -> None:
    said = {"answer": "x", "verified": True, "cheap": True, "latency_ms": 5.0}
    rows = [
        {
            "run": str(number), "at": 1.0, "lang": lang, "tenant": "default", "question": "why?",
            "running": {**said, "cost_usd": "0.002"}, "new": {**said, "cost_usd": "0.001", "answer": "y"},
        }
        for number, lang in enumerate(["en", "zh", "en"])
    ]  # fmt: skip
    (folder / SHADOWS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    outs = (folder / "a.jsonl", folder / "b.jsonl")
    done = groat("shadow", "--out-a", str(outs[0]), "--out-b", str(outs[1]), "--json", "-")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    costs = {one["lang"]: one["found"] for one in told["comparisons"] if one["key"] == "cost_usd"}
    assert (told["rows"], costs["all"]["difference"], costs["zh"]["rows"]) == (3, -0.001, 1)
    assert [[row["answer"] for row in read(out).rows] for out in outs] == [["x"] * 3, ["y"] * 3]
    assert "3 live questions" in groat("shadow").stdout


def test_without_a_comparison_it_says_what_to_set(folder: Path) -> None:
    (folder / SHADOWS).write_text("", encoding="utf-8")
    done = groat("shadow")
    assert isinstance(done.exception, BadInput)
    assert "GROAT_SHADOW_CONFIG" in str(done.exception)
