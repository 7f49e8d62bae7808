"""The judge itself: three questions about two texts, answered with calibrated probabilities."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from groat.judge.artifact import HEADS, Head, JudgeArtifact, Tongue, Weights
from groat.judge.encoder import Encoder, Prefix, States
from groat.judge.joint import JointLayers, unmarked
from groat.judge.scope import out_of_range
from groat.text import detect_language, fold

Side = tuple[Prefix, int]
"""What E5 wants in front of a text, and the most tokens that are read of it."""
SIDES: dict[Head, tuple[Side, Side]] = {
    "same": (("query: ", 48), ("query: ", 48)),
    "answers": (("query: ", 48), ("passage: ", 96)),
    "supports": (("passage: ", 64), ("passage: ", 160)),
}
_REMEMBERED = 2048
"""Texts whose states are kept, about 20 KB each at 15 tokens."""
_AT_ONCE = 512
"""Pairs whose states are held together: however many are asked for, memory stays bounded."""
_SURE = 1.0 - 1e-6


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge says of one text against several others."""

    p: NDArray[np.float64]
    """Probability of yes, 0 to 1, shape (candidates,); 0 where there is a reason."""
    reasons: tuple[str | None, ...]
    """Why there is no opinion on a candidate, else None."""


class PairJudge(Protocol):
    """What the engines ask of a judge."""

    @property
    def version(self) -> str:
        """Of the weights: what was decided with one version is not compared with another."""
        ...

    async def same(self, question: str, candidates: Sequence[str]) -> Judged:
        """Can one answer serve the question and the candidate?"""
        ...

    async def answers(self, question: str, sentences: Sequence[str]) -> Judged:
        """Does the sentence help to answer the question?"""
        ...

    async def supports(self, claim: str, passages: Sequence[str]) -> Judged:
        """Does the passage support the claim?"""
        ...


class Judge:
    """The small trained judge, about 6 ms a known candidate on one core without 8-bit dot products; deterministic.

    Args:
        encoder: E5's lower layers; one encoder may serve several users.
        artifact: the trained part.
        threads: cores that one call may use.

    Raises:
        ArtifactError: the graph cannot be run.
    """

    def __init__(self, encoder: Encoder, artifact: JudgeArtifact, *, threads: int = 1) -> None:
        """Open the graph."""
        self.encoder = encoder
        """E5's layers, for whoever wants vectors from the same pass."""
        self._artifact = artifact
        self._joint = JointLayers(artifact.graph, threads=threads)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")
        self._known: OrderedDict[tuple[Side, str], States] = OrderedDict()

    @classmethod
    def open(cls, weights: Weights | Path = "all", *, threads: int = 1) -> "Judge":
        """Load the encoder and the weights, about 0.5 s.

        Raises:
            JudgeUnavailable: onnxruntime or the bundled embedder is missing or damaged.
            ArtifactError: the weights are missing, damaged or made for another version.
        """
        return cls(Encoder(threads=threads), JudgeArtifact.load(weights), threads=threads)

    @property
    def version(self) -> str:
        """Of the weights."""
        return self._artifact.version

    async def same(self, question: str, candidates: Sequence[str]) -> Judged:
        """Return the probabilities that one answer serves the question and each candidate."""
        return await self._aside("same", question, candidates)

    async def answers(self, question: str, sentences: Sequence[str]) -> Judged:
        """Return the probabilities that each sentence helps to answer the question."""
        return await self._aside("answers", question, sentences)

    async def supports(self, claim: str, passages: Sequence[str]) -> Judged:
        """Return the probabilities that each passage supports the claim."""
        return await self._aside("supports", claim, passages)

    async def _aside(self, head: Head, text: str, others: Sequence[str]) -> Judged:
        pairs = [(text, other) for other in others]
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.judge, head, pairs)

    def judge(self, head: Head, pairs: Sequence[tuple[str, str]]) -> Judged:
        """Judge pairs of texts in this thread: for evaluation runs, which have many and wait for all.

        One at a time: whoever calls it from several threads must hold a lock.
        """
        reasons = tuple(out_of_range(a) or out_of_range(b) for a, b in pairs)
        asked = [place for place, reason in enumerate(reasons) if reason is None]
        found = np.zeros(len(pairs))
        if asked:
            logits = self.logits(head, [pairs[place] for place in asked])
            found[asked] = [self._p(head, pairs[place], logit) for place, logit in zip(asked, logits, strict=True)]
        return Judged(found, reasons)

    def logits(self, head: Head, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        """Return what the graph says before calibration, shape (pairs,), finite."""
        ordered = [_ordered(head, pair) for pair in pairs]
        parts = [self._logits(head, ordered[start : start + _AT_ONCE]) for start in range(0, len(ordered), _AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _logits(self, head: Head, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
        left, right = SIDES[head]
        self._learn(left, [a for a, _ in pairs])
        self._learn(right, [b for _, b in pairs])
        states = [(self._known[left, a], self._known[right, b]) for a, b in pairs]
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return self._joint.logits(states)[:, HEADS.index(head)].astype(np.float64)

    def _learn(self, side: Side, texts: Sequence[str]) -> None:
        """Compute the states that are not known yet, and mark all as just used."""
        new = [text for text in dict.fromkeys(texts) if (side, text) not in self._known]
        for text, states in zip(new, self.encoder.states(new, prefix=side[0], most_tokens=side[1]), strict=True):
            self._known[side, text] = unmarked(states)
        for text in texts:
            self._known.move_to_end((side, text))

    def _p(self, head: Head, pair: tuple[str, str], logit: float) -> float:
        if head == "same" and fold(pair[0]) == fold(pair[1]):
            return _SURE
        scaling = self._artifact.scalings[head][tongue_of(*pair)]
        return float(1 / (1 + np.exp(-np.clip(scaling.slope * logit + scaling.intercept, -40, 40))))


def tongue_of(a: str, b: str) -> Tongue:
    """Return the language of both texts, ``zh-en`` if they differ."""
    first, second = detect_language(a), detect_language(b)
    return first if first == second else "zh-en"


def _ordered(head: Head, pair: tuple[str, str]) -> tuple[str, str]:
    """Put two questions in one order, so that who is asked about whom makes no difference."""
    return (min(pair), max(pair)) if head == "same" else pair
