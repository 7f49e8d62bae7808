"""What is said of an answer lands on its run, and runs of one kind fill a data set, over HTTP as LangSmith's client speaks."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from langsmith import Client

from groat.errors import BadInput, SettingsError
from groat.tracing.datasets import condition, fill_dataset
from groat.tracing.feedback import give_feedback
from tests.langsmith_server import LangSmith, serve_langsmith

RUN = "44444444-4444-4444-8444-444444444444"
GROAT_RUN = "6e46e11e77a242ada0409219cedac594"
OTHER_RUN = "0f9b5b1d2c3e4f5061728394a5b6c7d8"


@pytest.fixture
def langsmith() -> Iterator[LangSmith]:
    with serve_langsmith() as double:
        yield double


@pytest.fixture
def client(langsmith: LangSmith) -> Client:
    return Client(api_url=langsmith.url, api_key="k", auto_batch_tracing=False, info={})


def _run(run_id: str = RUN, question: str = "怎么修改密码？", **decisions: str) -> dict[str, Any]:
    told = {"purpose": "question", "groat_run": GROAT_RUN, **decisions}
    return {
        "id": run_id, "trace_id": run_id, "name": "groat", "run_type": "chain", "start_time": "2026-11-26T00:00:00+00:00",
        "dotted_order": "x", "inputs": {"question": question} if question else {}, "outputs": {"answer": "A", "path": ["x"]},
        "tags": [f"{name}={value}" for name, value in told.items()], "extra": {"metadata": told},
    }  # fmt: skip


def test_feedback_lands_on_the_run_that_was_printed(langsmith: LangSmith, client: Client) -> None:
    assert give_feedback(RUN, score=0.0, comment="falsch", client=client) == RUN
    (given,) = langsmith.feedback
    assert (given["run_id"], given["key"], given["score"], given["comment"]) == (RUN, "user", 0.0, "falsch")
    assert given["feedback_source"]["metadata"] == {"source": "user"}


def test_the_run_of_the_ledger_finds_its_run_of_langsmith(langsmith: LangSmith, client: Client) -> None:
    langsmith.runs = {RUN: _run()}
    assert give_feedback(GROAT_RUN, "origin", value="cache: stale", source="blame", client=client) == RUN
    assert (langsmith.feedback[0]["run_id"], langsmith.feedback[0]["value"]) == (RUN, "cache: stale")


def test_the_same_said_twice_is_one_feedback(langsmith: LangSmith, client: Client) -> None:
    for score in (0.0, 1.0):
        give_feedback(RUN, score=score, client=client)
    give_feedback(RUN, score=1.0, source="blame", client=client)
    assert len({given["id"] for given in langsmith.feedback}) == 2


@pytest.mark.parametrize(
    ("run", "how", "says"),
    [
        (RUN, {}, "needs a score from 0 to 1, or a value"),
        (RUN, {"score": 7}, "the score 7 is outside 0..1"),
        ("the last one", {"score": 1}, "'the last one' names no run"),
        (OTHER_RUN, {"score": 1}, "LangSmith has no run of the question"),
    ],
)
def test_feedback_that_cannot_be_given_says_why(client: Client, run: str, how: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        give_feedback(run, client=client, **how)


def test_a_key_that_is_refused_is_told_without_it(langsmith: LangSmith) -> None:
    client = Client(api_url=langsmith.url, api_key="lsv2-secret", auto_batch_tracing=False, info={})
    with pytest.raises(SettingsError, match="LANGSMITH_API_KEY") as caught:
        give_feedback(RUN, score=1, client=client)
    assert "secret" not in str(caught.value)


def test_runs_that_were_decided_in_one_way_fill_a_data_set_once(langsmith: LangSmith, client: Client) -> None:
    first, second, third = (str(uuid.uuid4()) for _ in range(3))
    langsmith.runs = {
        first: _run(first, route="cheap", verdict="failed"),
        second: _run(second, "", route="cheap", verdict="failed"),
        third: _run(third, route="cheap", verdict="ok"),
        "audit": {**_run(str(uuid.uuid4()), route="cheap", verdict="failed"), "tags": ["route=cheap", "verdict=failed"]},
    }
    filled = fill_dataset("bad ones", {"route": "cheap", "verdict": "failed"}, client=client)
    assert (filled.found, filled.added, filled.present, filled.without_text) == (2, 1, 0, 1)
    (example,) = langsmith.added
    assert (example["inputs"], example["outputs"]) == ({"question": "怎么修改密码？"}, {"answer": "A"})
    assert example["metadata"]["run_id"] == first
    langsmith.examples = [{**example, "id": example["id"]}]
    again = fill_dataset("own", {"route": "cheap", "verdict": "failed"}, client=client)
    assert (again.added, again.present) == (0, 1)


@pytest.mark.parametrize("where", [{"route": 'x"), has(tags, "y'}, {"ro ute": "cheap"}, {"": "x"}])
def test_a_condition_cannot_break_out_of_its_filter(where: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="cannot be asked for"):
        condition(where)


def test_audits_are_left_out_unless_they_are_asked_for() -> None:
    assert condition({"route": "cheap"}) == 'and(has(tags, "route=cheap"), has(tags, "purpose=question"))'
    assert condition({"purpose": "audit"}) == 'has(tags, "purpose=audit")'
