"""The laws of ``AnswerStore``, on every store."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from groat.cache import AnswerStore, Entry, MemoryStore, RedisStore, SqliteStore
from groat.cache.entry import MAX_ALIASES, MAX_REFUSED, Alias, refusal_of
from groat.embedding import Vector


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> AnswerStore:
    match request.param:
        case "memory":
            return MemoryStore()
        case "sqlite":
            return SqliteStore(tmp_path / "data" / "answers.db")
        case _:
            return cast(RedisStore, request.getfixturevalue("redis_store"))


def unit(*values: float) -> Vector:
    vector = np.asarray(values, dtype=np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def entry(name: str, **changes: object) -> Entry:
    made = Entry(
        entry_id=f"id-{name}",
        identity="identity",
        tenant="acme",
        language="zh",
        question=f"问题 {name}？",
        exact_text=f"问题 {name}",
        answer=f"答案 {name}",
        sources=[{"id": "doc", "version": "v1", "title": "标题"}],
        documents=[{"id": "doc", "version": "v1"}, {"id": "other", "version": "v7"}],
        tier="cheap",
        baseline_cost_usd="0.0123",
        vector=unit(1, 0, 0),
        embedder="e",
        created_at=100.0,
        expires_at=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # names are checked by replace


async def put(store: AnswerStore, *entries: Entry, max_entries: int = 1000) -> None:
    for one in entries:
        await store.put(one, max_entries=max_entries)


async def ids_near(store: AnswerStore, vector: Vector, **changes: object) -> list[str]:
    asked: dict[str, object] = {"identity": "identity", "embedder": "e", "limit": 8, "now": 200.0, **changes}
    return [found.entry_id for found, _ in await store.nearest(vector=vector, **asked)]  # type: ignore[arg-type]


async def test_what_was_put_is_found_again_whole(store: AnswerStore) -> None:
    await put(store, entry("a"))
    found = await store.exact("identity", "问题 a", now=200.0)
    assert found == entry("a")
    assert found is not None
    assert found.vector is not None
    assert found.vector.tolist() == [1.0, 0.0, 0.0]


async def test_another_identity_or_text_finds_nothing(store: AnswerStore) -> None:
    await put(store, entry("a"))
    assert await store.exact("someone else", "问题 a", now=200.0) is None
    assert await store.exact("identity", "问题 b", now=200.0) is None
    assert await ids_near(store, unit(1, 0, 0), identity="someone else") == []


async def test_the_nearest_come_first_with_their_cosines(store: AnswerStore) -> None:
    await put(store, entry("far", vector=unit(0, 1, 0)), entry("near", vector=unit(3, 1, 0)), entry("same"))
    found = await store.nearest("identity", unit(1, 0, 0), embedder="e", limit=2, now=200.0)
    assert [one.entry_id for one, _ in found] == ["id-same", "id-near"]
    assert [cosine for _, cosine in found] == pytest.approx([1.0, 3 / 10**0.5], abs=1e-6)


async def test_the_order_of_many_is_that_of_their_cosines(store: AnswerStore) -> None:
    angles = np.random.default_rng(1).permutation(60) / 60
    await put(store, *[entry(f"{a:.3f}", vector=unit(float(np.cos(a)), float(np.sin(a)))) for a in angles])
    assert await ids_near(store, unit(1, 0), limit=5) == [f"id-{k / 60:.3f}" for k in range(5)]


async def test_vectors_of_another_embedder_or_length_are_not_compared(store: AnswerStore) -> None:
    await put(
        store,
        entry("a"),
        entry("b", embedder="other"),
        entry("c", vector=unit(1, 0, 0, 0)),
        entry("d", vector=None, embedder=""),
    )
    assert await ids_near(store, unit(1, 0, 0)) == ["id-a"]
    assert await ids_near(store, unit(1, 0, 0), embedder="third") == []


async def test_the_same_question_is_replaced_not_added(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("a", entry_id="id-new", answer="新答案", vector=unit(0, 1, 0)))
    assert await store.count() == 1
    found = await store.exact("identity", "问题 a", now=200.0)
    assert found is not None
    assert (found.entry_id, found.answer) == ("id-new", "新答案")
    assert await ids_near(store, unit(1, 0, 0)) == ["id-new"]


async def test_an_expired_entry_is_never_returned(store: AnswerStore) -> None:
    await put(store, entry("a", expires_at=150.0), entry("b", vector=unit(0, 1, 0)))
    assert await store.exact("identity", "问题 a", now=149.9) is not None
    assert await store.exact("identity", "问题 a", now=150.0) is None
    assert await ids_near(store, unit(1, 0, 0), now=150.0, limit=1) == ["id-b"]


async def test_a_deleted_entry_is_never_returned_and_others_take_its_place(store: AnswerStore) -> None:
    await put(store, *[entry(name) for name in "abc"])
    assert len(await ids_near(store, unit(1, 0, 0))) == 3
    assert await store.delete(["id-a", "id-c", "id-unknown", "id-a"]) == 2
    assert await ids_near(store, unit(1, 0, 0), limit=1) == ["id-b"]
    assert await store.exact("identity", "问题 a", now=200.0) is None


async def test_forgetting_a_document_removes_what_stands_on_it(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("b", documents=[{"id": "third", "version": "v"}]), entry("c", tenant="globex"))
    assert await store.forget(documents=["other", "doc"], tenant="acme") == 1
    assert await store.count() == 2
    assert await store.forget(documents=["other", "doc"]) == 1
    assert await store.exact("identity", "问题 b", now=200.0) == entry("b", documents=[{"id": "third", "version": "v"}])


async def test_forgetting_no_documents_removes_nothing(store: AnswerStore) -> None:
    await put(store, entry("a"))
    assert await store.forget(documents=[]) == 0
    assert await store.count() == 1


async def test_forgetting_a_tenant_leaves_the_others(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("b", tenant="globex"))
    assert await store.forget(tenant="acme") == 1
    assert await ids_near(store, unit(1, 0, 0)) == ["id-b"]


async def test_forgetting_everything_leaves_nothing(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("b", tenant="globex"))
    assert await store.forget() == 2
    assert await store.count() == 0
    assert await ids_near(store, unit(1, 0, 0)) == []


async def test_beyond_the_bound_the_longest_unused_goes(store: AnswerStore) -> None:
    await put(store, entry("a", created_at=1.0), entry("b", created_at=2.0))
    await store.mark_used("id-a", now=3.0)
    await put(store, entry("c", created_at=4.0), max_entries=2)
    assert sorted(await ids_near(store, unit(1, 0, 0))) == ["id-a", "id-c"]


async def test_expired_entries_go_before_used_ones(store: AnswerStore) -> None:
    await put(store, entry("a", created_at=1.0), entry("b", created_at=2.0, expires_at=3.0))
    await put(store, entry("c", created_at=4.0), max_entries=2)
    assert sorted(await ids_near(store, unit(1, 0, 0), now=2.5)) == ["id-a", "id-c"]


async def test_what_was_removed_to_make_place_is_told_once(store: AnswerStore) -> None:
    await put(store, entry("a", created_at=1.0), entry("b", created_at=2.0, expires_at=3.0))
    assert store.removals.take() == (0, 0)
    await put(store, entry("c", created_at=4.0), max_entries=2)
    await put(store, entry("d", created_at=5.0), entry("e", created_at=6.0), max_entries=2)
    # Redis may have let go of the one that expired by itself.
    expired, evicted = store.removals.take()
    assert (expired <= 1, evicted) == (True, 2)
    assert store.removals.take() == (0, 0)


async def test_being_used_does_not_extend_life(store: AnswerStore) -> None:
    await put(store, entry("a", expires_at=150.0))
    await store.mark_used("id-a", now=149.0)
    await store.mark_used("id-unknown", now=149.0)
    assert await store.exact("identity", "问题 a", now=151.0) is None


async def test_a_working_store_passes_its_check(store: AnswerStore) -> None:
    await store.check()
    assert await store.count() == 0


def wording(name: str, **changes: object) -> Alias:
    made = Alias(
        identity="identity",
        language="zh",
        question=f"说法 {name}？",
        exact_text=f"说法 {name}",
        vector=unit(0, 1, 0),
        embedder="e",
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # names are checked by replace


async def test_an_alias_finds_the_entry_in_its_own_words(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("b", vector=unit(0, 0, 1)))
    assert await store.add_alias("id-a", wording("x", language="en")) is True
    expected = replace(entry("a"), question="说法 x？", exact_text="说法 x", language="en", alias=True)
    assert await store.exact("identity", "说法 x", now=200.0) == expected
    ((found, cosine),) = await store.nearest("identity", unit(0, 1, 0), embedder="e", limit=1, now=200.0)
    assert found == expected
    assert cosine == pytest.approx(1.0)
    assert found.vector is not None
    assert found.vector.tolist() == [0.0, 1.0, 0.0]
    assert await store.exact("identity", "问题 a", now=200.0) == entry("a")
    assert (await store.count(), await store.count_aliases()) == (2, 1)


async def test_an_alias_without_a_vector_is_found_by_equal_words_alone(store: AnswerStore) -> None:
    await put(store, entry("a"))
    assert await store.add_alias("id-a", wording("x", vector=None, embedder="")) is True
    found = await store.exact("identity", "说法 x", now=200.0)
    assert found is not None
    assert (found.entry_id, found.vector) == ("id-a", None)
    assert await ids_near(store, unit(0, 1, 0)) == ["id-a"]


async def test_an_alias_takes_the_place_of_an_entry_and_an_entry_that_of_an_alias(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("x", exact_text="说法 x", vector=unit(0, 1, 0)))
    assert await store.add_alias("id-a", wording("x")) is True
    assert (await store.count(), await store.count_aliases()) == (1, 1)
    assert await ids_near(store, unit(0, 1, 0)) == ["id-a", "id-a"]
    await put(store, entry("x", entry_id="id-y", exact_text="说法 x", vector=unit(0, 1, 0)))
    assert (await store.count(), await store.count_aliases()) == (2, 0)
    assert await ids_near(store, unit(0, 1, 0)) == ["id-y", "id-a"]
    assert await store.exact("identity", "问题 a", now=200.0) == entry("a")


@pytest.mark.parametrize(
    ("entry_id", "changes"),
    [("id-b", {}), ("id-a", {"exact_text": "问题 a"}), ("id-a", {"identity": "someone else"})],
    ids=["no such entry", "its own words", "another identity"],
)
async def test_what_is_no_further_wording_of_the_entry_changes_nothing(
    store: AnswerStore, entry_id: str, changes: dict[str, object]
) -> None:
    await put(store, entry("a"))
    assert await store.add_alias(entry_id, wording("x", **changes)) is False
    assert (await store.count(), await store.count_aliases()) == (1, 0)
    assert await store.exact("identity", "问题 a", now=200.0) == entry("a")
    for identity in ("identity", "someone else"):
        assert await store.exact(identity, "说法 x", now=200.0) is None


async def test_an_entry_has_a_bounded_number_of_aliases(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("b"))
    added = [await store.add_alias("id-a", wording(f"{n}")) for n in range(MAX_ALIASES + 1)]
    assert added == [True] * MAX_ALIASES + [False]
    assert await store.add_alias("id-a", wording("0", vector=unit(1, 1, 0))) is True
    assert await store.add_alias("id-b", wording("0")) is True
    assert await store.add_alias("id-a", wording("last")) is True
    assert (await store.count(), await store.count_aliases()) == (2, MAX_ALIASES + 1)


@pytest.mark.parametrize("way", ["delete", "document", "tenant", "everything", "replace", "evict"])
async def test_what_removes_an_entry_removes_its_aliases(store: AnswerStore, way: str) -> None:
    await put(store, entry("a"), entry("b", tenant="globex", documents=[], created_at=101.0))
    assert await store.add_alias("id-a", wording("x"))
    assert await store.add_alias("id-b", wording("y"))
    match way:
        case "delete":
            assert await store.delete(["id-a"]) == 1
        case "document":
            assert await store.forget(documents=["doc"]) == 1
        case "tenant":
            assert await store.forget(tenant="acme") == 1
        case "everything":
            assert await store.forget() == 2
        case "replace":
            await put(store, entry("a", entry_id="id-new", vector=unit(0, 0, 1)))
        case _:
            await put(store, entry("c", created_at=102.0, vector=unit(0, 0, 1)), max_entries=2)
    assert await store.exact("identity", "说法 x", now=200.0) is None
    left = await ids_near(store, unit(0, 1, 0))
    assert "id-a" not in left
    assert left.count("id-b") == (0 if way == "everything" else 2)
    assert await store.count_aliases() == (0 if way == "everything" else 1)


async def test_an_alias_ends_with_its_entry_and_is_not_counted_among_those_kept(store: AnswerStore) -> None:
    await put(store, entry("a", expires_at=150.0))
    assert await store.add_alias("id-a", wording("x"))
    assert await store.exact("identity", "说法 x", now=149.0) is not None
    assert await store.exact("identity", "说法 x", now=150.0) is None
    assert await ids_near(store, unit(0, 1, 0), now=150.0) == []
    await put(store, entry("b", created_at=160.0), entry("c", created_at=161.0), max_entries=2)
    assert (await store.count(), await store.count_aliases()) == (2, 0)


async def test_being_used_under_another_wording_keeps_the_entry(store: AnswerStore) -> None:
    await put(store, entry("a", created_at=1.0), entry("b", created_at=2.0))
    assert await store.add_alias("id-a", wording("x"))
    found = await store.exact("identity", "说法 x", now=3.0)
    assert found is not None
    await store.mark_used(found.entry_id, now=3.0)
    await put(store, entry("c", created_at=4.0), max_entries=2)
    assert await store.exact("identity", "说法 x", now=5.0) is not None
    assert await store.exact("identity", "问题 b", now=5.0) is None


async def test_an_entry_remembers_what_it_does_not_answer_and_still_answers_its_own_question(store: AnswerStore) -> None:
    await put(store, entry("a"), entry("b"))
    assert await store.add_alias("id-a", wording("x"))
    for text in ("说法 x", "说法 y", "说法 x"):
        await store.refuse("id-a", identity="identity", exact_text=text)
    await store.refuse("id-unknown", identity="identity", exact_text="说法 x")
    found = await store.exact("identity", "问题 a", now=200.0)
    assert found is not None
    assert [found.refuses(text) for text in ("说法 x", "说法 y", "问题 a")] == [True, True, False]
    assert len(found.refused) == len(refusal_of("x")) * 2
    assert replace(found, refused="") == entry("a")
    assert await store.exact("identity", "说法 x", now=200.0) is None
    assert await store.count_aliases() == 0
    near = await store.nearest("identity", unit(1, 0, 0), embedder="e", limit=8, now=200.0)
    assert {one.entry_id: one.refuses("说法 x") for one, _ in near} == {"id-a": True, "id-b": False}


async def test_of_very_many_refused_questions_the_last_are_remembered(store: AnswerStore) -> None:
    await put(store, entry("a"))
    for n in range(MAX_REFUSED + 3):
        await store.refuse("id-a", identity="identity", exact_text=f"{n}")
    found = await store.exact("identity", "问题 a", now=200.0)
    assert found is not None
    assert [n for n in range(MAX_REFUSED + 3) if not found.refuses(f"{n}")] == [0, 1, 2]
