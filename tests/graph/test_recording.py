"""What happened to a question is kept from outside of the boxes, whichever way the graph is run."""

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graph.context import Context
from graph.recording import Recorder, open_recorder
from graph.settings import Settings
from groat.blame.records import Wanted
from groat.blame.snapshot import Snapshot
from groat.errors import ModelError
from tests.graph.conftest import GOOD, QUESTION, WRONG, MakeWorld, World

ZH, ZH_GOOD = "怎么修改密码", "在“设置”里点“账号安全”即可修改密码。[zh-reset]"


def recorded(world: World, **settings: Any) -> Recorder:
    """Let every question be kept."""
    chosen = Settings.model_validate({"data_dir": world.folder, "keep_run_texts": True, **settings})
    recorder = open_recorder(chosen, world.services.embedder.name)
    assert recorder is not None
    world.services = replace(world.services, recorder=recorder)
    return recorder


async def kept(recorder: Recorder) -> list[Snapshot]:
    """Wait for what is under way, and return the runs, oldest first."""
    await recorder.close(within_s=30)
    found = []
    for line in reversed((await recorder.runs.find(Wanted())).runs):
        one = await recorder.runs.get(line.run)
        assert one is not None
        found.append(one.snapshot)
    return found


@pytest.mark.parametrize(("question", "answer"), [(QUESTION, GOOD), (ZH, ZH_GOOD)], ids=["en", "zh"])
async def test_an_answer_is_kept_with_all_that_led_to_it(make_world: MakeWorld, question: str, answer: str) -> None:
    world = make_world([answer])
    recorder = recorded(world)
    output = await world.ask(question)
    (run,) = await kept(recorder)
    for name in (
        "run",
        "asked",
        "lookup",
        "route",
        "shortened",
        "attempts",
        "verdicts",
        "charges",
        "path",
        "answer",
        "sources",
    ):
        assert getattr(run, name) == output[name], name
    assert (run.cost_usd, run.baseline_cost_usd) == (output["cost_usd"], output["baseline_cost_usd"])
    assert run.passages[0]["document_id"] == answer.rpartition("[")[2].rstrip("]")
    assert run.knobs["tenant"] == "acme"
    assert run.identity["tenant"] == "acme"
    assert (run.versions["router"], run.versions["embedder"], run.texts) == ("test", "words/256", True)


async def test_a_hit_is_kept_with_what_the_served_answer_stood_on(world: World) -> None:
    recorder = recorded(world)
    await world.ask()
    output = await world.ask()
    first, second = await kept(recorder)
    assert (second.is_hit, second.cache, second.path, second.answer) == (True, "exact", ["check_cache"], output["answer"])
    served = second.lookup.get("served")
    assert served is not None
    assert served["question"] == QUESTION
    assert served["tier"] == "cheap"
    assert {one["id"] for one in served["documents"]} <= {one["document_id"] for one in first.passages}
    assert second.documents >= {"en-reset"}


async def test_ways_back_and_failures_are_kept(make_world: MakeWorld) -> None:
    world = make_world([WRONG], [ModelError("down", failure="server", status=503)], share=None)
    recorder = recorded(world)
    output = await world.ask(use_cache=False)
    (run,) = await kept(recorder)
    assert [one["tier"] for one in run.attempts] == [one["tier"] for one in output["attempts"]]
    assert (run.is_bad, run.step, run.lookup["outcome"]) == (True, "exhausted", "off")


async def test_every_way_to_run_the_graph_is_seen_once(make_world: MakeWorld) -> None:
    world = make_world()
    recorder = recorded(world)
    graph, context = world.graph(), Context(tenant="acme", use_cache=False)
    named = uuid.uuid4()
    await graph.ainvoke({"question": QUESTION}, config={"run_id": named}, context=context)
    async for _ in graph.astream({"question": QUESTION}, context=context):
        pass
    await graph.abatch([{"question": QUESTION}, {"question": QUESTION}], context=context)
    runs = await kept(recorder)
    assert len({run.run for run in runs}) == 4
    assert [run.trace for run in runs].count(str(named)) == 1


async def test_no_text_is_kept_unless_it_is_switched_on(world: World) -> None:
    recorder = recorded(world, keep_run_texts=False)
    await world.ask()
    (run,) = await kept(recorder)
    held = (world.folder / "runs.sqlite").read_bytes() + (world.folder / "runs.sqlite-wal").read_bytes()
    assert (run.answer, run.asked["text"], run.texts) == ("", "", False)
    assert QUESTION.encode() not in held
    assert b"20 minutes" not in held


async def test_an_answer_does_not_wait_for_its_record_nor_fail_with_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").mkdir()
    recorder = recorded(world)
    output = await world.ask()
    await recorder.close(within_s=30)
    assert (output["answer"], recorder.failed) == (GOOD, 1)


async def test_runs_beyond_what_may_wait_are_dropped_and_counted(world: World) -> None:
    recorder = recorded(world)
    for _ in range(300):
        recorder.settled(lambda: pytest.fail("nothing may be put together before its turn"))
    assert recorder.dropped == 300 - 256


def test_nothing_is_kept_when_it_is_switched_off(world: World) -> None:
    assert open_recorder(Settings(data_dir=world.folder, keep_runs_days=0), "words/256") is None
