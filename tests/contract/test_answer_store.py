"""The laws of ``AnswerStore``, on every store."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from groat.cache import AnswerStore, Entry, MemoryStore, RedisStore, SqliteStore
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
