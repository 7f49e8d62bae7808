"""A new configuration beside the running one: over HTTP, nobody served, nothing kept, billed under its own heading."""

import asyncio
import json
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evals.experiment_report import comparisons
from evals.shadow_report import read_shadows
from graph.settings import Settings
from graph.shadowing import SHADOWS, with_shadow
from groat.answering import Answerer
from groat.costs import ShadowBooks
from groat.costs.amounts import utc_day
from groat.errors import BadInput, SettingsError
from groat.types import Tier
from tests.graph.conftest import GOOD, QUESTION, UNCITED
from tests.model_outcomes import COUNTED, Outcome, Refuses, Says
from tests.model_server import ModelServer, serve_model
from tests.served import ServedWorld, open_world, served

ZH = "新密码至少要有多少个字符？"


def says(text: str) -> Says:
    return Says(text=text, usage=COUNTED)


@contextmanager
def shadowed(
    world: ServedWorld, running: Outcome, *new: Outcome, keep_text: bool = True
) -> Iterator[tuple[ServedWorld, ModelServer]]:
    """Yield the world with a new configuration that answers every question, and the server of its models."""
    tiers: tuple[Tier, Tier] = ("cheap", "expensive")
    with serve_model(running) as ours, serve_model(*new) as theirs:
        base = world.with_models(ours)
        config = base.folder / "new.env"
        config.write_text("GROAT_RETRIEVE_K=3\n", encoding="utf-8")
        settings = Settings(data_dir=base.folder, shadow_config=config, shadow_share=1.0, shadow_keep_text=keep_text)
        services = with_shadow(base.services, settings, {})
        assert services.shadow is not None
        engines = replace(
            services.shadow.services,
            answerer=Answerer({tier: served(theirs, "new", tier=tier) for tier in tiers}),
            router=base.services.router,
            compressor=base.services.compressor,
            acceptance=None,
            advisers=(),
            answers=base.services.answers,
        )
        yield ServedWorld(base.folder, replace(services, shadow=replace(services.shadow, services=engines))), theirs


async def rows_of(world: ServedWorld, count: int) -> list[dict[str, Any]]:
    path = world.folder / SHADOWS
    for _ in range(400):
        if path.exists() and len(lines := path.read_text(encoding="utf-8").splitlines()) >= count:
            return [json.loads(line) for line in lines]
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was written down")


@pytest.mark.parametrize(
    ("question", "running", "new", "lang"),
    [
        (QUESTION, GOOD, "20 minutes: so long a password reset link is valid. [en-reset]", "en"),
        (ZH, "新密码至少要有 10 个字符。[zh-reset]", "新密码的字符至少要有 10 个。[zh-reset]", "zh"),
    ],
)
async def test_the_new_configuration_answers_beside_and_the_user_gets_the_running_one(
    tmp_path: Path, question: str, running: str, new: str, lang: str
) -> None:
    with shadowed(await open_world(tmp_path), says(running), says(new)) as (world, theirs):
        output = await world.ask(question)
        (row,) = await rows_of(world, 1)
        assert output["answer"] == row["running"]["answer"] == running
        assert (row["new"]["answer"], row["question"], row["lang"]) == (new, question, lang)
        assert stat.S_IMODE((world.folder / SHADOWS).stat().st_mode) == 0o600
        # What is kept is the running answer, and a hit is no question for the new one.
        asked = len(theirs.requests)
        again = await world.ask(question)
        assert (again["lookup"]["outcome"], again["answer"]) == ("hit", running)
        assert len(theirs.requests) == asked >= 1


async def test_what_it_costs_is_no_part_of_the_question_and_stands_under_shadow(tmp_path: Path) -> None:
    with shadowed(await open_world(tmp_path), says(GOOD), says(GOOD)) as (world, theirs):
        output = await world.ask()
        await rows_of(world, 1)
        report = await world.services.books.ledger.day(utc_day(time.time()))
        spent = {line.purpose: one.calls for line, one in report.by_line.items() if line.model in ("small", "big", "new")}
        assert spent["shadow"] == len(theirs.requests)
        assert report.questions.questions == 1
        assert report.questions.cost_usd == Decimal(str(output["cost_usd"]))
        assert report.total.cost_usd > report.questions.cost_usd


async def test_a_new_configuration_that_fails_is_nobodys_trouble(tmp_path: Path) -> None:
    with shadowed(await open_world(tmp_path), says(GOOD), Refuses(status=400)) as (world, _):
        assert (await world.ask())["answer"] == GOOD
        (row,) = await rows_of(world, 1)
        assert (row["new"]["answer"], row["new"]["verified"]) == ("", False)


async def test_without_leave_no_word_of_question_or_answers_is_written_down(tmp_path: Path) -> None:
    with shadowed(await open_world(tmp_path), says(GOOD), says(GOOD), keep_text=False) as (world, _):
        await world.ask()
        await rows_of(world, 1)
        written = (world.folder / SHADOWS).read_text(encoding="utf-8")
        assert "reset" not in written
        assert "minutes" not in written


async def test_both_are_compared_in_pairs_as_experiments_are(tmp_path: Path) -> None:
    with shadowed(await open_world(tmp_path), says(GOOD), says(UNCITED), says(GOOD)) as (world, _):
        await world.ask()
        await world.ask("How long does a refund take?")
        await rows_of(world, 2)
        a, b = read_shadows(world.folder / SHADOWS)
    found = {one["key"]: one["found"] for one in comparisons(a, b)}
    assert {"verified", "cheap_path", "cost_usd", "latency_ms"} == set(found)
    assert found["cost_usd"]["rows"] == 2


def test_a_broken_line_is_named_and_an_empty_file_says_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / SHADOWS
    path.write_text('{"run": "1"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 1"):
        read_shadows(path)
    with pytest.raises(BadInput, match="GROAT_SHADOW_CONFIG"):
        read_shadows(path, on_bad=lambda told: None)


async def test_without_a_share_or_a_file_there_is_none_and_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    services = (await open_world(tmp_path)).services
    config = tmp_path / "new.env"
    for settings in (Settings(data_dir=tmp_path, shadow_share=1.0), Settings(data_dir=tmp_path, shadow_config=config)):
        assert with_shadow(services, settings, {}).shadow is None
    set_up = Settings(data_dir=tmp_path, shadow_config=config, shadow_share=0.5)
    with pytest.raises(SettingsError, match="GROAT_SHADOW_CONFIG"):
        with_shadow(services, set_up, {})
    config.write_text("GROAT_RETRIEVE_K=many\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="RETRIEVE_K"):
        with_shadow(services, set_up, {})


async def test_the_file_goes_before_the_environment_and_documents_and_ledger_are_the_running_ones(tmp_path: Path) -> None:
    services = (await open_world(tmp_path)).services
    config = tmp_path / "new.env"
    config.write_text("GROAT_RETRIEVE_K=3\n", encoding="utf-8")
    settings = Settings(data_dir=tmp_path, shadow_config=config, shadow_share=0.5)
    shadow = with_shadow(services, settings, {"GROAT_RETRIEVE_K": "9", "GROAT_CONTEXT_TOKENS": "700"}).shadow
    assert shadow is not None
    assert (shadow.services.retrieve_k, shadow.services.context_tokens) == (3, 700)
    assert shadow.services.knowledge is services.knowledge
    assert isinstance(shadow.services.books, ShadowBooks)
    assert shadow.services.books.ledger is services.books.ledger
    assert shadow.services.shadow is None
