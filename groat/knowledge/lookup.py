"""Read passages and their vectors from the knowledge database."""

import json
import sqlite3
from collections.abc import Sequence

from groat.embedding import Matrix
from groat.knowledge.vectors import unpacked
from groat.types import Passage


def tenant_key(db: sqlite3.Connection, tenant: str) -> int | None:
    """Return the number of a tenant, None for one without documents ever."""
    row = db.execute("SELECT key FROM tenants WHERE name = ?", (tenant,)).fetchone()
    return None if row is None else int(row[0])


def revision(db: sqlite3.Connection, tenant: str) -> tuple[str, int, int] | None:
    """Return database, number and revision of a tenant: equal values, equal content. None for one without documents."""
    row = db.execute(
        "SELECT origin.id, key, revision FROM tenants, origin WHERE name = ? "
        "AND EXISTS (SELECT 1 FROM documents WHERE tenant = tenants.key)",
        (tenant,),
    ).fetchone()
    return None if row is None else (str(row[0]), int(row[1]), int(row[2]))


def passages(db: sqlite3.Connection, keys: Sequence[int]) -> dict[int, Passage]:
    """Return passages by key, score 0 and without a similarity."""
    rows = db.execute(
        "SELECT passages.key, passages.id, documents.id, version, title, heading, text, passages.language, sentences "
        f"FROM passages JOIN documents ON document = documents.key WHERE passages.key IN ({','.join('?' * len(keys))})",
        tuple(keys),
    )
    return {
        row[0]: Passage(
            id=row[1],
            document_id=row[2],
            version=row[3],
            title=row[4],
            heading=row[5],
            text=row[6],
            language=row[7],
            sentences=spans_of(row[8]),
            score=0.0,
            similarity=None,
        )
        for row in rows
    }


def stored_vectors(db: sqlite3.Connection, passage: Passage, embedder: str) -> Matrix | None:
    """Return the vectors of the passage's sentences, None where this very passage has none of that embedder.

    Passages of equal id, version, title, heading and text have equal vectors, so the tenant need not be known.
    """
    row = db.execute(
        "SELECT sentences, vectors FROM passages JOIN documents ON document = documents.key "
        "WHERE passages.id = ? AND version = ? AND title = ? AND heading = ? AND text = ? AND embedder = ?",
        (passage["id"], passage["version"], passage["title"], passage["heading"], passage["text"], embedder),
    ).fetchone()
    if row is None or spans_of(row[0]) != [tuple(span) for span in passage["sentences"]]:
        return None
    return unpacked(row[1], len(passage["sentences"]))


def spans_of(stored: str) -> list[tuple[int, int]]:
    """Return sentence offsets from the JSON they are stored as."""
    return [(start, end) for start, end in json.loads(stored)]
