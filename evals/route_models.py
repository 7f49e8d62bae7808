"""How often each recorded model is right, and what a question costs with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import norm
from typing_extensions import TypedDict

from evals.route_judging import OVERHEAD, TYPICAL_OUT
from groat.costs.prices import PriceTable
from groat.routing.rows import Labelled, Side
from groat.text import count_tokens
from groat.types import Usage


class Passed(TypedDict):
    """One model in one language."""

    model: str
    lang: str
    n: int
    passed: float
    """Mean quality of its answers, 0..1: the share that is right where answers are right or wrong."""
    ci: list[float]
    """Wilson interval of 95 %."""
    undecided: int
    """Answers of which it cannot be told whether they are right; in no other figure."""
    failed: int
    """Calls that gave no answer; in no other figure."""
    usd_per_1000: float | None
    """Of a thousand questions at list prices; None when the price is not known."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What one model made of one question."""

    model: str
    lang: str
    ok: float | None
    """None when that cannot be told."""
    usd: float | None
    failed: bool = False


def recorded(rows: Sequence[Labelled], prices: PriceTable) -> list[Tried]:
    """Return what the recorded models made of the questions; a question that two files hold counts once for each model."""
    found: dict[tuple[str, str], Tried] = {}
    for row in rows:
        sides = {**row.models, row.cheap.model: row.cheap, row.expensive.model: row.expensive}
        for model, side in sides.items():
            usd = _price(side, row.prompt, prices)
            found.setdefault((row.question, model), Tried(model=model, lang=row.language, ok=side.ok, usd=usd))
    return list(found.values())


def _price(side: Side, prompt: str, prices: PriceTable) -> float | None:
    usage: Usage = {
        "input": count_tokens(prompt) + OVERHEAD if side.in_tokens is None else side.in_tokens,
        "output": TYPICAL_OUT if side.out_tokens is None else side.out_tokens,
        "cache_read": 0,
        "cache_write": 0,
        "reasoning": 0,
        "estimated": True,
    }
    cost = prices.cost(usage, side.model)
    return None if cost is None else float(cost)


def pass_rates(tried: Iterable[Tried]) -> list[Passed]:
    """Return a line for each model and language, the best of a language first."""
    parts: dict[tuple[str, str], list[Tried]] = {}
    for one in tried:
        parts.setdefault((one.lang, one.model), []).append(one)
    lines = [_line(model, lang, part) for (lang, model), part in parts.items()]
    return sorted(lines, key=lambda line: (line["lang"], -line["passed"], line["model"]))


def _line(model: str, lang: str, part: Sequence[Tried]) -> Passed:
    marks = [one.ok for one in part if one.ok is not None]
    # A price that is not known of one question makes the mean unknown, and a call that failed is no price of an answer.
    prices = [one.usd for one in part if not one.failed]
    known = [usd for usd in prices if usd is not None]
    return {
        "model": model,
        "lang": lang,
        "n": len(marks),
        "passed": round(sum(marks) / len(marks), 4) if marks else 0.0,
        "ci": [round(end, 4) for end in wilson(sum(marks), len(marks))],
        "undecided": sum(one.ok is None and not one.failed for one in part),
        "failed": sum(one.failed for one in part),
        "usd_per_1000": round(sum(known) / len(known) * 1_000, 5) if known and len(known) == len(prices) else None,
    }


def wilson(right: float, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of Wilson 1927 for a share; ``right`` may hold parts of an answer. 0 and 1 without trials."""
    if not count:
        return 0.0, 1.0
    z = float(norm.ppf((1 + confidence) / 2))
    share, spread = right / count, z * z / count
    middle, half = share + spread / 2, z * ((share * (1 - share) + spread / 4) / count) ** 0.5
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))
