"""May the answer to a kept question serve the question asked now?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from groat.cache.calibration import Calibration
from groat.cache.evidence import CODES, NAMES, evidence
from groat.cache.exchanged import exchanged
from groat.cache.guard import differences
from groat.cache.judged import Judged as Judged
from groat.cache.judged import K, cosine_of
from groat.cache.judged import Kept as Kept
from groat.cache.judged import Opinions as Opinions
from groat.cache.judged import SameJudge as SameJudge
from groat.cache.judged import log_odds as log_odds
from groat.cache.online import GRAY, OnlineBound, Place, Standing, audited
from groat.cache.template import shared_template
from groat.cache.verifier import Mode, Scope, Verifier
from groat.types import Asked, CacheCandidate, Language

FLOOR, FLOOR_ACROSS = 0.84, 0.80
"""Cosines, within a language and across, below which nothing is served: such neighbours cost no further look."""
READ = 2
"""How many candidates the judge reads: the best by everything else."""
DECISIVE = frozenset({"language", "template", "judge", "opposite", "exchanged"})
"""What is never served whatever the score: on calibration streams 3 of 2,038 hits at a promise of 1 % name opposite sides;
"exchanged" was found in 31 different and 2 equal pairs of the 31,000 labelled ones."""
NEVER = 99.0
"""Log odds that no candidate reaches."""
_HOPELESS = -5.0
"""Log odds, without the judge, below which the judge never turned a candidate round."""
_LOGIT = NAMES.index("logit")


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
    second: float | None = None
    """With the judge's opinion, where it may overrule the score without."""


class AcceptRule:
    """Decides by a fitted verifier under a promised share of wrong hits, or, without one, by cosine and checks by hand.

    Args:
        calibration: thresholds on the cosine, for when there is no verifier.
        verifier: the fitted rule; None when it cannot be read or was fitted on the vectors of another embedder.
        judge: reads the best candidates; None for a rule without it.
        max_wrong: largest share of wrong hits among hits by likeness, 0 to 1; 0 allows none.
        sure: whether that must hold with 95 % confidence instead of on average.
        across: whether a kept question may serve one in the other language.
        own: what audits found so far; None for the bound as it was calibrated.
        thorough: whether the judge reads the best candidates also where that changes nothing: for measurements.
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
        own: OnlineBound | None = None,
        thorough: bool = False,
    ) -> None:
        """Keep the arguments."""
        self.calibration = calibration
        self.verifier = verifier
        self._judge = judge
        self._max_wrong = max_wrong
        self._sure = sure
        self._across = across
        self.own = own
        self._thorough = thorough

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

    async def ready(self) -> None:
        """Read what audits found, where they are made and it is not known; never raises."""
        if self.own is not None:
            await self.own.refresh()

    def proven(self) -> dict[str, float | None]:
        """Return scope and mode -> the bound in force, None where no score keeps the promise: there nothing is served."""
        return {name: None if one.least is None else one.least[1] for name, one in self.standings().items()}

    def standings(self) -> dict[str, Standing]:
        """Return scope and mode -> what is in force, and where it comes from; empty without a verifier."""
        if self.verifier is None:
            return {}
        scopes: tuple[Scope, ...] = ("en", "zh", "across")
        places = ((one, mode) for one in scopes for mode in self.verifier.modes(one))
        return {f"{one}/{mode}": self._standing(one, mode, self._max_wrong, "") for one, mode in places}

    def threshold(self, asked: Asked, *, max_wrong: float | None = None, category: str = "") -> float | None:
        """Return the least score, with a verifier in log odds, without one a cosine; None when nothing may hit by likeness.

        Where audits closed what the calibration had opened, candidates are still looked at: it is ``NEVER``.
        """
        promise = self._promise(max_wrong)
        if self.verifier is None:
            standing = self._by_cosines(asked["language"], promise, category)
            if standing is None or self.calibration is None or standing.shipped is None:
                return None
            if standing.least is None:
                return NEVER
            raised = standing.least[0] > standing.shipped[0]
            return cosine_of(standing.least[0]) if raised else self.calibration.threshold(asked["language"])
        modes = self.verifier.modes(asked["language"])
        found = [self._standing(asked["language"], mode, promise, category) for mode in modes]
        return min((one.least[0] if one.least else NEVER for one in found if one.shipped is not None), default=None)

    async def judge(
        self, asked: Asked, nearest: Sequence[tuple[K, float]], *, max_wrong: float | None = None, category: str = ""
    ) -> list[Judged[K]]:
        """Judge kept questions, the best first.

        The nearest one is always judged, so that a miss can be explained; of the others only those that may be served.

        Args:
            asked: the question.
            nearest: kept questions with their cosine, the nearest first.
            max_wrong: where the kind of question asks for less than the rule, 0 to 1.
            category: the kind of question, of the policy.
        """
        if self.verifier is None:
            return self._by_cosine(asked, nearest, self._promise(max_wrong), category)
        promise = self._promise(max_wrong)
        weighed = self._weigh(asked, nearest, self.verifier)
        read = await self._read(asked, weighed, self.verifier, promise, category)
        return [self._verdict(asked, one, promise, category) for one in sorted(read, key=lambda one: -one.score)]

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

    async def _read(
        self, asked: Asked, weighed: Sequence[_Weighed[K]], verifier: Verifier, promise: float, category: str
    ) -> list[_Weighed[K]]:
        """Let the judge read the best candidates; where it has no opinion, they stay what they were."""
        ordered = sorted(weighed, key=lambda one: -one.score)
        best = [one for one in ordered[:READ] if self._worth_reading(asked, one, verifier, promise, category)]
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
            read = replace(one, values=values, opinion=float(p))
            overrules = one.scope in verifier.artifact.veto
            read = replace(read, second=score) if overrules else replace(read, score=score, mode="judged")
            found.append(read)
        # Those that the judge did not read are not served: it read better ones.
        return found + [replace(one, score=min(one.score, _HOPELESS)) for one in rest]

    def _worth_reading(self, asked: Asked, one: _Weighed[K], verifier: Verifier, promise: float, category: str) -> bool:
        """Tell whether the judge's opinion can change anything: where it may only overrule, of what would be served."""
        if not _near(asked, one.entry, one.cosine):
            return False
        if self._thorough or one.scope not in verifier.artifact.veto:
            return one.score >= _HOPELESS
        least = self._standing(one.scope, "plain", promise, category).least
        return least is not None and one.score >= least[0]

    def _verdict(self, asked: Asked, one: _Weighed[K], promise: float, category: str) -> Judged[K]:
        assert self.verifier is not None  # its caller looked
        found = [code for code, value in zip(CODES, one.values[-len(CODES) :], strict=True) if value]
        if one.scope == "across" and not self._across:
            found.append("language")
        if shared_template(asked["search_text"], one.entry.question):
            found.append("template")
        if exchanged(asked["search_text"], one.entry.question):
            found.append("exchanged")
        standing = self._standing(one.scope, one.mode, promise, category)
        least = standing.least
        if one.second is not None and one.second < self.verifier.artifact.veto[one.scope]:
            found.append("judge")
        may = _near(asked, one.entry, one.cosine) and not DECISIVE & set(found)
        served = may and least is not None and one.score >= least[0]
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
        if one.second is not None:
            candidate["second"] = round(one.second, 4)
        if self.own is not None:
            place = Place(one.scope, one.mode, category, one.score, promise, standing.shipped)
            gray = may and not served and place.shipped is not None and one.score >= place.shipped[0] - GRAY / 10
            candidate["audits"] = audited(place, standing, gray=gray)
        return Judged(one.entry, candidate, accepted=served)

    def _promise(self, max_wrong: float | None) -> float:
        return self._max_wrong if max_wrong is None else min(max_wrong, self._max_wrong)

    def _standing(self, scope: Scope, mode: Mode, promise: float, category: str) -> Standing:
        assert self.verifier is not None  # its callers looked
        shipped = self.verifier.least_score(scope, mode, promise, sure=self._sure)
        if self.own is not None:
            return self.own.standing(scope, mode, category, promise, shipped)
        return Standing("shipped" if shipped else "not_proven", shipped, shipped)

    def _by_cosines(self, language: Language, promise: float, category: str) -> Standing | None:
        """Return what is in force where cosine and checks decide: scores are then log odds of the cosine."""
        threshold = self.calibration.threshold(language) if self.calibration else None
        if threshold is None:
            return None
        shipped = (log_odds(threshold), promise)
        if self.own is None:
            return Standing("shipped", shipped, shipped)
        return self.own.standing(language, "cosine", category, promise, shipped)

    def _by_cosine(self, asked: Asked, nearest: Sequence[tuple[K, float]], promise: float, category: str) -> list[Judged[K]]:
        threshold = self.threshold(asked, max_wrong=promise, category=category)
        standing = self._by_cosines(asked["language"], promise, category)
        found = []
        for place, (entry, cosine) in enumerate(nearest):
            if place == 0 or (threshold is not None and cosine >= threshold):
                one = _checked(asked, entry, cosine, threshold)
                if self.own is not None and standing is not None and standing.shipped is not None:
                    where = Place(asked["language"], "cosine", category, log_odds(cosine), promise, standing.shipped)
                    near = where.score >= standing.shipped[0] and not one.candidate["differences"]
                    one.candidate["audits"] = audited(where, standing, gray=near and not one.accepted)
                found.append(one)
        return found


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
