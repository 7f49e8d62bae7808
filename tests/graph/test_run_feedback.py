"""What is said of kept runs, and what they are blamed on, is feedback on their runs of LangSmith."""

import time
from dataclasses import replace

import pytest

from graph.blame_cases import Blamer, Terms
from graph.recording import open_runs
from graph.settings import Settings
from groat.blame.snapshot import Mark
from tests.graph.conftest import MakeWorld
from tests.graph.test_blaming import REFERENCES, TEXTS
from tests.graph.test_langsmith import WAIT_S, _runs, langsmith
from tests.graph.test_recording import kept, recorded
from tests.langsmith_server import LangSmith, metadata

__all__ = ["langsmith"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_mark_and_the_verdict_of_blame_land_on_the_run_of_the_question(
    make_world: MakeWorld, langsmith: LangSmith, language: str
) -> None:
    question, good, other = TEXTS[language]
    world, traced = make_world([other], [good], share=None), _runs()
    world.services = replace(world.services, runs=traced)
    recorder = recorded(world)
    await world.ask(question)
    (run,) = await kept(recorder)
    assert traced.outbox.flush(within_s=WAIT_S)
    (root,) = langsmith.roots
    langsmith.feedback.clear()
    runs = open_runs(Settings(data_dir=world.folder))
    said = dict(REFERENCES[language])
    await runs.mark(Mark(run=run.run, kind="user", at=time.time(), bad=True, reference=said, note="falsch 错"))
    await Blamer(world.services, runs, Terms()).kept(run.run)
    user, origin = langsmith.feedback
    assert (user["run_id"], user["key"], user["score"], user["comment"]) == (root["id"], "user", 0.0, "falsch 错")
    assert (origin["run_id"], origin["key"], origin["value"]) == (root["id"], "origin", "router")
    assert traced.outbox.flush(within_s=WAIT_S)
    assert {metadata(one)["purpose"] for one in langsmith.roots} == {"question", "replay"}


async def test_a_mark_is_kept_when_langsmith_refuses_it(make_world: MakeWorld, langsmith: LangSmith) -> None:
    world, traced = make_world(), _runs()
    world.services = replace(world.services, runs=traced)
    recorder = recorded(world)
    await world.ask()
    (run,) = await kept(recorder)
    langsmith.key = "another"
    runs = open_runs(Settings(data_dir=world.folder))
    assert await runs.mark(Mark(run=run.run, kind="user", at=time.time(), bad=True))
    found = await runs.get(run.run)
    assert found is not None
    assert [mark.bad for mark in found.marks] == [True]
