"""Goes on with trained weights: one head learns new rows and old ones, the others go on saying what they said."""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from training.loop import batches
from training.model import Joint, parameters_of
from training.rows import HEADS, Head, Row
from training.states import StateStore

_FAST = 10
"""The cosine and the attention between the texts learn faster than the layers; so much in weights that are trained already."""
_WARM = 0.1
"""Share of the pairs over which the rates rise."""
_LARGEST_GRADIENT = 1.0
_SMOOTHING = 0.02
_ROUND = 192
"""Rows of one's own between two lines about the progress."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How far and how fast the weights may move."""

    pairs: int
    """In all; the learning rate falls to zero with the last."""
    rate: float = 1e-4
    """Of the layers; the heads learn four times as fast."""
    pull: float = 5e-3
    """Share of the way back to the weights it began with, every step. Source: Li et al. 2018, L2-SP."""
    replayed: float = 0.5
    """Share of old rows."""


def tune(
    joint: Joint,
    store: StateStore,
    head: Head,
    own: Sequence[Row],
    replayed: Mapping[str, tuple[float, Sequence[Row]]],
    tuning: Tuning,
    seed: int,
    tell: Callable[[str], None],
) -> None:
    """Train the network in place.

    What the other heads say of any of the rows is held to what they said before. Source: Li and Hoiem 2016, "Learning without
    Forgetting".

    Args:
        joint: trained weights.
        store: the states of the rows' texts.
        head: that learns.
        own: the new rows, of that head.
        replayed: name -> share among the old rows, and the rows.
        tuning: how far and how fast.
        seed: of the order and of dropout.
        tell: gets a line about the progress now and then.
    """
    begun = copy.deepcopy(joint).eval()
    optimiser = _optimiser(joint, tuning.rate)
    chance = random.Random(seed)
    rounds = _rounds(own, replayed, tuning, chance)
    done = 0
    joint.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        while done < tuning.pairs:
            rows = next(rounds)[: tuning.pairs - done]
            store.prepare(rows)
            losses = 0.0
            for batch in batches(rows, store, chance):
                strength = min(1.0, (done + len(batch)) / (_WARM * tuning.pairs)) * (1 - done / tuning.pairs)
                swapped = [row.head == "same" and chance.random() < 0.5 for row in batch]
                loss = _loss(joint, begun, store, batch, swapped, head)
                _step(joint, optimiser, loss, strength)
                _pull(joint, begun, tuning.pull * strength)
                losses += len(batch) * float(loss.detach())
                done += len(batch)
            tell(f"{done:,} of {tuning.pairs:,} pairs, loss {losses / len(rows):.3f}")
    joint.eval()


def _optimiser(joint: Joint, rate: float) -> torch.optim.Optimizer:
    groups = parameters_of(joint, rate)
    groups[2]["lr"] = _FAST * rate
    return torch.optim.AdamW([{**group, "peak": group["lr"], "weight_decay": 0.0} for group in groups])


def _step(joint: Joint, optimiser: torch.optim.Optimizer, loss: Tensor, strength: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * strength
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(joint.parameters(), _LARGEST_GRADIENT)
    optimiser.step()


def _loss(joint: Joint, begun: Joint, store: StateStore, batch: Sequence[Row], swapped: Sequence[bool], head: Head) -> Tensor:
    """Return the mean loss: labels for rows of the head that learns, elsewhere what the weights said at the beginning."""
    pairs = store.batch(batch, swapped)
    with torch.no_grad():
        target = torch.sigmoid(begun(pairs))
    learns = torch.tensor([row.head == head for row in batch])
    labels = torch.tensor([row.label for row in batch]) * (1 - 2 * _SMOOTHING) + _SMOOTHING
    column = HEADS.index(head)
    target[:, column] = torch.where(learns, labels, target[:, column])
    return binary_cross_entropy_with_logits(joint(pairs), target, reduction="none").sum(1).mean()


def _pull(joint: Joint, begun: Joint, share: float) -> None:
    with torch.no_grad():
        for parameter, shipped in zip(joint.parameters(), begun.parameters(), strict=True):
            parameter.lerp_(shipped, share)


def _rounds(
    own: Sequence[Row], replayed: Mapping[str, tuple[float, Sequence[Row]]], tuning: Tuning, chance: random.Random
) -> Iterator[list[Row]]:
    """Yield new rows with their share of old ones, in shuffled order, without end."""
    beside = _ROUND * tuning.replayed / (1 - tuning.replayed)
    whole = sum(share for share, rows in replayed.values() if rows)
    streams = [(_endless(own, chance), _ROUND)]
    streams += [(_endless(rows, chance), round(beside * share / whole)) for share, rows in replayed.values() if rows]
    while True:
        rows = [next(stream) for stream, some in streams for _ in range(some)]
        chance.shuffle(rows)
        yield rows


def _endless(rows: Sequence[Row], chance: random.Random) -> Iterator[Row]:
    while True:
        yield from chance.sample(rows, len(rows))
