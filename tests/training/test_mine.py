import itertools
from collections.abc import Sequence

import numpy as np

from training.mine import mined_rows, stream_texts
from training.rows import Row
from training.sources import StreamRow

THINGS = ["lamp", "kettle", "carpet", "mirror", "drill", "ladder", "pillow", "heater"]
TOWNS = ["宁波", "厦门", "兰州", "昆明", "长沙", "合肥"]
STREAMS = {
    "qqp": [
        StreamRow(wording.format(thing), f"{thing}", "en")
        for thing in THINGS
        for wording in ("How do I clean the old {} in winter?", "What is a way to clean an old {} in winter?")
    ],
    "lcqmc": [
        StreamRow(wording.format(town), town, "zh")
        for town in TOWNS
        for wording in ("{}冬天哪里适合看雪景呢", "冬天在{}看雪景去哪里好")
    ],
    "banking77": [
        StreamRow("when will my new card arrive by post", "arrival", "en"),
        StreamRow("will my new card arrive by post soon", "arrival", "en"),
        StreamRow("when will my new card start working", "activation", "en"),
        StreamRow("will my new card start working soon", "activation", "en"),
    ],
}


def _mined(count: int = 10_000, seed: int = 1) -> list[Row]:
    return list(mined_rows(STREAMS, None, count, seed))


def _answer(text: str) -> str:
    return next(row.answer_id for rows in STREAMS.values() for row in rows if row.query == text)


def test_near_rows_have_different_answers_and_cluster_rows_the_same_one() -> None:
    rows = _mined()
    assert (
        {row.kind for row in rows if row.lang == "en"} == {row.kind for row in rows if row.lang == "zh"} == {"near", "cluster"}
    )
    for row in rows:
        assert row.label == (_answer(row.a) == _answer(row.b)) == (row.kind == "cluster")


def test_an_intent_gives_no_row_that_means_the_same() -> None:
    rows = [row for row in _mined() if row.source == "mined:banking77"]
    assert rows
    assert {row.label for row in rows} == {0.0}


def test_a_question_that_looks_like_another_intent_gives_no_row() -> None:
    stray = StreamRow("will my new card arrive by post today", "activation", "en")
    rows = list(mined_rows({"banking77": [*STREAMS["banking77"], stray]}, None, 10_000, 1))
    assert not any(stray.query in {row.a, row.b} for row in rows)


def test_only_the_openly_licensed_streams_are_marked_open() -> None:
    assert {row.source for row in _mined() if row.open_licence} == {"mined:banking77"}
    assert {group.partition(":")[0] for _, _, group, is_open in stream_texts(STREAMS) if is_open} == {"banking77"}


def test_a_neighbour_that_differs_only_in_fillers_is_no_negative() -> None:
    streams = {"qqp": [*STREAMS["qqp"], StreamRow("How can you clean the old lamp in winter please?", "other", "en")]}
    rows = list(mined_rows(streams, None, 10_000, 1))
    assert not any(row.label == 0 and "lamp" in row.a and "lamp" in row.b for row in rows)


def test_rows_that_share_an_answer_share_a_group() -> None:
    groups: dict[str, set[str]] = {}
    for row, text in itertools.product(_mined(), ("a", "b")):
        groups.setdefault(f"{row.source}:{_answer(getattr(row, text))}", set()).add(row.group)
    assert all(len(found) == 1 for found in groups.values())


def test_rows_are_distinct_no_more_than_asked_for_and_the_same_for_the_same_seed() -> None:
    rows = _mined()
    assert len({frozenset((row.a, row.b)) for row in rows}) == len(rows)
    assert len(_mined(9)) <= 9
    assert _mined() == rows


def test_vectors_count_half_of_the_similarity() -> None:
    def orthogonal(texts: Sequence[str]) -> np.ndarray:
        return np.eye(len(texts), dtype=np.float32)

    near = [row for row in mined_rows(STREAMS, orthogonal, 10_000, 1) if row.kind == "near"]
    assert len(near) < len([row for row in _mined() if row.kind == "near"])


def test_no_streams_give_no_rows() -> None:
    assert list(mined_rows({}, None, 10, 1)) == []
    assert list(mined_rows({"qqp": [StreamRow("How do I clean a lamp?", "1", "en")]}, None, 10, 1)) == []


def test_each_text_of_a_stream_comes_once_with_its_answer_as_group() -> None:
    twice = {"qqp": [*STREAMS["qqp"], STREAMS["qqp"][0]]}
    texts = stream_texts(twice)
    assert len(texts) == len(STREAMS["qqp"])
    assert texts[0] == (STREAMS["qqp"][0].query, "en", "qqp:lamp", False)
