import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.knowledge.ranking import RANK_OFFSET, cut, fuse, lexical_ranking
from groat.knowledge.vectors import packed, unpacked
from groat.knowledge.words import FULL_TEXT, indexed_words, match_query
from groat.types import Passage

RANKINGS = st.lists(
    st.tuples(st.floats(0.1, 3), st.lists(st.integers(0, 30), unique=True, max_size=12)), min_size=1, max_size=3
)


def passage(name: str, text: str) -> Passage:
    return Passage(
        id=name,
        document_id=name,
        version="1",
        title="",
        heading="",
        text=text,
        language="en",
        sentences=[],
        score=1.0,
        similarity=None,
    )


def test_first_in_every_ranking_scores_one() -> None:
    assert fuse([(1.0, [7, 8]), (0.5, [7])]) == {7: 1.0, 8: pytest.approx(1 / (RANK_OFFSET + 2) / (1.5 / (RANK_OFFSET + 1)))}


def test_equal_scores_stay_in_the_order_of_the_first_ranking() -> None:
    assert list(fuse([(1.0, [1, 2]), (1.0, [2, 1])])) == [1, 2]
    assert fuse([(1.0, []), (1.0, [])]) == {}


@settings(max_examples=50)
@given(RANKINGS)
def test_fused_scores_fall_and_hold_every_key_once(rankings: list[tuple[float, list[int]]]) -> None:
    scores = fuse(rankings)
    values = list(scores.values())
    assert set(scores) == {key for _, ranking in rankings for key in ranking}
    assert values == sorted(values, reverse=True)
    assert all(0 < value <= 1 + 1e-9 for value in values)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 30)), st.integers(1, 10), st.integers(1, 60))
def test_a_cut_keeps_a_beginning_within_its_bounds(lengths: list[int], k: int, max_tokens: int) -> None:
    passages = [passage(str(place), "word " * length) for place, length in enumerate(lengths)]
    kept = cut(passages, k, max_tokens)
    assert kept == passages[: len(kept)]
    assert min(1, len(passages)) <= len(kept) <= k


def index(*rows: tuple[str, str, str]) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE words_1 USING " + FULL_TEXT)
    for row in rows:
        db.execute("INSERT INTO words_1 VALUES (?, ?, ?)", [indexed_words(text) for text in row])
    return db


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("resetting passwords", [1]),
        ("firmware 3.2", [3]),
        ("重置密码的链接", [2]),
        ("怎么退货", [4]),
        ("如何退？", [4]),
        ("the of and", [1]),
        ("", []),
        ("？", []),
    ],
    ids=["en word forms", "number", "zh", "zh verb", "zh single character", "function words alone", "empty", "punctuation"],
)
def test_words_find_passages(question: str, expected: list[int]) -> None:
    db = index(
        ("Reset a password", "", "Open the app."),
        ("重置密码", "", "打开应用。"),
        ("Firmware 3.2", "", "Better."),
        ("退货", "", "寄回来。"),
        ("Firmware 3.1", "", "2 things."),
    )
    found = lexical_ranking(db, 1, question)
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)
    db.close()


def test_a_word_in_the_title_counts_more_than_in_the_text() -> None:
    db = index(("Other thing", "", "deposit battery"), ("Deposit battery", "", "other thing"), ("x", "y", "z"))
    assert lexical_ranking(db, 1, "deposit battery") == [2, 1]
    db.close()


def test_a_pasted_text_is_searched_for_by_its_first_words() -> None:
    db = index(("word7", "", ""), ("word900", "", ""), ("x", "y", "z"))
    assert lexical_ranking(db, 1, " ".join(f"word{n}" for n in range(1000))) == [1]
    db.close()


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_kept_vectors_are_nearly_those_given(sentences: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(sentences, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    again = unpacked(packed(rows), sentences)
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, rows, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(again, axis=1), 1.0, atol=1e-6)


def test_a_question_is_searched_for_by_its_words_and_chinese_characters() -> None:
    assert match_query("怎么关Wi-Fi?") == '"么关" OR "wi-fi" OR "关"'
    assert match_query("怎么") == '"怎么"'
    assert match_query('say "no"') == '"say"'
    assert match_query("？") == ""
    assert indexed_words("关闭 App 5.3。") == "关闭 app 5.3 关 闭"
