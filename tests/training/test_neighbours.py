"""Rows as a cache meets them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.neighbours import neighbour_rows
from training.sources import StreamRow

PLACES = {"a": 0.0, "a again": 0.1, "near": 0.5, "nearer": 0.25, "far": 2.0, "甲": 0.05}


def vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    angles = np.array([PLACES[text] for text in texts])
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def stream(*rows: tuple[str, str]) -> list[StreamRow]:
    return [StreamRow(query, answer, "en") for query, answer in rows]


def test_a_question_stands_beside_its_own_group_and_beside_near_strangers_only() -> None:
    rows = list(neighbour_rows({"s": stream(("a", "1"), ("far", "2"), ("near", "3"), ("a again", "1"))}, vectors, 99, 1))
    assert {(frozenset((row.a, row.b)), row.label, row.kind) for row in rows} == {
        (frozenset(("a", "a again")), 1.0, "linked"),
        (frozenset(("a", "near")), 0.0, "neighbour"),
        (frozenset(("a again", "near")), 0.0, "neighbour"),
    }
    assert not any(row.open_licence for row in rows)


def test_strangers_so_near_that_the_link_may_be_missing_are_left_out() -> None:
    rows = list(neighbour_rows({"lcqmc-zh": stream(("a", "1"), ("甲", "2"), ("near", "3"))}, vectors, 99, 1))
    assert {frozenset((row.a, row.b)) for row in rows} == {frozenset(("a", "near")), frozenset(("甲", "near"))}


def test_no_more_rows_are_given_than_were_asked_for_and_none_without_questions() -> None:
    asked = {"s": stream(("a", "1"), ("near", "3"), ("a again", "1"))}
    assert len(list(neighbour_rows(asked, vectors, 1, 1))) == 1
    assert list(neighbour_rows({"s": []}, vectors, 9, 1)) == []
