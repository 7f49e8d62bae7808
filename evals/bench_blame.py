"""Plant known faults in runs of the real graph, blame each bad answer, and count how often the right part is named."""

import asyncio
import dataclasses
import logging
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from scipy.stats import binomtest
from typing_extensions import TypedDict

from evals.blame_baselines import by_rules, stand_in
from evals.blame_plan import KINDS, LANGUAGES, PAIRS, Row, candidates, questions_for, read_plan
from evals.blame_plants import Planted, Planter
from evals.blame_world import Bases, World
from graph.blame_judging import PANEL_ERR, AnswerJudge, ReferenceJudge
from graph.blaming import blame
from groat.blame.reference import Reference
from groat.types import Asked, Charge, Passage

Known = Literal["full", "answer", "none"]
"""What the verdict is told of the right answer: strings it must hold, with the documents that answer; a sentence; or nothing,
so that a judge must do who errs in ``PANEL_ERR`` of its judgements."""
_TRIES: Final = 6
"""Cases that are tried for each that is wanted: not every one can be planted."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What came of one case."""

    id: str
    lang: str
    group: Literal["single", "pair", "placebo"]
    faults: tuple[str, ...]
    expected: tuple[str, ...]
    origin: str
    second: str | None
    confidence: float
    calls: int
    rules: str
    """What reading the trace by rules names."""
    stand_in: str
    """What a stand-in for a model that reads the trace names."""

    @property
    def is_right(self) -> bool:
        """Whether the verdict names what was planted; of two faults either."""
        return self.origin in self.expected


class Share(TypedDict):
    """A share with its 95 % interval (Wilson)."""

    n: int
    share: float
    low: float
    high: float


class NoisyJudge:
    """A judge that takes some answers for the opposite of what they are, and the same answer always the same way.

    Args:
        judge: knows the truth.
        error: share of answers that are taken wrongly.
        seed: draws which.
    """

    def __init__(self, judge: ReferenceJudge, error: float, seed: str) -> None:
        """Say nothing yet."""
        self._judge = judge
        self._error = error
        self._seed = seed
        self.error = max(error, judge.error)
        self.charges: list[Charge] = []

    async def right(self, asked: Asked, answer: str, passages: Sequence[Passage]) -> bool | None:
        """Return what it says of the answer."""
        truth = await self._judge.right(asked, answer, passages)
        errs = random.Random(f"{self._seed}/{answer}").random() < self._error
        return truth if truth is None or not errs else not truth


async def run(
    count: int,
    *,
    seed: int = 7,
    plan: Path | None = None,
    judge_error: float = 0.0,
    known: Known = "full",
    steady: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Case], int]:
    """Return the cases, and how many could not be planted.

    Args:
        count: cases with one fault; an eighth of it with two faults and an eighth of placebos are added. Not used with a plan.
        seed: draws questions and whatever else is left to chance; the same gives the same.
        plan: file of cases in place of drawn ones.
        judge_error: how often the judge of the replays errs, 0..0.5.
        known: what the verdict is told of the right answer.
        steady: whether the models do as verdicts assume when they are asked again.
        progress: told how many cases of how many are done.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bases = Bases(folder)
        world = World(folder, await bases.open(), steady=steady)
        pool = questions_for({document: bases.text(document) for document in bases.documents})
        planter = Planter(world, bases, seed=seed)
        wanted = [[row] for row in read_plan(plan, pool)] if plan else None
        cases: list[Case] = []
        missed = 0
        quotas = [(iter(rows), 1) for rows in wanted] if wanted else list(_quotas(count, pool, seed))
        whole = sum(quota for _, quota in quotas)
        for rows, quota in quotas:
            async for planted in _planted(rows, quota, planter):
                if planted is None:
                    missed += 1
                    continue
                cases.append(await _blamed(planted, world, seed=seed, judge_error=judge_error, known=known))
                if progress is not None:
                    progress(len(cases), whole)
        return cases, missed


def _quotas(count: int, pool: Any, seed: int) -> Iterable[tuple[Iterable[Row], int]]:
    """Yield rows to try with how many of them are wanted: as many of each kind of fault, half of them in each language."""
    kinds = [(kind, count // len(KINDS)) for kind in KINDS]
    pairs = [((pair,), 0) for pair in PAIRS]
    for place in range(max(count // 8, 2)):
        spot = place // 2 % len(PAIRS)
        pairs[spot] = (pairs[spot][0], pairs[spot][1] + 1)
    for place, language in enumerate(LANGUAGES):
        for kind, quota in kinds:
            half = (quota + 1 - place) // 2
            shares = [(half + 1 - turn) // 2 for turn in range(2)] if len(kind) == 2 else [half]
            for fault, share in zip(kind, shares, strict=True):
                rng = random.Random(f"{seed}/{fault}/{language}")
                yield candidates((fault,), language, pool[language], rng, name=fault), share
        for (pair,), quota in pairs:
            rng = random.Random(f"{seed}/{pair}/{language}")
            yield candidates(pair, language, pool[language], rng, name="+".join(pair)), (quota + 1 - place) // 2
        rng = random.Random(f"{seed}/placebo/{language}")
        yield candidates((), language, pool[language], rng, name="placebo"), (max(count // 8, 2) + 1 - place) // 2


async def _planted(rows: Iterable[Row], quota: int, planter: Planter) -> AsyncIterator[Planted | None]:
    """Yield planted cases until there are enough, None for each that could not be planted."""
    done = 0
    for tried, row in enumerate(rows):
        if done == quota or tried >= _TRIES * quota:
            return
        planted = await planter.plant(row)
        done += planted is not None
        yield planted


async def _blamed(planted: Planted, world: World, *, seed: int, judge_error: float, known: Known) -> Case:
    row = planted.row
    reference, judge = _told(planted.reference, judge_error, known, f"{seed}/{row.id}")
    verdict, kept = await blame(
        planted.run, world.services, world.replayer, reference=reference, mark="user", judge=judge
    )  # fmt: skip
    return Case(
        id=row.id,
        lang=row.question["lang"],
        group=row.group,
        faults=row.faults,
        expected=row.expected,
        origin=verdict.origin,
        second=verdict.second,
        confidence=verdict.confidence,
        calls=kept.calls,
        rules=by_rules(planted.run, planted.reference),
        stand_in=stand_in(row.expected, random.Random(f"{seed}/stand-in/{row.id}")),
    )


def _told(whole: Reference, error: float, known: Known, seed: str) -> tuple[Reference | None, AnswerJudge]:
    """Return what the verdict is told, and who judges for it."""
    if known == "none":
        return None, NoisyJudge(ReferenceJudge(whole, error=0.0), max(error, PANEL_ERR), seed)
    told: Reference = whole if known == "full" else {"answer": whole["answer"]}
    judge = ReferenceJudge(told)
    return told, NoisyJudge(judge, error, seed) if error else judge


def figures(cases: Sequence[Case], *, not_planted: int, seed: int, judge_error: float, known: Known = "full") -> dict[str, Any]:
    """Return what the cases come to."""
    singles = [case for case in cases if case.group == "single"]
    pairs = [case for case in cases if case.group == "pair"]
    placebos = [case for case in cases if case.group == "placebo"]
    return {
        "cases": len(cases),
        "seed": seed,
        "judge_error": judge_error,
        "reference": known,
        "not_planted": not_planted,
        **_of(singles),
        "by_lang": {lang: _of([case for case in singles if case.lang == lang]) for lang in LANGUAGES},
        "two_faults": share([case.is_right for case in pairs]),
        "two_faults_both_named": share([set(case.faults) == {case.origin, case.second} for case in pairs]),
        "placebo_blamed": share([case.origin not in ("no_fault", "unclear") for case in placebos]),
        "confusion": _confusion(cases, lambda case: case.origin),
        "baselines": {
            "rules": {
                "accuracy": share([case.rules in case.expected for case in singles]),
                "macro_f1": _macro_f1(singles, lambda case: case.rules),
                "placebo_blamed": share([case.rules != "no_fault" for case in placebos]),
                "confusion": _confusion(cases, lambda case: case.rules),
            },
            "stand_in": {
                "accuracy": share([case.stand_in in case.expected for case in singles]),
                "macro_f1": _macro_f1(singles, lambda case: case.stand_in),
                "confusion": _confusion(cases, lambda case: case.stand_in),
            },
        },
        "rows": [dataclasses.asdict(case) for case in cases],
    }


def _of(cases: Sequence[Case]) -> dict[str, Any]:
    accuracy = share([case.is_right for case in cases])
    calls = sorted(case.calls for case in cases) or [0]
    origins = sorted({case.expected[0] for case in cases})
    return {
        "singles": len(cases),
        "accuracy": accuracy["share"],
        "accuracy_ci": [accuracy["low"], accuracy["high"]],
        "macro_f1": _macro_f1(cases, lambda case: case.origin),
        "abstain": share([case.origin == "unclear" for case in cases])["share"],
        "model_calls_per_case": round(statistics.mean(calls), 3),
        "model_calls": {"median": statistics.median(calls), "p90": calls[int(0.9 * (len(calls) - 1))], "most": calls[-1]},
        "recall": {
            origin: share([case.is_right for case in cases if case.expected[0] == origin]) for origin in origins
        },
    }  # fmt: skip


def share(hits: Sequence[bool]) -> Share:
    """Return the share of what holds."""
    if not hits:
        return {"n": 0, "share": 0.0, "low": 0.0, "high": 1.0}
    interval = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    return {
        "n": len(hits), "share": round(sum(hits) / len(hits), 4), "low": round(interval.low, 4), "high": round(interval.high, 4)
    }  # fmt: skip


def _macro_f1(cases: Sequence[Case], named: Callable[[Case], str]) -> float:
    """Return the mean F1 over the origins that were planted."""
    scores = []
    for origin in sorted({case.expected[0] for case in cases}):
        hit = sum(named(case) == origin == case.expected[0] for case in cases)
        said, true = sum(named(case) == origin for case in cases), sum(case.expected[0] == origin for case in cases)
        scores.append(2 * hit / (said + true))
    return round(statistics.mean(scores), 4) if scores else 0.0


def _confusion(cases: Sequence[Case], named: Callable[[Case], str]) -> dict[str, dict[str, int]]:
    """Return how often each origin was named, by what was planted."""
    rows: dict[str, Counter[str]] = {}
    for case in cases:
        rows.setdefault("+".join(case.faults) or "placebo", Counter())[named(case)] += 1
    return {name: dict(counted.most_common()) for name, counted in rows.items()}


def measure(
    count: int,
    *,
    seed: int,
    plan: Path | None,
    judge_error: float,
    known: Known = "full",
    steady: bool = True,
    progress: Any = None,
) -> dict[str, Any]:
    """Plant, blame, and return the figures; see ``run``."""
    # Every case begins with an empty cache, which is just what the cache's alarm is there for.
    logging.getLogger("groat.cache.counts").setLevel(logging.ERROR)
    cases, missed = asyncio.run(
        run(count, seed=seed, plan=plan, judge_error=judge_error, known=known, steady=steady, progress=progress)
    )  # fmt: skip
    return {**figures(cases, not_planted=missed, seed=seed, judge_error=judge_error, known=known), "steady": steady}
