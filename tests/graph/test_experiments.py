"""The whole graph as what an experiment scores, here and on LangSmith."""

import asyncio

import pytest
from langsmith import Client

from evals.experiment_rows import Row
from evals.experiments import answer_with, run, upload
from graph.context import Context
from groat.errors import BadInput
from groat.types import Language
from tests.graph.conftest import GOOD, MakeWorld
from tests.graph.test_langsmith import langsmith
from tests.langsmith_server import LangSmith

__all__ = ["langsmith"]

GOODS: dict[Language, str] = {"en": GOOD, "zh": "新密码至少要有 10 个字符。[zh-reset]"}
QUESTIONS: dict[Language, str] = {"en": "How long is a password reset link valid?", "zh": "新密码至少要有几个字符"}


def rows_of(language: Language) -> list[Row]:
    return [
        {
            "id": "1", "lang": language, "question": QUESTIONS[language], "history": [], "category": "",
            "reference": {"groups": [["20 minutes", "10 个字符"]], "answerable": True},
        }
    ]  # fmt: skip


async def _feedback(langsmith: LangSmith, keys: tuple[str, ...]) -> dict[str, float]:
    """Return what arrived under the keys, when all of it did: the client sends feedback when it likes."""
    async with asyncio.timeout(30):
        while not set(keys) <= {given["key"] for given in langsmith.feedback}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return {given["key"]: given["score"] for given in langsmith.feedback}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_graph_is_a_target_with_all_that_evaluators_need(language: Language, make_world: MakeWorld) -> None:
    world = make_world([GOODS[language]])
    target = answer_with(world.graph(), Context(tenant="acme"))
    experiment = await run(rows_of(language), target, name="graph", settings={})
    scores = experiment.rows[0]["scores"]
    assert (scores["right"], scores["grounded"], scores["language"], scores["cheap_path"]) == (1.0, 1.0, 1.0, 1.0)
    assert scores["cost_usd"] is not None


@pytest.mark.filterwarnings("ignore:The following arguments are no longer used:DeprecationWarning")  # the client's own
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_same_experiment_runs_on_langsmith_with_the_same_scores(
    language: Language, make_world: MakeWorld, langsmith: LangSmith
) -> None:
    rows = rows_of(language)
    client = Client(api_url=langsmith.url, api_key="k")
    assert upload(client, rows, "mine") == 1
    assert upload(client, rows, "mine") == 0
    world = make_world([GOODS[language]])
    target = answer_with(world.graph(), Context(tenant="acme", use_cache=False))
    there = await run(rows, target, name="there", settings={"tier": "auto"}, client=client, dataset="mine")
    client.flush()
    here = await run(rows, target, name="here", settings={"tier": "auto"})
    compared = ("right", "grounded", "language", "refusal", "cheap_path")
    told = await _feedback(langsmith, compared)
    for key in compared:
        assert there.rows[0]["scores"][key] == here.rows[0]["scores"][key] == told[key]
    assert there.head["data_sha256"] == here.head["data_sha256"]


async def test_a_data_set_that_lacks_rows_is_told(make_world: MakeWorld, langsmith: LangSmith) -> None:
    client = Client(api_url=langsmith.url, api_key="k")
    upload(client, rows_of("en"), "mine")
    target = answer_with(make_world([GOODS["en"]]).graph(), Context(tenant="acme", use_cache=False))
    other: Row = {**rows_of("en")[0], "id": "2"}
    more = [*rows_of("en"), other]
    with pytest.raises(BadInput, match="upload it again"):
        await run(more, target, name="there", settings={}, client=client, dataset="mine")
