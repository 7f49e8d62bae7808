"""May the answer to a kept question serve the question asked now?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from groat.cache.calibration import Calibration
from groat.cache.evidence import CODES, NAMES, evidence
from groat.cache.guard import differences
from groat.cache.template import shared_template
from groat.cache.verifier import Mode, Scope, Verifier
from groat.types import Asked, CacheCandidate, Language

FLOOR, FLOOR_ACROSS = 0.84, 0.80
"""Cosines, within a language and across, below which nothing is served: such neighbours cost no further look."""
READ = 2
"""How many candidates the judge reads: the best by everything else."""
_HOPELESS = -5.0
"""Log odds, without the judge, below which the judge never turned a candidate round."""
_LOGIT = NAMES.index("logit")


class SameJudge(Protocol):
    """What the rule asks of a judge of pairs."""

    @property
    def version(self) -> str:
        """Of the weights."""
        ...

    async def same(self, question: str, candidates: Sequence[str]) -> "Opinions":
        """Return the probabilities that one answer serves the question and each candidate."""
        ...


class Opinions(Protocol):
    """What such a judge says."""

    @property
    def p(self) -> NDArray[np.float64]:
        """Probability of yes, 0 to 1, shape (candidates,)."""
        ...

    @property
    def reasons(self) -> Sequence[str | None]:
        """Why there is no opinion on a candidate, else None."""
        ...


class Kept(Protocol):
    """A question that has an answer, or will have one."""

    @property
    def entry_id(self) -> str:
        """What it is known by."""
        ...

    @property
    def question(self) -> str:
        """Its words."""
        ...

    @property
    def language(self) -> Language:
        """Its language."""
        ...


K = TypeVar("K", bound=Kept)


@dataclass(frozen=True)
class Judged(Generic[K]):
    """A kept question with the verdict on it."""

    entry: K
    candidate: CacheCandidate
    accepted: bool


@dataclass(frozen=True)
class _Weighed(Generic[K]):
    """A candidate with all that speaks for and against it."""

    entry: K
    scope: Scope
    values: NDArray[np.float64]
    cosine: float
    score: float
    mode: Mode = "plain"
    opinion: float | None = None


class AcceptRule:
    """Decides by a fitted verifier under a promised share of wrong hits, or, without one, by cosine and checks by hand.

    Args:
        calibration: thresholds on the cosine, for when there is no verifier.
        verifier: the fitted rule; None when it cannot be read or was fitted on the vectors of another embedder.
        judge: reads the best candidates; None for a rule without it.
        max_wrong: largest share of wrong hits among hits by likeness, 0 to 1; 0 allows none.
        sure: whether that must hold with 95 % confidence instead of on average.
        across: whether a kept question may serve one in the other language.
    """

    def __init__(
        self,
        calibration: Calibration | None,
        verifier: Verifier | None = None,
        judge: SameJudge | None = None,
        *,
        max_wrong: float = 0.01,
        sure: bool = False,
        across: bool = False,
    ) -> None:
        """Keep the arguments."""
        self.calibration = calibration
        self.verifier = verifier
        self._judge = judge
        self._max_wrong = max_wrong
        self._sure = sure
        self._across = across

    @property
    def embedder(self) -> str:
        """Name of the embedder whose vectors the rule knows; empty when only equal questions may hit."""
        if self.verifier is not None:
            return self.verifier.artifact.embedder
        return self.calibration.embedder if self.calibration else ""

    @property
    def version(self) -> str:
        """Of what decides; empty when only equal questions may hit."""
        if self.verifier is not None:
            return self.verifier.artifact.version
        return self.calibration.version if self.calibration else ""

    def proven(self) -> dict[str, float | None]:
        """Return scope and mode -> the bound in force, None where no score keeps the promise: there nothing is served."""
        if self.verifier is None:
            return {}
        found: dict[str, float | None] = {}
        scopes: tuple[Scope, ...] = ("en", "zh", "across")
        modes: tuple[Mode, ...] = ("judged", "plain")
        for scope, mode in product(scopes, modes):
            least = self._least(scope, mode, self._max_wrong)
            found[f"{scope}/{mode}"] = None if least is None else least[1]
        return found

    def threshold(self, asked: Asked, *, max_wrong: float | None = None) -> float | None:
        """Return the least score, with a verifier in log odds, without one a cosine; None when nothing may hit by likeness."""
        if self.verifier is None:
            return self.calibration.threshold(asked["language"]) if self.calibration else None
        promise = self._promise(max_wrong)
        modes: tuple[Mode, Mode] = ("judged", "plain")
        least = [self._least(asked["language"], mode, promise) for mode in modes]
        return min((one[0] for one in least if one is not None), default=None)

    async def judge(
        self, asked: Asked, nearest: Sequence[tuple[K, float]], *, max_wrong: float | None = None
    ) -> list[Judged[K]]:
        """Judge kept questions, the best first.

        The nearest one is always judged, so that a miss can be explained; of the others only those that may be served.

        Args:
            asked: the question.
            nearest: kept questions with their cosine, the nearest first.
            max_wrong: where the kind of question asks for less than the rule, 0 to 1.
        """
        if self.verifier is None:
            return self._by_cosine(asked, nearest)
        promise = self._promise(max_wrong)
        weighed = self._weigh(asked, nearest, self.verifier)
        read = await self._read(asked, weighed, self.verifier)
        return [self._verdict(asked, one, promise) for one in sorted(read, key=lambda one: -one.score)]

    def _weigh(self, asked: Asked, nearest: Sequence[tuple[K, float]], verifier: Verifier) -> list[_Weighed[K]]:
        looked_at = [
            (entry, cosine)
            for place, (entry, cosine) in enumerate(nearest)
            if place == 0 or (_near(asked, entry, cosine) and (self._across or entry.language == asked["language"]))
        ]
        if not looked_at:
            return []
        text = asked["search_text"]
        values = np.stack([evidence(text, entry.question, cosine=cosine, logit=0.0) for entry, cosine in looked_at])
        scores = verifier.scores("plain", values)
        return [
            _Weighed(entry, _scope(asked, entry), row, cosine, float(score))
            for (entry, cosine), row, score in zip(looked_at, values, scores, strict=True)
        ]

    async def _read(self, asked: Asked, weighed: Sequence[_Weighed[K]], verifier: Verifier) -> list[_Weighed[K]]:
        """Let the judge read the best candidates; where it has no opinion, they stay what they were."""
        ordered = sorted(weighed, key=lambda one: -one.score)
        best = [one for one in ordered[:READ] if one.score >= _HOPELESS and _near(asked, one.entry, one.cosine)]
        rest = [one for one in ordered if one not in best]
        if not best or self._judge is None or "judged" not in verifier.artifact.trees:
            return ordered
        opinions = await self._judge.same(asked["search_text"], [one.entry.question for one in best])
        if self._judge.version != verifier.artifact.judge:
            return ordered
        found = []
        for one, p, reason in zip(best, opinions.p, opinions.reasons, strict=True):
            if reason is not None:
                found.append(one)
                continue
            values = one.values.copy()
            values[_LOGIT] = log_odds(float(p))
            score = float(verifier.scores("judged", values[None])[0])
            found.append(replace(one, values=values, score=score, mode="judged", opinion=float(p)))
        # Those that the judge did not read are not served: it read better ones.
        return found + [replace(one, score=min(one.score, _HOPELESS)) for one in rest]

    def _verdict(self, asked: Asked, one: _Weighed[K], promise: float) -> Judged[K]:
        found = [code for code, value in zip(CODES, one.values[-len(CODES) :], strict=True) if value]
        if one.scope == "across" and not self._across:
            found.append("language")
        if shared_template(asked["search_text"], one.entry.question):
            found.append("template")
        least = self._least(one.scope, one.mode, promise)
        served = least is not None and one.score >= least[0] and not {"language", "template"} & set(found)
        served = served and _near(asked, one.entry, one.cosine)
        candidate: CacheCandidate = {
            "entry_id": one.entry.entry_id,
            "question": one.entry.question,
            "similarity": round(one.cosine, 6),
            "differences": sorted(found),
            "score": round(one.score, 4),
            "judged": None if one.opinion is None else round(one.opinion, 4),
            "least_score": None if least is None else round(least[0], 4),
            "bound": None if least is None else least[1],
            "evidence": {name: round(value, 4) for name, value in zip(NAMES, one.values.tolist(), strict=True) if value},
        }
        return Judged(one.entry, candidate, accepted=served)

    def _promise(self, max_wrong: float | None) -> float:
        return self._max_wrong if max_wrong is None else min(max_wrong, self._max_wrong)

    def _least(self, scope: Scope, mode: Mode, promise: float) -> tuple[float, float] | None:
        return self.verifier.least_score(scope, mode, promise, sure=self._sure) if self.verifier else None

    def _by_cosine(self, asked: Asked, nearest: Sequence[tuple[K, float]]) -> list[Judged[K]]:
        threshold = self.threshold(asked)
        return [
            _checked(asked, entry, cosine, threshold)
            for place, (entry, cosine) in enumerate(nearest)
            if place == 0 or (threshold is not None and cosine >= threshold)
        ]


def log_odds(p: float) -> float:
    """Return the log odds of a probability, finite also for 0 and 1."""
    p = min(max(p, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))


def _scope(asked: Asked, entry: Kept) -> Scope:
    return asked["language"] if entry.language == asked["language"] else "across"


def _near(asked: Asked, entry: Kept, cosine: float) -> bool:
    return cosine >= (FLOOR if entry.language == asked["language"] else FLOOR_ACROSS)


def _checked(asked: Asked, entry: K, cosine: float, threshold: float | None) -> Judged[K]:
    """Alike enough, and nothing found by hand that makes them different questions; never across languages."""
    found = differences(asked["search_text"], entry.question)
    if entry.language != asked["language"]:
        found = sorted([*found, "language"])
    candidate: CacheCandidate = {
        "entry_id": entry.entry_id,
        "question": entry.question,
        "similarity": round(cosine, 6),
        "differences": found,
    }
    return Judged(entry, candidate, accepted=threshold is not None and cosine >= threshold and not found)
