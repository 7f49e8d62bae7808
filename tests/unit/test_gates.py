"""The gates hold for what is shipped and fail when a lever is broken; a release's results say what they are of."""

import asyncio
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import groat
from evals import gates, validation
from evals.defects import KINDS
from evals.gates_report import Gate, write_report
from evals.helpcentre import Question, load_questions
from evals.processor_time import reference
from groat.cache.accept import AcceptRule
from groat.cache.judged import Judged
from groat.types import Check, Language
from groat.validation import check_answer

_PAIRS = 4


def _few(language: Language) -> list[Question]:
    """Return some near misses with the questions that they resemble, and some questions that are never kept."""
    rows = load_questions(language)
    near = [row for row in rows if row["near_miss_of"] and row["cacheable"]][:_PAIRS]
    known = {row["near_miss_of"] for row in near}
    never = [row for row in rows if row["kind"] in ("personal", "time_bound")][:_PAIRS]
    return [*near, *(row for row in rows if row["answer_id"] in known and row not in near), *never]


def _run(tmp_path: Path, *arguments: str) -> tuple[int, list[Gate]]:
    path = tmp_path / "gates.json"
    code = asyncio.run(gates.main([*arguments, "--json", str(path)]))
    return code, json.loads(path.read_text(encoding="utf-8"))


def _failed(found: list[Gate]) -> set[tuple[str, str]]:
    return {(gate["gate"], gate["lang"]) for gate in found if not gate["holds"]}


def test_a_cache_rule_that_accepts_what_it_should_not_fails_its_gate_in_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "load_questions", _few)
    code, found = _run(tmp_path, "--only", "cache")
    assert (code, _failed(found)) == (0, set())

    judge = AcceptRule._verdict

    def gullible(self: AcceptRule, *arguments: Any) -> Judged[Any]:
        return replace(judge(self, *arguments), accepted=True)

    monkeypatch.setattr(AcceptRule, "_verdict", gullible)
    code, found = _run(tmp_path, "--only", "cache")
    assert code == 1
    assert {("near misses served", "en"), ("near misses served", "zh")} <= _failed(found)


def test_validation_that_overlooks_figures_fails_its_gate_in_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    def careless(*arguments: Any, **more: Any) -> list[Check]:
        return [{**one, "passed": True} for one in check_answer(*arguments, **more)]

    monkeypatch.setattr(validation, "check_answer", careless)
    monkeypatch.setattr(tomllib, "loads", _quickly(tomllib.loads))
    code, found = _run(tmp_path, "--only", "validation")
    assert code == 1
    assert {("defects caught", "en"), ("defects caught", "zh")} <= _failed(found)
    assert all(gate["interval"] is not None for gate in found)


def _quickly(loads: Any) -> Any:
    def read(text: str) -> Mapping[str, Any]:
        bounds = loads(text)
        return {**bounds, "validation": {**bounds["validation"], "every": 40}}

    return read


def test_every_group_of_gates_has_its_bounds() -> None:
    bounds = tomllib.loads(gates.GATES.read_text(encoding="utf-8"))
    named = {"answers": "helpcentre"}
    assert {named.get(group, group) for group in (*gates.QUICK, *gates.SLOW)} == set(bounds) - {"sample"}
    assert len(KINDS) == 12


def test_the_reference_takes_processor_time() -> None:
    assert reference() > 0


def test_the_results_of_a_release_say_what_was_measured_of_which_commit_with_what_and_by_which_command(tmp_path: Path) -> None:
    gate: Gate = {
        "gate": "saved", "lang": "zh", "rows": 40, "figure": 0.7, "interval": (0.6, 0.8), "bound": ">= 0.6", "holds": True
    }  # fmt: skip
    path = write_report([gate], {"sample": {"seed": 7}}, ["python -m evals.gates", "--report"], tmp_path / "reports")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == f"{groat.__version__}.json"
    assert told["gates"] == [{**gate, "interval": [0.6, 0.8]}]
    assert told["command"] == "python -m evals.gates --report"
    assert told["configuration"] == {"sample": {"seed": 7}}
    assert {"date", "commit", "changed_since", "python", "libraries"} <= set(told)
    assert str(tmp_path) not in path.read_text(encoding="utf-8")
