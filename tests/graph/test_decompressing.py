"""What is recorded of questions that were tried again on their full context, and what the ledger says of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from graph.decompressing import Decompressions, open_compression_records, open_decompressions
from graph.settings import Settings
from groat.compression.records import Outcome
from groat.costs.amounts import exact_sum
from tests.graph.conftest import GOOD, QUESTION, WRONG, MakeWorld, World, dollars

CHINESE = "新密码至少要有多少个字符？"
GOOD_ZH = "新密码至少要有 10 个字符。[zh-reset]"
WRONG_ZH = "紫色大象在附近抛接十七个番茄。[zh-reset]"


def _recording(world: World, what: str) -> Decompressions:
    settings = Settings.model_validate({"data_dir": world.folder, "compress_records": what})
    found = open_decompressions(settings, "v1")
    assert found is not None
    world.services = replace(world.services, decompressions=found)
    return found


async def _recorded(world: World, found: Decompressions) -> list[Outcome]:
    assert await found.background.close(within_s=5) == 0
    return await open_compression_records(Settings(data_dir=world.folder)).outcomes()


@pytest.mark.parametrize(
    ("question", "wrong", "good"), [(QUESTION, WRONG, GOOD), (CHINESE, WRONG_ZH, GOOD_ZH)], ids=["en", "zh"]
)
async def test_a_question_that_the_full_context_mends_is_recorded_with_what_that_cost(
    make_world: MakeWorld, question: str, wrong: str, good: str
) -> None:
    world = make_world([wrong, good])
    found = _recording(world, "rows")
    output = await world.ask(question)
    [outcome] = await _recorded(world, found)
    second = [charge for charge in output["charges"] if charge.get("purpose") == "decompress"]
    assert [charge["box"] for charge in second] == ["answer_cheap"]
    assert (outcome.mended, outcome.tier, outcome.rule, outcome.tenant) == (True, "cheap", "v1", "acme")
    assert dollars(outcome.cost_usd) == exact_sum(dollars(charge["cost_usd"]) for charge in second) > 0
    assert 0 < outcome.tokens_after < outcome.tokens_before
    row = json.loads(outcome.row or "")
    assert row["question"] == question
    assert len(row["gold_sentences"]) == 1


async def test_the_ledger_tells_the_second_try_apart(make_world: MakeWorld) -> None:
    world = make_world([WRONG, GOOD])
    await world.ask()
    report = await world.services.books.ledger.day(datetime.now(UTC).date().isoformat())
    assert {(line.purpose, spent.calls) for line, spent in report.by_line.items()} == {
        ("answer", 1), ("decompress", 1), ("vectors", 1)
    }  # fmt: skip
    assert report.repeated.calls == 0


@pytest.mark.parametrize(("cheap", "expensive"), [([WRONG, WRONG], [GOOD]), ([WRONG, WRONG], [WRONG])])
async def test_a_question_that_is_not_mended_is_recorded_without_any_text(
    make_world: MakeWorld, cheap: list[str], expensive: list[str]
) -> None:
    world = make_world(cheap, expensive)
    [outcome] = await _ask(world, "rows")
    assert (outcome.mended, outcome.row) == (False, None)
    assert outcome.cost_usd is not None


async def _ask(world: World, what: str) -> list[Outcome]:
    found = _recording(world, what)
    await world.ask()
    return await _recorded(world, found)


async def test_figures_alone_hold_no_word_of_question_answer_or_document(make_world: MakeWorld) -> None:
    world = make_world([WRONG, GOOD])
    [outcome] = await _ask(world, "figures")
    assert (outcome.mended, outcome.row) == (True, None)
    kept = (world.folder / "compression.sqlite").read_bytes() + (world.folder / "compression.sqlite-wal").read_bytes()
    assert b"reset" not in kept
    assert b"purple" not in kept


async def test_nothing_is_recorded_of_other_questions_or_when_it_is_off(make_world: MakeWorld) -> None:
    assert await _ask(make_world([GOOD]), "rows") == []
    assert open_decompressions(Settings(data_dir=make_world().folder), "v1") is None


async def test_records_that_cannot_be_written_cost_no_answer(make_world: MakeWorld) -> None:
    world = make_world([WRONG, GOOD])
    (world.folder / "compression.sqlite").mkdir()
    found = _recording(world, "rows")
    output = await world.ask()
    await found.background.close(within_s=5)
    assert (output["answer"], output["verified"]) == (GOOD, True)
    assert found.background.failed == 2


@pytest.mark.parametrize("loss", [0.5, 0.51, 1.0])
async def test_any_promise_that_may_be_given_shortens_a_context(make_world: MakeWorld, loss: float) -> None:
    output = await make_world([GOOD]).ask(max_quality_loss=loss)
    assert (output["answer"], output["error"]) == (GOOD, "")
