"""Make recorded answers into cases for the cascade, at list prices, and fit policies that have not seen what they judge."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.recorded import Answer, Recorded
from groat.costs.prices import PriceTable
from groat.errors import BadInput
from groat.types import Language, Usage
from groat.validation.cascade import CascadePolicy
from groat.validation.cascade_evidence import Bought, Offer, Task
from groat.validation.cascade_fit import MIN_ROWS, Example, fit

FOLDS = 5

_TYPICAL_OUT = 200
"""Output tokens of the call by which models are put in order: nothing of a recorded answer may be known before it is bought."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A recorded question, ready for the policy."""

    example: Example
    language: Language


def cases(rows: Iterable[Recorded], prices: PriceTable) -> tuple[list[Case], int, list[str]]:
    """Return the rows that can be priced as cases, how many cannot, and the models without a price.

    A row whose strong model has no price or no token count cannot be measured. Input tokens are the prompt's and a small
    overhead, the same for each model.
    """
    found: list[Case] = []
    unpriced: set[str] = set()
    lost = 0
    offers: dict[str, Offer | None] = {}
    for row in rows:
        case = _case(row, lambda model: offers.setdefault(model, _offer(model, prices)), unpriced)
        if case is None:
            lost += 1
        else:
            found.append(case)
    return found, lost, sorted(unpriced)


def _offer(model: str, prices: PriceTable) -> Offer | None:
    usage: Usage = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": False}
    paid = [prices.cost({**usage, "input": 1_000_000}, model), prices.cost({**usage, "output": 1_000_000}, model)]
    if paid[0] is None or paid[1] is None:
        return None
    return Offer(model=model, input_usd=float(paid[0]) / 1e6, output_usd=float(paid[1]) / 1e6)


def _case(row: Recorded, price: Callable[[str], Offer | None], unpriced: set[str]) -> Case | None:
    unpriced.update(one.model for one in (row.strong, *row.others) if price(one.model) is None)
    strong = price(row.strong.model)
    if strong is None or row.strong.out_tokens is None:
        return None
    task = Task.of(row.prompt, language=row.language, blanks=row.blanks)
    found: list[tuple[Offer, Answer, int]] = []
    for one in row.others:
        offer = price(one.model)
        if offer is not None and one.out_tokens is not None and one.parts:
            found.append((offer, one, one.out_tokens))
    # Sorting is stable: samples of one model stay in the order in which they were drawn.
    found.sort(key=lambda kept: kept[0].cost(task, _TYPICAL_OUT))
    found.append((strong, row.strong, row.strong.out_tokens))
    names = _names([one.model for _, one, _ in found])
    example = Example(
        task=task,
        question=row.question,
        bought=tuple(
            Bought(model=name, answer=one.parts, out_tokens=tokens) for name, (_, one, tokens) in zip(names, found, strict=True)
        ),
        costs=tuple(offer.cost(task, tokens) for offer, _, tokens in found),
        qualities=tuple(one.quality for _, one, _ in found),
        offers={name: offer for name, (offer, _, _) in zip(names, found, strict=True)},
    )
    return Case(example=example, language=row.language)


def _names(models: Sequence[str]) -> list[str]:
    """Return a name for each answer: the model's, and from its second sample on with a number."""
    times = [models[: place + 1].count(model) for place, model in enumerate(models)]
    return [model if time == 1 else f"{model}#{time}" for model, time in zip(models, times, strict=True)]


Policies = Callable[[Case], CascadePolicy]
"""Which policy judges a case: one that was not fitted on its question."""


def by_language(found: Sequence[Case]) -> Mapping[Language, list[Case]]:
    """Return the cases of each language, the commoner one first."""
    table: dict[Language, list[Case]] = {}
    for case in found:
        table.setdefault(case.language, []).append(case)
    return dict(sorted(table.items(), key=lambda pair: -len(pair[1])))


def fitted(fit_on: Sequence[Case], judged: Sequence[Case], *, date: str) -> tuple[Policies, bool]:
    """Fit on ``fit_on`` so that no case is judged by a policy that saw its question; tell whether that took folds.

    Questions that stand in both are put into folds, and each fold is judged by a policy fitted on everything else.

    Raises:
        BadInput: too few rows with recorded answers.
    """
    usable = [case for case in fit_on if len(case.example.bought) > 1]
    seen = {case.example.question for case in usable}
    shared = sorted({case.example.question for case in judged} & seen)
    if not shared:
        policy = _policy([case.example for case in usable], date=date)
        return (lambda case: policy), False
    fold_of = {question: place % FOLDS for place, question in enumerate(np.random.default_rng(11).permutation(shared).tolist())}
    policies = []
    for fold in range(FOLDS):
        kept = [case.example for case in usable if fold_of.get(case.example.question) != fold]
        policies.append(_policy(kept, date=date))
    return (lambda case: policies[fold_of.get(case.example.question, 0)]), True


def _policy(examples: Sequence[Example], *, date: str) -> CascadePolicy:
    if len(examples) < MIN_ROWS:
        raise BadInput(
            f"the files of --fit hold {len(examples)} rows with recorded answers of cheap models and known prices, and "
            f"{MIN_ROWS} are needed; add files"
        )
    return CascadePolicy.of(fit(examples, date=date))
