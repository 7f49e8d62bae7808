"""Nearest neighbours, held against plain numpy."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groat.cache.stores import places, sign_codes, vectors
from groat.cache.stores.places import Places
from groat.cache.stores.sign_codes import SignCodes
from groat.cache.stores.vectors import VectorIndex
from groat.embedding import Matrix, Vector

DIMENSIONS = 300
"""Enough to be searched by codes, and no whole number of words."""


def alike(rng: np.random.Generator, rows: int, dimensions: int, *, mates: int = 4) -> Matrix:
    """Return unit vectors with cosines of about 0.7 to 1: a common direction, a few dozen fields, and ``mates`` a subject."""
    fields, subjects = rng.standard_normal((40, dimensions)), rng.standard_normal((-(-rows // mates), dimensions))
    parts = rng.standard_normal(dimensions) * 2, fields[rng.integers(0, 40, rows)] * 0.5
    made = sum(parts) + np.repeat(subjects, mates, axis=0)[:rows] * 0.7 + rng.standard_normal((rows, dimensions)) * 0.5
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def filled(vectors: Matrix) -> VectorIndex:
    index = VectorIndex()
    for key, vector in enumerate(vectors):
        index.add(key, "someone", vector)
    return index


Reference = dict[int, tuple[str, Vector]]
"""Whose vector each key holds."""


def cosines(reference: Reference, identity: str, asked: Vector) -> dict[int, float]:
    """Return the cosine to each vector that may be found."""
    return {
        key: float(held @ asked) for key, (owner, held) in reference.items() if owner == identity and len(held) == len(asked)
    }


Step = tuple[str, int, str, int]
"""What is done, to which key, for whom, and the seed of the vector."""


@st.composite
def steps(draw: st.DrawFn) -> list[Step]:
    keys = draw(st.sampled_from([st.integers(0, 60), st.integers(-(2**62), 2**62)]))
    what = st.sampled_from(["add", "add", "add", "remove"])
    return draw(st.lists(st.tuples(what, keys, st.sampled_from(["甲", "a"]), st.integers(0, 200)), max_size=120))


def played(done: list[Step], dimensions: list[int]) -> tuple[VectorIndex, Reference]:
    index, reference = VectorIndex(), Reference()
    for what, key, identity, seed in done:
        if what == "remove":
            index.remove([key, 2**62 + 1])
            reference.pop(key, None)
        elif key not in reference:
            vector = alike(np.random.default_rng(seed), 1, dimensions[seed % len(dimensions)])[0]
            index.add(key, identity, vector)
            reference[key] = (identity, vector)
    return index, reference


@contextmanager
def small_limits() -> Iterator[None]:
    """Let a few dozen vectors fill several blocks, have codes, and grow past the size from which the centre stays."""
    limits = {
        "_BLOCK_ROWS": 16, "_FIRST_CAPACITY": 2, "_EXACT_UP_TO": 8, "_CODED_AT_ONCE": 5, "_SETTLED": 24, "_LEAST_RESCORED": 4,
        "_LEAST_CONSIDERED": 9,
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in limits.items():
            patch.setattr(vectors, name, value)
        patch.setattr(places, "_FEW", 3)
        patch.setattr(sign_codes, "_BLOCK", 12)
        yield


@settings(max_examples=100, deadline=None)
@given(done=steps(), limit=st.integers(0, 12))
def test_what_is_found_is_what_plain_numpy_finds(done: list[Step], limit: int) -> None:
    index, reference = played(done, [3, 7])
    assert len(index) == len(reference)
    for identity in ("甲", "a", "nobody"):
        for dimension in (3, 7, 5):
            asked = alike(np.random.default_rng(999), 1, dimension)[0]
            found, expected = index.nearest(identity, asked, limit), cosines(reference, identity, asked)
            assert dict(found) == pytest.approx({key: expected[key] for key, _ in found}, abs=1e-6)
            assert [cosine for _, cosine in found] == pytest.approx(sorted(expected.values())[::-1][:limit], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(done=steps())
def test_by_codes_every_vector_is_found_by_itself_and_every_cosine_is_exact(done: list[Step]) -> None:
    first: list[Step] = [("add", key, "a", 1_000 + key) for key in range(80)]
    with small_limits():
        index, reference = played(first + done, [DIMENSIONS])
        assert len(index) == len(reference)
        for key, (identity, vector) in reference.items():
            held = index.vector(key)
            assert held is not None
            assert np.array_equal(held, vector)
            [(near, cosine)] = index.nearest(identity, vector, 1)
            assert reference[near][0] == identity
            assert cosine == pytest.approx(1, abs=1e-6)
        asked = alike(np.random.default_rng(999), 1, DIMENSIONS)[0]
        found, expected = index.nearest("a", asked, 7), cosines(reference, "a", asked)
        assert len(dict(found)) == min(7, len(expected))
        assert dict(found) == pytest.approx({key: expected[key] for key, _ in found}, abs=1e-6)
        assert [cosine for _, cosine in found] == sorted((cosine for _, cosine in found), reverse=True)


@pytest.mark.parametrize("dimension", [256, 384, 1000])
def test_hardly_any_of_the_nearest_is_missed_among_many(dimension: int) -> None:
    rng = np.random.default_rng(1)
    made = alike(rng, 12_000, dimension)
    index = filled(made)
    noise = rng.standard_normal((100, dimension)).astype(np.float32) * 0.2 / dimension**0.5
    asked = made[rng.integers(0, len(made), 100)] + noise
    wanted = np.sort(asked @ made.T, axis=1)[:, -8:]
    found = np.array([[cosine for _, cosine in index.nearest("someone", one, 8)] for one in asked])[:, ::-1]
    assert np.abs(found[:, -1] - wanted[:, -1]).max() < 1e-5
    assert (np.abs(found - wanted) < 1e-5).mean() >= 0.99


def test_vectors_that_are_all_the_same_are_found_too() -> None:
    index = filled(np.repeat(alike(np.random.default_rng(1), 1, DIMENSIONS), 6_000, axis=0))
    found = index.nearest("someone", alike(np.random.default_rng(1), 1, DIMENSIONS)[0], 8)
    assert [cosine for _, cosine in found] == pytest.approx([1] * 8, abs=1e-6)
    assert len(dict(found)) == 8


def test_what_was_emptied_can_be_filled_again() -> None:
    made = alike(np.random.default_rng(1), 40, DIMENSIONS)
    with small_limits():
        index = filled(made)
        index.remove(range(40))
        assert (len(index), index.nearest("someone", made[0], 3), index.vector(7)) == (0, [], None)
        index.add(7, "someone", made[7])
        assert dict(index.nearest("someone", made[7], 3)) == pytest.approx({7: 1}, abs=1e-6)


def test_an_entry_takes_less_than_a_hundred_bytes_beside_its_vector() -> None:
    count, dimension = 65_536, 384
    vector = alike(np.random.default_rng(1), 1, dimension)[0]
    tracemalloc.start()
    try:
        index = VectorIndex()
        for key in range(count):
            index.add(key, "someone", vector)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken - count * dimension * 4 < 100 * count


def test_codes_that_were_moved_are_those_of_their_vectors() -> None:
    rng = np.random.default_rng(1)
    made = alike(rng, 200, DIMENSIONS)
    with small_limits():
        moved, kept = SignCodes(made.mean(axis=0)), made.copy()
        moved.extend(made)
        for place in (3, 190, 0, 196, *range(20), 170):
            kept[place] = kept[len(moved) - 1]
            moved.drop(place)
            kept = kept[: len(moved)]
        fresh = SignCodes(made.mean(axis=0))
        for start in range(0, len(kept), 7):
            fresh.extend(kept[start : start + 7])
        for asked in alike(rng, 20, DIMENSIONS):
            assert np.array_equal(moved.shortlist(asked, 10, 60), fresh.shortlist(asked, 10, 60))


NOTES = st.tuples(st.sampled_from(["set", "set", "pop"]), st.integers(-20, 20), st.integers(0, 2**31 - 1))


@settings(max_examples=150, deadline=None)
@given(st.lists(NOTES, max_size=80))
def test_places_are_those_of_a_plain_dictionary(done: list[tuple[str, int, int]]) -> None:
    with small_limits():
        kept, reference = Places(), dict[int, tuple[int, int]]()
        for what, key, number in done:
            if what == "set":
                kept.set(key, number, 2**32 - 1 - number)
                reference[key] = (number, 2**32 - 1 - number)
            else:
                assert kept.pop(key) == reference.pop(key, None)
        assert {key: kept.get(key) for key in range(-20, 21)} == {key: reference.get(key) for key in range(-20, 21)}
        assert len(kept) == len(reference)
