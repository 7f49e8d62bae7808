"""Play pairs and streams of labelled questions through the shipped answer cache, beside the rules that others use."""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, Protocol, get_args

import numpy as np
from typing_extensions import TypedDict

from evals.cache_baselines import Trace, fixed, vcache
from evals.pair_rows import Pair
from evals.pair_scores import auc
from groat.cache import AnswerCache, MemoryStore, NewAnswer
from groat.cache.accept import AcceptRule
from groat.cache.answers import Embed
from groat.cache.replay import Stream, interval
from groat.embedding import Vector
from groat.text import detect_language
from groat.types import Asked, Identity, Language, Lookup

THRESHOLDS = (0.85, 0.9, 0.95, 0.97, 0.98, 0.99)
"""Cosines of the plain rule that are shown beside ours: 0.9 is the popular default."""
Tell = Callable[[str], None]
Watch = Callable[[str, Lookup, bool], None]
"""Is told of each question, what was decided on it, and whether what was served is right."""


class Asks(Protocol):
    """What is asked of an embedder."""

    async def query(self, text: str) -> Vector:
        """Return the unit vector of a question."""
        ...


class Counts(TypedDict):
    """What one rule did."""

    hits: int
    correct_hits: int
    wrong_hits: int
    hit_rate: float
    """Hits among requests."""
    recall: float
    """Correct hits among requests whose answer was there."""
    precision: float | None
    """Correct hits among hits; None without a hit."""
    wrong_rate: float
    """Wrong hits among requests."""


class Report(Counts):
    """What the shipped rule did on one file, in one language."""

    name: str
    lang: str
    n: int
    reachable: int
    """Requests whose answer was there."""
    wrong_of_hits_ci: tuple[float, float]
    """95 %, Clopper-Pearson."""
    recall_ci: tuple[float, float]
    max_wrong: float
    rule: str
    """Version of what decided."""
    tiers: dict[str, int]
    reasons: dict[str, int]
    """Reason code -> lookups."""
    judged: int
    """Lookups in which the judge of pairs was asked for an opinion that counted."""
    auc: NotRequired[float | None]
    by_kind: NotRequired[dict[str, Counts]]
    baselines: NotRequired[dict[str, Counts]]


class Wrong(TypedDict):
    """A wrong hit as labelled."""

    asked: str
    served: str
    score: float | None


@dataclass
class Played:
    """Lookups with what was right."""

    n: int = 0
    reachable: int = 0
    hits: int = 0
    wrong: int = 0
    judged: int = 0
    tiers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    reasons: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    errors: list[Wrong] = field(default_factory=list)

    def note(self, lookup: Lookup, *, reachable: bool, right: bool) -> bool:
        """Count one lookup; return whether it was a hit."""
        self.n += 1
        self.reachable += reachable
        self.reasons[lookup["reason"]] += 1
        candidate = lookup["candidate"]
        self.judged += bool(candidate and candidate.get("judged") is not None)
        if lookup["outcome"] != "hit":
            return False
        self.hits += 1
        self.tiers[lookup["tier"] or ""] += 1
        self.wrong += not right
        return True

    def counts(self) -> Counts:
        """Return the rates."""
        return counts(self.n, self.reachable, self.hits, self.wrong)


def counts(n: int, reachable: int, hits: int, wrong: int) -> Counts:
    """Return the rates that these counts make."""
    right = hits - wrong
    return {
        "hits": hits,
        "correct_hits": right,
        "wrong_hits": wrong,
        "hit_rate": _share(hits, n),
        "recall": _share(right, reachable),
        "precision": round(right / hits, 4) if hits else None,
        "wrong_rate": _share(wrong, n),
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


class Bench:
    """Plays files through one rule.

    Args:
        rule: what decides on hits by likeness.
        embedder: makes the vectors.
        max_wrong: the promise that the rule was made with; shown.
        tell: gets a line about the progress.
    """

    def __init__(self, rule: AcceptRule, embedder: Asks, *, max_wrong: float, tell: Tell = lambda _: None) -> None:
        """Keep the arguments."""
        self._rule, self._embedder, self._max_wrong, self._tell = rule, embedder, max_wrong, tell

    async def stream(self, stream: Stream, *, baselines: bool = True, watch: Watch | None = None) -> tuple[Report, list[Wrong]]:
        """Start empty, ask in order, keep every miss under its own answer; return the figures and the wrong hits."""
        cache = AnswerCache(MemoryStore(), self._rule, max_entries=len(stream.questions) + 1)
        played, answers = Played(), set[str]()
        vectors: list[Vector] = []
        for place, question in enumerate(stream.questions):
            asked, answer = asked_of(question, stream.language), stream.answer_ids[place]
            vector = await self._embedder.query(question)
            vectors.append(vector)
            lookup, served = await cache.lookup(_IDENTITY, asked, embed=_known(vector), current_versions=_unchanged)
            right = served is not None and served["answer"] == answer
            if watch is not None:
                watch(question, lookup, right)
            if played.note(lookup, reachable=answer in answers, right=right):
                if served is not None and not right:
                    score = lookup["candidate"].get("score") if lookup["candidate"] else None
                    played.errors.append({"asked": question, "served": served["question"], "score": score})
            elif await cache.remember(_IDENTITY, asked, _answer(answer), embed=_known(vector)):
                answers.add(answer)
            if place % 1000 == 999:
                self._tell(f"{stream.name}: {place + 1:,} of {len(stream.questions):,}")
        report = self._report(stream.name, stream.language, played)
        if baselines and vectors:
            report["baselines"] = self._others(Trace(np.stack(vectors), stream.answer_ids), played)
        return report, played.errors

    async def pairs(self, name: str, pairs: Sequence[Pair]) -> list[Report]:
        """Keep ``a`` alone and ask ``b``, pair by pair; return one report for each language."""
        groups: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            groups[pair.lang].append(pair)
        return [await self._pairs(name, lang, group) for lang, group in sorted(groups.items())]

    async def _pairs(self, name: str, lang: str, pairs: Sequence[Pair]) -> Report:
        whole, kinds = Played(), defaultdict[str, Played](Played)
        scores, cosines = [], []
        for number, pair in enumerate(pairs):
            lookup, cosine = await self.pair(pair)
            candidate = lookup["candidate"]
            found = candidate.get("second", candidate.get("score", candidate["similarity"])) if candidate else None
            least = cosine if lookup["reason"] == "no_calibration" else _NEVER
            scores.append(_EQUAL if lookup["tier"] == "exact" else least if found is None else found)
            cosines.append(cosine)
            for played in (whole, kinds[pair.kind or "pair"]):
                played.note(lookup, reachable=pair.same, right=pair.same)
            if number % 1000 == 999:
                self._tell(f"{name}: {number + 1:,} of {len(pairs):,}")
        report = self._report(name, lang, whole)
        same = np.array([pair.same for pair in pairs], dtype=bool)
        report["auc"] = auc(same, np.array(scores) - _NEVER)
        if len(kinds) > 1:
            report["by_kind"] = {kind: played.counts() for kind, played in sorted(kinds.items())}
        report["baselines"] = {
            f"cosine {threshold:g}": counts(
                len(pairs), int(same.sum()), int((taken := np.array(cosines) >= threshold).sum()), int((taken & ~same).sum())
            )
            for threshold in THRESHOLDS
        }
        return report

    async def pair(self, pair: Pair) -> tuple[Lookup, float]:
        """Keep ``a`` alone and ask ``b``; return the decision and the cosine."""
        cache = AnswerCache(MemoryStore(), self._rule)
        first, second = await self._embedder.query(pair.a), await self._embedder.query(pair.b)
        asked = [asked_of(text, detect_language(text)) for text in (pair.a, pair.b)]
        if pair.lang in get_args(Language):
            asked = [asked_of(text, pair.lang) for text in (pair.a, pair.b)]  # type: ignore[arg-type]  # one of the languages
        await cache.remember(_IDENTITY, asked[0], _answer("kept"), embed=_known(first))
        lookup, _ = await cache.lookup(_IDENTITY, asked[1], embed=_known(second), current_versions=_unchanged)
        return lookup, float(first @ second)

    def _report(self, name: str, lang: str, played: Played) -> Report:
        right = played.hits - played.wrong
        rates = played.counts()
        return {
            "name": name,
            "lang": lang,
            "n": played.n,
            "reachable": played.reachable,
            "hits": rates["hits"],
            "correct_hits": rates["correct_hits"],
            "wrong_hits": rates["wrong_hits"],
            "hit_rate": rates["hit_rate"],
            "recall": rates["recall"],
            "precision": rates["precision"],
            "wrong_rate": rates["wrong_rate"],
            "wrong_of_hits_ci": interval(played.wrong, played.hits),
            "recall_ci": interval(right, played.reachable),
            "max_wrong": self._max_wrong,
            "rule": self._rule.version,
            "tiers": dict(played.tiers),
            "reasons": dict(sorted(played.reasons.items())),
            "judged": played.judged,
        }

    def _others(self, trace: Trace, ours: Played) -> dict[str, Counts]:
        """Return what other rules do on the same stream, and the best fixed threshold with no larger share of wrong hits."""
        found = {f"cosine {threshold:g}": counts(*fixed(trace, threshold)) for threshold in THRESHOLDS}
        share = ours.wrong / ours.hits if ours.hits else 0.0
        tried = [counts(*fixed(trace, float(threshold))) for threshold in np.arange(0.86, 1.0, 0.0025)]
        no_worse = [one for one in tried if one["wrong_hits"] <= share * one["hits"]]
        if no_worse:
            found["cosine, best at equal wrong hits"] = max(no_worse, key=lambda one: one["correct_hits"])
        for delta in sorted({0.01, 0.02, 0.05}):
            found[f"vCache {delta:g}"] = counts(*vcache(trace, delta))
        return found


_EQUAL, _NEVER = 50.0, -50.0
"""Scores of an equal question, and of one that the policy keeps out: above and below all log odds."""
_IDENTITY: Identity = {
    "tenant": "bench", "answer_language": "en", "prompt_version": "", "model_policy": "", "conversation": "",
    "system_prompt": "", "tools": "", "knowledge": "",
}  # fmt: skip


def asked_of(question: str, language: Language) -> Asked:
    """Return a question that stands alone, as the engines see it."""
    return {
        "text": question, "language": language, "answer_language": language, "search_text": question, "history": [],
        "tenant": "bench",
    }  # fmt: skip


def _answer(text: str) -> NewAnswer:
    return {"answer": text, "sources": [], "documents": [], "tier": "cheap", "baseline_cost_usd": None}


def _known(vector: Vector) -> Embed:
    async def embed(_: str) -> Vector:
        return vector

    return embed


async def _unchanged(_: Collection[str]) -> Mapping[str, str]:
    return {}


def write_wrong(errors: Sequence[Wrong], file: Path) -> None:
    """Write the wrong hits, the surest first: in streams many are right, and only nobody linked the two questions."""
    ordered = sorted(errors, key=lambda one: -(one["score"] if one["score"] is not None else _EQUAL))
    file.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in ordered), encoding="utf-8")
