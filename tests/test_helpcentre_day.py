"""The help centre's day and its two simulated models: real texts, stated error rates, the same for the same seed."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from evals import helpcentre_day
from evals.defect_names import Names
from evals.defects import KINDS
from evals.helpcentre import Question, load_questions
from evals.helpcentre_day import SHARES, Plan, about
from evals.helpcentre_models import ERROR_RATES, WRONG_WAYS, Simulation, names, told_by
from evals.ladder_rows import Row, is_placeholder
from evals.validation_rows import context, read_all
from groat.answering import NO_ANSWER
from groat.text import citations
from groat.types import Language, Passage, Tier

LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])


def _given(questions: Sequence[Question]) -> dict[str, list[Passage]]:
    """Return passages without a search: the gold documents among others."""
    documents = read_all()
    return {row["id"]: context(row, documents, random.Random(row["id"])) for row in questions}


@pytest.fixture(scope="module")
def given() -> dict[str, list[Passage]]:
    return _given([row for row in load_questions() if row["kind"] not in ("small_talk", "translation")])


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(seed=7, names=names())


@pytest.fixture(scope="module")
def rows(given: dict[str, list[Passage]]) -> list[dict[str, Any]]:
    async def found(questions: Sequence[Question]) -> Mapping[str, list[Passage]]:
        return {row["id"]: given.get(row["id"], []) for row in questions}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helpcentre_day, "passages_of", found)
        return list(asyncio.run(helpcentre_day.day(Plan(rows=200, seed=3))))


def _facts(lang: Language) -> list[Question]:
    return [row for row in load_questions(lang) if row["kind"] in ("fact", "paraphrase")]


@LANGUAGES
def test_a_right_answer_says_what_it_must_and_cites_a_document_that_was_given(
    simulation: Simulation, given: dict[str, list[Passage]], lang: Language
) -> None:
    for question in _facts(lang)[::4]:
        passages = given[question["id"]]
        said = simulation.answer("expensive", question, question["question"], passages)
        if said.right:
            text = said.text.casefold()
            assert all(any(string.casefold() in text for string in group) for group in question["answer_groups"]), said.text
            assert set(citations(said.text)) <= {passage["document_id"] for passage in passages}
            assert citations(said.text)


@LANGUAGES
@pytest.mark.parametrize("tier", ["cheap", "expensive"])
def test_each_model_errs_as_often_as_is_stated(lang: Language, tier: Tier) -> None:
    drawn = [
        Simulation(seed=seed, names=Names(())).errs(tier, question, question["question"])
        for seed in range(20)
        for question in _facts(lang)
    ]
    assert abs(sum(drawn) / len(drawn) - ERROR_RATES[tier]["fact"]) < 0.02


@LANGUAGES
def test_a_wrong_answer_is_unlike_the_right_one_and_of_a_stated_kind(given: dict[str, list[Passage]], lang: Language) -> None:
    poor = Simulation(seed=1, names=names(), cheap_errors=100.0)
    ways: Counter[str] = Counter()
    for question in _facts(lang)[::8]:
        said = poor.answer("cheap", question, question["question"], given[question["id"]])
        ways[said.way] += 1
        assert said.text.strip()
        assert not is_placeholder(said.text)
    assert set(ways) <= {*WRONG_WAYS, "right", "not in the passages"}
    assert len(ways) >= 4


def test_the_same_wording_gets_the_same_answer_and_another_seed_other_ones(given: dict[str, list[Passage]]) -> None:
    questions = _facts("en")[:12]

    def said(seed: int) -> list[str]:
        simulation = Simulation(seed=seed, names=names())
        return [simulation.answer("cheap", row, row["question"], given[row["id"]]).text for row in questions]

    assert said(1) == said(1)
    assert said(1) != said(2)


@LANGUAGES
def test_what_the_passages_do_not_hold_no_model_answers(simulation: Simulation, lang: Language) -> None:
    question = _facts(lang)[0]
    said = simulation.answer("expensive", question, question["question"], [])
    assert (said.text, said.right, said.way) == (NO_ANSWER, False, "not in the passages")


def test_of_several_facts_that_is_looked_for_which_the_fewest_passages_hold(given: dict[str, list[Passage]]) -> None:
    for question in load_questions():
        if question["kind"] == "multi_document":
            passages = given[question["id"]]
            strings = told_by(question, passages)
            assert not strings or strings in question["answer_groups"]


def test_every_row_is_a_workload_row_labelled_as_assumed_with_real_texts(rows: list[dict[str, Any]]) -> None:
    assert len(rows) == 200
    for raw in rows:
        row = Row.model_validate(raw)
        assert row.assumed
        assert not any(is_placeholder(row.recorded.of(tier).text) for tier in ("cheap", "expensive"))
        assert row.recorded.cheap.input_tokens == row.recorded.expensive.input_tokens > 100
    assert [row["asked_at"] for row in rows] == sorted(row["asked_at"] for row in rows)
    assert 0.4 < sum(row["lang"] == "zh" for row in rows) / 200 < 0.6


def test_a_follow_up_comes_after_what_it_follows(rows: list[dict[str, Any]]) -> None:
    talks = [row for row in rows if "conversation" in row]
    assert talks
    for before, after in zip(talks[::2], talks[1::2], strict=False):
        assert before["conversation"] == after["conversation"]
        assert after["category"] == "follow_up"
        assert before["answer_id"] != after["answer_id"]


def test_a_document_keeps_its_version_but_for_the_few_that_change_once(rows: list[dict[str, Any]]) -> None:
    versions: dict[str, list[str]] = {}
    for row in rows:
        for one in row["documents"]:
            versions.setdefault(one["id"], []).append(one["version"])
    assert all(told == sorted(told) for told in versions.values())
    assert 0 < sum("2" in told for told in versions.values()) <= helpcentre_day.CHANGED


def test_how_the_day_was_made_is_said_whole() -> None:
    told = about(Plan(rows=10, seed=1, cheap_errors=2.0))
    assert (told["rows"], told["seed"], told["cheap_errors"]) == (10, 1, 2.0)
    assert told["error_rates"]["cheap"]["fact"] == 0.07
    assert sum(SHARES.values()) == pytest.approx(1)
    assert sum(WRONG_WAYS.values()) == pytest.approx(1)
    assert set(WRONG_WAYS) <= set(KINDS)
    assert set(ERROR_RATES["cheap"]) == set(ERROR_RATES["expensive"]) == {kind for kinds in SHARES for kind in kinds}
