"""What became of each request in one arm, and the rules by which it counts."""

from collections.abc import Mapping, Sequence
from typing import Literal

from typing_extensions import TypedDict

from evals.ladder_rows import Row
from groat.types import Language, Tier


class Call(TypedDict):
    """One paid call of a model."""

    tier: Tier
    input: int
    output: int
    cost_usd: str | None
    """Decimal dollars at list price; None when the price is unknown."""


class Outcome(TypedDict):
    """One request in one arm."""

    id: str
    row: str
    """Fingerprint of the row, so that an outcome is never taken for one of another row."""
    lang: Language
    category: str
    assumed: bool
    answer: str
    """As in ``Row.answer``."""
    ok: float
    """Quality of what the user got, 0..1."""
    hit: Literal["", "exact", "semantic"]
    origin: str
    """The row whose answer was served; its own for a fresh answer."""
    wrong: bool
    """A hit on the answer of a question with another right answer."""
    tier: Tier | None
    """Who answered, also for a hit; None when nobody did."""
    lost: bool
    """A fresh answer whose documents no longer held what the full ones held."""
    verified: bool
    calls: list[Call]
    latency_ms: float
    """Recorded latencies of its calls one after the other, and the graph's own time."""
    own_ms: float
    """The graph's own time, as measured in this run."""
    first_token_ms: float
    """Until the user can read something: with the whole answer, which is held until it is accepted, or with the model's first
    token where nothing stands between."""
    live_ms: float
    """The same when tokens are passed on at once (the knob ``stream``)."""
    kept: list[str]
    """Entries of the cache that it made."""


def fresh_quality(row: Row, tier: Tier, *, holds_answer: bool) -> float:
    """Return what a fresh answer counts: its recorded quality, 0 when the documents sent had lost the answer."""
    return row.recorded.of(tier).ok if holds_answer else 0.0


def hit_quality(row: Row, origin: Outcome) -> float:
    """Return what an answer from the cache counts: as much as where it came from if both share one right answer, else 0."""
    return origin["ok"] if origin["answer"] == row.answer else 0.0


def whole_ms(latencies: Sequence[float], own_ms: float) -> float:
    """Return the latency of a request whose calls follow each other."""
    return round(sum(latencies) + own_ms, 2)


def blank(row: Row) -> Outcome:
    """Return the outcome of a row before anything happened to it."""
    return {
        "id": row.id,
        "row": row.fingerprint,
        "lang": row.language,
        "category": row.category,
        "assumed": row.assumed,
        "answer": row.answer,
        "ok": 0.0,
        "hit": "",
        "origin": row.id,
        "wrong": False,
        "tier": None,
        "lost": False,
        "verified": False,
        "calls": [],
        "latency_ms": 0.0,
        "own_ms": 0.0,
        "first_token_ms": 0.0,
        "live_ms": 0.0,
        "kept": [],
    }


def served(row: Row, how: Literal["exact", "semantic"], origin: Outcome, *, own_ms: float) -> Outcome:
    """Return the outcome of a hit."""
    return {
        **blank(row),
        "ok": hit_quality(row, origin),
        "hit": how,
        "origin": origin["id"],
        "wrong": origin["answer"] != row.answer,
        "tier": origin["tier"],
        "verified": True,
        "latency_ms": whole_ms((), own_ms),
        "own_ms": own_ms,
        "first_token_ms": own_ms,
        "live_ms": own_ms,
    }


Fresh = Mapping[str, Outcome]
"""Row -> its outcome, of rows that were answered afresh: what hits come from."""
