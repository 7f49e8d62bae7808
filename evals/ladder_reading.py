"""Read the file of a day row by row, and say everything that is wrong with it before anything is run."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from evals.ladder_rows import TIERS, RequestRow, Row, Said, is_placeholder
from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong
from groat.types import Tier

_NAMED = 10
"""How many rows one message names."""


class Latencies:
    """Each model's latency as a straight line over the tokens of its answers, by least squares over the recorded ones.

    It stands in where none was recorded, and its beginning is the time to the first token.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._sums: dict[Tier, list[float]] = {tier: [0.0] * 5 for tier in TIERS}

    def add(self, tier: Tier, said: Said) -> None:
        """Take one recorded answer into account."""
        if said.latency_ms is not None:
            x, y = float(said.output_tokens), said.latency_ms
            self._sums[tier] = [a + b for a, b in zip(self._sums[tier], (1.0, x, y, x * x, x * y), strict=True)]

    def line(self, tier: Tier) -> tuple[float, float]:
        """Return the milliseconds before the first token and those for each token.

        Without any record they are assumed: 500 and 10 for the cheap model, 1,000 and 25 for the expensive one.
        """
        n, x, y, xx, xy = self._sums[tier]
        if not n:
            return (500.0, 10.0) if tier == "cheap" else (1000.0, 25.0)
        spread = n * xx - x * x
        slope = max((n * xy - x * y) / spread, 0.0) if spread > 1e-9 else 0.0
        return max((y - slope * x) / n, 0.0), slope

    def whole_ms(self, tier: Tier, said: Said) -> float:
        """Return the latency of an answer: the recorded one, or that of the line."""
        before, each = self.line(tier)
        return said.latency_ms if said.latency_ms is not None else before + each * said.output_tokens

    def first_token_ms(self, tier: Tier, said: Said) -> float:
        """Return the modelled time to the first token, never longer than the whole answer took."""
        before, each = self.line(tier)
        return min(before + each, self.whole_ms(tier, said))


@dataclass
class Survey:
    """What one reading of the whole file found."""

    rows: int = 0
    hash: str = ""
    """Of the rows that are used: a run is resumed on the same ones only."""
    placeholders: int = 0
    """Rows of which an answer has no text."""
    assumed: int = 0
    tenants: set[str] = field(default_factory=set)
    categories: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    latencies: Latencies = field(default_factory=Latencies)


def survey(path: Path, on_bad: Callable[[str], None] | None = None, *, limit: int | None = None) -> Survey:
    """Read the whole file once, and return what is in it. Raises like ``read_rows``."""
    found, digest = Survey(), hashlib.sha256()
    for row in read_rows(path, on_bad, limit=limit):
        found.rows += 1
        digest.update(row.model_dump_json().encode("utf-8", "surrogatepass"))
        found.placeholders += any(is_placeholder(row.recorded.of(tier).text) for tier in TIERS)
        found.assumed += row.assumed
        found.tenants.add(row.tenant)
        found.categories[row.category] += 1
        found.languages[row.language] += 1
        for tier in TIERS:
            found.latencies.add(tier, row.recorded.of(tier))
    found.hash = digest.hexdigest()[:16]
    return found


def read_rows(path: Path, on_bad: Callable[[str], None] | None = None, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the rows of a file one by one, in its order; it may be larger than memory.

    Args:
        path: .jsonl or .jsonl.gz.
        on_bad: is told of each row that cannot be used, which is then left out; None stops at the first that is broken or
            repeats an id, and at the end names those without a recorded answer.
        limit: most rows to yield.

    Raises:
        BadInput: the file cannot be read, holds no row, or holds a bad one and ``on_bad`` is None.
    """
    return _Reader(Row, path, on_bad).rows(limit)


def read_requests(path: Path, on_bad: Callable[[str], None] | None = None) -> Iterator[RequestRow]:
    """Yield the requests of a file whether answers are recorded or not. Raises and tells like ``read_rows``."""
    return _Reader(RequestRow, path, on_bad).rows(None)


_AnyRow = TypeVar("_AnyRow", bound=RequestRow)


class _Reader(Generic[_AnyRow]):
    """Turns lines into rows, and remembers what is wrong."""

    def __init__(self, kind: type[_AnyRow], path: Path, on_bad: Callable[[str], None] | None) -> None:
        self._kind = kind
        self._path = path
        self._on_bad = on_bad
        # Hashes: the ids of a file that is larger than memory must fit in it.
        self._seen: dict[bytes, int] = {}
        self._unrecorded: list[str] = []

    def rows(self, limit: int | None) -> Iterator[_AnyRow]:
        """Yield the rows, ``limit`` of them at most."""
        count = 0
        for number, line in enumerate(lines_of(self._path), 1):
            if limit is not None and count >= limit:
                break
            if line.strip() and (row := self._row(number, line)) is not None:
                count += 1
                yield row
        self._end(count)

    def _row(self, number: int, line: str) -> _AnyRow | None:
        """Return the row of a line; None for one that is left out."""
        try:
            raw = json.loads(line.rstrip())
            if not isinstance(raw, dict):
                raise ValueError("a row must be a JSON object")
            if missing := self._missing(raw) if self._kind is Row else "":
                self._unrecorded.append(f"{raw.get('id', '?')} (line {number}: {missing})")
                if self._on_bad is not None:
                    self._on_bad(f"{self._path}, line {number}: no recorded answer of the {missing} model")
                return None
            row = self._kind.model_validate(raw)
            self._once(row.id, number)
        except (ValueError, TypeError, RecursionError) as error:
            what = what_is_first_wrong(error) if isinstance(error, ValidationError) else what_is_wrong(error)
            message = f"{self._path}, line {number}: {what}"
            if self._on_bad is None:
                raise BadInput(f"{message}; mend the row, or leave such rows out with --skip-bad") from error
            self._on_bad(message)
            return None
        return row

    def _end(self, count: int) -> None:
        """Say what can only be said at the end."""
        if self._unrecorded and self._on_bad is None:
            more = len(self._unrecorded) - _NAMED
            named = ", ".join(self._unrecorded[:_NAMED]) + (f" and {more} more" if more > 0 else "")
            raise BadInput(
                f"{self._path}: rows without a recorded answer ({len(self._unrecorded)}): {named}; "
                "record them, or leave such rows out with --skip-bad"
            )
        if not count:
            raise BadInput(f"{self._path} holds no row that can be used; docs/data-formats.md says what a row holds")

    def _once(self, name: str, number: int) -> None:
        key = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).digest()
        if (before := self._seen.setdefault(key, number)) != number:
            raise ValueError(f"the id {name!r:.80} was used in line {before} already; every request needs its own")

    @staticmethod
    def _missing(raw: Mapping[str, object]) -> str:
        recorded = raw.get("recorded")
        said = recorded if isinstance(recorded, dict) else {}
        return " and the ".join(tier for tier in TIERS if said.get(tier) is None)


def what_is_first_wrong(error: ValidationError) -> str:
    """Return where the first mistake of a row is, and what it is; nothing of its text, which may be a user's."""
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
