"""Follow cascade policies, and the plain rules beside them, over recorded answers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.cascade_cases import Case, Policies
from groat.validation.cascade import Assessment
from groat.validation.cascade_evidence import FULL, same
from groat.validation.cascade_fit import Example

Numbers = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Per case: quality, dollars, whether the strong model was asked, and how many answers of others were bought."""

    quality: Numbers
    cost: Numbers
    strong: Numbers
    bought: Numbers


class Walker:
    """Follows policies over the cases; what the answers of a case say is worked out once for all rates."""

    def __init__(self, cases: Sequence[Case], policies: Policies) -> None:
        """Keep the cases and who judges each."""
        self._cases = cases
        self._policies = [policies(case) for case in cases]
        self._assessed: dict[tuple[int, tuple[int, ...]], Assessment] = {}

    def promised(self, quality: float, confidence: float) -> Run:
        """Follow the policies under a promised quality."""
        return self._run(
            [
                policy.rate(case.example.task, reference=case.example.reference, quality=quality, confidence=confidence)
                for case, policy in zip(self._cases, self._policies, strict=True)
            ]
        )

    def refused(self, quality: float, confidence: float) -> Counter[str]:
        """Return why the strong model was asked at once under a promised quality, and of how many cases."""
        told = (
            policy.reason(case.example.task, reference=case.example.reference, quality=quality, confidence=confidence)
            for case, policy in zip(self._cases, self._policies, strict=True)
        )
        return Counter(reason for reason in told if reason)

    def at(self, rate: float) -> Run:
        """Follow the policies at one rate for all."""
        return self._run([rate] * len(self._cases))

    def _run(self, rates: Sequence[float | None]) -> Run:
        return rows([self._walk(number, rate) for number, rate in enumerate(rates)])

    def _walk(self, number: int, rate: float | None) -> tuple[float, float, float, float]:
        one, policy = self._cases[number].example, self._policies[number]
        bought: tuple[int, ...] = ()
        while True:
            found = self._assess(number, bought)
            wanted = policy.next_call(found, rate=rate, reference=one.reference)
            if wanted is None:
                break
            bought = (*bought, one.models.index(wanted))
        asked_strong = float(len(one.models) - 1 in bought)
        spent = sum(one.costs[place] for place in bought)
        return one.qualities[one.models.index(found.given)], spent, asked_strong, len(bought) - asked_strong

    def _assess(self, number: int, bought: tuple[int, ...]) -> Assessment:
        if (number, bought) not in self._assessed:
            one = self._cases[number].example
            self._assessed[number, bought] = self._policies[number].assess(
                one.task, [one.bought[place] for place in bought], offers=one.offers, reference=one.reference
            )
        return self._assessed[number, bought]


def rows(found: Sequence[tuple[float, float, float, float]]) -> Run:
    """Return what happened to each case as columns."""
    columns = np.array(found)
    return Run(quality=columns[:, 0], cost=columns[:, 1], strong=columns[:, 2], bought=columns[:, 3])


def plain_rules(examples: Sequence[Example], *, spend: float) -> dict[str, Run]:
    """Return what plain rules give on the same rows.

    ``random_at_equal_spend`` asks the cheapest model for a random share of the questions and the strong one for the rest, so
    that it spends what the policy spent; ``longest_at_equal_spend`` asks the strong one for the longest questions, up to the
    same bill; ``oracle`` knows which answers are good and takes the cheapest one that is as good; ``two_agree`` gives what
    the two cheapest models agree on and asks the strong one otherwise.
    """
    everything = rows([(one.qualities[-1], one.costs[-1], 1.0, 0.0) for one in examples])
    cheap = rows([(one.qualities[0], one.costs[0], float(len(one.models) == 1), 1.0) for one in examples])
    most, least = everything.cost.sum(), cheap.cost.sum()
    share = min(max((most - spend) / max(most - least, 1e-12), 0.0), 1.0)
    return {
        "all_expensive": everything,
        "all_cheap": cheap,
        "random_at_equal_spend": Run(
            quality=share * cheap.quality + (1 - share) * everything.quality,
            cost=share * cheap.cost + (1 - share) * everything.cost,
            strong=np.full(len(examples), 1 - share),
            bought=np.full(len(examples), share),
        ),
        "longest_at_equal_spend": _longest(examples, everything, cheap, spend),
        "oracle": rows([_oracle(one) for one in examples]),
        "two_agree": rows([_two_agree(one) for one in examples]),
    }


def singles(examples: Sequence[Example]) -> dict[str, Run]:
    """Return what each model but the strong one gives alone, as far as it answered every question."""
    common = set.intersection(*(set(one.models[:-1]) for one in examples))
    table: dict[str, Run] = {}
    for name in [name for name in examples[0].models if name in common]:
        places = [one.models.index(name) for one in examples]
        table[name] = rows([(one.qualities[at], one.costs[at], 0.0, 1.0) for one, at in zip(examples, places, strict=True)])
    return table


def _longest(examples: Sequence[Example], strong: Run, cheap: Run, spend: float) -> Run:
    longest = np.argsort([-one.task.input_tokens for one in examples], kind="stable")
    bills = cheap.cost.sum() + np.cumsum((strong.cost - cheap.cost)[longest])
    asked = np.isin(np.arange(len(examples)), longest[bills <= spend])
    return Run(
        quality=np.where(asked, strong.quality, cheap.quality),
        cost=np.where(asked, strong.cost, cheap.cost),
        strong=asked.astype(np.float64),
        bought=(~asked).astype(np.float64),
    )


def _oracle(one: Example) -> tuple[float, float, float, float]:
    last = len(one.models) - 1
    good = [place for place in range(last + 1) if one.qualities[place] >= one.qualities[-1]]
    place = min(good, key=lambda at: (one.costs[at], -one.qualities[at]))
    return one.qualities[place], one.costs[place], float(place == last), float(place != last)


def _two_agree(one: Example) -> tuple[float, float, float, float]:
    if len(one.bought) < 3:
        return one.qualities[-1], one.costs[-1], 1.0, 0.0
    spent = sum(one.costs[:2])
    if same(one.bought[0], one.bought[1], one.task) > FULL:
        return one.qualities[0], spent, 0.0, 2.0
    return one.qualities[-1], spent + one.costs[-1], 1.0, 2.0
