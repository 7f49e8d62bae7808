"""The training loop: what is drawn, what goes together, where it starts, and how it goes on after it was stopped."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")

import torch

from groat.errors import BadInput
from groat.judge import Encoder
from groat.judge.e5 import E5File
from groat.judge.encoder import Prefix
from groat.judge.joint import unmarked
from training import loop
from training.loop import Plan, Trainer, batches, scores
from training.model import Joint, from_e5
from training.rows import HEADS, Head, Row
from training.states import StateStore

HIDDEN = 16
_OFTEN = 40


class Words:
    """In place of E5's lower layers: three states and one more for each word, told by the text alone."""

    def states(self, texts: Sequence[str], *, prefix: Prefix, most_tokens: int = 64) -> list[NDArray[np.float32]]:
        found = []
        for text in texts:
            seed = int.from_bytes(hashlib.sha256(f"{prefix}{text}".encode()).digest()[:4])
            size = (min(3 + len(text.split()), most_tokens), HIDDEN)
            found.append(np.random.default_rng(seed).normal(size=size).astype(np.float32))
        return found


def tiny(seed: int = 0) -> Joint:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Joint(HIDDEN, heads=2, inner=24, epsilon=1e-12, layers=1)


def rows(name: str, count: int, head: Head = "same") -> list[Row]:
    return [
        Row(
            f"{name} 问 {'so ' * (number % 7)}{number}", f"{name} ask {'very ' * (number % 11)}{number}", float(number % 2),
            head, "zh-en", name, "kind", f"{name}{number}", open_licence=True,
        )
        for number in range(count)
    ]  # fmt: skip


POOLS = {"one": rows("one", 90), "two": rows("two", 30, "answers"), "three": rows("three", 50, "supports"), "none": []}
SHARES = {"one": 0.5, "two": 0.25, "three": 0.25, "none": 0.9, "unknown": 0.3}


def plan(pairs: int = 120, seed: int = 0) -> Plan:
    return Plan(pools=POOLS, shares=SHARES, pairs=pairs, rate=1e-3, seed=seed)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(loop, "CHUNK", _OFTEN)


def test_every_chunk_has_the_shares_of_the_pools_that_have_rows() -> None:
    for number in range(5):
        assert Counter(row.source for row in plan().chunk(number)) == {"one": 20, "two": 10, "three": 10}


def test_a_pool_is_gone_through_before_any_of_its_rows_comes_again() -> None:
    drawn = [row for number in range(6) for row in plan().chunk(number) if row.source == "two"]
    assert Counter(drawn) == {row: 2 for row in POOLS["two"]}
    assert drawn[:30] != drawn[30:]


def test_a_chunk_depends_on_seed_and_number_and_not_on_what_was_drawn_before() -> None:
    expected = [plan().chunk(number) for number in range(4)]
    for number in (3, 1, 2, 0):
        loop._ORDERS.clear()
        assert plan().chunk(number) == expected[number]
    assert plan(seed=1).chunk(0) != expected[0]


def test_batches_hold_every_row_once_and_lengths_that_are_alike() -> None:
    store, chosen = StateStore(Words()), [row for pool in POOLS.values() for row in pool]
    store.prepare(chosen)
    groups = list(batches(chosen, store, random.Random(3)))
    assert Counter(row for group in groups for row in group) == Counter(chosen)
    spans = sorted((min(map(store.length, group)), max(map(store.length, group))) for group in groups)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    again = list(batches(chosen, store, random.Random(3)))
    assert groups == again != list(batches(chosen, store, random.Random(4)))


def test_no_batch_is_larger_than_its_tokens_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_MOST_TOKENS", 100)
    store = StateStore(Words())
    store.prepare(POOLS["one"])
    for group in batches(POOLS["one"], store, random.Random(0)):
        assert len(group) * max(map(store.length, group)) <= 100


def test_a_run_that_was_killed_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    measured = {"held": rows("held", 20)}
    whole, killed = tiny(), tiny()
    Trainer(whole, StateStore(Words()), plan(), tmp_path / "whole", lambda _: None).run(measured, every=2)

    def kill(line: str) -> None:
        if line.startswith("80 of 120 pairs"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trainer(killed, StateStore(Words()), plan(), tmp_path / "killed", kill).run(measured, every=2)
    torch.rand(7)  # whatever else drew random numbers in the meantime
    told: list[str] = []
    again = tiny(seed=5)
    Trainer(again, StateStore(Words()), plan(), tmp_path / "killed", told.append).run(measured, every=2)
    assert told[0] == "goes on after 40 pairs"
    for name, values in whole.state_dict().items():
        assert torch.equal(values, again.state_dict()[name]), name
    curves = [
        [json.loads(line) for line in (tmp_path / run / "curve.jsonl").read_text(encoding="utf-8").splitlines()]
        for run in ("whole", "killed")
    ]
    assert [(line["pairs"], line["auc"]) for line in curves[0]] == [(line["pairs"], line["auc"]) for line in curves[1]]
    assert [line["pairs"] for line in curves[0]] == [0, 80, 120]


def test_a_run_that_is_to_end_elsewhere_than_it_began_says_so(tmp_path: Path) -> None:
    Trainer(tiny(), StateStore(Words()), plan(40), tmp_path, lambda _: None).run({})
    told: list[str] = []
    Trainer(tiny(), StateStore(Words()), plan(80), tmp_path, told.append)
    assert any("was to end after 40 pairs and now ends after 80" in line for line in told)


def test_a_folder_of_a_run_with_another_seed_is_refused(tmp_path: Path) -> None:
    Trainer(tiny(), StateStore(Words()), plan(40), tmp_path, lambda _: None).run({})
    with pytest.raises(BadInput, match="a run with seed 0; name another folder"):
        Trainer(tiny(), StateStore(Words()), plan(40, seed=1), tmp_path, lambda _: None)


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    joint = tiny()
    Trainer(joint, StateStore(Words()), plan(40), tmp_path, lambda _: None).run({})
    again = tiny(seed=2)
    Trainer(again, StateStore(Words()), plan(40), tmp_path, lambda _: None).run({})
    assert all(torch.equal(values, again.state_dict()[name]) for name, values in joint.state_dict().items())


def test_training_lowers_the_loss_on_rows_that_can_be_learned(tmp_path: Path) -> None:
    told: list[str] = []
    pools = {"one": POOLS["one"][:10]}
    joint = tiny()
    much = Plan(pools=pools, shares={"one": 1.0}, pairs=1200, rate=3e-3)
    Trainer(joint, StateStore(Words()), much, tmp_path, told.append).run({})
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in told if " pairs, loss " in line]
    assert losses[-1] < 0.5 * losses[0]


def test_each_row_is_scored_by_its_own_head_and_whatever_its_company() -> None:
    joint, store = tiny(), StateStore(Words())
    with torch.no_grad():
        for number, top in enumerate(joint.tops):
            top.scale.fill_(0.0)
            top.last.bias.fill_(float(number))
    mixed = [row for pool in POOLS.values() for row in pool[:5]]
    found = scores(joint, store, mixed)
    assert found == pytest.approx([HEADS.index(row.head) for row in mixed], abs=1e-5)
    other = tiny()
    alone = [scores(other, store, [row])[0] for row in mixed]
    assert scores(other, store, mixed) == pytest.approx(alone, abs=1e-4)


def test_training_starts_near_the_cosine_of_e5_and_at_it_were_the_texts_shut_off_from_each_other() -> None:
    encoder, joint, shut = Encoder(), from_e5(E5File()), from_e5(E5File())
    with torch.no_grad():
        for name, parameter in shut.named_parameters():
            if name.endswith("across"):
                parameter.fill_(-1e6)
    texts = [
        ("how do I renew my library card", "what must I do to renew a library card", "the soup needs more salt"),
        ("图书证怎么续期", "续借书证要办什么手续", "汤里要多放点盐"),
    ]
    for question, near, far in texts:
        pairs = [Row(question, b, 1.0, "same", "en", "s", "k", "g", open_licence=True) for b in (near, far)]
        # The joint layers read no marks, so it is the cosine without them.
        states = [unmarked(each) for each in encoder.states([question, near, far], prefix="query: ", most_tokens=48)]
        vectors = encoder.vectors(states)
        cosines = 30.0 * (vectors[1:] @ vectors[0] - 0.9)
        begun = scores(joint, StateStore(encoder), pairs)
        assert begun == pytest.approx(cosines, abs=1.5)
        assert begun[0] > begun[1]
        assert scores(shut, StateStore(encoder), pairs) == pytest.approx(cosines, abs=0.3)
