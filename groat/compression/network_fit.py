"""Fit a small network to what is needed of a context, or to how often something happens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from groat.compression.network import REACH, Network, Numbers

Singles = NDArray[np.float32]
Loss = Callable[[Singles], tuple[float, Singles]]
"""Value of the loss for one number a row, and its slope for each of them."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large a network is and how much it may bend."""

    units: int
    """Hidden units of each network."""
    networks: int
    """Networks that begin elsewhere and are averaged: one alone depends on where it began."""
    direct: float
    """Penalty on the squares of the weighted sum."""
    bent: float
    """Penalty on the squares of what the hidden units add; it is what keeps a few hundred rows from being learned by heart."""
    steps: int = 120
    """Most steps of the search."""


def listwise(targets: Numbers, starts: NDArray[np.intp]) -> Loss:
    """Return the loss of ListNet (Cao et al. 2007): how far the softmax of a context's numbers is from its targets.

    Args:
        targets: one a sentence, 0 or more, of sum 1 in each context.
        starts: where each context begins, from 0.
    """
    wanted = targets.astype(np.float32)
    sizes = np.diff(np.append(starts, len(targets)))
    owner = np.repeat(np.arange(len(starts)), sizes)
    count = len(starts)

    def loss(numbers: Singles) -> tuple[float, Singles]:
        above = numbers - np.maximum.reduceat(numbers, starts)[owner]
        powers = np.exp(above)
        sums = np.add.reduceat(powers, starts)[owner]
        slope = ((powers / sums - wanted) / count).astype(np.float32)
        return -float(wanted @ (above - np.log(sums))) / count, slope

    return loss


def odds(truth: NDArray[np.bool_], weights: Numbers) -> Loss:
    """Return the logistic loss: how far the numbers, as log odds, are from what happened.

    Args:
        truth: one a row.
        weights: how much each row counts, above 0.
    """
    happened = truth.astype(np.float32)
    part = (weights / weights.sum()).astype(np.float32)

    def loss(numbers: Singles) -> tuple[float, Singles]:
        value = float(part @ (np.logaddexp(np.float32(0), numbers) - happened * numbers))
        return value, part * (1 / (1 + np.exp(-numbers)) - happened)

    return loss


def fit_network(columns: Numbers, loss: Loss, shape: Shape) -> Network:
    """Return the network with the least loss and penalty; the same rows give the same network.

    Args:
        columns: the evidence, shape (rows, columns).
        loss: what the rows want.
        shape: size and penalties.
    """
    centre, spread = columns.mean(axis=0), columns.std(axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    seen = np.clip((columns - centre) / scale, -REACH, REACH).astype(np.float32)
    found = [_fitted(seen, loss, shape, seed) for seed in range(shape.networks)]
    return Network(
        centre=centre,
        scale=scale,
        direct=np.mean([one[0] for one in found], axis=0),
        hidden=np.hstack([one[1] for one in found]),
        shift=np.concatenate([one[2] for one in found]),
        out=np.concatenate([one[3] for one in found]) / shape.networks,
        bias=float(np.mean([one[4] for one in found])),
    )


def _fitted(seen: Singles, loss: Loss, shape: Shape, seed: int) -> tuple[Numbers, Numbers, Numbers, Numbers, float]:
    width, units = seen.shape[1], shape.units
    random = np.random.default_rng(seed)
    start = np.concatenate(
        [
            np.zeros(width),
            random.normal(0, 1 / np.sqrt(width), width * units),
            np.zeros(units),
            random.normal(0, 0.3, units),
            np.zeros(1),
        ]
    )
    ends = np.cumsum([width, width * units, units, units])

    def parts(point: Numbers) -> Sequence[Numbers]:
        direct, hidden, shift, out, bias = np.split(point, ends)
        return direct, hidden.reshape(width, units), shift, out, bias

    def value(point: Numbers) -> tuple[float, Numbers]:
        direct, hidden, shift, out, bias = (part.astype(np.float32) for part in parts(point))
        bent = np.tanh(seen @ hidden + shift)
        least, slope = loss(seen @ direct + bent @ out + bias)
        inner = np.outer(slope, out) * (1 - bent * bent)
        penalty = shape.direct * float(direct @ direct) + shape.bent * float((hidden * hidden).sum() + out @ out)
        slopes = [
            seen.T @ slope + 2 * shape.direct * direct,
            (seen.T @ inner + 2 * shape.bent * hidden).ravel(),
            inner.sum(axis=0),
            bent.T @ slope + 2 * shape.bent * out,
            np.array([slope.sum()]),
        ]
        return least + penalty, np.concatenate(slopes).astype(np.float64)

    best = minimize(value, start, jac=True, method="L-BFGS-B", options={"maxiter": shape.steps})
    direct, hidden, shift, out, bias = parts(np.asarray(best.x, dtype=np.float64))
    return direct, hidden, shift, out, float(bias[0])
