"""What an experiment came to, and how two of them compare, in each language apart."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any, TypeVar

from typing_extensions import TypedDict

from evals.evaluators import QUALITY
from evals.experiments import Experiment, Scored
from evals.paired import Paired, compare
from groat.costs.amounts import exact_sum
from groat.errors import BadInput

ALL = "all"
_AnyRow = TypeVar("_AnyRow", bound=Mapping[str, Any])


class Summary(TypedDict):
    """One language of an experiment, or all of it."""

    lang: str
    rows: int
    scores: dict[str, float | None]
    """Mean of those that applied, by evaluator; None where none did."""
    applied: dict[str, int]
    cost_usd: str | None
    """Decimal dollars over all rows; None when a price is unknown."""
    failed: int


class Comparison(TypedDict):
    """One evaluator on the rows of one language that both experiments were scored on."""

    lang: str
    key: str
    found: Paired
    flipped: list[str]
    """Ids of the rows whose score changed most, the worst first, at most ``_SHOWN``."""


_SHOWN = 20


def summary(experiment: Experiment) -> list[Summary]:
    """Return the means of each language, then of all rows."""
    return [_summary(name, rows) for name, rows in parts_of(experiment.rows)]


def comparisons(a: Experiment, b: Experiment, *, seed: int = 0) -> list[Comparison]:
    """Return how B compares with A, by language and evaluator.

    Raises:
        BadInput: they are of different data.
    """
    if a.head["data_sha256"] != b.head["data_sha256"]:
        raise BadInput(
            f"{a.head['experiment']!r} and {b.head['experiment']!r} were run on different data; run one again on the other's"
        )
    other = {row["id"]: row for row in b.rows}
    found: list[Comparison] = []
    for lang, rows in parts_of(a.rows):
        for key in rows[0]["scores"]:
            pairs = [
                (row["id"], first, second)
                for row in rows
                if (first := row["scores"][key]) is not None and (second := other[row["id"]]["scores"].get(key)) is not None
            ]
            if pairs:
                changed = sorted((second - first, name) for name, first, second in pairs if second != first)
                found.append(
                    {
                        "lang": lang,
                        "key": key,
                        "found": compare([one[1] for one in pairs], [one[2] for one in pairs], seed=seed),
                        "flipped": [name for _, name in changed[:_SHOWN]] if key in QUALITY else [],
                    }
                )
    return found


def parts_of(rows: Sequence[_AnyRow]) -> list[tuple[str, list[_AnyRow]]]:
    """Return the rows of each language, by their "lang", then all rows where there are several languages."""
    languages = sorted({row["lang"] for row in rows})
    parts = [(name, [row for row in rows if row["lang"] == name]) for name in languages]
    return [*parts, (ALL, list(rows))] if len(parts) > 1 else [(str(name), some) for name, some in parts]


def _summary(lang: str, rows: Sequence[Scored]) -> Summary:
    keys = list(dict.fromkeys(key for row in rows for key in row["scores"]))
    known = {key: [score for row in rows if (score := row["scores"].get(key)) is not None] for key in keys}
    costs = [row["cost_usd"] for row in rows]
    amounts = [cost for cost in costs if cost is not None]
    return {
        "lang": lang,
        "rows": len(rows),
        "scores": {key: round(fmean(scores), 6) if scores else None for key, scores in known.items()},
        "applied": {key: len(scores) for key, scores in known.items()},
        "cost_usd": f"{exact_sum(map(Decimal, amounts)):f}" if len(amounts) == len(costs) else None,
        "failed": sum(bool(row["error"]) for row in rows),
    }
