"""Is the promised share of wrong hits kept from stream to stream? Many streams are drawn from a few, and played from empty.

A stream of N requests takes whole groups of questions that one answer serves, at most twenty questions of each, in the order in
which they arrived. In a stream that shifts, the first half comes from one source and the second from another; where a language
has one source alone, from the two ends of its first principal direction.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NotRequired

import numpy as np
from scipy.stats import binom
from typing_extensions import TypedDict

from evals.adjudication import key_of, key_of_text
from evals.bench_cache import Asks, Bench
from groat.cache.accept import AcceptRule
from groat.cache.replay import Stream, interval
from groat.embedding import Matrix
from groat.errors import BadInput
from groat.types import Language, Lookup

_MOST_OF_A_GROUP = 20
"""Questions of one answer in one stream: an intent with hundreds would leave room for few others."""
_REJECTS = 0.05
"""Level of the one-sided binomial test."""


class Share(TypedDict):
    """Wrong hits among hits by likeness, by one set of labels."""

    wrong: int
    over: bool
    """Whether more than the promised share is wrong."""
    surely_over: bool
    """Whether a one-sided binomial test at 5 % rejects that the share is kept."""


class Played(TypedDict):
    """One stream."""

    lang: str
    number: int
    shift: bool
    sources: list[str]
    requests: int
    reachable: int
    """Requests whose answer was there."""
    right: int
    """Right hits as labelled, of equal questions too."""
    hits: int
    """By likeness."""
    labelled: Share
    read: NotRequired[Share]
    """With labels that were read in place of those that came."""


class Over(TypedDict):
    """In how many streams the promise was exceeded."""

    over: int
    surely_over: int
    wrong: int
    """Wrong hits of all streams: the streams share questions, so this has no interval."""
    mean_share: float | None
    """Mean over the streams with hits of wrong hits among hits, 0 to 1; None without such a stream."""


class Summary(TypedDict):
    """Streams of one language, of one kind."""

    lang: str
    kind: str
    """steady, shift or all."""
    streams: int
    without_hits: int
    requests: int
    hits: int
    recall: float
    """Mean over the streams of right hits among requests whose answer was there, as labelled."""
    labelled: Over
    read: NotRequired[Over]
    surely_over_ci: tuple[float, float]
    """95 % Clopper-Pearson interval of the share of streams that surely exceed, by the best labels there are."""


class Doubt(TypedDict):
    """A wrong hit as labelled that nobody read."""

    asked: str
    served: str
    times: int


@dataclass(frozen=True)
class Plan:
    """How streams are drawn and judged.

    Args:
        streams: how many for each language.
        requests: length of each; what a source has when it has less.
        shift: whether the topic of every second stream shifts half-way.
        max_wrong: the promise, 0 to 1.
        seed: of the draws.
    """

    streams: int = 100
    requests: int = 500
    shift: bool = True
    max_wrong: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class _Pool:
    """Questions that streams are drawn from."""

    name: str
    questions: list[str]
    answers: list[str]

    def drawn(self, size: int, rng: random.Random, answers: Collection[str] | None = None) -> list[tuple[str, str]]:
        """Return up to ``size`` requests in order of arrival, of whole groups; of these answers only, where they are given."""
        groups: dict[str, list[int]] = defaultdict(list)
        for place, answer in enumerate(self.answers):
            if answers is None or answer in answers:
                groups[answer].append(place)
        chosen: list[int] = []
        for answer in rng.sample(sorted(groups), len(groups)):
            group = groups[answer]
            chosen += group if len(group) <= _MOST_OF_A_GROUP else rng.sample(group, _MOST_OF_A_GROUP)
            if len(chosen) >= size:
                break
        return [(self.questions[place], f"{self.name}/{self.answers[place]}") for place in sorted(chosen[:size])]


class Streams:
    """Draws streams of one language and plays them.

    Args:
        sources: files of that language.
        plan: how.
        chosen: answer ids and keys of questions (``evals.adjudication``) that may be drawn; None for all.

    Raises:
        BadInput: nothing is left to draw.
    """

    def __init__(self, sources: Sequence[Stream], plan: Plan, chosen: frozenset[str] | None = None) -> None:
        """Leave out what may not be drawn."""
        self.language: Language = sources[0].language
        self._plan = plan
        self.pools = [pool for pool in (_pool(source, chosen) for source in sources) if pool.questions]
        if not self.pools:
            raise BadInput(f"no question of {', '.join(one.name for one in sources)} may be drawn; check the file of --only")
        self._halves: list[frozenset[str]] = []

    async def play(
        self, rule: AcceptRule, vectors: Asks, verdicts: Mapping[str, int] | None, tell: Callable[[str], None]
    ) -> tuple[list[Played], list[Doubt]]:
        """Play all streams; return the counts of each, and the wrong hits that nobody read, the most frequent first."""
        bench = Bench(rule, vectors, max_wrong=self._plan.max_wrong)
        if self._plan.shift and len(self.pools) == 1:
            self._halves = _halves(self.pools[0], np.stack([await vectors.query(text) for text in self.pools[0].questions]))
        played: list[Played] = []
        doubts: Counter[tuple[str, str]] = Counter()
        for number in range(self._plan.streams):
            shift = self._plan.shift and number % 2 == 1
            stream = self._stream(number, shift)
            seen: list[tuple[str, str, bool]] = []

            def watch(question: str, lookup: Lookup, right: bool, seen: list[tuple[str, str, bool]] = seen) -> None:
                if lookup["tier"] == "semantic" and lookup["candidate"] is not None:
                    seen.append((question, lookup["candidate"]["question"], right))

            report, _ = await bench.stream(stream, baselines=False, watch=watch)
            one: Played = {
                "lang": self.language, "number": number, "shift": shift,
                "sources": sorted({answer.partition("/")[0] for answer in stream.answer_ids}),
                "requests": report["n"], "reachable": report["reachable"], "right": report["correct_hits"], "hits": len(seen),
                "labelled": share(sum(not right for _, _, right in seen), len(seen), self._plan.max_wrong),
            }  # fmt: skip
            if verdicts is not None:
                wrong = sum(not verdicts.get(key_of(asked, kept), right) for asked, kept, right in seen)
                one["read"] = share(wrong, len(seen), self._plan.max_wrong)
            doubts.update(
                (asked, kept) for asked, kept, right in seen if not right and key_of(asked, kept) not in (verdicts or {})
            )
            played.append(one)
            tell(f"{self.language}: {number + 1} of {self._plan.streams} streams")
        return played, [{"asked": a, "served": b, "times": times} for (a, b), times in doubts.most_common()]

    def _stream(self, number: int, shift: bool) -> Stream:
        rng = random.Random(f"{self._plan.seed}/{self.language}/{number}")
        size, first = self._plan.requests, self.pools[(number // 2) % len(self.pools)]
        if not shift:
            rows = first.drawn(size, rng)
        elif len(self.pools) > 1:
            second = rng.choice([pool for pool in self.pools if pool is not first])
            rows = first.drawn(size // 2, rng) + second.drawn(size - size // 2, rng)
        else:
            ends = rng.sample(self._halves, 2)
            rows = first.drawn(size // 2, rng, ends[0]) + first.drawn(size - size // 2, rng, ends[1])
        return Stream(f"{number}", self.language, [question for question, _ in rows], [answer for _, answer in rows])


def _pool(source: Stream, chosen: frozenset[str] | None) -> _Pool:
    rows = [
        (question, answer)
        for question, answer in zip(source.questions, source.answer_ids, strict=True)
        if chosen is None or answer in chosen or key_of_text(question) in chosen
    ]
    return _Pool(source.name, [question for question, _ in rows], [answer for _, answer in rows])


def _halves(pool: _Pool, vectors: Matrix) -> list[frozenset[str]]:
    """Return the answers at either end of the first principal direction of the answers' mean vectors: two topics."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, answer in enumerate(pool.answers):
        places[answer].append(place)
    names = sorted(places)
    means = np.stack([vectors[places[name]].mean(axis=0) for name in names])
    centred = means - means.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    high = along > np.median(along)
    return [frozenset(name for name, is_high in zip(names, high, strict=True) if is_high == end) for end in (False, True)]


def share(wrong: int, hits: int, max_wrong: float) -> Share:
    """Return the count with whether it exceeds the promise, plainly and surely; without a hit nothing is exceeded."""
    by_chance = float(binom.sf(wrong - 1, hits, max_wrong)) if wrong else 1.0
    return {"wrong": wrong, "over": wrong > max_wrong * hits, "surely_over": by_chance < _REJECTS}


def summaries(played: Sequence[Played]) -> list[Summary]:
    """Return for each language the streams without a shift, those with one, and all."""
    found: list[Summary] = []
    for lang in sorted({one["lang"] for one in played}):
        own = [one for one in played if one["lang"] == lang]
        kinds = {"steady": [one for one in own if not one["shift"]], "shift": [one for one in own if one["shift"]], "all": own}
        found += [_summary(lang, kind, part) for kind, part in kinds.items() if part]
    return found


def _summary(lang: str, kind: str, part: Sequence[Played]) -> Summary:
    labelled = _over([(one["labelled"], one["hits"]) for one in part])
    summary: Summary = {
        "lang": lang, "kind": kind, "streams": len(part), "without_hits": sum(not one["hits"] for one in part),
        "requests": sum(one["requests"] for one in part), "hits": sum(one["hits"] for one in part),
        "recall": round(float(np.mean([one["right"] / one["reachable"] if one["reachable"] else 0.0 for one in part])), 4),
        "labelled": labelled, "surely_over_ci": interval(labelled["surely_over"], len(part)),
    }  # fmt: skip
    read = [(one["read"], one["hits"]) for one in part if "read" in one]
    if read:
        summary["read"] = _over(read)
        summary["surely_over_ci"] = interval(summary["read"]["surely_over"], len(part))
    return summary


def _over(shares: Sequence[tuple[Share, int]]) -> Over:
    with_hits = [one["wrong"] / hits for one, hits in shares if hits]
    return {
        "over": sum(one["over"] for one, _ in shares), "surely_over": sum(one["surely_over"] for one, _ in shares),
        "wrong": sum(one["wrong"] for one, _ in shares),
        "mean_share": round(float(np.mean(with_hits)), 4) if with_hits else None,
    }  # fmt: skip
