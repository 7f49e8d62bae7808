"""Days made from logs and drawn ones: nothing is lost, nothing is silently skipped, the same seed gives the same day."""

import gzip
import json
import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.helpcentre_wording import reworded
from evals.ladder_rows import RequestRow
from evals.workload_build import Log, moment, rows_of_file
from evals.workload_draws import HOURS, Zipf, moments_of_a_day
from evals.workload_files import about_path, write_day
from evals.workload_synth import Traffic, read_pool, synthetic_day
from groat.errors import BadInput
from tests.ladder_day import document_row, raw_row
from tests.ladder_day import write_day as write_rows

ASKED = {"en": "How long does the warranty last?", "zh": "保修期有多长？"}
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1).filter(lambda text: bool(text.strip()))


def build(raw: Any, **more: Any) -> tuple[list[dict[str, Any]], Log]:
    log = Log(raw, **more)
    rows = list(log.rows())
    log.close()
    return rows, log


def in_memory(*rows: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(f"row {number}", row) for number, row in enumerate(rows, 1)]


@given(st.lists(st.tuples(TEXTS, st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))))
def test_every_question_of_a_log_is_in_the_day_once_and_in_the_order_of_its_moments(asked: list[tuple[str, datetime]]) -> None:
    raw = in_memory(*({"question": text, "asked_at": at.isoformat()} for text, at in asked))
    if not asked:
        with pytest.raises(BadInput):
            build(raw)
        return
    rows, log = build(raw)
    assert Counter(row["question"] for row in rows) == Counter(text for text, _ in asked)
    assert [row["asked_at"] for row in rows] == sorted(row["asked_at"] for row in rows)
    assert len({row["id"] for row in rows}) == len(rows) == log.built.rows == sum(log.built.languages.values())
    assert all(RequestRow.model_validate(row) for row in rows)
    assert 1 <= log.built.distinct <= len(rows)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_repetition_and_language_are_those_of_the_log(lang: str) -> None:
    rows, log = build(
        in_memory(*({"question": text} for text in (ASKED[lang], f" {ASKED[lang]} ", ASKED[lang], f"{ASKED[lang]}x")))
    )
    assert (log.built.distinct, log.built.about["repeated"]) == (2, 0.5)
    assert {row["lang"] for row in rows} == {lang}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question": "  "}, "no question"),
        ({"id": "1"}, "no question"),
        ({"question": 7}, "no question"),
        ({"question": "why?", "lang": "fr"}, "lang"),
        ({"question": "why?", "documents": [{"id": "a"}]}, "documents.0.text"),
        ({"question": "why?", "asked_at": "yesterday"}, "'yesterday'"),
        ({"question": "why?", "id": "same"}, "'same'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_left_out_only_when_that_is_asked_for(row: dict[str, Any], told: str) -> None:
    raw = in_memory({"question": "good?", "id": "same"}, row)
    with pytest.raises(BadInput, match="row 2") as stopped:
        build(raw)
    assert told in str(stopped.value)
    heard: list[str] = []
    rows, log = build(raw, on_bad=heard.append)
    assert (len(rows), log.built.left_out, len(heard)) == (1, 1, 1)
    assert told in heard[0]


def test_moments_are_given_by_all_rows_or_by_none() -> None:
    timed, bare = {"question": "a?", "asked_at": 0}, {"question": "b?"}
    for rows in ((timed, bare), (bare, timed)):
        with pytest.raises(BadInput, match="time"):
            build(in_memory(*rows))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1764000000, "2025-11-24T16:00:00.000+00:00"),
        ("1764000000", "2025-11-24T16:00:00.000+00:00"),
        (1764000000123, "2025-11-24T16:00:00.123+00:00"),
        ("2025-11-24T18:00:00+02:00", "2025-11-24T16:00:00.000+00:00"),
        ("2025-11-24 16:00:00", "2025-11-24T16:00:00.000+00:00"),
    ],
)
def test_moments_are_read_in_the_forms_that_logs_have(value: object, told: str) -> None:
    assert moment(value) == told


@pytest.mark.parametrize("value", ["nan", "inf", float("nan"), "soon", 1e300, []])
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="neither ISO 8601"):
        moment(value)


def test_a_csv_log_is_read_with_line_breaks_commas_and_quotes_in_its_fields(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('\ufeffid,query,tenant\n1,"Is it ""free"",\nreally?",acme\n2,免费吗？,\n3,a,b,c\n', encoding="utf-8")
    heard: list[str] = []
    rows, _ = build(rows_of_file(path), on_bad=heard.append)
    assert [row["question"] for row in rows] == ['Is it "free",\nreally?', "免费吗？"]
    assert rows[0]["tenant"] == "acme"
    assert "tenant" not in rows[1]
    assert "line 5" in heard[0]
    assert "more fields" in heard[0]


def test_a_csv_log_without_a_question_says_what_its_column_must_be_called(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(BadInput, match="question or input or query or prompt"):
        build(rows_of_file(path))


def test_a_broken_line_of_a_log_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"question": "a?"}\n\n{broken\n[1]\n', encoding="utf-8")
    heard: list[str] = []
    build(rows_of_file(path), on_bad=heard.append)
    assert ["line 3" in heard[0], "line 4" in heard[1]] == [True, True]


@given(count=st.integers(1, 60), exponent=st.floats(0, 3), seed=st.integers())
def test_zipf_draws_every_place_within_bounds_and_the_first_most_often(count: int, exponent: float, seed: int) -> None:
    rng, places = random.Random(seed), Zipf(count, exponent)
    drawn = Counter(places.draw(rng) for _ in range(300))
    assert set(drawn) <= set(range(count))
    if exponent >= 1 and count >= 20:
        assert drawn[0] > drawn[count - 1]


@given(count=st.integers(1, 500), seed=st.integers())
def test_moments_of_a_day_are_in_order_and_within_it(count: int, seed: int) -> None:
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    moments = list(moments_of_a_day(count, random.Random(seed), midnight))
    assert moments == sorted(moments)
    assert {one.date() for one in moments} == {midnight.date()}
    assert len(moments) == count
    if count >= 200:
        busy = Counter(one.hour for one in moments)
        assert busy[HOURS.index(max(HOURS))] > busy[0]


@given(seed=st.integers(), lang=st.sampled_from(["en", "zh"]))
def test_rewording_leaves_every_figure_as_it_is(seed: int, lang: Any) -> None:
    question = {"en": "How do I set 3 alerts at 27.4 p before 16:30?", "zh": "怎么在 16:30 前设 3 条 0.68 元的提醒？"}[lang]
    said = reworded(question, lang, random.Random(seed))
    assert all(figure in said for figure in ("3", "16:30", {"en": "27.4", "zh": "0.68"}[lang]))


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    rows = [document_row("1", "en"), document_row("2", "zh"), raw_row("3", "Where is it?", "en", answer_id="place")]
    rows += [raw_row("4", "Where do I find it?", "en", answer_id="place"), {"id": "5", "question": "谁？", "lang": "zh"}]
    return write_rows(tmp_path / "pool.jsonl", rows)


@given(
    rows=st.integers(1, 40),
    seed=st.integers(),
    zipf=st.floats(0, 3),
    paraphrases=st.floats(0, 1),
    churn=st.floats(0, 1),
    tenants=st.integers(1, 4),
)
def test_a_synthetic_day_has_as_many_valid_rows_as_wanted_and_is_the_same_for_the_same_seed(
    tmp_path_factory: pytest.TempPathFactory, **drawn: Any
) -> None:
    path = write_rows(tmp_path_factory.mktemp("pool") / "pool.jsonl", [document_row("1", "en"), raw_row("2", "谁？", "zh")])
    traffic = Traffic(**drawn)
    rows = list(synthetic_day(traffic, read_pool(path)))
    assert rows == list(synthetic_day(traffic, read_pool(path)))
    assert len(rows) == len({row["id"] for row in rows}) == traffic.rows
    assert all(RequestRow.model_validate(row) for row in rows)
    assert {row.get("tenant", "tenant-1") for row in rows} <= {f"tenant-{place + 1}" for place in range(traffic.tenants)}
    if not traffic.paraphrases:
        assert all("assumed" not in row for row in rows)


def test_without_churn_documents_keep_their_version_and_with_it_they_change_once(pool: Path) -> None:
    def versions(churn: float) -> list[str | None]:
        rows = synthetic_day(Traffic(rows=200, churn=churn), read_pool(pool))
        return [one.get("version") for row in rows for one in row.get("documents", [])]

    assert set(versions(0.0)) == {None}
    changed = [version for version in versions(1.0) if version is not None]
    assert changed == sorted(changed, key=lambda version: version == "changed")
    assert set(changed) == {"first", "changed"}


def test_a_share_of_paraphrases_is_that_of_the_day(pool: Path) -> None:
    rows = list(synthetic_day(Traffic(rows=2000, paraphrases=0.4, zipf=0.0), read_pool(pool)))
    written = {"How long does the warranty on a pump last?", "水泵的保修期有多长？", "Where is it?", "谁？"}
    assert 0.3 < sum(row["question"] not in written for row in rows) / 2000 < 0.5


@pytest.mark.parametrize(
    "wrong", [{"rows": 0}, {"rows": 1, "zipf": -1.0}, {"rows": 1, "churn": 1.5}, {"rows": 1, "tenants": 0}]
)
def test_a_day_that_cannot_be_drawn_says_what_can(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="from 1 on"):
        Traffic(**wrong)


@pytest.mark.parametrize("name", ["day.jsonl", "day.jsonl.gz"])
def test_a_day_is_written_as_it_comes_with_how_it_was_made_beside_it_and_the_same_bytes_each_time(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    contents = []
    for _ in range(2):
        assert write_day(path, ({"id": str(place), "question": "保修"} for place in range(3)), {"seed": 7}) == 3
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    text = gzip.decompress(contents[0]).decode() if name.endswith("gz") else contents[0].decode()
    assert [json.loads(line)["id"] for line in text.splitlines()] == ["0", "1", "2"]
    assert about_path(path).name == "day.about.json"
    assert json.loads(about_path(path).read_text(encoding="utf-8")) == {"file": name, "rows": 3, "seed": 7}


def test_a_day_that_breaks_off_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    write_day(path, [{"id": "1"}], {})

    def broken() -> Any:
        yield {"id": "2"}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_day(path, broken(), {})
    assert json.loads(path.read_text(encoding="utf-8"))["id"] == "1"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["day.about.json", "day.jsonl"]
