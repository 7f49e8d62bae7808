"""Rows of a day: what is read, what is refused, and what each answer counts."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.ladder_outcomes import Outcome, blank, fresh_quality, served
from evals.ladder_reading import Latencies, read_requests, read_rows, survey
from evals.ladder_rows import WITHHELD, Row, is_placeholder
from groat.errors import BadInput
from tests.ladder_day import ANSWERS, DOCUMENTS, document_row, raw_row, said, write_day

LANGUAGES = pytest.mark.parametrize("lang", ["en", "zh"])
OTHERS = {"en": "How do pumps work?", "zh": "水泵怎样工作？"}


def row(raw: dict[str, Any]) -> Row:
    return Row.model_validate(raw)


@LANGUAGES
def test_a_fresh_answer_counts_its_recorded_quality(lang: str) -> None:
    one = row(document_row("1", lang))
    assert fresh_quality(one, "cheap", holds_answer=True) == 0.5
    assert fresh_quality(one, "expensive", holds_answer=True) == 1.0


@LANGUAGES
def test_a_fresh_answer_counts_nothing_when_the_documents_sent_lost_the_answer(lang: str) -> None:
    one = row(document_row("1", lang))
    assert one.holds_answer(DOCUMENTS[lang])
    assert one.holds_answer(ANSWERS[lang].upper())
    assert not one.holds_answer(DOCUMENTS[lang].replace(ANSWERS[lang], ""))
    assert fresh_quality(one, "expensive", holds_answer=False) == 0.0


@LANGUAGES
def test_nothing_can_be_lost_of_an_answer_that_the_full_documents_never_held(lang: str) -> None:
    one = row({**document_row("1", lang), "answers": ["forty years 四十年"]})
    assert one.holds_answer("")
    assert row({**document_row("2", lang), "answers": []}).holds_answer("")


@LANGUAGES
def test_a_hit_counts_what_its_origin_counted_if_both_share_one_right_answer_and_else_nothing(lang: str) -> None:
    first = row(raw_row("1", OTHERS[lang], lang, answer_id="a"))
    origin: Outcome = {**blank(first), "ok": 0.5, "tier": "cheap"}
    same, other = (row(raw_row(name, OTHERS[lang], lang, answer_id=name)) for name in ("a", "b"))
    right, wrong = (served(one, "exact", origin, own_ms=3.0) for one in (same, other))
    assert (right["ok"], right["wrong"], right["origin"]) == (0.5, False, "1")
    assert (wrong["ok"], wrong["wrong"]) == (0.0, True)


@LANGUAGES
def test_without_an_id_of_the_answer_only_the_same_question_over_the_same_documents_shares_it(lang: str) -> None:
    bare = {name: value for name, value in document_row("1", lang).items() if name != "answer_id"}
    assert row(bare).answer == row({**bare, "id": "2"}).answer
    assert row(bare).answer != row({**bare, "question": OTHERS[lang]}).answer
    assert row(bare).answer != row({**bare, "documents": [{"id": "pumps", "text": "x"}]}).answer


@pytest.mark.parametrize("text", ["[assumed answer d65943ca33c0]", " [没有文本] \n", "[]"])
def test_one_pair_of_square_brackets_stands_for_a_text_and_never_leaves_the_file(text: str) -> None:
    assert is_placeholder(text)
    assert row(raw_row("1", "q", "en", recorded={"cheap": said(text), "expensive": said(text)})).recorded.cheap.sent == WITHHELD


@pytest.mark.parametrize("text", ["[no answer]", "[1] and [2]", "[Your name]\nDear all", "见[产品说明]", "plain", ""])
def test_other_texts_are_texts(text: str) -> None:
    assert not is_placeholder(text)


def test_a_day_is_read_in_its_order_up_to_a_number_of_rows(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.jsonl", [raw_row(str(place), f"q{place}", "en") for place in range(5)])
    assert [one.id for one in read_rows(path, limit=3)] == ["0", "1", "2"]


def test_a_survey_counts_what_is_assumed_and_what_has_no_text(tmp_path: Path) -> None:
    rows = [
        raw_row("1", "q", "en", assumed=True, category="support"),
        raw_row("2", "问", "zh", recorded={"cheap": said("说"), "expensive": said("said")}),
    ]
    found = survey(write_day(tmp_path / "day.jsonl", rows))
    assert (found.rows, found.assumed, found.placeholders) == (2, 1, 1)
    assert found.languages == {"en": 1, "zh": 1}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"lang": "fr"}, "lang: input should be 'zh' or 'en'"),
        ({"question": "  "}, "question"),
        ({"recorded": {"cheap": said("x", ok=1.5), "expensive": said("y")}}, "recorded.cheap.ok"),
        (
            {"recorded": {"cheap": said("x"), "expensive": {**said("y"), "input_tokens": "many"}}},
            "recorded.expensive.input_tokens",
        ),
        ({"documents": [{"id": "d"}]}, "documents.0.text"),
    ],
)
def test_a_broken_row_is_named_with_its_line_and_field(tmp_path: Path, broken: dict[str, Any], told: str) -> None:
    path = write_day(tmp_path / "day.jsonl", [raw_row("1", "q", "en"), {**raw_row("2", "secret words", "en"), **broken}])
    with pytest.raises(BadInput, match=r"line 2: ") as caught:
        survey(path)
    assert told in str(caught.value)
    assert "secret" not in str(caught.value)


def test_with_skip_bad_every_bad_row_is_named_and_the_others_are_used(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    lines = [json.dumps(raw_row("1", "q", "en")), "{", json.dumps(raw_row("1", "q", "en")), json.dumps(raw_row("2", "q", "zh"))]
    lines.append(json.dumps({**raw_row("3", "q", "en"), "recorded": {"cheap": said("x")}}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told: list[str] = []
    assert [one.id for one in read_rows(path, told.append)] == ["1", "2"]
    assert [part.split("line ")[1].split(":")[0] for part in told] == ["2", "3", "5"]


def test_an_id_that_comes_again_stops_the_reading_and_says_where_it_was(tmp_path: Path) -> None:
    path = write_day(tmp_path / "day.jsonl", [raw_row("1", "q", "en"), raw_row("1", "other", "en")])
    with pytest.raises(BadInput, match="line 2: the id '1' was used in line 1 already"):
        survey(path)


def test_rows_without_a_recorded_answer_are_listed_and_never_silently_left_out(tmp_path: Path) -> None:
    bare = {**raw_row("2", "q", "en"), "recorded": {"cheap": said("x")}}
    path = write_day(tmp_path / "day.jsonl", [raw_row("1", "q", "en"), bare, {**raw_row("3", "问", "zh"), "recorded": {}}])
    with pytest.raises(BadInput, match=r"\(2\): 2 \(line 2: expensive\), 3 \(line 3: cheap and the expensive\)"):
        survey(path)


def test_a_day_takes_as_much_memory_as_a_few_of_its_rows_and_the_hashes_of_its_ids(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl.gz"
    rows = 2_000
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for place in range(rows):
            file.write(json.dumps(raw_row(f"{place}", "q" * 20_000, "en")) + "\n")
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_rows(path)) == rows
        assert tracemalloc.get_traced_memory()[1] < 4_000_000  # the whole file would be ten times that
    finally:
        tracemalloc.stop()


def test_requests_are_read_whether_answers_are_recorded_or_not(tmp_path: Path) -> None:
    bare = {"id": "2", "question": "问", "lang": "zh", "asked_at": "2026-11-24T08:00:00+00:00"}
    path = write_day(tmp_path / "day.jsonl", [raw_row("1", "q", "en"), bare])
    assert [one.id for one in read_requests(path)] == ["1", "2"]
    with pytest.raises(BadInput, match="was used in line 1 already"):
        list(read_requests(write_day(path, [bare, bare])))


@LANGUAGES
def test_a_document_with_a_version_is_the_same_one_whichever_pieces_were_found(lang: str) -> None:
    piece, other = ({"id": "pumps", "text": DOCUMENTS[lang][:50]}, {"id": "pumps", "text": DOCUMENTS[lang][50:]})

    def version(*pieces: dict[str, str]) -> str:
        return row(raw_row("1", "q", lang, documents=list(pieces))).versions["pumps"]

    assert version(piece) != version(piece, other)
    named = [{**one, "version": "7"} for one in (piece, other)]
    assert version(named[0]) == version(*named) == "7"


def test_a_day_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no row"):
        survey(write_day(tmp_path / "day.jsonl", []))


@given(before=st.floats(0, 5_000), each=st.floats(0.1, 100), tokens=st.lists(st.integers(1, 2_000), min_size=2, unique=True))
def test_latencies_on_a_straight_line_are_found_again(before: float, each: float, tokens: list[int]) -> None:
    found = Latencies()
    for written in tokens:
        one = row(
            raw_row("1", "q", "en", recorded={"cheap": said("x", written=written), "expensive": said("y")})
        ).recorded.cheap
        found.add("cheap", one.model_copy(update={"latency_ms": before + each * written}))
    start, slope = found.line("cheap")
    assert start + slope * 1_000 == pytest.approx(before + each * 1_000, rel=1e-3, abs=1.0)
