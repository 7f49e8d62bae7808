"""The training loop: what is drawn when, the steps, the checkpoints, the curve."""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from groat.errors import BadInput
from training.model import Joint, parameters_of
from training.rows import HEADS, Row
from training.states import StateStore

CHUNK = 3072
"""Rows that are drawn together; checkpoints are made between chunks."""
_MOST_PAIRS, _MOST_TOKENS = 48, 2400
_WARM_STEPS = 150
_SMOOTHING = 0.02
_LARGEST_GRADIENT = 1.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained on, how long."""

    pools: Mapping[str, Sequence[Row]]
    shares: Mapping[str, float]
    """Of each pool in every chunk; scaled to sum to 1 over the pools that have rows."""
    pairs: int
    """Pairs in all; the learning rate falls to zero with the last."""
    rate: float = 2e-4
    seed: int = 0

    def chunk(self, number: int) -> list[Row]:
        """Return the rows of a chunk: every pool is gone through in shuffled rounds. Depends on nothing that came before."""
        present = {name: self.shares[name] for name, rows in self.pools.items() if rows and self.shares.get(name)}
        whole = sum(present.values())
        rows: list[Row] = []
        for name, share in present.items():
            count = round(CHUNK * share / whole)
            rows += [self._drawn(name, place) for place in range(number * count, (number + 1) * count)]
        return rows

    def _drawn(self, name: str, place: int) -> Row:
        pool = self.pools[name]
        turn, within = divmod(place, len(pool))
        return pool[int(_order(len(pool), f"{self.seed}/{name}/{turn}")[within])]


_ORDERS: dict[tuple[int, str], NDArray[np.int64]] = {}


def _order(size: int, seed: str) -> NDArray[np.int64]:
    """Return a shuffled order, remembered while it is in use."""
    if (size, seed) not in _ORDERS:
        if len(_ORDERS) > 64:
            _ORDERS.clear()
        order = list(range(size))
        random.Random(seed).shuffle(order)
        _ORDERS[size, seed] = np.asarray(order)
    return _ORDERS[size, seed]


def batches(rows: Sequence[Row], store: StateStore, chance: random.Random) -> Iterator[list[Row]]:
    """Yield rows of like length together, in shuffled order."""
    ordered = sorted(rows, key=lambda row: (store.length(row), chance.random()))
    groups: list[list[Row]] = [[]]
    for row in ordered:
        group = groups[-1]
        if group and (len(group) == _MOST_PAIRS or (len(group) + 1) * store.length(row) > _MOST_TOKENS):
            groups.append(group := [])
        group.append(row)
    chance.shuffle(groups)
    yield from groups


class Trainer:
    """Trains a judge, and goes on where a checkpoint ends.

    Args:
        joint: the network; changed in place.
        store: the states of the texts.
        plan: what to train on.
        folder: for ``checkpoint.pt`` and ``curve.jsonl``.
        tell: gets a line about the progress now and then.
    """

    def __init__(self, joint: Joint, store: StateStore, plan: Plan, folder: Path, tell: Callable[[str], None]) -> None:
        """Take up a checkpoint if the folder holds one."""
        self._joint, self._store, self._plan, self._folder, self._tell = joint, store, plan, folder, tell
        self._optimiser = torch.optim.AdamW(parameters_of(joint, plan.rate), fused=True)
        self._peaks = [group["lr"] for group in self._optimiser.param_groups]
        self._done = self._step = self._chunk = 0
        self._seconds = 0.0
        torch.manual_seed(plan.seed)
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "checkpoint.pt").exists():
            self._resume()

    def _resume(self) -> None:
        saved = torch.load(self._folder / "checkpoint.pt", weights_only=True)
        if saved["seed"] != self._plan.seed:
            raise BadInput(
                f"{self._folder} holds a run with seed {saved['seed']}; name another folder, or train with that seed"
            )
        self._joint.load_state_dict(saved["joint"])
        self._optimiser.load_state_dict(saved["optimiser"])
        torch.set_rng_state(saved["rng"])
        self._done, self._step, self._chunk = saved["done"], saved["step"], saved["chunk"]
        self._seconds = saved["seconds"]
        self._tell(f"goes on after {self._done:,} pairs")
        if saved.get("pairs", self._plan.pairs) != self._plan.pairs:
            self._tell(
                f"it was to end after {saved['pairs']:,} pairs and now ends after {self._plan.pairs:,}: the learning rate "
                "falls otherwise than in a run of one piece"
            )

    def _save(self) -> None:
        part = self._folder / "checkpoint.part"
        state = {
            "joint": self._joint.state_dict(), "optimiser": self._optimiser.state_dict(), "rng": torch.get_rng_state(),
            "done": self._done, "step": self._step, "chunk": self._chunk, "seconds": self._seconds, "seed": self._plan.seed,
            "pairs": self._plan.pairs,
        }  # fmt: skip
        torch.save(state, part)
        part.replace(self._folder / "checkpoint.pt")

    def run(self, measured: Mapping[str, Sequence[Row]], *, every: int = 8) -> None:
        """Train to the end of the plan.

        Args:
            measured: name -> rows; their AUC is written to the curve.
            every: chunks between two measurements.
        """
        if self._chunk == 0:
            self._measure(measured, 0.0)
        while self._done < self._plan.pairs:
            began = time.perf_counter()
            rows = self._plan.chunk(self._chunk)
            self._store.prepare(rows)
            ready = time.perf_counter()
            loss = self._train(rows)
            self._chunk += 1
            now = time.perf_counter()
            self._seconds += now - began
            left_min = (self._plan.pairs - self._done) / len(rows) * (now - began) / 60
            self._tell(
                f"{self._done:,} of {self._plan.pairs:,} pairs, loss {loss:.4f}, {len(rows) / (now - ready):.0f} pairs/s, "
                f"states {ready - began:.0f} s for {len(self._store):,} texts in all, about {left_min:.0f} min left"
            )
            self._save()
            if self._chunk % every == 0 or self._done >= self._plan.pairs:
                self._measure(measured, loss)

    def _train(self, rows: Sequence[Row]) -> float:
        self._joint.train()
        chance = random.Random(f"{self._plan.seed}/{self._chunk}")
        losses = []
        for batch in batches(rows, self._store, chance):
            swapped = [row.head == "same" and chance.random() < 0.5 for row in batch]
            for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
                group["lr"] = peak * self._strength()
            logits = self._joint(self._store.batch(batch, swapped))
            heads = torch.tensor([HEADS.index(row.head) for row in batch])
            target = torch.tensor([row.label for row in batch]) * (1 - 2 * _SMOOTHING) + _SMOOTHING
            loss = binary_cross_entropy_with_logits(logits[torch.arange(len(batch)), heads], target)
            self._optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._joint.parameters(), _LARGEST_GRADIENT)
            self._optimiser.step()
            losses.append(float(loss.detach()) * len(batch))
            self._done += len(batch)
            self._step += 1
        return sum(losses) / len(rows)

    def _strength(self) -> float:
        """Return the share of the peak rate: up over the first steps, then down to zero with the last pair."""
        return min(1.0, (self._step + 1) / _WARM_STEPS) * max(0.0, 1 - self._done / self._plan.pairs)

    def _measure(self, measured: Mapping[str, Sequence[Row]], loss: float) -> None:
        aucs = {}
        for name, rows in measured.items():
            aucs[name] = round(
                float(roc_auc_score([row.label > 0.5 for row in rows], scores(self._joint, self._store, rows))), 4
            )
        line = {"pairs": self._done, "seconds": round(self._seconds), "loss": round(loss, 4), "auc": aucs}
        with (self._folder / "curve.jsonl").open("a", encoding="utf-8") as curve:
            curve.write(json.dumps(line) + "\n")
        self._tell("AUC " + ", ".join(f"{name} {auc:.3f}" for name, auc in aucs.items()))


def scores(joint: Joint, store: StateStore, rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return the logit of each row's own head, shape (rows,)."""
    joint.eval()
    store.prepare(rows)
    places = {id(row): place for place, row in enumerate(rows)}
    out = np.zeros(len(rows))
    with torch.inference_mode():
        for batch in batches(rows, store, random.Random(0)):
            logits = joint(store.batch(batch)).numpy()
            for row, line in zip(batch, logits, strict=True):
                out[places[id(row)]] = line[HEADS.index(row.head)]
    return out
