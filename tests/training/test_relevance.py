"""Rows for the head "answers"."""

from typing import Any

import pytest

from groat.errors import BadInput
from training.helpcentre import bare, develop, evidence, holds
from training.relevance import relevance_rows
from training.rows import Row
from training.texts import MOST_CHARS, Groups, crop, titled, translations

_HARBOUR = "Old Harbour opened in 1912. The crane of Old Harbour lifts 40 tonnes. Gulls nest on its roof every spring."
_BRIDGE = "Mill Bridge opened in 1887. The bridge of the mill is painted green. A ferry ran there before the bridge stood."
_HARBOUR_ZH = "旧港于1912年启用。旧港的起重机能吊起40吨货物。每年春天都有海鸥在屋顶筑巢。"
_BRIDGE_ZH = "磨坊桥于1887年通车。磨坊桥的桥身漆成绿色。建桥之前这里有一条渡船航线。"


def _row(name: str, source: str, lang: str, question: str, answer: str, texts: tuple[str, str], gold: str) -> dict[str, Any]:
    return {
        "id": f"{source}-{name}",
        "source": source,
        "lang": lang,
        "question": question,
        "docs": [{"id": f"d{i}", "title": "", "text": text, "gold": i == 0} for i, text in enumerate(texts)],
        "answers": [answer],
        "answer_groups": [[answer]],
        "gold_sentences": [{"doc": "d0", "text": gold}],
        "string_metric": True,
    }


_ENGLISH = _row("1", "xquad_en", "en", "How much does the crane of Old Harbour lift?", "40 tonnes", (_HARBOUR, _BRIDGE),
                "The crane of Old Harbour lifts 40 tonnes.")  # fmt: skip
_CHINESE = _row(
    "1", "xquad_zh", "zh", "旧港的起重机能吊起多少货物？", "40吨", (_HARBOUR_ZH, _BRIDGE_ZH), "旧港的起重机能吊起40吨货物。"
)
_ACROSS = _row("2", "xquad_zh2en", "zh", "磨坊桥什么时候通车？", "1887", (_BRIDGE, _HARBOUR), "Mill Bridge opened in 1887.")


def _own(rows: list[dict[str, Any]]) -> list[Row]:
    found = []
    for row in relevance_rows(rows, seed=3):
        if row.source == "helpcentre":
            break
        found.append(row)
    return found


@pytest.mark.parametrize("row", [_ENGLISH, _CHINESE, _ACROSS])
def test_the_gold_sentence_is_right_and_the_others_are_not(row: dict[str, Any]) -> None:
    found = _own([row])
    assert [one.b for one in found if one.label == 1] == [row["gold_sentences"][0]["text"]]
    assert len(found) >= 4
    assert {one.head for one in found} == {"answers"}


def test_a_sentence_of_another_document_that_holds_the_answer_is_left_out() -> None:
    doubtful = "A second crane carries 40 tonnes too."
    row = _row(
        "3",
        "nq",
        "en",
        _ENGLISH["question"],
        "40 tonnes",
        (_HARBOUR, f"{_BRIDGE} {doubtful}"),
        _ENGLISH["gold_sentences"][0]["text"],
    )
    assert doubtful not in {one.b for one in _own([row])}


def test_rows_of_rgb_are_refused() -> None:
    with pytest.raises(BadInput, match="NC"):
        list(relevance_rows([{**_CHINESE, "source": "rgb_zh"}], seed=1))


def test_a_row_without_documents_is_refused() -> None:
    with pytest.raises(BadInput, match="docs"):
        list(relevance_rows([{key: value for key, value in _ENGLISH.items() if key != "docs"}], seed=1))


def test_translated_paragraphs_share_a_group() -> None:
    groups = Groups([_ENGLISH, _CHINESE, _ACROSS])
    assert translations([_ENGLISH, _CHINESE]) == {_HARBOUR: _HARBOUR_ZH}
    assert groups.of(_HARBOUR) == groups.of(_HARBOUR_ZH) != groups.of(_BRIDGE)


def test_the_language_says_whether_question_and_sentence_differ_in_it() -> None:
    assert [_own([row])[0].lang for row in (_ENGLISH, _CHINESE, _ACROSS)] == ["en", "zh", "zh-en"]


def test_the_same_seed_gives_the_same_rows() -> None:
    assert _own([_ENGLISH, _CHINESE]) == _own([_ENGLISH, _CHINESE])


@pytest.mark.parametrize(("lang", "answer_id"), [("en", "en-plug-max-load"), ("zh", "zh-battery-delivery-days")])
def test_the_help_centre_gives_evidence_that_holds_the_answer(lang: str, answer_id: str) -> None:
    names, asked = develop()
    assert any(name.startswith(lang) for name in names)
    for question in asked:
        if question["answer_id"] == answer_id:
            strings = [string for group in question["answer_groups"] for string in group]
            assert all(holds(one.text, strings) for one in evidence(question))


def test_no_held_out_document_is_among_those_to_train_on() -> None:
    from evals.helpcentre import load_questions
    from evals.validation_rows import held_out_of

    questions = [row for row in load_questions() if row["kind"] in {"fact", "paraphrase", "near_miss", "multi_document"}]
    held = held_out_of(questions)
    kept_back = {bare(name) for row in questions if row["id"] in held for name in row["documents"]}
    names, asked = develop()
    assert not kept_back & {bare(name) for name in names}
    assert not held & {row["id"] for row in asked}


def test_a_long_sentence_is_cut_around_its_answer() -> None:
    long = "word " * 100 + "the tower is 90 metres high " + "word " * 100
    assert "90 metres" in crop(long, "90 metres")
    assert len(crop(long, "90 metres")) <= MOST_CHARS


def test_a_title_stands_before_a_sentence_that_lacks_it() -> None:
    assert titled("Old Harbour", "The crane lifts 40 tonnes.") == "Old Harbour: The crane lifts 40 tonnes."
    assert titled("Old Harbour", "Old Harbour opened in 1912.") == "Old Harbour opened in 1912."
