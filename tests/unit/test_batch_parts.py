"""The parts of a batch that need no graph: rows, order, files."""

import asyncio
import gzip
import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groat.batch import Answered, BadRow, Failed, Results, Row, count_rows, in_order, read_rows
from groat.errors import BadInput

ROWS = [
    ('"怎么修改密码?"', Row(number=1, id=1, question="怎么修改密码?", digest="")),
    ('{"question": "What is the fee?"}', Row(number=1, id=1, question="What is the fee?", digest="")),
    (
        '{"id": "q-7", "question": "费用是多少?", "tenant": "acme", "lang": "en", "collection": "fees", "category": "x"}',
        Row(number=1, id="q-7", question="费用是多少?", tenant="acme", lang="en", collection="fees", digest=""),
    ),
]
BAD = {
    "{": "this is no JSON",
    "[1]": "neither a text nor an object",
    '""': "'question' is missing",
    '{"question": 7}': "'question' is missing",
    '{"question": "q", "id": 1.5}': "'id'",
    '{"question": "q", "lang": "fr"}': "'lang' is 'fr'",
    '{"question": "q", "tenant": " "}': "'tenant'",
    '{"question": "q", "documents": [{"id": "a"}]}': "groat ingest",
    "[" * 100_000: "nested too deeply",
    b"\xff": "not UTF-8",
}


def _answered(text: str = "a", **more: object) -> Answered:
    fields = {
        "answer": text, "verified": True, "hit": None, "tier": "cheap", "sources": [], "path": [], "cost_usd": "0.000001",
        "baseline_cost_usd": "0.00001", "latency_ms": 1.0, "run": "r", **more,
    }  # fmt: skip
    return Answered(**fields)  # type: ignore[arg-type]


def _row(number: int) -> Row:
    return Row(number=number, id=number, question=f"q{number}", digest=f"d{number}")


@pytest.mark.parametrize(("line", "row"), ROWS, ids=["text", "object", "all fields"])
def test_a_row_is_a_question_or_an_object_with_one(tmp_path: Path, line: str, row: Row) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(line, encoding="utf-8")
    (found,) = read_rows(str(path))
    assert isinstance(found, Row)
    assert {**vars(found), "digest": ""} == vars(row)


def test_a_compressed_file_is_read_and_empty_lines_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(gzip.compress(b'\n"one"\n\n"two"\n'))
    assert [(row.number, row.question) for row in read_rows(str(path)) if isinstance(row, Row)] == [(1, "one"), (2, "two")]


@pytest.mark.parametrize(("line", "said"), BAD.items(), ids=[*range(len(BAD))])
def test_a_bad_row_is_named_with_its_line_before_anything_is_asked(tmp_path: Path, line: str | bytes, said: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'"good"\n\n' + (line if isinstance(line, bytes) else line.encode()) + b'\n"good"\n')
    with pytest.raises(BadInput, match=r"line 3: .*--skip-bad") as told:
        count_rows(str(path), skip_bad=False)
    assert said in str(told.value)
    assert count_rows(str(path), skip_bad=True) == 3
    assert [type(row) for row in read_rows(str(path))] == [Row, BadRow, Row]


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(BadInput, match=r"nowhere.jsonl cannot be read"):
        list(read_rows("nowhere.jsonl"))


async def _all(
    numbers: Iterator[int], *, at_once: int = 4, ahead: int = 16, seed: int = 1, stop_at: int | None = None
) -> tuple[list[int], int]:
    chance, stop, under_way, most = random.Random(seed), asyncio.Event(), 0, 0

    async def work(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(chance.random() / 1000)
        under_way -= 1
        if number == stop_at:
            stop.set()
        return number * 10

    found = []
    async for number, outcome in in_order(numbers, work, at_once=at_once, ahead=ahead, stop=stop):
        assert outcome == number * 10
        found.append(number)
    return found, most


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 20), st.integers(0, 3))
def test_results_come_in_the_order_of_the_rows_however_long_each_takes(count: int, at_once: int, ahead: int, seed: int) -> None:
    found, most = asyncio.run(_all(iter(range(count)), at_once=at_once, ahead=ahead, seed=seed))
    assert found == list(range(count))
    assert most <= at_once


async def test_an_orderly_stop_hands_on_a_gapless_beginning_and_begins_nothing_new() -> None:
    found, _ = await _all(iter(range(1000)), stop_at=100)
    assert found == list(range(len(found)))
    assert 90 <= len(found) <= 120


async def test_what_fails_is_raised_at_its_turn_and_the_rest_is_cancelled() -> None:
    cancelled = []

    async def work(number: int) -> int:
        if number == 3:
            raise RuntimeError("three")
        try:
            await asyncio.sleep(0 if number < 3 else 60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    found = []

    async def run() -> None:
        async for number, _ in in_order(iter(range(10)), work, at_once=8, ahead=8, stop=asyncio.Event()):
            found.append(number)

    with pytest.raises(RuntimeError, match="three"):
        await run()
    assert found == [0, 1, 2]
    assert cancelled


async def test_a_million_rows_take_no_more_memory_than_a_thousand(tmp_path: Path) -> None:
    """Measured on 8,000 here; `python -m evals.bench_batch` does it with a million."""
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    peaks = []
    for count in (1_000, 8_000):
        path.write_text("".join(f'"question {n}"\n' for n in range(count)), encoding="utf-8")
        out.unlink(missing_ok=True)
        results = Results(out, resume=False)
        tracemalloc.start()

        async def work(row: Row | BadRow) -> Answered:
            return _answered()

        async for row, outcome in in_order(read_rows(str(path)), work, at_once=16, ahead=128, stop=asyncio.Event()):
            assert isinstance(row, Row)
            results.answered(row, outcome)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        results.close()
        assert results.tally.done == count
    assert peaks[1] < peaks[0] * 1.3 + 100_000


@given(fates=st.lists(st.booleans(), min_size=1, max_size=12), cut=st.floats(0, 1), which=st.sampled_from(["out", "failed"]))
def test_a_file_cut_at_any_byte_of_its_last_line_goes_on_where_it_was(
    tmp_path_factory: pytest.TempPathFactory, fates: list[bool], cut: float, which: str
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    out = folder / "out.jsonl"

    def write(results: Results, fate: bool, number: int) -> None:
        if fate:
            results.answered(_row(number), _answered(f"答案 {number}"))
        else:
            results.lost(_row(number), Failed(failure="timeout", reason="it took too long"))

    whole = Results(folder / "whole.jsonl", resume=False)
    results = Results(out, resume=False)
    for number, fate in enumerate(fates, 1):
        write(whole, fate, number)
        write(results, fate, number)
    whole.close()
    results.close()
    last = out if fates[-1] else folder / "out.failed.jsonl"
    content = last.read_bytes()
    begins = content.rstrip(b"\n").rfind(b"\n") + 1
    last.write_bytes(content[: begins + int(cut * (len(content) - begins))])
    again = Results(out, resume=True)
    for number in range(again.tally.rows + 1, len(fates) + 1):
        write(again, fates[number - 1], number)
    again.close()
    assert again.tally == whole.tally
    assert out.read_bytes() == (folder / "whole.jsonl").read_bytes()
    failed = folder / "out.failed.jsonl"
    assert failed.exists() == (False in fates)
    if failed.exists():
        assert failed.read_bytes() == (folder / "whole.failed.jsonl").read_bytes()


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    results = Results(tmp_path / "out.jsonl", resume=False)
    results.answered(_row(1), _answered())
    results.close()
    with pytest.raises(BadInput, match="--resume"):
        Results(tmp_path / "out.jsonl", resume=False)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    results = Results(tmp_path / "out.jsonl", resume=False)
    for number in (1, 2, 3):
        results.answered(_row(number), _answered())
    results.close()
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "out.jsonl").write_text(lines[0] + lines[2], encoding="utf-8")
    with pytest.raises(BadInput, match="lack row 2"):
        Results(tmp_path / "out.jsonl", resume=True)
    (tmp_path / "out.jsonl").write_text('{"row": 1}\n', encoding="utf-8")
    Results(tmp_path / "else.jsonl", resume=True).close()
    (tmp_path / "out.jsonl").write_text('{"some": "thing"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="line 1 is none that groat wrote"):
        Results(tmp_path / "out.jsonl", resume=True)


def test_rows_without_an_answer_can_be_asked_again_from_their_own_file(tmp_path: Path) -> None:
    row = Row(number=1, id="q-1", question="费用是多少?", tenant="acme", lang="zh", collection="fees", digest="d")
    results = Results(tmp_path / "out.jsonl", resume=False)
    results.lost(row, Failed(failure="timeout", reason="it took too long"))
    results.close()
    (again,) = read_rows(str(tmp_path / "out.failed.jsonl"))
    assert isinstance(again, Row)
    assert again.again() == row.again()
    line = json.loads((tmp_path / "out.failed.jsonl").read_text(encoding="utf-8"))
    assert (line["failure"], line["reason"]) == ("timeout", "it took too long")
