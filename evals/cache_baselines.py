"""The rules that others decide by, on the same streams: a fixed threshold on the cosine, and vCache's learned ones."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import erfinv

from groat.embedding import Matrix

Outcome = tuple[int, int, int, int]
"""Requests, requests whose answer was there, hits, wrong hits."""
_SEED = 0
_CONFIDENCES = np.linspace(0.01, 0.5, 25)


@dataclass(frozen=True)
class Trace:
    """A stream of questions as vectors with their answers."""

    vectors: Matrix
    """Unit vectors, shape (requests, dimension)."""
    answers: list[str]

    @cached_property
    def likeness(self) -> Matrix:
        """Cosines of all requests, shape (requests, requests): 0.2 GB for 7,400."""
        return np.asarray(self.vectors @ self.vectors.T, dtype=np.float32)


def fixed(trace: Trace, threshold: float) -> Outcome:
    """Serve the nearest kept question from this cosine on: GPTCache, RedisVL, LangChain's semantic caches."""
    kept = np.zeros(len(trace.answers), dtype=bool)
    there: set[str] = set()
    reachable = hits = wrong = 0
    for place, answer in enumerate(trace.answers):
        reachable += answer in there
        best, likeness = _nearest(trace, kept, place)
        if best is not None and likeness >= threshold:
            hits += 1
            wrong += trace.answers[best] != answer
            continue
        kept[place] = True
        there.add(answer)
    return len(trace.answers), reachable, hits, wrong


@dataclass
class _Entry:
    """What is known of one kept question: likenesses, and whether its answer would have served."""

    likeness: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)


def vcache(trace: Trace, delta: float) -> Outcome:
    """Serve with a threshold learned for each kept question, at an error rate of at most ``delta`` of all requests.

    After Schroeder et al. 2025, "vCache: Verified Semantic Prompt Caching": a logistic curve over the likeness is fitted to
    what was seen of each kept question; the chance to ask the model anyway is the least that keeps the error below delta,
    over confidence levels for the curve's threshold. Whoever asks the model learns whether the kept answer would have served.
    """
    rng = np.random.default_rng(_SEED)
    kept = np.zeros(len(trace.answers), dtype=bool)
    known: dict[int, _Entry] = {}
    there: set[str] = set()
    reachable = hits = wrong = 0
    for place, answer in enumerate(trace.answers):
        reachable += answer in there
        best, likeness = _nearest(trace, kept, place)
        if best is not None and rng.random() >= _explores(known[best], likeness, delta):
            hits += 1
            wrong += trace.answers[best] != answer
            continue
        right = best is not None and trace.answers[best] == answer
        if best is not None:
            known[best].likeness.append(likeness)
            known[best].right.append(right)
        if not right:
            kept[place] = True
            known[place] = _Entry()
            there.add(answer)
    return len(trace.answers), reachable, hits, wrong


def _explores(entry: _Entry, likeness: float, delta: float) -> float:
    """Return the chance to ask the model although something is kept: 1 while too little is known."""
    right = np.array(entry.right)
    if len(right) < 2 or right.all() or not right.any():
        # One class only: the curve's threshold is unknown beyond what was seen.
        if len(right) < 6 or not right.all() or likeness < min(entry.likeness):
            return 1.0
        chance = (1 - 0.05) * (len(right) + 1) / (len(right) + 2)
        return float(np.clip(1 - delta / max(1e-9, 1 - chance), 0.0, 1.0))
    seen = np.array(entry.likeness)
    slope, middle = _curve(seen, right)
    spread = _spread(seen, slope, middle)
    quantiles = middle + spread * np.sqrt(2.0) * erfinv(1 - 2 * _CONFIDENCES)
    chances = (1 - _CONFIDENCES) / (1 + np.exp(-np.clip(slope * (likeness - quantiles), -40, 40)))
    return float(np.clip(1 - delta / np.maximum(1e-9, 1 - chances), 0.0, 1.0).min())


def _curve(seen: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    def loss(at: NDArray[np.float64]) -> float:
        logits = np.exp(at[0]) * (seen - at[1])
        return float(np.logaddexp(0, np.where(right, -logits, logits)).sum() + 0.01 * at[0] ** 2)

    found = minimize(loss, np.array([3.0, float(seen.mean())]), method="Nelder-Mead", options={"maxiter": 120})
    return float(np.exp(min(found.x[0], 8.0))), float(found.x[1])


def _spread(seen: NDArray[np.float64], slope: float, middle: float) -> float:
    """Return the standard error of the curve's threshold, from its Fisher information."""
    p = 1 / (1 + np.exp(-np.clip(slope * (seen - middle), -40, 40)))
    information = slope**2 * float((p * (1 - p)).sum())
    return float(1 / np.sqrt(max(information, 1e-6)))


def _nearest(trace: Trace, kept: NDArray[np.bool_], place: int) -> tuple[int | None, float]:
    found = np.where(kept[:place], trace.likeness[place, :place], -1.0)
    best = int(found.argmax()) if place else 0
    return (best, float(found[best])) if place and kept[best] else (None, 0.0)
