"""What came of questions whose shortened context did not support an answer: how often the full one did, and at what cost."""

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from groat.compression.blocks import text_of
from groat.compression.evidence import bm25
from groat.sqlite_file import SqliteFile, open_tables, transaction, unusable
from groat.text import content_words, sentence_spans, without_citations, words
from groat.types import Asked, Language, Passage, Tier

SCHEMA_VERSION: Final = 1
KEEP_DAYS: Final = 90.0
MOST: Final = 20_000
"""Outcomes of one tenant, about 100 bytes each, 10 KB with the row; the oldest go first."""
_HALF: Final = 0.5
"""Least share of the words of an answer's sentence that a sentence must hold to stand for it."""

_TABLES = (
    "CREATE TABLE outcomes (run TEXT PRIMARY KEY, at REAL NOT NULL, tenant TEXT NOT NULL, language TEXT NOT NULL, "
    "tier TEXT NOT NULL, rule TEXT NOT NULL, tokens_before INTEGER NOT NULL, tokens_after INTEGER NOT NULL, mended INTEGER, "
    "cost_usd TEXT, row TEXT) STRICT",
    "CREATE INDEX outcomes_of ON outcomes (tenant, at)",
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One question that was tried again on its full context. Without ``row`` it holds no word of anybody."""

    run: str
    at: float
    """Seconds since 1970."""
    tenant: str
    language: Language
    tier: Tier
    """Whose answer lacked support."""
    rule: str
    """Version of the stop rule that shortened."""
    tokens_before: int
    tokens_after: int
    mended: bool | None = None
    """Whether the full context supported an answer of the same tier; None while the question has not ended."""
    cost_usd: str | None = None
    """What the second try cost, decimal dollars; None when a price is unknown, or not ended."""
    row: str | None = None
    """The question with its passages as a compression row, JSON; None unless mended and keeping texts is switched on."""


class CompressionRecords:
    """Keeps outcomes in the file ``path``, created at the first use with owner-only rights.

    Every method raises StorageError when the file cannot be used.

    Args:
        path: the file.
        keep_days: what is older is dropped.
        most: of one tenant; the oldest are dropped.
    """

    def __init__(self, path: Path, *, keep_days: float = KEEP_DAYS, most: int = MOST) -> None:
        """Open nothing yet."""
        self._file = SqliteFile(
            path,
            lambda path: open_tables(path, _TABLES, version=SCHEMA_VERSION),
            lambda error: unusable("records of compression", path, error),
        )
        self._keep_s = keep_days * 86_400
        self._most = most

    async def add(self, outcome: Outcome) -> None:
        """Keep an outcome; one of the same run is replaced, so that a question that has ended overwrites its beginning."""
        fields = asdict(outcome)
        add = f"INSERT OR REPLACE INTO outcomes ({', '.join(fields)}) VALUES ({', '.join('?' * len(fields))})"

        def write(db: sqlite3.Connection) -> None:
            with transaction(db):
                db.execute(add, tuple(fields.values()))
                db.execute("DELETE FROM outcomes WHERE at < ?", (outcome.at - self._keep_s,))
                db.execute(
                    "DELETE FROM outcomes WHERE tenant = ? AND at <= "
                    "(SELECT at FROM outcomes WHERE tenant = ? ORDER BY at DESC LIMIT 1 OFFSET ?)",
                    (outcome.tenant, outcome.tenant, self._most),
                )

        await self._file.run(write)

    async def begun(self, run: str) -> Outcome | None:
        """Return what is kept of a run."""

        def read(db: sqlite3.Connection) -> list[Outcome]:
            db.row_factory = sqlite3.Row
            return [_outcome(row) for row in db.execute("SELECT * FROM outcomes WHERE run = ?", (run,))]

        return next(iter(await self._file.run(read)), None)

    async def outcomes(self, *, tenant: str | None = None) -> list[Outcome]:
        """Return all outcomes, oldest first, of one tenant or of all."""

        def read(db: sqlite3.Connection) -> list[Outcome]:
            db.row_factory = sqlite3.Row
            found = db.execute("SELECT * FROM outcomes WHERE ? IS NULL OR tenant = ? ORDER BY at, run", (tenant, tenant))
            return [_outcome(row) for row in found]

        return await self._file.run(read)

    async def forget(self, tenant: str | None) -> int:
        """Drop all of a tenant, or of all with None, and return how much that was."""

        def write(db: sqlite3.Connection) -> int:
            with transaction(db):
                return db.execute("DELETE FROM outcomes WHERE ? IS NULL OR tenant = ?", (tenant, tenant)).rowcount

        return await self._file.run(write)

    def close(self) -> None:
        """Close the file; the next use opens it again. Never needed."""
        self._file.close()


def training_row(asked: Asked, passages: Sequence[Passage], answer: str, *, run: str) -> str | None:
    """Return the question as a compression row, JSON; None when no sentence stands for the answer.

    The sentences that an answer needs are those of the full context that hold most of the words of one of its sentences.

    Args:
        asked: the question.
        passages: the full context.
        answer: the answer that the full context supported.
        run: becomes the row's id.
    """
    needed = supporting(answer, passages)
    if not needed:
        return None
    held = {i for i, _ in needed}
    value: dict[str, object] = {
        "id": run,
        "source": "records",
        "lang": asked["language"],
        "question": asked["search_text"],
        "docs": [
            {
                "id": passage["id"], "title": passage["title"], "heading": passage["heading"], "text": passage["text"],
                "similarity": passage["similarity"], "gold": i in held,
            }
            for i, passage in enumerate(passages)
        ],
        "answer_groups": [],
        "gold_sentences": [{"doc": passages[i]["id"], "text": text_of(passages[i], j)} for i, j in needed],
        "string_metric": False,
    }  # fmt: skip
    return json.dumps(value, ensure_ascii=False)


def supporting(answer: str, passages: Sequence[Passage]) -> list[tuple[int, int]]:
    """Return the places (passage, sentence) of the sentences that stand for an answer's sentences, each once."""
    places = [(i, j) for i, passage in enumerate(passages) for j in range(len(passage["sentences"]))]
    bags = [Counter(words(text_of(passages[i], j))) for i, j in places]
    plain = without_citations(answer)
    found: dict[tuple[int, int], None] = {}
    for start, end in sentence_spans(plain):
        said = set(content_words(plain[start:end]))
        if said and bags:
            best = int(np.argmax(bm25(dict.fromkeys(said, 1.0), bags)))
            if len(said & bags[best].keys()) >= _HALF * len(said):
                found[places[best]] = None
    return list(found)


def _outcome(row: Mapping[str, Any] | sqlite3.Row) -> Outcome:
    values = dict(row)
    return Outcome(**{**values, "mended": None if values["mended"] is None else bool(values["mended"])})
