"""Where the counts of all processes are: beside the answers, in one SQLite file or in Redis."""

import contextlib
import datetime
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, cast

from redis import Redis
from redis.exceptions import RedisError

from groat.cache.counts import Cell
from groat.cache.stores.redis_scripts import PREFIX
from groat.errors import StorageError
from groat.redis_link import place, sync_client
from groat.sqlite_file import transaction

KEPT_DAYS: Final = 400
"""How long counts are kept, in days."""
_AGAIN_S: Final = 3600
"""How long Redis knows a batch that was added, in seconds: so long may one be sent again whose reply was lost."""
_REPLY_S: Final = 1.0
"""Longest wait for Redis: nobody's question waits, only the end of a process."""
_SCHEMA_VERSION: Final = 1
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS counts (day TEXT NOT NULL, hour INTEGER NOT NULL, language TEXT NOT NULL, name TEXT NOT NULL, "
    "number INTEGER NOT NULL, PRIMARY KEY (day, hour, language, name)) STRICT, WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS batches (batch TEXT PRIMARY KEY, day TEXT NOT NULL) STRICT, WITHOUT ROWID",
)
_ADD: Final = (
    "INSERT INTO counts VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (day, hour, language, name) DO UPDATE SET number = number + excluded.number"
)


class SqliteCounts:
    """Counts in the file ``path``, created at the first use with owner-only rights, for the processes of one machine."""

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self._path = path

    def add(self, batch: str, counts: Mapping[Cell, int]) -> None:
        """Add a batch of counts; a day that is kept no longer goes."""
        today = max((cell.day for cell in counts), default="")
        with self._open() as db, transaction(db):
            if db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (batch, today)).rowcount:
                db.executemany(_ADD, [(*cell, number) for cell, number in counts.items()])
            db.execute("DELETE FROM batches WHERE day < ?", (_before(today, 1),))
            db.execute("DELETE FROM counts WHERE day < ?", (_before(today, KEPT_DAYS),))

    def read(self, days: Iterable[str]) -> dict[Cell, int]:
        """Return the counts of these days."""
        with self._open() as db:
            rows = db.execute(
                "SELECT day, hour, language, name, number FROM counts WHERE day IN (SELECT value FROM json_each(?))",
                (json.dumps(list(days)),),
            ).fetchall()
        return {Cell(*row[:4]): row[4] for row in rows}

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one piece of work: it is used once in some seconds, and from several threads."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            with contextlib.closing(sqlite3.connect(self._path, timeout=5.0, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                self._prepare(db)
                yield db
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"the counts of the answer cache in {self._path} cannot be used "
                f"({getattr(error, 'sqlite_errorname', None) or type(error).__name__}); check the disk, the folder and its "
                f"rights, or move {self._path} away to begin anew"
            ) from error

    def _prepare(self, db: sqlite3.Connection) -> None:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > _SCHEMA_VERSION:
            raise StorageError(
                f"the counts of the answer cache in {self._path} have schema {version} and this groat reads {_SCHEMA_VERSION}; "
                f"upgrade groat, or move {self._path} away to begin anew"
            )
        if version < _SCHEMA_VERSION:
            with transaction(db):
                for statement in _TABLES:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


# KEYS: the batch, then one hash for each day. ARGV: for how long the batch and the days are known, in seconds; then for each
# count the place of its day in KEYS, its field and its number.
_ADD_SCRIPT: Final = """
if not redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[1]) then return 0 end
for n = 3, #ARGV, 3 do redis.call('HINCRBY', KEYS[tonumber(ARGV[n])], ARGV[n + 1], ARGV[n + 2]) end
for n = 2, #KEYS do redis.call('EXPIRE', KEYS[n], ARGV[2]) end
return 1
"""


class RedisCounts:
    """Counts in the Redis at ``url``, a hash for each day, for all instances that share the cache. Redis may evict them."""

    def __init__(self, url: str) -> None:
        """Open nothing yet."""
        self._url = url
        self._redis: Redis | None = None

    def add(self, batch: str, counts: Mapping[Cell, int]) -> None:
        """Add a batch of counts."""
        days = sorted({cell.day for cell in counts})
        keys = [f"{PREFIX}counted:{batch}", *(_key(day) for day in days)]
        told: list[str | int] = []
        for cell, number in counts.items():
            told += [days.index(cell.day) + 2, f"{cell.hour}|{cell.language}|{cell.name}", number]
        with self._asked() as redis:
            redis.eval(_ADD_SCRIPT, len(keys), *keys, _AGAIN_S, KEPT_DAYS * 86_400, *told)

    def read(self, days: Iterable[str]) -> dict[Cell, int]:
        """Return the counts of these days."""
        found: dict[Cell, int] = {}
        with self._asked() as redis:
            for day in days:
                # redis-py types both its clients in one
                for field, number in cast("dict[bytes, bytes]", redis.hgetall(_key(day))).items():
                    hour, language, name = field.decode().split("|", 2)
                    found[Cell(day, int(hour), language, name)] = int(number)
        return found

    @contextlib.contextmanager
    def _asked(self) -> Iterator[Redis]:
        try:
            if self._redis is None:
                self._redis = sync_client(self._url, reply_s=_REPLY_S)
            yield self._redis
        except (RedisError, OSError, ValueError) as error:
            raise StorageError(
                f"the counts of the answer cache in Redis at {place(self._url)} cannot be used ({type(error).__name__}); "
                "start this Redis, or correct the address"
            ) from error


def _key(day: str) -> str:
    return f"{PREFIX}counts:{day}"


def _before(day: str, days: int) -> str:
    return (datetime.date.fromisoformat(day) - datetime.timedelta(days=days)).isoformat() if day else ""
