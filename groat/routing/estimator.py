"""Estimates how good the cheap and the expensive model's answers will be, from the question alone. Plain numpy."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from groat.routing.grams import Buckets, Weights, runs, words

Numbers = NDArray[np.float64]

CLIP = 4.0
"""Standard deviations beyond which a surface feature counts no more: what lies far outside must not carry an estimate away."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """All that is seen of one question."""

    words: tuple[Buckets, Weights]
    runs: tuple[Buckets, Weights]
    surface: Numbers
    vector: Numbers
    domain: str = ""
    """Collection or subject that the application names; empty for none."""

    @classmethod
    def of(cls, text: str, surface: Numbers, vector: Numbers, domain: str = "") -> "Sight":
        """Look at a question; about 1 ms for 500 characters, surface and vector apart."""
        return cls(words=words(text), runs=runs(text), surface=surface, vector=vector, domain=domain)


@dataclass(frozen=True, kw_only=True)
class Linear:
    """Two linear heads over the same inputs, the cheap model's and the expensive one's; last axis of all weights: the heads."""

    word_idf: Numbers
    """Inverse document frequency by bucket; 0 where nothing was seen."""
    word_weights: Numbers
    run_idf: Numbers
    run_weights: Numbers
    mean: Numbers
    scale: Numbers
    surface_weights: Numbers
    centre: Numbers
    """Mean vector."""
    vector_weights: Numbers
    domains: tuple[str, ...]
    domain_weights: Numbers
    intercept: Numbers

    def scores(self, seen: Sight) -> Numbers:
        """Return both heads' values before calibration, shape (2,)."""
        surface = np.clip((seen.surface - self.mean) / self.scale, -CLIP, CLIP)
        total = (
            self.intercept
            + surface @ self.surface_weights
            + (seen.vector - self.centre) @ self.vector_weights
            + _sum(*seen.words, self.word_idf, self.word_weights)
            + _sum(*seen.runs, self.run_idf, self.run_weights)
        )
        if seen.domain in self.domains:
            total = total + self.domain_weights[self.domains.index(seen.domain)]
        return np.asarray(total, dtype=np.float64)

    def plus(self, other: "Linear", *, times: float = 1.0) -> "Linear":
        """Return the sum of two that see the same inputs: what was learned later, so many times, on top of what was known.

        The other may know more domains, behind those of this one.
        """
        missing = len(other.domains) - len(self.domains)
        known = replace(self, domain_weights=np.pad(self.domain_weights, ((0, missing), (0, 0))))
        summed = {
            part.name: getattr(known, part.name) + times * getattr(other, part.name)
            for part in fields(self)
            if part.name.endswith("weights") or part.name == "intercept"
        }
        return replace(other, **summed)


def _sum(buckets: Buckets, counts: Weights, idf: Numbers, weights: Numbers) -> Numbers:
    values = counts * idf[buckets]
    length = float(np.sqrt(values @ values))
    return np.asarray(values @ weights[buckets] / length if length else np.zeros(weights.shape[1]), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A monotone curve through points, straight between them and level beyond."""

    at: Numbers
    """Rising."""
    value: Numbers

    def __call__(self, x: float) -> float:
        """Return the value at ``x``."""
        return float(np.interp(x, self.at, self.value))
