"""The whole graph as what an experiment scores."""

import pytest

from evals.experiment_rows import Row
from evals.experiments import answer_with, run
from graph.context import Context
from groat.types import Language
from tests.graph.conftest import GOOD, MakeWorld


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_graph_is_a_target_with_all_that_evaluators_need(language: Language, make_world: MakeWorld) -> None:
    good = GOOD if language == "en" else "新密码至少要有 10 个字符。[zh-reset]"
    question = "How long is a password reset link valid?" if language == "en" else "新密码至少要有几个字符"
    rows: list[Row] = [
        {
            "id": "1", "lang": language, "question": question, "history": [], "category": "",
            "reference": {"groups": [["20 minutes", "10 个字符"]], "answerable": True},
        }
    ]  # fmt: skip
    world = make_world([good])
    experiment = await run(rows, answer_with(world.graph(), Context(tenant="acme")), name="graph", settings={})
    scores = experiment.rows[0]["scores"]
    assert (scores["right"], scores["grounded"], scores["language"], scores["cheap_path"]) == (1.0, 1.0, 1.0, 1.0)
    assert scores["cost_usd"] is not None
