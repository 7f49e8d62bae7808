"""What the measurement of the vetoes counts."""

from evals.cache_vetoes import Pair, measured, table
from evals.helpcentre import load_questions


def test_right_pairs_that_are_lost_and_wrong_ones_that_are_caught_are_counted_by_language() -> None:
    questions = {one["id"]: one for one in load_questions()}
    first = questions["en-0001"]
    kept, other = {**first, "documents": ["a"]}, {**first, "question": f"{first['question']} On Kite 7?", "documents": ["a"]}
    pairs = [
        Pair(first, kept, True, 1.0, ["a", "b"], frozenset("ab")),  # type: ignore[arg-type]  # a copy of a row is one
        Pair(other, kept, True, -5.0, ["b", "c", "a"], frozenset("a")),  # type: ignore[arg-type]
        Pair(other, kept, False, 1.0, ["b", "c", "d", "e", "f", "a"], frozenset("ab")),  # type: ignore[arg-type]
    ]
    rows = {(row["veto"], row["served_only"]): row for row in measured(pairs) if row["lang"] == "en"}
    assert [rows["uncovered", False][name] for name in ("right", "lost", "wrong", "caught")] == [2, 1, 1, 1]
    assert [rows["uncovered", True][name] for name in ("right", "lost", "wrong", "caught")] == [1, 0, 1, 1]
    assert [rows["best 1 of all that was sent", False][name] for name in ("lost", "caught")] == [1, 0]
    assert [rows["best 5 of what is quoted", False][name] for name in ("lost", "caught")] == [0, 1]
    assert table(list(rows.values())).row_count == len(rows)
