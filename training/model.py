"""The judge as a network: E5's upper layers over two texts at once, and one small head for each question about them.

Each text goes alone through E5's lower layers, which stay as they are. The two sequences of states are then laid end to end
and run through E5's upper layers, which are trained.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, gelu

from groat.judge.e5 import LOWER, E5File
from training.rows import HEADS

_CLOSED = -3.0
"""Where the attention between the texts starts: nearly shut, so that each text begins as E5 left it."""
_SCALE, _OFFSET = 30.0, 0.9
"""The first logit is scale * (cosine - offset): training starts at E5's cosine and adds to it."""
_INNER = 256
_DROPOUT = 0.1


@dataclass(frozen=True, slots=True)
class Pairs:
    """A batch of pairs, padded."""

    states: Tensor
    """Shape (n, length, hidden): the first text's states, then the second's, then zeros."""
    sides: Tensor
    """Shape (n, length): 0 for the first text, 1 for the second, 2 for padding."""


class Layer(nn.Module):
    """One layer of E5: post-norm, exact GELU, and a bias on the attention between the texts."""

    def __init__(self, hidden: int, heads: int, inner: int, epsilon: float) -> None:
        """Make the parameters; their values come from E5."""
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(hidden, 3 * hidden)
        self.out = nn.Linear(hidden, hidden)
        self.norm = nn.LayerNorm(hidden, eps=epsilon)
        self.up = nn.Linear(hidden, inner)
        self.down = nn.Linear(inner, hidden)
        self.last = nn.LayerNorm(hidden, eps=epsilon)
        self.across = nn.Parameter(torch.full((heads,), _CLOSED))
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, states: Tensor, shut: Tensor, across: Tensor) -> Tensor:
        """Return the states, shape (n, length, hidden).

        Args:
            states: shape (n, length, hidden).
            shut: shape (n, 1, 1, length); very negative where the key is padding.
            across: shape (n, 1, length, length); 1 where query and key belong to different texts.
        """
        n, length, hidden = states.shape
        width = hidden // self.heads
        parts = self.qkv(states).view(n, length, 3, self.heads, width).permute(2, 0, 3, 1, 4).reshape(3, -1, length, width)
        bias = (shut + across * self.across.view(1, -1, 1, 1)).expand(n, self.heads, length, length).reshape(-1, length, length)
        # Written out: torch's own function for it takes a fifth longer when the bias is learned too.
        attention = torch.baddbmm(bias, parts[0], parts[1].transpose(1, 2), alpha=width**-0.5).softmax(-1)
        mixed = torch.bmm(attention, parts[2]).view(n, self.heads, length, width)
        states = self.norm(states + self.drop(self.out(mixed.transpose(1, 2).reshape(n, length, hidden))))
        return cast(Tensor, self.last(states + self.drop(self.down(gelu(self.up(states))))))


class Head(nn.Module):
    """One question about the two texts."""

    def __init__(self, hidden: int) -> None:
        """Begin as a cosine."""
        super().__init__()
        self.first = nn.Linear(4 * hidden, _INNER)
        self.last = nn.Linear(_INNER, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.scale = nn.Parameter(torch.tensor(_SCALE))
        self.offset = nn.Parameter(torch.tensor(_OFFSET))
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, begin: Tensor, left: Tensor, right: Tensor) -> Tensor:
        """Return logits, shape (n,), from the first token and the means of both texts, each of shape (n, hidden)."""
        features = torch.cat([begin, (left - right).abs(), left * right, left + right], dim=-1)
        told = self.last(self.drop(gelu(self.first(features))))[:, 0]
        return cast(Tensor, told + self.scale * (cosine_similarity(left, right) - self.offset))


class Joint(nn.Module):
    """The upper layers and the three heads."""

    def __init__(self, hidden: int, heads: int, inner: int, epsilon: float, layers: int) -> None:
        """Make the parameters."""
        super().__init__()
        self.layers = nn.ModuleList(Layer(hidden, heads, inner, epsilon) for _ in range(layers))
        self.tops = nn.ModuleList(Head(hidden) for _ in HEADS)

    def forward(self, pairs: Pairs) -> Tensor:
        """Return a logit for each pair and head, shape (n, heads)."""
        sides = pairs.sides
        shut = (sides == 2).to(pairs.states.dtype)[:, None, None, :] * -1e9
        across = (sides[:, :, None] != sides[:, None, :]).to(pairs.states.dtype)[:, None]
        states = pairs.states
        for layer in self.layers:
            states = layer(states, shut, across)
        left, right = (_mean(states, sides == side) for side in (0, 1))
        return torch.stack([top(states[:, 0], left, right) for top in self.tops], dim=-1)


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    weights = mask.to(states.dtype)[..., None]
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1.0)


def from_e5(file: E5File) -> Joint:
    """Return the judge before any training: E5's cosine, with the two texts nearly shut off from each other."""
    joint = Joint(file.hidden, file.heads, file.inner, file.epsilon, file.layers - LOWER)
    with torch.no_grad():
        for number, layer in enumerate(joint.layers, start=LOWER):
            fill_layer(cast(Layer, layer), file, number)
    return joint


def fill_layer(layer: Layer, file: E5File, number: int) -> None:
    """Give the layer the weights of E5's layer with this number."""

    def weights(name: str, columns: int) -> Tensor:
        return torch.from_numpy(file.blocks(f"l{number}.{name}.w", columns).rows())

    def floats(name: str) -> Tensor:
        return torch.from_numpy(file.floats(f"l{number}.{name}").copy())

    hidden = file.hidden
    layer.qkv.weight.copy_(torch.cat([weights(name, hidden) for name in "qkv"]))
    layer.qkv.bias.copy_(torch.cat([floats(f"{name}.b") for name in "qkv"]))
    for part, name, columns in ((layer.out, "ao", hidden), (layer.up, "fi", hidden), (layer.down, "fo", file.inner)):
        part.weight.copy_(weights(name, columns))
        part.bias.copy_(floats(f"{name}.b"))
    for norm, name in ((layer.norm, "aln"), (layer.last, "oln")):
        norm.weight.copy_(floats(f"{name}.w"))
        norm.bias.copy_(floats(f"{name}.b"))


def parameters_of(joint: Joint, rate: float) -> list[dict[str, object]]:
    """Return the groups of parameters with their learning rates: layers, heads (4 x), cosine and cross-attention (100 x)."""
    fast = {name for name, _ in joint.named_parameters() if name.endswith(("across", "scale", "offset"))}
    named = dict(joint.named_parameters())
    return [
        {"params": [p for n, p in named.items() if n.startswith("layers") and n not in fast], "lr": rate, "weight_decay": 0.01},
        {
            "params": [p for n, p in named.items() if n.startswith("tops") and n not in fast],
            "lr": 4 * rate,
            "weight_decay": 0.01,
        },
        {"params": [named[n] for n in sorted(fast)], "lr": 100 * rate, "weight_decay": 0.0},
    ]
