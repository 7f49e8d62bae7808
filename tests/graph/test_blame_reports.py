"""A data set is blamed case by case, a week is summed up, and a turned knob is tried on the cases it should help."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from graph.blame_cases import Blamer, Terms, read_cases
from graph.blame_knobs import Knob, KnobTurner
from graph.blame_reports import weekly
from groat.blame.records import Wanted
from groat.blame.reference import Reference
from groat.blame.report import category_of, documents_of, threshold_of
from groat.blame.snapshot import Mark
from groat.errors import BadInput
from groat.types import Asked
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World
from tests.graph.test_blaming import OTHER, REFERENCES, TEXTS
from tests.graph.test_recording import recorded

REFUND = "How fast does a refund arrive?"
PHONE = "On which phone must the password reset link be opened?"
PHONE_GOOD = "Open it on the phone that asked for it. [en-reset]"
ON_PHONE: Reference = {"answer": "On the phone that asked.", "groups": [["phone that asked"]], "documents": ["en-reset"]}


async def bad_run(world: World, language: str = "en") -> Any:
    """Ask, and let somebody who knows the right answer call the run bad."""
    recorder = recorded(world)
    output = await world.ask(TEXTS[language][0])
    await recorder.close(within_s=30)
    reference = dict(REFERENCES[language])
    await recorder.runs.mark(Mark(run=output["run"], kind="evaluator", at=1.0, bad=True, reference=reference))
    return recorder.runs, output["run"]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_kept_run_is_blamed_by_what_its_marks_know(make_world: MakeWorld, language: str) -> None:
    _, good, other = TEXTS[language]
    world = make_world([other], [good], share=None)
    runs, run = await bad_run(world, language)
    found = await Blamer(world.services, runs, Terms()).kept(run)
    assert {"run", "origin", "missed_by", "evidence", "replays"} <= set(found)
    assert (found["origin"], found["run"]) == ("router", run)
    kept = await runs.get(run)
    assert kept.blamed.origin == "router"
    assert json.loads(json.dumps(found)) == kept.blamed.body
    assert [line.run for line in (await runs.find(Wanted(origin="router"))).runs] == [run]


async def test_a_data_set_names_its_cases_and_what_went_wrong_with_one(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world([OTHER], [GOOD], share=None)
    runs, run = await bad_run(world)
    path = tmp_path / "cases.jsonl"
    cases = [
        {"run": run},
        {"run": "unknown"},
        {"question": QUESTION, "tenant": "acme", "reference": REFERENCES["en"]},
        {"question": QUESTION, "tenant": "nobody", "reference": REFERENCES["en"]},
    ]
    path.write_text("\n".join(json.dumps(case) for case in cases), encoding="utf-8")
    blamer = Blamer(world.services, runs, Terms())
    found = [one async for one in blamer.each(read_cases(path))]
    assert [one["origin"] for one in found] == ["router", "unclear", "router", "unclear"]
    assert [bool(one.get("error")) for one in found] == [False, True, False, True]
    assert [one["case"] for one in found] == [f"{path}, line {number}" for number in (1, 2, 3, 4)]


async def test_all_cases_of_a_data_set_share_one_budget(make_world: MakeWorld, tmp_path: Path) -> None:
    world = make_world([OTHER], [GOOD], share=None)
    runs, run = await bad_run(world)
    path = tmp_path / "cases.jsonl"
    path.write_text(f'{{"run": "{run}"}}\n' * 3, encoding="utf-8")
    blamer = Blamer(world.services, runs, Terms(max_cost_usd=Decimal("0.002")))
    found = [one async for one in blamer.each(read_cases(path))]
    assert found[0]["calls"] > 0
    assert found[-1]["stopped"] == "budget"
    assert sum(Decimal(one["cost_usd"]) for one in found) <= Decimal("0.002")


@pytest.mark.parametrize(
    "row", ["[]", "{}", '{"run": "r", "question": "q"}', '{"question": "q"}', '{"run": "r", "reference": {"groups": 1}}', "no"]
)
def test_a_broken_case_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"run": "r"}\n' + row, encoding="utf-8")
    with pytest.raises(BadInput, match="line 2"):
        read_cases(path)


async def test_a_week_is_summed_up_by_cause_and_cost(make_world: MakeWorld) -> None:
    world = make_world([OTHER], [GOOD], share=None)
    runs, run = await bad_run(world)
    await world.ask(REFUND, tier="expensive")
    assert world.services.recorder is not None
    await world.services.recorder.close(within_s=30)
    kept = await runs.get(run)
    before, _ = await weekly(world.services, runs, since=0.0, until=kept.snapshot.at + 60)
    assert (before.runs, before.bad, before.not_blamed, before.causes) == (2, 1, 1, [])
    found = await Blamer(world.services, runs, Terms()).kept(run)
    after, turned = await weekly(world.services, runs, since=0.0, until=kept.snapshot.at + 60)
    (cause,) = after.causes
    assert (cause["origin"], cause["cases"], cause["share"]) == ("router", 1, 1.0)
    assert (cause["answers_usd"], cause["replays_usd"]) == (kept.snapshot.cost_usd, found["cost_usd"])
    assert (after.not_blamed, turned) == (0, [])
    assert after.worst_document == {"name": "en-reset", "cases": 1, "of": 1}
    assert after.worst_category == {"name": "knowledge/en", "cases": 1, "of": 1}
    assert after.worst_threshold == {"name": "router/en 0.5 to 0.6", "cases": 1, "of": 1}
    one = await runs.get(run)
    assert (documents_of(one), category_of(one.snapshot), threshold_of(one)) == (
        ["en-reset"], "knowledge/en", "router/en 0.5 to 0.6"
    )  # fmt: skip


async def test_a_stricter_cache_is_tried_on_the_wrong_hits_and_priced_on_good_runs(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world([GOOD, PHONE_GOOD, GOOD, PHONE_GOOD, GOOD], alike=0.0)
    recorder = recorded(world)
    await world.ask()
    hit = await world.ask(PHONE)
    await recorder.close(within_s=30)
    assert hit["lookup"]["tier"] == "semantic"
    await recorder.runs.mark(
        Mark(run=hit["run"], kind="user", at=1.0, bad=True, reference=dict(ON_PHONE))
    )  # fmt: skip
    blamer = Blamer(world.services, recorder.runs, Terms())
    assert (await blamer.kept(hit["run"]))["origin"] == "wrong_hit"
    bad = await recorder.runs.get(hit["run"])
    assert bad is not None
    good = [one for line in (await recorder.runs.find(Wanted(bad=False))).runs if (one := await recorder.runs.get(line.run))]

    def least(asked: Asked, *, max_wrong: float | None = None, category: str = "") -> float:
        return 0.99 if max_wrong is not None and max_wrong < 0.005 else 0.0

    monkeypatch.setattr(world.services.answers.rule, "threshold", least)  # a verifier would be strict; cosines have one cut
    turner = KnobTurner(world.services)
    turned = await turner.turn(Knob(name="GROAT_MAX_WRONG", old=0.01, new=0.002, origins=("wrong_hit",)), [bad], good)
    assert (turned["cases"], turned["gone"], turned["gone_anyway"]) == (1, 1, 0)
    assert (turned["good_runs"], turned["stopped"]) == (1, "")
    assert turned["cost_change"] is not None
    spent = KnobTurner(world.services, max_cost_usd=Decimal(0))
    early = await spent.turn(Knob(name="GROAT_MAX_WRONG", old=0.01, new=0.002, origins=("wrong_hit",)), [bad], good)
    assert (early["cases"], early["stopped"]) == (0, "budget")


async def test_a_report_without_texts_turns_no_knob(make_world: MakeWorld) -> None:
    world = make_world([OTHER], [GOOD], share=None)
    runs, run = await bad_run(world)
    await Blamer(world.services, runs, Terms()).kept(run)
    kept = await runs.get(run)
    await runs.add(replace(kept.snapshot, texts=False), sampled=True)
    calls = world.calls
    _, turned = await weekly(world.services, runs, since=0.0, until=kept.snapshot.at + 60, max_wrong=0.01)
    assert (turned, world.calls) == ([], calls)
