"""What is known of a question and of the cheap answers bought so far, without knowing which answer is right."""

import math
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import regex

from groat.text import count_tokens
from groat.types import Language
from groat.validation.agreement import agreement
from groat.validation.final_answers import literal

VERSION = "cascade/3"
"""Names the evidence and its order; an artifact made for another version is refused."""

MAX_BOUGHT = 4
"""Most answers that are bought for one question, the strong model's included: a fifth hardly ever changes the decision."""

PROMPT_OVERHEAD = 30
"""Input tokens of every call besides the question: role marks and a short instruction. The same for each model."""

TaskKind = Literal["code", "formula", "options", "plain"]
"""What a question shows of what it asks for."""

_CODE = regex.compile(r"```|\bdef \w+\(|\bassert \w+[( ]|^\s+return\b.*[\w)\]]$|#include|\bfunction\s+\w+\(", regex.MULTILINE)
_FORMULA = regex.compile(r"\\(?:[a-z]{2,}\b|\[|\()|\$(?!\s)[^$\n]{1,60}(?<!\s)\$(?!\d)")
_MATHEMATICS = regex.compile(
    r"\b(?:integers?|polynomials?|divisors?|divisible|primes?|modulo|perpendicular|triangles?|polygons?|quadrilaterals?|hexagons?"
    r"|circumference|probability|equations?|coordinates?|vert(?:ex|ices)|logarithms?|matri(?:x|ces)|real numbers?|factorials?"
    r"|palindromes?|base[- ](?:two|three|four|five|six|seven|eight|nine|ten|\d+)|(?:co)?sine|tangent|parabola|hyperbola|ellipse"
    r"|degree measure|common (?:divisor|multiple|factor)|square root|how many (?:\w+ )?ways|(?:in)?distinguishable"
    r"|permutations?|digits?)\b|整数|质数|素数|多项式|三角形|概率|方程|函数|坐标|抛物线|椭圆|多少种|几种",
    regex.IGNORECASE,
)
_OPTIONS = regex.compile(r"(?:^|[\s（(])A\s*[).、．:：）].*?[\s（(]B\s*[).、．:：）].*?[\s（(]C\s*[).、．:：）]", regex.DOTALL)
_NUMBER = regex.compile(r"\d[\d,]*(?:\.\d+)?")
_SENTENCE_END = regex.compile(r"[.?!。？！]")
_OPERATOR = regex.compile(r"[-+*/=<>^]")
_BRACKET = regex.compile(r"[\[\](){}]")
_CALL = regex.compile(r"\w\(|\\[a-z]+")
_STEP = regex.compile(
    r"\b(?:for|while|if|each|every|than|half|twice|times|per|more|less|rest|not|and|or)\b|若|如果|每|共|不|且|或|比|倍|剩"
)
_LARGEST = 1e15
"""Numbers are compared up to here."""

_WORD = regex.compile(r"\p{Han}|[^\W\d_]+|\d|[^\w\s]")

FACTS = 16
"""How many numbers describe a question."""

WORDS = 512
"""Places that words and pairs of words are hashed to; two that share one count together, or against each other."""

_LOUDNESS = 5.0
"""Length of the vector of words, against facts of standard deviation 1: with it both tell most of questions not fitted on."""

SHAPE = 9
"""How many numbers describe an answer."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A question, as far as the decision looks at it."""

    kind: TaskKind
    language: Language
    blanks: int
    input_tokens: int
    facts: tuple[float, ...]
    """Its length and how much there is to work out, ``FACTS`` numbers."""
    words: tuple[float, ...]
    """Which words and pairs of words it holds (Chinese: characters), hashed with signs to ``WORDS`` numbers."""
    numbers: frozenset[float]
    """What it gives to reckon with."""

    @classmethod
    def of(cls, prompt: str, *, language: Language, blanks: int = 1) -> "Task":
        """Read a prompt. Pure; about 2 ms for 1,000 characters."""
        tokens = count_tokens(prompt)
        numbers = [value for found in _NUMBER.findall(prompt) if (value := _number(found)) is not None]
        counts = (
            tokens,
            len(numbers),
            prompt.count("\n"),
            len(_SENTENCE_END.findall(prompt)),
            len(prompt.split()),
            len(set(numbers)),
            max(numbers, default=0.0),
            len(_OPERATOR.findall(prompt)),
            len(_BRACKET.findall(prompt)),
            len(_CALL.findall(prompt)),
            len(_STEP.findall(prompt)),
            max((len(line) for line in prompt.splitlines()), default=0),
            prompt.count('"') + prompt.count("'"),
        )
        facts = (
            *(math.log1p(count) for count in counts),
            math.log(max(blanks, 1)),
            float(any(value != int(value) for value in numbers)),
            float("%" in prompt),
        )
        return cls(
            kind=_kind(prompt),
            language=language,
            blanks=blanks,
            input_tokens=tokens + PROMPT_OVERHEAD,
            facts=facts,
            words=_hashed(prompt),
            numbers=frozenset(numbers),
        )


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


FULL = 0.999
"""Two answers say the same from here."""


def same(first: Bought, second: Bought, task: Task) -> float:
    """Return how far two answers agree, 0..1: the mean over the blanks, 0 when their number differs."""
    if len(first.answer) != len(second.answer) or not first.answer:
        return 0.0
    exact = task.kind == "code"
    parts = [_agreement(one, other, task.language, exact) for one, other in zip(first.answer, second.answer, strict=True)]
    return sum(parts) / len(parts)


@lru_cache(maxsize=1 << 16)  # fits and measurements compare the same few thousand answers again and again
def _agreement(one: str | None, other: str | None, language: Language, exact: bool) -> float:
    return agreement(one, other, language=language, exact=exact)


def shape(task: Task, answer: tuple[str | None, ...]) -> tuple[float, ...]:
    """Return what kind of thing an answer is, how long, and how it stands to the numbers of the question."""
    text = " ".join(part or "" for part in answer).strip()
    value = literal(text)
    number = _number(text.strip("$%"))
    return (
        math.log1p(len(text)),
        float(not text),
        float(number is not None),
        float(number is not None and number != int(number)),
        float(number is not None and number in task.numbers),
        float(number is not None and number < 0),
        0.0 if number is None else math.log1p(abs(number)) - math.log1p(max(task.numbers, default=0.0)),
        float(isinstance(value, list | tuple | dict | set)),
        float(value is True or value is False or value is None),
    )


def _hashed(prompt: str) -> tuple[float, ...]:
    said = [word.casefold() for word in _WORD.findall(prompt)]
    counts = Counter([*said, *(f"{one} {other}" for one, other in pairwise(said))])
    found = [0.0] * WORDS
    for gram, count in counts.items():
        key = zlib.crc32(gram.encode())
        found[key % WORDS] += (1 if key >> 31 else -1) * (1 + math.log(count))
    length = math.sqrt(sum(value * value for value in found))
    return tuple(_LOUDNESS * value / length for value in found) if length else tuple(found)


def _kind(prompt: str) -> TaskKind:
    if _CODE.search(prompt):
        return "code"
    if _OPTIONS.search(prompt):
        return "options"
    return "formula" if _FORMULA.search(prompt) or _MATHEMATICS.search(prompt) else "plain"


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value if abs(value) < _LARGEST else None
