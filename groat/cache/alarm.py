"""Is the cache still what it was? A hit rate that falls to nothing is seen, and so are errors, and one refusal for all.

Each test compares with the cache's own recent past, and errs rarely. For questions that hit independently of each other, at no
less than half of the earlier rate, a run without a hit raises an alarm with a probability of at most twice
``groat.cache.chance.RARE``: once for the run itself, once for the chance that the earlier rate was overestimated. What makes
hits rarer by half or less is no alarm.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from groat.cache.chance import FEW_ERRORS, RARE, Share, always, errors_jumped, fell_to_nothing
from groat.cache.reasons import REASONS

_BLOCK: Final = 100
"""Lookups among which errors are counted."""
_NORMAL: Final = frozenset({"empty", "below_threshold"})
"""Refusals that a young cache has nothing but."""
_SHORTEST: Final = 48
"""Lookups below which a run is no alarm, however improbable: one person may ask as many questions about one thing."""

Kind = Literal["no_hits", "no_exact_hits", "no_semantic_hits", "same_refusal", "errors"]
Counted = Mapping[str, int]
"""Numbers of lookups by name, as ``groat.cache.counts`` names them: "hit.exact", "miss.differs", "error.failed"."""

SAYS: Final[dict[Kind, str]] = {
    "no_hits": "the cache serves nothing any more",
    "no_exact_hits": "the cache serves equal questions no more, as if it forgot what it kept or another identity was in force",
    "no_semantic_hits": "the cache serves nothing by likeness any more",
    "same_refusal": "all that is alike is refused for one and the same reason",
    "errors": "the cache fails far more often than it did",
}


@dataclass(frozen=True)
class Alarm:
    """Something that is not as it was. Holds no text."""

    kind: Kind
    language: str
    """Of the questions; empty for errors, which know none."""
    lookups: int
    """How many lookups show it."""
    usual: float
    """The earlier share that is compared with, 0..1: of hits the least that it was, of refusals and errors the most."""
    reason: str = ""
    """The refusal."""

    @property
    def code(self) -> str:
        """What it is known by, such as "no_semantic_hits/zh"."""
        return "/".join(part for part in (self.kind, self.language, self.reason) if part)

    def sentence(self) -> str:
        """Return what happened and what to look at, without content."""
        where = f" in {self.language}" if self.language else ""
        reason = f" ({self.reason})" if self.reason else ""
        usual = f"{'at least' if 'hits' in self.kind else 'at most'} {self.usual:.1%}"
        return (
            f"{SAYS[self.kind]}{where}{reason}: {self.lookups} lookups, where it was {usual} before; "
            "see what was deployed or calibrated, `groat cache stats` and `groat cache explain QUESTION`"
        )


SELECT: Final[dict[Kind, Callable[[Counted], Share]]] = {
    "no_hits": lambda counted: Share(_looked(counted), _hits(counted)),
    "no_exact_hits": lambda counted: Share(_looked(counted), counted.get("hit.exact", 0) + counted.get("hit.normalised", 0)),
    "no_semantic_hits": lambda counted: Share(_compared(counted), counted.get("hit.similar", 0)),
}
"""What each kind of hit is counted among: those by likeness among the questions that came so far."""


@dataclass
class _Run:
    """What a language has seen since something else than now."""

    dry: Counter[Kind] = field(default_factory=Counter)
    refused: str = ""
    times: int = 0


class Watch:
    """Looks at every lookup of a process, and says what is not as it was.

    Args:
        rare: largest probability of a false alarm, for each run without a hit; see the module.
    """

    def __init__(self, rare: float = RARE) -> None:
        """Know nothing of the past yet."""
        self._rare = rare
        self._earlier: dict[str, Counter[str]] = {}
        self._seen: dict[str, Counter[str]] = {}
        self._runs: dict[str, _Run] = {}
        self._block = Share()
        self.alarms: dict[str, Alarm] = {}
        """What is in force, by code."""

    def remember(self, earlier: Mapping[str, Counted]) -> None:
        """Take what was counted before this process, by language, for its past."""
        self._earlier = {language: Counter(counted) for language, counted in earlier.items()}

    def see(self, language: str, name: str) -> list[Alarm]:
        """Take note of a lookup; return the alarms that it raises. Takes a few microseconds."""
        seen = self._seen.setdefault(language, Counter())
        outcome, _, code = name.partition(".")
        if outcome == "off":
            return []
        raised = [self._see_error(outcome == "error")]
        if outcome != "error":
            run = self._runs.setdefault(language, _Run())
            # The run itself is no part of the past that it is compared with.
            raised += [*self._see_run(language, run, outcome, code), self._see_refusal(language, run, outcome, code)]
        seen[name] += 1
        return [alarm for alarm in raised if alarm is not None]

    def _see_run(self, language: str, run: _Run, outcome: str, code: str) -> list[Alarm | None]:
        happened: dict[Kind, bool] = {"no_hits": outcome == "hit", "no_exact_hits": outcome == "hit" and code != "similar"}
        if _is_compared(outcome, code):
            happened["no_semantic_hits"] = code == "similar"
        raised: list[Alarm | None] = []
        for kind, hit in happened.items():
            if hit:
                run.dry[kind] = 0
                self.alarms.pop(f"{kind}/{language}", None)
                continue
            run.dry[kind] += 1
            if _is_looked_at(run.dry[kind]) and f"{kind}/{language}" not in self.alarms:
                past = SELECT[kind](self._past(language))
                past.of -= run.dry[kind] - 1
                usual = fell_to_nothing(Share(run.dry[kind]), past, self._rare)
                raised.append(None if usual is None else self._raise(Alarm(kind, language, run.dry[kind], usual)))
        return raised

    def _see_refusal(self, language: str, run: _Run, outcome: str, code: str) -> Alarm | None:
        if not _is_compared(outcome, code):
            return None
        if outcome == "hit" or code != run.refused:
            self.alarms.pop(f"same_refusal/{language}/{run.refused}", None)
            run.refused, run.times = ("", 0) if outcome == "hit" else (code, 1)
            return None
        run.times += 1
        if not _is_looked_at(run.times) or f"same_refusal/{language}/{code}" in self.alarms:
            return None
        counted = self._past(language)
        past = Share(_compared(counted) - run.times + 1, counted.get(f"miss.{code}", 0) - run.times + 1)
        usual = always(run.times, past, normal=code in _NORMAL, rare=self._rare)
        return None if usual is None else self._raise(Alarm("same_refusal", language, run.times, usual, code))

    def _see_error(self, failed: bool) -> Alarm | None:
        block = self._block
        block.of += 1
        block.happened += failed
        raised = self._look_at_errors(block) if failed else None
        if block.of >= _BLOCK:
            if block.happened < FEW_ERRORS:
                self.alarms.pop("errors", None)
            self._block = Share()
        return raised

    def _look_at_errors(self, block: Share) -> Alarm | None:
        past = sum((_errors(self._past(language)) for language in {*self._earlier, *self._seen}), Share())
        past.of, past.happened = past.of - block.of + 1, past.happened - block.happened + 1
        # A block is looked at up to as many times as it has lookups.
        usual = errors_jumped(block, past, self._rare / _BLOCK)
        return None if usual is None else self._raise(Alarm("errors", "", block.of, usual))

    def _past(self, language: str) -> Counter[str]:
        return self._earlier.get(language, Counter()) + self._seen.get(language, Counter())

    def _raise(self, alarm: Alarm) -> Alarm | None:
        fresh = alarm.code not in self.alarms
        self.alarms[alarm.code] = alarm
        return alarm if fresh else None


def _is_compared(outcome: str, code: str) -> bool:
    return code == "similar" or (outcome == "miss" and REASONS[code].likeness)


def _is_looked_at(times: int) -> bool:
    """Say whether a run of this length is looked at: every 16 lookups, and ever more rarely, since a look takes some 20 µs."""
    return times >= _SHORTEST and times % (1 << max(4, times.bit_length() - 3)) == 0


def _hits(counted: Counted) -> int:
    return sum(number for name, number in counted.items() if name.startswith("hit."))


def _looked(counted: Counted) -> int:
    return sum(number for name, number in counted.items() if name.startswith(("hit.", "miss.")))


def _compared(counted: Counted) -> int:
    refused = (counted.get(f"miss.{code}", 0) for code, reason in REASONS.items() if reason.likeness)
    return counted.get("hit.similar", 0) + sum(refused)


def alarms_in(recent: Mapping[str, Counted], past: Mapping[str, Counted], rare: float = RARE) -> list[Alarm]:
    """Return what the counts of a recent while, by language, show against those of the time before. Pure."""
    found = []
    for language, counted in recent.items():
        before = past.get(language, {})
        for kind, select in SELECT.items():
            now = select(counted)
            usual = fell_to_nothing(now, select(before), rare)
            if usual is not None:
                found.append(Alarm(kind, language, now.of, usual))
        found += _same_refusal(language, counted, before, rare)
    now = sum((_errors(counted) for counted in recent.values()), Share())
    usual = errors_jumped(now, sum((_errors(counted) for counted in past.values()), Share()), rare) if now.of else None
    return found if usual is None else [*found, Alarm("errors", "", now.of, usual)]


def _same_refusal(language: str, counted: Counted, before: Counted, rare: float) -> list[Alarm]:
    of = _compared(counted)
    for code, reason in REASONS.items():
        if reason.likeness and of and counted.get(f"miss.{code}", 0) == of:
            past = Share(_compared(before), before.get(f"miss.{code}", 0))
            usual = always(of, past, normal=code in _NORMAL, rare=rare)
            if usual is not None:
                return [Alarm("same_refusal", language, of, usual, code)]
    return []


def _errors(counted: Counted) -> Share:
    failed = counted.get("error.failed", 0)
    return Share(_looked(counted) + failed, failed)
