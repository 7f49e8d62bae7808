"""What is known of a question and of the cheap answers bought so far, without knowing which answer is right."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import regex

from groat.text import count_tokens
from groat.types import Language
from groat.validation.agreement import agreement
from groat.validation.final_answers import literal, quantity

VERSION = "cascade/1"
"""Names the evidence and its order; an artifact made for another version is refused."""

MAX_BOUGHT = 3
"""Most cheap answers that are bought for one question: a fourth hardly ever changes the decision."""

PROMPT_OVERHEAD = 30
"""Input tokens of every call besides the question: role marks and a short instruction. The same for each model."""

TaskKind = Literal["code", "formula", "options", "plain"]
"""What a question shows of what it asks for."""

_CODE = regex.compile(r"```|\bdef \w+\(|\bassert \w+[( ]|^\s+return\b.*[\w)\]]$|#include|\bfunction\s+\w+\(", regex.MULTILINE)
_FORMULA = regex.compile(r"\\(?:[a-z]{2,}\b|\[|\()|\$(?!\s)[^$\n]{1,60}(?<!\s)\$(?!\d)")
_OPTIONS = regex.compile(r"(?:^|[\s（(])A\s*[).、．:：）].*?[\s（(]B\s*[).、．:：）].*?[\s（(]C\s*[).、．:：）]", regex.DOTALL)
_FACTS = ("log_tokens", "log_numbers", "log_lines", "log_blanks")
_SHAPE = ("log_length", "missing", "number", "container", "constant")
_USUAL_LOG_TOKENS = 5.0
_NUMBER = regex.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question, as far as the decision looks at it."""

    kind: TaskKind
    language: Language
    blanks: int
    input_tokens: int
    facts: tuple[float, ...]

    @classmethod
    def of(cls, prompt: str, *, language: Language, blanks: int = 1) -> "Task":
        """Read a prompt. Pure; about 0.2 ms for 1,000 characters."""
        tokens = count_tokens(prompt)
        facts = (
            math.log1p(tokens),
            math.log1p(len(_NUMBER.findall(prompt))),
            math.log1p(prompt.count("\n")),
            math.log(max(blanks, 1)),
        )
        kind = _kind(prompt)
        return cls(kind=kind, language=language, blanks=blanks, input_tokens=tokens + PROMPT_OVERHEAD, facts=facts)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A model that may be asked, at its list price in dollars per token."""

    model: str
    input_usd: float
    output_usd: float

    def cost(self, task: Task, out_tokens: float) -> float:
        """Return the dollars of one call."""
        return task.input_tokens * self.input_usd + out_tokens * self.output_usd


@dataclass(frozen=True, kw_only=True)
class Bought:
    """An answer that was paid for."""

    model: str
    answer: tuple[str | None, ...]
    """What it says in the end, one part per blank; None where it says nothing."""
    out_tokens: int

    @cached_property
    def shape(self) -> tuple[float, ...]:
        """What kind of thing the answer is, and how long."""
        return _shape(self.answer)


Agreements = Mapping[tuple[int, int], float]
"""How far two answers agree, 0..1, by their places in the order of buying."""

FULL = 0.999
"""Two answers say the same from here."""


def same(first: Bought, second: Bought, task: Task) -> float:
    """Return how far two answers agree, 0..1: the mean over the blanks, 0 when their number differs."""
    if len(first.answer) != len(second.answer) or not first.answer:
        return 0.0
    exact = task.kind == "code"
    parts = [
        agreement(one, other, language=task.language, exact=exact)
        for one, other in zip(first.answer, second.answer, strict=True)
    ]
    return sum(parts) / len(parts)


def agreements(bought: Sequence[Bought], task: Task) -> Agreements:
    """Return how far each pair of answers agrees, by places in order."""
    return {
        (first, second): same(bought[first], bought[second], task) for second in range(len(bought)) for first in range(second)
    }


def current(count: int, agreed: Agreements, weights: Sequence[float]) -> int:
    """Return the place of the answer that would be given now: the one with most weight behind it, the first of several.

    Args:
        count: how many answers were bought, at least one.
        agreed: what ``agreements`` returned, of these or of more answers.
        weights: what the voice of each place counts.
    """
    support = list(weights[:count])
    for (first, second), agreement_of_both in agreed.items():
        if second < count and agreement_of_both > FULL:
            support[first] += weights[second]
            support[second] += weights[first]
    return max(range(count), key=lambda place: (round(support[place], 6), -place))


def evidence(task: Task, bought: Sequence[Bought], agreed: Agreements, place: int = 0) -> list[float]:
    """Return the evidence as numbers; their count depends on how many answers were bought alone.

    Args:
        task: the question.
        bought: the answers so far, at most ``MAX_BOUGHT``.
        agreed: what ``agreements`` returned, of these or of more answers.
        place: the answer that would be given now.
    """
    found = list(task.facts)
    if not bought:
        return found
    outs = [math.log1p(answer.out_tokens) for answer in bought]
    found += [outs[0], outs[0] - task.facts[0], *bought[place].shape]
    if len(bought) > 1:
        both = agreed[0, 1]
        found += [both, both * (outs[0] - _USUAL_LOG_TOKENS), outs[1]]
    if len(bought) > 2:
        ends = [agreed[0, 2], agreed[1, 2]]
        found += [*(end for end in ends), float(min(ends) > FULL), outs[2]]
    return found


def agreement_places(bought: int) -> list[int]:
    """Return which of the numbers of ``evidence`` are agreements: they are regularised less than the others."""
    head = len(_FACTS) + 2 + len(_SHAPE)
    return [*([head] if bought > 1 else []), *([head + 3, head + 4, head + 5] if bought > 2 else [])]


def _kind(prompt: str) -> TaskKind:
    if _CODE.search(prompt):
        return "code"
    if _OPTIONS.search(prompt):
        return "options"
    return "formula" if _FORMULA.search(prompt) else "plain"


def _shape(answer: tuple[str | None, ...]) -> tuple[float, ...]:
    text = " ".join(part or "" for part in answer).strip()
    value = literal(text)
    return (
        math.log1p(len(text)),
        float(not text),
        float(quantity(text) is not None),
        float(isinstance(value, list | tuple | dict | set)),
        float(value is True or value is False or value is None),
    )
