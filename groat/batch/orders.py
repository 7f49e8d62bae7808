"""What was ordered from a provider in batches, on the disk, so that a batch that was submitted is paid for and used once."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (name TEXT PRIMARY KEY, model TEXT NOT NULL, id TEXT, over INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY, run TEXT NOT NULL, model TEXT NOT NULL, body TEXT NOT NULL, batch TEXT,
    tries INTEGER NOT NULL DEFAULT 0, reply TEXT, error TEXT
);
CREATE INDEX IF NOT EXISTS orders_batch ON orders (batch);
CREATE TABLE IF NOT EXISTS savings (id TEXT PRIMARY KEY, plain TEXT, paid TEXT);
CREATE TABLE IF NOT EXISTS followers (row TEXT PRIMARY KEY, run TEXT NOT NULL)"""
_MOST_TRIES = 3
"""In how many batches one request may be before it is given up."""


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """A batch that was made, or was about to be made when the process ended."""

    name: str
    model: str
    id: str | None
    fresh: bool
    """It was put together just now, so that no provider can have it."""


class Orders:
    """Orders, the batches that they are in, and what came back.

    Args:
        db: a connection of its own event loop; every change is committed before the method returns.
    """

    def __init__(self, db: aiosqlite.Connection) -> None:
        """Keep the connection; ``open`` makes the tables."""
        self._db = db

    async def open(self) -> None:
        """Make the tables where there are none."""
        await self._db.executescript(_SCHEMA)

    async def place(self, name: str, *, run: str, model: str, body: dict[str, Any]) -> None:
        """Order a reply; one that is ordered stays as it is."""
        await self._write(
            "INSERT OR IGNORE INTO orders (id, run, model, body) VALUES (?, ?, ?, ?)",
            (name, run, model, json.dumps(body, ensure_ascii=False)),
        )

    async def outcome(self, name: str) -> tuple[dict[str, Any] | None, str | None]:
        """Return the reply and the error of an order; None and None while it is open, or when it is none."""
        row = await self._one("SELECT reply, error FROM orders WHERE id = ?", (name,))
        return (None, None) if row is None else (json.loads(row[0]) if row[0] else None, row[1])

    async def is_open(self, run: str) -> bool:
        """Tell whether a run waits for a reply."""
        found = await self._one("SELECT 1 FROM orders WHERE run = ? AND reply IS NULL AND error IS NULL", (run,))
        return found is not None

    async def follow(self, row: str, run: str) -> None:
        """Note that a row waits for the answer of a run that asks the same."""
        await self._write("INSERT OR REPLACE INTO followers VALUES (?, ?)", (row, run))

    async def leader(self, row: str) -> str | None:
        """Return the run that a row waits for, None for none."""
        found = await self._one("SELECT run FROM followers WHERE row = ?", (row,))
        return None if found is None else str(found[0])

    async def gather(self, most: int) -> list[Submitted]:
        """Put all orders that are in no batch into new ones, of one model and at most ``most`` each; return all open ones."""
        cursor = await self._db.execute(
            "SELECT model, count(*) FROM orders WHERE batch IS NULL AND reply IS NULL AND error IS NULL GROUP BY model"
        )
        fresh = set()
        for model, count in await cursor.fetchall():
            for _ in range(0, count, most):
                name = uuid.uuid4().hex
                fresh.add(name)
                await self._db.execute("INSERT INTO batches (name, model) VALUES (?, ?)", (name, model))
                await self._db.execute(
                    "UPDATE orders SET batch = ?, tries = tries + 1 WHERE id IN (SELECT id FROM orders WHERE model = ? AND "
                    "batch IS NULL AND reply IS NULL AND error IS NULL LIMIT ?)",
                    (name, model, most),
                )
        await self._db.commit()
        cursor = await self._db.execute("SELECT name, model, id FROM batches WHERE NOT over")
        return [
            Submitted(name=name, model=model, id=number, fresh=name in fresh) for name, model, number in await cursor.fetchall()
        ]

    async def requests(self, batch: Submitted) -> Sequence[tuple[str, str]]:
        """Return id and JSON of the body of each order in a batch."""
        cursor = await self._db.execute("SELECT id, body FROM orders WHERE batch = ?", (batch.name,))
        return [(str(name), str(body)) for name, body in await cursor.fetchall()]

    async def submitted(self, batch: Submitted, number: str) -> None:
        """Keep the provider's id of a batch."""
        await self._write("UPDATE batches SET id = ? WHERE name = ?", (number, batch.name))

    async def replied(self, name: str, reply: dict[str, Any]) -> None:
        """Keep a reply."""
        await self._db.execute("UPDATE orders SET reply = ? WHERE id = ?", (json.dumps(reply, ensure_ascii=False), name))

    async def refused(self, name: str, error: str, *, again: bool) -> None:
        """Keep why there is no reply; an order that may be tried again is, in another batch, a few times."""
        await self._db.execute(
            "UPDATE orders SET batch = NULL, error = CASE WHEN ? AND tries < ? THEN NULL ELSE ? END WHERE id = ?",
            (again, _MOST_TRIES, error, name),
        )

    async def over(self, batch: Submitted) -> None:
        """Close a batch; orders that nothing was said about are tried again."""
        open_orders = "batch = ? AND reply IS NULL AND error IS NULL"
        await self._db.execute(
            f"UPDATE orders SET error = CASE WHEN tries < ? THEN NULL ELSE 'no reply' END, batch = NULL WHERE {open_orders}",
            (_MOST_TRIES, batch.name),
        )
        await self._write("UPDATE batches SET over = 1 WHERE name = ?", (batch.name,))

    async def saved(self, name: str, *, plain: str | None, paid: str | None) -> None:
        """Note what a reply would have cost at the plain price, and what it cost, in dollars; None for what is unknown."""
        await self._write("INSERT OR REPLACE INTO savings VALUES (?, ?, ?)", (name, plain, paid))

    async def savings(self) -> list[tuple[str | None, str | None]]:
        """Return all that was noted so."""
        cursor = await self._db.execute("SELECT plain, paid FROM savings")
        return [(plain, paid) for plain, paid in await cursor.fetchall()]

    async def _one(self, query: str, values: tuple[object, ...]) -> Any:
        return await (await self._db.execute(query, values)).fetchone()

    async def _write(self, query: str, values: tuple[object, ...]) -> None:
        await self._db.execute(query, values)
        await self._db.commit()
