"""The judge in the application: opened at the first question, and without an opinion when it cannot be had."""

import asyncio
import logging
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graph.judging import LazyJudge
from graph.services import open_services
from graph.settings import read_settings
from groat.errors import SettingsError
from groat.judge import Judge, Judged
from groat.judge.artifact import JudgeArtifact
from serve.health import _judge as examine_judge

QUESTION, OTHERS = "怎么退掉一盏台灯？", ["how do I return a lamp?", "台灯是谁发明的", "SECRET-TEXT"]


class StubJudge:
    version = "stub"

    async def same(self, question: str, candidates: list[str]) -> Judged:
        return Judged(np.full(len(candidates), 0.1), (None,) * len(candidates))

    async def answers(self, question: str, sentences: list[str]) -> Judged:
        return Judged(np.full(len(sentences), 0.2), (None,) * len(sentences))

    async def supports(self, claim: str, passages: list[str]) -> Judged:
        return Judged(np.full(len(passages), 0.3), (None,) * len(passages))


class Opened:
    """Stands in for ``Judge.open`` and notes how it was called, and where."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, int, bool]] = []

    def __call__(self, weights: object, *, threads: int) -> Any:
        self.calls.append((weights, threads, threading.current_thread() is threading.main_thread()))
        return StubJudge()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    stand_in = Opened()
    monkeypatch.setattr(Judge, "open", stand_in)
    return stand_in


def app_of(judge: LazyJudge, weights: str) -> Any:  # an application with nothing but a judge
    return SimpleNamespace(services=SimpleNamespace(judge=judge), settings=SimpleNamespace(judge=weights))


async def test_it_is_opened_once_at_the_first_question_off_the_event_loop(opened: Opened) -> None:
    judge = LazyJudge("open", threads=2)
    assert (opened.calls, judge.version) == ([], "none")
    found = await asyncio.gather(*(judge.same(QUESTION, OTHERS) for _ in range(8)))
    assert opened.calls == [("open", 2, False)]
    assert judge.version == "stub"
    assert all(each.p.tolist() == [0.1, 0.1, 0.1] for each in found)


async def test_each_question_reaches_its_own_head(opened: Opened) -> None:
    judge = LazyJudge()
    found = [(await ask(QUESTION, OTHERS)).p[0] for ask in (judge.same, judge.answers, judge.supports)]
    assert found == [0.1, 0.2, 0.3]


def test_several_event_loops_share_one_judge(opened: Opened) -> None:
    judge = LazyJudge()
    for _ in range(2):
        assert asyncio.run(judge.same(QUESTION, ["x"])).p.tolist() == [0.1]
    assert len(opened.calls) == 1


@pytest.mark.parametrize("weights", ["all", "open"])
async def test_a_name_means_the_weights_that_come_with_groat(opened: Opened, weights: str) -> None:
    await LazyJudge(weights).reason()
    assert opened.calls[0][0] == weights


async def test_anything_else_is_a_folder(opened: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    await LazyJudge("~/mine").reason()
    assert opened.calls[0][0] == tmp_path / "mine"


async def test_switched_off_it_has_no_opinion_and_opens_nothing(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    judge = LazyJudge("off")
    for ask in (judge.same, judge.answers, judge.supports):
        found = await ask(QUESTION, OTHERS)
        assert found.p.tolist() == [0.0, 0.0, 0.0]
        assert found.reasons == ("the judge is switched off: GROAT_JUDGE=off",) * 3
        assert (await ask(QUESTION, [])).p.shape == (0,)
    assert (opened.calls, judge.version, caplog.records) == ([], "none", [])


@pytest.mark.parametrize("broken", ["missing", "damaged", "no onnxruntime"])
async def test_what_cannot_be_opened_is_said_once_and_has_no_opinion(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    if broken == "no onnxruntime":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    if broken == "damaged":
        (tmp_path / "judge.onnx").write_bytes(b"cut")
        (tmp_path / "judge.json").write_text("{}", encoding="utf-8")
    judge = LazyJudge("all" if broken == "no onnxruntime" else str(tmp_path))
    with caplog.at_level(logging.WARNING):
        found = await asyncio.gather(
            judge.same(QUESTION, OTHERS), judge.answers(OTHERS[2], OTHERS), judge.same(QUESTION, OTHERS)
        )
        again = await judge.supports(QUESTION, OTHERS)
    (record,) = caplog.records
    for each in (*found, again):
        assert each.p.tolist() == [0.0, 0.0, 0.0]
        assert all(reason and "GROAT_JUDGE=off" in reason and reason in record.getMessage() for reason in each.reasons)
    assert judge.version == "none"
    assert not any(text in record.getMessage() for text in (QUESTION, *OTHERS))


async def test_the_doctor_names_the_weights_and_their_version() -> None:
    part = await examine_judge(app_of(LazyJudge(), "all"))
    assert (part["part"], part["state"]) == ("judge", "ok")
    assert f"weights 'all', version {JudgeArtifact.load().version}" in part["says"]


async def test_the_doctor_says_why_there_is_no_judge(tmp_path: Path) -> None:
    off = await examine_judge(app_of(LazyJudge("off"), "off"))
    assert (off["state"], off["says"]) == ("note", "the judge is switched off: GROAT_JUDGE=off")
    missing = await examine_judge(app_of(LazyJudge(str(tmp_path)), str(tmp_path)))
    assert missing["state"] == "broken"
    assert "reinstall groat" in missing["says"]


def test_the_settings_name_the_judge(tmp_path: Path) -> None:
    default = read_settings({}, home=tmp_path)
    assert (default.judge, default.judge_threads) == ("all", 1)
    own = read_settings({"GROAT_JUDGE": " /my/weights ", "GROAT_JUDGE_THREADS": "2"}, home=tmp_path)
    assert (own.judge, own.judge_threads) == ("/my/weights", 2)


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "9999"])
def test_threads_that_cannot_be_are_named(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match="GROAT_JUDGE_THREADS"):
        read_settings({"GROAT_JUDGE_THREADS": value}, home=tmp_path)


async def test_the_services_hold_the_judge_of_the_settings(opened: Opened, tmp_path: Path) -> None:
    for value, weights in (("open", "open"), ("off", None)):
        services = open_services(read_settings({"GROAT_JUDGE": value, "GROAT_JUDGE_THREADS": "3"}, home=tmp_path))
        reason = (await services.judge.same(QUESTION, ["x"])).reasons[0]
        assert (reason is None) == (weights is not None)
    assert opened.calls == [("open", 3, False)]


def test_a_judge_that_is_not_asked_imports_neither_onnxruntime_nor_torch() -> None:
    code = "import sys, graph.judging as j; j.LazyJudge(); print({'onnxruntime', 'torch', 'onnx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "set()", done.stderr
