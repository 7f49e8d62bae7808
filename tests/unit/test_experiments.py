"""Experiments: rows read, answers scored, results written and compared, without any connection."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from evals import evaluators
from evals.experiment_report import comparisons, summary
from evals.experiment_rows import Row, examples_of, read_rows
from evals.experiments import Target, read, run, write
from groat.answering.prompts import no_answer_text
from groat.errors import BadInput, UnknownTenant
from groat.types import Asked, Language

RIGHT = {"en": "A reset link is valid for 20 minutes. [en-reset]", "zh": "重置链接的有效期是20分钟。[zh-reset]"}
WRONG = {"en": "A reset link is valid for 3 days. [en-reset]", "zh": "重置链接的有效期是3天。[zh-reset]"}
REFERENCE = {"en": {"answer": "20 minutes", "answerable": True}, "zh": {"answer": "20分钟", "answerable": True}}
QUESTION = {"en": "How long is a reset link valid?", "zh": "重置链接的有效期是多久？"}


def _asked(language: Language) -> Asked:
    return {
        "text": QUESTION[language], "language": language, "answer_language": language, "search_text": QUESTION[language],
        "history": [], "tenant": "acme",
    }  # fmt: skip


def _outputs(answer: str, language: Language, **changed: Any) -> dict[str, Any]:
    return {
        "answer": answer, "error": "", "verified": True, "path": ["check_cache", "answer_cheap"], "cost_usd": "0.001",
        "baseline_cost_usd": "0.01", "latency_ms": 5.0, "hit": False, "asked": _asked(language), "attempt": None,
        "context": [], **changed,
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_answer_is_right_by_its_reference(language: Language) -> None:
    for answer, score in ((RIGHT[language], 1.0), (WRONG[language], 0.0), ("", 0.0), (no_answer_text(language), 0.0)):
        found = evaluators.right(outputs=_outputs(answer, language), reference_outputs=REFERENCE[language])
        assert found["score"] == score, answer


@pytest.mark.parametrize(
    ("reference", "answer", "score"),
    [
        ({"answer": "B"}, "Of the options, the answer is (B).", 1.0),
        ({"answer": "B"}, "The answer is (C).", 0.0),
        ({"answer": "1,200"}, "In the end that makes 1200.", 1.0),
        ({"answer": "1,200"}, "In the end that makes 1300.", 0.0),
        ({"groups": [["two", "2"], ["years"]]}, "The warranty lasts 2 years.", 1.0),
        ({"groups": [["two", "2"], ["years"]]}, "The warranty lasts 2 months.", 0.0),
        ({"groups": [["两年", "2年"]]}, "保修期为两年。", 1.0),
        ({}, "whatever", None),
    ],
)
def test_values_options_strings_and_nothing_known_are_told_apart(
    reference: dict[str, Any], answer: str, score: float | None
) -> None:
    found = evaluators.right(outputs=_outputs(answer, "en"), reference_outputs=reference)
    assert found["score"] == score


@pytest.mark.parametrize("language", ["en", "zh"])
def test_refusing_is_right_exactly_where_nothing_answers(language: Language) -> None:
    refused = _outputs(no_answer_text(language), language)
    said = _outputs(RIGHT[language], language)
    scores = [
        evaluators.refusal(outputs=outputs, reference_outputs={"answerable": answerable})["score"]
        for outputs in (refused, said)
        for answerable in (True, False)
    ]
    assert scores == [0.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("answer", "language", "share"), [(RIGHT["en"], "en", 1.0), (RIGHT["en"], "zh", 0.0), (RIGHT["zh"], "zh", 1.0)]
)
def test_the_language_is_the_one_that_was_asked_for(answer: str, language: Language, share: float) -> None:
    assert evaluators.language(outputs=_outputs(answer, language))["score"] == pytest.approx(share, abs=0.1)


def test_an_unknown_price_is_no_price() -> None:
    assert evaluators.cost(outputs=_outputs("x", "en", cost_usd=None))["score"] is None
    both = [_outputs("x", "en"), _outputs("x", "en", cost_usd=None)]
    assert evaluators.total_cost(outputs=both)["score"] is None
    assert evaluators.total_cost(outputs=[both[0]] * 3)["score"] == pytest.approx(0.003)


def _rows() -> list[Row]:
    return [
        {
            "id": f"{language}-{number}", "lang": language, "question": f"{QUESTION[language]} {number}", "history": [],
            "reference": {"answer": REFERENCE[language]["answer"], "answerable": True}, "category": "",  # type: ignore[typeddict-item]
        }
        for language in ("en", "zh")
        for number in range(3)
    ]  # fmt: skip


def _target(wrong: str = "") -> Target:
    async def target(inputs: dict[str, Any]) -> dict[str, Any]:
        language: Language = "en" if "How" in inputs["question"] else "zh"
        texts = WRONG if wrong and inputs["question"].endswith(wrong) else RIGHT
        return _outputs(texts[language], language)

    return target


async def test_an_experiment_opens_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: Any) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    experiment = await run(_rows(), _target(), name="here", settings={})
    assert [row["scores"]["right"] for row in experiment.rows] == [1.0] * 6


async def test_a_question_that_cannot_be_asked_counts_as_a_failed_row() -> None:
    async def refuse(inputs: dict[str, Any]) -> dict[str, Any]:
        raise UnknownTenant("no such tenant")

    (whole,) = [one for one in summary(await run(_rows(), refuse, name="x", settings={})) if one["lang"] == "all"]
    assert (whole["failed"], whole["scores"]["right"]) == (6, 0.0)


async def test_what_was_written_is_read_again_and_compared_row_by_row(tmp_path: Path) -> None:
    a = await run(_rows(), _target(), name="a", settings={"tier": "expensive"})
    b = await run(_rows(), _target(wrong="1"), name="b", settings={"tier": "auto"})
    for name, experiment in (("a", a), ("b", b)):
        write(experiment, tmp_path / name)
    assert read(tmp_path / "a") == a
    found = {(one["lang"], one["key"]): one for one in comparisons(read(tmp_path / "a"), read(tmp_path / "b"))}
    assert (found["en", "right"]["flipped"], found["zh", "right"]["flipped"]) == (["en-1"], ["zh-1"])
    assert found["all", "right"]["found"]["worse"] == 2
    assert found["all", "cost_usd"]["found"]["difference"] == 0


async def test_experiments_on_different_data_are_not_compared() -> None:
    a = await run(_rows(), _target(), name="a", settings={})
    b = await run(_rows()[:4], _target(), name="b", settings={})
    with pytest.raises(BadInput, match="different data"):
        comparisons(a, b)


async def test_a_cut_off_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write(await run(_rows(), _target(), name="a", settings={}), file)
    file.write_text("\n".join(file.read_text(encoding="utf-8").splitlines()[:-1]), encoding="utf-8")
    with pytest.raises(BadInput, match="5 of 6 rows"):
        read(file)
    file.write_text("[]\n", encoding="utf-8")
    with pytest.raises(BadInput, match="groat eval run"):
        read(file)


def test_rows_are_read_with_all_that_is_known_of_the_answer(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [
        {"question": "怎么退货？", "answer_groups": [["7天"]], "documents": ["zh-returns"]},
        {"id": "b", "question": "Who won?", "kind": "unanswerable", "lang": "en"},
    ]
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    first, second = read_rows(file)
    assert (first["id"], first["lang"]) == ("1", "zh")
    assert first["reference"] == {"groups": [["7天"]], "documents": ["zh-returns"], "answerable": True}
    assert (second["reference"], second["category"]) == ({"answerable": False}, "unanswerable")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "no JSON"),
        ('{"question": " "}', "a text under"),
        ('{"question": "x", "answer_groups": "7"}', "groups"),
        ('{"question": "x", "history": ["x"]}', "history"),
        ('{"id": "a", "question": "again"}', "there already"),
    ],
)
def test_a_broken_row_is_named_with_its_file_and_line_or_left_out(tmp_path: Path, line: str, says: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": "a", "question": "x"}\n' + line, encoding="utf-8")
    with pytest.raises(BadInput, match=f"line 2.*{says}"):
        read_rows(file)
    told: list[str] = []
    assert [row["id"] for row in read_rows(file, skip_bad=told.append)] == ["a"]
    assert len(told) == 1


def test_ids_of_examples_depend_on_names_alone() -> None:
    one, again, other = examples_of(_rows(), "n"), examples_of(_rows(), "n"), examples_of(_rows(), "m")
    assert [example.id for example in one] == [example.id for example in again]
    assert {example.id for example in one}.isdisjoint(example.id for example in other)
