"""Synthetic days: the questions of a file, repeated by Zipf's law, reworded, of several tenants, with changing documents."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from evals.helpcentre_wording import reworded
from evals.ladder_reading import what_is_first_wrong
from evals.ladder_rows import RequestRow, Row
from evals.workload_draws import Zipf, moments_of_a_day
from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong
from groat.types import Language

_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """How a day is drawn.

    Attributes:
        rows: how many requests, at least 1.
        seed: of everything that is drawn.
        zipf: exponent of Zipf's law over the right answers; 0 asks for all alike.
        paraphrases: share of the requests, 0..1, in other words: another wording of the file, or one made here.
        churn: share of the documents, 0..1, that get a new version at some moment of the day; their text stays.
        tenants: how many share the traffic, the first by far the most; each asks for things in an order of its own.
    """

    rows: int
    seed: int = 7
    zipf: float = 1.0
    paraphrases: float = 0.3
    churn: float = 0.05
    tenants: int = 1

    def __post_init__(self) -> None:
        """Raise BadInput when a number cannot be."""
        shares = min(self.paraphrases, self.churn) >= 0 and max(self.paraphrases, self.churn) <= 1
        if self.rows < 1 or self.tenants < 1 or not 0 <= self.zipf <= 10 or not shares:
            raise BadInput("a day has rows and tenants from 1 on, zipf from 0 to 10, paraphrases and churn from 0 to 1")


Pool = Sequence[Sequence[RequestRow]]
"""Questions, those that share one right answer together."""


def about(traffic: Traffic, pool: Pool) -> dict[str, Any]:
    """Return how the day was made, for a file beside it."""
    return {
        "what": "a synthetic day; a question that was reworded here keeps the answers that its wording in the file has",
        **asdict(traffic),
        "right_answers": len(pool),
        "wordings": sum(map(len, pool)),
    }


def read_pool(path: Path, on_bad: Callable[[str], None] | None = None) -> Pool:
    """Read the questions that a day is drawn from: workload rows, recorded or not. They must fit in memory; the day need not.

    Args:
        path: .jsonl or .jsonl.gz.
        on_bad: is told of each row that cannot be used, which is then left out; None: the first one ends it.

    Raises:
        BadInput: the file cannot be read, holds no row, or a bad one and ``on_bad`` is None.
    """
    groups: dict[tuple[Language, str], dict[str, RequestRow]] = defaultdict(dict)
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line.rstrip())
            row = (Row if isinstance(raw, dict) and "recorded" in raw else RequestRow).model_validate(raw)
        except (ValueError, RecursionError) as error:
            told = what_is_first_wrong(error) if isinstance(error, ValidationError) else what_is_wrong(error)
            if on_bad is None:
                raise BadInput(
                    f"{path}, line {number}: {told}; mend the row, or leave such rows out with --skip-bad"
                ) from error
            on_bad(f"{path}, line {number}: {told}")
            continue
        groups[row.language, row.answer].setdefault(row.question, row)
    if not groups:
        raise BadInput(f"{path} holds no row that can be used; docs/data-formats.md says what a row holds")
    return [list(group.values()) for group in groups.values()]


def synthetic_day(traffic: Traffic, pool: Pool) -> Iterator[dict[str, Any]]:
    """Yield the rows of a day, one by one; the same for the same arguments.

    A conversation is not carried over: a question that leans on an earlier one would come without it.
    """
    rng = random.Random(f"{traffic.seed}/synthetic")
    orders = [rng.sample(range(len(pool)), len(pool)) for _ in range(traffic.tenants)]
    places, tenants = Zipf(len(pool), traffic.zipf), Zipf(traffic.tenants, 1.0)
    documents = sorted({one.id for group in pool for row in group for one in row.documents})
    changing = rng.sample(documents, round(traffic.churn * len(documents)))
    changes = {name: rng.randrange(traffic.rows) for name in changing}
    for number, at in enumerate(moments_of_a_day(traffic.rows, rng, _DAY)):
        tenant = tenants.draw(rng)
        wordings = pool[orders[tenant][places.draw(rng)]]
        row, question = wordings[0], wordings[0].question
        if rng.random() < traffic.paraphrases:
            row = rng.choice(wordings[1:] or wordings)
            question = row.question if len(wordings) > 1 else reworded(row.question, row.language, rng)
        yield _row(row, question, number, at, tenant if traffic.tenants > 1 else None, changes)


def _row(
    row: RequestRow, question: str, number: int, at: datetime, tenant: int | None, changes: dict[str, int]
) -> dict[str, Any]:
    made = row.model_dump(mode="json", by_alias=True, exclude={"conversation"}, exclude_defaults=True)
    for one in made.get("documents", []):
        if one["id"] in changes:
            one["version"] = f"{one.get('version', '')}{'changed' if number >= changes[one['id']] else 'first'}"
    return {
        **made, "id": f"synth-{number + 1:07}", "question": question, "answer_id": row.answer, "asked_at": at.isoformat(),
        **({"tenant": f"tenant-{tenant + 1}"} if tenant is not None else {}),
        **({"assumed": True} if question != row.question else {}),
    }  # fmt: skip
