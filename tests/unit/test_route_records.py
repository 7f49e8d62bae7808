"""Records of routing: what is kept of a question, for how long, and that it can be learned from."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.errors import StorageError
from groat.routing.artifact import FORMAT
from groat.routing.estimator import Sight
from groat.routing.features import surface
from groat.routing.fit_linear import Rows
from groat.routing.kept_rows import joined, rows_of
from groat.routing.look import learnable, packed, unpacked
from groat.routing.records import Decision, Outcome, RouteRecords
from groat.routing.rows import Side, question_hash
from groat.types import Language

SECRET = "Why did the purple elephant of Mrs Okafor not arrive?"
DAY = 86_400.0


def _sight(text: str) -> Sight:
    rng = np.random.default_rng(len(text))
    return Sight.of(text, surface(text), rng.normal(size=8))


def outcome(text: str = SECRET, /, **changed: object) -> Outcome:
    language: Language = "zh" if any(char >= "\u4e00" for char in text) else "en"
    made = Outcome(
        run=text,
        at=1_000 * DAY,
        tenant="acme",
        question=question_hash(text),
        language=language,
        found="worse",
        drawn_with=0.01,
        cost_usd="0.0021",
        calls=1,
        cheap=Side(model="small", ok=0.0, in_tokens=100, out_tokens=20),
        expensive=Side(model="big", ok=1.0, in_tokens=100, out_tokens=30),
        similarities=(0.9, 0.4),
        documents=2,
        history_turns=1,
        embedder="e",
        format=FORMAT,
        look=packed(_sight(text)),
    )
    return replace(made, **changed)  # type: ignore[arg-type]  # a test names the fields


async def test_what_is_written_is_read_again_and_a_run_written_twice_is_kept_once(tmp_path: Path) -> None:
    records = RouteRecords(tmp_path / "routing.sqlite")
    one, other = outcome(), outcome("为什么不能退款", found="undecided", cheap=None, expensive=None, cost_usd=None)
    for each in (one, other, one):
        await records.add(each)
    assert await records.outcomes() == sorted([one, other], key=lambda row: row.run)
    assert (tmp_path / "routing.sqlite").stat().st_mode & 0o077 == 0


async def test_tenants_are_kept_apart_and_one_can_be_forgotten(tmp_path: Path) -> None:
    records = RouteRecords(tmp_path / "routing.sqlite")
    await records.add(outcome(run="a"))
    await records.add(outcome(run="b", tenant="other"))
    await records.decided(_decision("a"))
    assert [row.run for row in await records.outcomes(tenant="other")] == ["b"]
    assert await records.forget("acme") == 2
    assert [row.run for row in await records.outcomes()] == ["b"]
    assert not await records.decisions()


def _decision(run: str, at: float = 0.0) -> Decision:
    return Decision(
        run=run, at=at, tenant="acme", language="en", artifact="v1", tier="expensive", shadow="v2", shadow_tier="cheap"
    )


async def test_what_is_too_old_or_too_much_goes_and_the_newest_stays(tmp_path: Path) -> None:
    records = RouteRecords(tmp_path / "old.sqlite", keep_days=90)
    await records.add(outcome(run="old", at=0.0))
    await RouteRecords(tmp_path / "old.sqlite", keep_days=90).add(outcome(run="new", at=91 * DAY))
    assert [row.run for row in await records.outcomes()] == ["new"]
    for number in range(6):
        # A new object looks at what is too much with its first write.
        await RouteRecords(tmp_path / "many.sqlite", most_outcomes=3).add(outcome(run=str(number), at=1_000 * DAY + number))
    assert [row.run for row in await RouteRecords(tmp_path / "many.sqlite").outcomes()] == ["3", "4", "5"]


async def test_decisions_are_counted_by_both_routers(tmp_path: Path) -> None:
    records = RouteRecords(tmp_path / "routing.sqlite")
    for run in ("a", "b", "b"):
        await records.decided(_decision(run))
    assert await records.decisions() == {("v1", "expensive", "v2", "cheap"): 2}


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one" * 50])
async def test_a_damaged_file_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "routing.sqlite").write_bytes(content)
    with pytest.raises(StorageError, match="are damaged; move the file away"):
        await RouteRecords(tmp_path / "routing.sqlite").outcomes()


async def test_a_file_of_a_newer_groat_is_left_alone(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "routing.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StorageError, match="newer groat"):
        await RouteRecords(tmp_path / "routing.sqlite").outcomes()


async def test_without_leave_no_word_of_a_question_stands_in_the_file(tmp_path: Path) -> None:
    records = RouteRecords(tmp_path / "routing.sqlite")
    await records.add(outcome(run="r"))
    await records.add(outcome(run="s", text=SECRET))
    records.close()
    await records.add(outcome(run="s"))
    records.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"small" in kept
    (row, _) = await records.outcomes()
    assert row.text is None
    assert not any(word.encode() in row.look for word in ("elephant", "Okafor", "purple"))


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_what_is_seen_of_any_question_is_the_same_after_it_was_packed(text: str) -> None:
    seen = _sight(text)
    again = unpacked(packed(seen))
    for one, other in ((seen.words, again.words), (seen.runs, again.runs)):
        assert np.array_equal(one[0], other[0])
        assert np.allclose(one[1], other[1], atol=1e-6)
    assert np.allclose(seen.surface, again.surface, atol=1e-5)
    assert np.allclose(seen.vector, again.vector, atol=1e-6)
    assert again.domain == seen.domain


def test_rows_from_what_was_kept_are_those_of_the_texts() -> None:
    texts = ["Why is a refund late?", "为什么退款这么慢", "Where is it?"]
    outcomes = [outcome(text, text=text, similarities=(), documents=0, history_turns=0) for text in texts]
    labelled, seen, left_out = learnable(outcomes, embedder="e")
    kept = rows_of(labelled, seen)
    written = Rows.of(labelled, np.array([_sight(text).vector for text in texts], dtype=np.float32))
    assert left_out == {}
    assert np.allclose(kept.words.toarray(), written.words.toarray(), atol=1e-5)
    assert np.allclose(kept.runs.toarray(), written.runs.toarray(), atol=1e-5)
    assert np.allclose(kept.surface, written.surface, atol=1e-4)
    assert np.allclose(kept.vectors, written.vectors, atol=1e-5)
    assert kept.questions.tolist() == written.questions.tolist() == [question_hash(text) for text in texts]
    assert kept.weights.tolist() == [100, 100, 100]
    assert len(joined([kept, written])) == 6


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"cheap": None, "expensive": None, "found": "undecided"}, "the answers could not be compared"),
        ({"cheap": None, "expensive": None, "found": "budget"}, "the budget was spent"),
        ({"cheap": None, "expensive": None, "found": "failed"}, "a call of a model failed"),
        ({"embedder": "other"}, "its vector is of other, and those in use are of e"),
        ({"format": "router/1"}, f"its features are of 'router/1' and this is {FORMAT!r}"),
        ({"look": b"PK damaged"}, "what was kept of a question is damaged"),
        ({"cheap": Side(model="big", ok=1.0)}, "one model stood in both tiers"),
    ],
)
def test_what_teaches_nothing_is_left_out_with_its_reason(changed: dict[str, object], why: str) -> None:
    labelled, seen, left_out = learnable([outcome(), outcome("怎么退款", **changed)], embedder="e")
    assert (len(labelled), len(seen), left_out) == (1, 1, {why: 1})
