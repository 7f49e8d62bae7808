"""Finds what a bad answer comes from: looks at the record, then pulls the most telling lever for its price, until it is clear.

The scheme is sequential Bayesian testing with the next test chosen by expected information (Lindley 1956); it stops at a
probability, as Wald's sequential test does, and abstains when the tests run out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Protocol

from groat.blame.beliefs import Beliefs, Outcome, accomplice, looked, most_telling, named, replayed, stored_asked
from groat.blame.causes import ORIGIN, STORED, Cause, Lever, Situation, chance, prior
from groat.blame.facts import Facts
from groat.blame.snapshot import Finding, MarkKind, Origin

SURE: Final = 0.95
"""Probability at which a verdict is clear."""
LIKELY: Final = 0.6
"""Probability of the best origin below which none is named when there is nothing left to try."""
MOST_CALLS: Final = 10
"""Calls of chat models that one investigation may make."""
_REPEATS: Final = 3
"""How often one lever is pulled: what three replays have not shown, a fourth will not."""
MISTAKEN: Final[Mapping[MarkKind, float]] = {"user": 0.2, "validator": 0.15, "evaluator": 0.1, "person": 0.1}
"""How often somebody calls a right answer bad, by who it is. Assumed: thumbs are given for many reasons."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One counterfactual: what the run gives when exactly one thing is changed."""

    lever: str
    answer: str
    right: bool | None
    """By the judge; None when it had no opinion, or when another question was asked."""
    same: bool | None
    """It says what the blamed answer says."""
    verbatim: bool
    """It is the blamed answer word for word."""
    error: float
    """Probability that the judge erred."""
    calls: int
    """Calls of chat models; 0 for what was on record."""
    cost_usd: str | None
    path: tuple[str, ...]
    skipped: str = ""
    """Why it was not run or gave nothing; then the rest means nothing."""


class Run(Protocol):
    """A run that may be run again with something changed."""

    situation: Situation

    @property
    def levers(self) -> Sequence[Lever]:
        """What can be changed on it."""
        ...

    @property
    def costs(self) -> Mapping[str, float]:
        """What each lever costs, by name, in any one unit above 0."""
        ...

    async def facts(self) -> Facts:
        """Return what the record shows."""
        ...

    async def replay(self, lever: Lever) -> Replay:
        """Run it again."""
        ...

    def afresh(self) -> "Run | None":
        """Return the newest run of the whole graph that a replay made, as one that may be investigated; None without one."""
        ...


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What an investigation came to."""

    origin: Finding
    cause: Cause | None
    """Finer than the origin; None without a verdict."""
    confidence: float
    """Probability of the origin, 0..1."""
    second: Origin | None
    """Another fault that took part."""
    replays: tuple[Replay, ...]
    facts: Facts
    beliefs: dict[Finding, float]
    """Probability that each origin took part, the likeliest first; those below 1 % are left out."""
    stopped: str
    """Why it ended: "clear", "nothing left to try", "budget", or the sentence of what failed."""
    afresh: "Verdict | None" = None
    """What came of looking at the run with the cache bypassed, which was bad too."""

    @property
    def calls(self) -> int:
        """Calls of chat models, over all replays."""
        return sum(replay.calls for replay in self.replays) + (self.afresh.calls if self.afresh else 0)

    @property
    def cost_usd(self) -> str | None:
        """Decimal dollars, over all replays; None when a price is unknown."""
        costs = [replay.cost_usd for replay in self.replays] + ([self.afresh.cost_usd] if self.afresh else [])
        return None if None in costs else f"{sum((Decimal(one) for one in costs if one is not None), Decimal(0)):f}"


@dataclass
class _State:
    beliefs: Beliefs
    facts: Facts
    replays: list[Replay] = field(default_factory=list)
    pulled: Counter[str] = field(default_factory=Counter)
    proven: bool = False
    stopped: str = ""

    @property
    def calls(self) -> int:
        return sum(replay.calls for replay in self.replays)


async def investigate(run: Run, *, mark: MarkKind, error: float, most_calls: int = MOST_CALLS) -> Verdict:
    """Return what the run's bad answer comes from.

    Args:
        run: what was marked.
        mark: who marked it.
        error: probability that the judge errs, 0..0.5.
        most_calls: calls of chat models that may be made.
    """
    facts = await run.facts()
    state = _State(looked(prior(run.situation, mistaken=MISTAKEN[mark]), facts, error=error), facts)
    if (settled := _without_replay(run, facts, state)) is not None:
        return settled
    while not state.stopped:
        lever = _next(run, state, error)
        if lever is None:
            state.stopped = "clear" if _is_clear(state) else "nothing left to try"
        elif state.calls >= most_calls:
            state.stopped = "budget"
        else:
            await _pull(run, state, lever)
    afresh = None
    if run.situation.hit and named(state.beliefs)[0] == "not_the_cache" and (deeper := run.afresh()) is not None:
        afresh = await investigate(deeper, mark="evaluator", error=error, most_calls=most_calls - state.calls)
    return _verdict(state, afresh)


def _without_replay(run: Run, facts: Facts, state: _State) -> Verdict | None:
    """Return the verdict that needs no counterfactual: nothing could answer, and the answer said so."""
    if run.situation.answerable or not facts.right:
        return None
    return Verdict(
        origin="unanswerable", cause=None, confidence=SURE, second=None, replays=(), facts=facts,
        beliefs={"unanswerable": SURE}, stopped="clear",
    )  # fmt: skip


def _is_clear(state: _State) -> bool:
    return named(state.beliefs)[1] >= SURE


def _next(run: Run, state: _State, error: float) -> Lever | None:
    """Return what to pull next; None when it is clear and proved, or nothing is left."""
    left = [lever for lever in run.levers if state.pulled[lever.name] < _REPEATS]
    cause, p = named(state.beliefs)
    if p >= SURE:
        if state.proven or cause in ("none", "validation"):
            return None
        # Clear from the record alone: what is named must also be shown.
        untried = [lever for lever in left if not state.pulled[lever.name]]
        shown = [lever for lever in untried if chance(frozenset({cause}), lever) > 0.5 and lever.fresh != "stored"]
        return min(shown, key=lambda lever: run.costs[lever.name], default=None)
    if run.situation.hit:
        # The stored question tells wrong hits from stale ones, and nothing while it may not be the cache at all.
        first = [lever for lever in left if lever.fresh == "question" and not state.pulled[lever.name]]
        second = [lever for lever in left if lever.fresh == "stored" and not state.pulled[lever.name]]
        wanted = first or (second if cause != "not_the_cache" else [])
        left = [lever for lever in left if lever.fresh == "question"]
        return wanted[0] if wanted else most_telling(state.beliefs, left, run.costs, error=error)
    return most_telling(state.beliefs, left, run.costs, error=error)


async def _pull(run: Run, state: _State, lever: Lever) -> None:
    replay = await run.replay(lever)
    state.pulled[lever.name] += 1
    if any(one.lever == lever.name and one.answer == replay.answer for one in state.replays):
        # Word for word the same: a third time would show nothing new.
        state.pulled[lever.name] = _REPEATS
    state.replays.append(replay)
    if replay.skipped:
        state.pulled[lever.name] = _REPEATS
        if replay.skipped == "budget":
            state.stopped = "budget"
        return
    if lever == STORED:
        if replay.same is not None:
            state.beliefs = stored_asked(state.beliefs, replay.same, one_question=bool(state.facts.one_question))
        return
    outcome = Outcome(right=replay.right, same=replay.same, verbatim=replay.verbatim, error=replay.error)
    state.beliefs = replayed(state.beliefs, lever, outcome)
    state.proven = state.proven or (replay.right is True and replay.same is not True)


def _verdict(state: _State, afresh: Verdict | None) -> Verdict:
    cause, p = named(state.beliefs)
    shown = _shares(state.beliefs)
    if afresh is not None:
        deeper = afresh.origin if afresh.origin not in ("unclear", "no_fault") else "unclear"
        return Verdict(
            origin=deeper, cause=afresh.cause, confidence=round(p * afresh.confidence, 4), second=afresh.second,
            replays=tuple(state.replays), facts=state.facts, beliefs=shown, stopped=afresh.stopped, afresh=afresh,
        )  # fmt: skip
    # Nothing is named that was not looked into, however likely it was from the start.
    least = LIKELY if any(not replay.skipped for replay in state.replays) or state.stopped != "budget" else SURE
    clear = p >= least and ORIGIN[cause] != "unclear"
    other = accomplice(state.beliefs, cause) if clear and cause != "none" else None
    return Verdict(
        origin=ORIGIN[cause] if clear else "unclear",
        cause=cause if clear else None,
        confidence=round(p, 4),
        second=_origin(other),
        replays=tuple(state.replays),
        facts=state.facts,
        beliefs=shown,
        stopped=state.stopped,
    )


def _origin(cause: Cause | None) -> Origin | None:
    found = None if cause is None else ORIGIN[cause]
    return None if found is None or found == "no_fault" or found == "unclear" else found


def _shares(beliefs: Beliefs) -> dict[Finding, float]:
    shares: dict[Finding, float] = {}
    for hypothesis, p in beliefs.items():
        for origin in {ORIGIN[cause] for cause in hypothesis}:
            shares[origin] = shares.get(origin, 0.0) + p
    return {origin: round(p, 4) for origin, p in sorted(shares.items(), key=lambda one: -one[1]) if p >= 0.01}
