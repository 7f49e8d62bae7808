"""How many entries a SQLite file holds, known without counting them."""

import sqlite3

_MADE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'entry_count'"
_MAKE = (
    "CREATE TABLE entry_count (n INTEGER NOT NULL) STRICT",
    "INSERT INTO entry_count SELECT count(*) FROM entries WHERE alias_of IS NULL",
    "CREATE TRIGGER entries_more AFTER INSERT ON entries WHEN NEW.alias_of IS NULL BEGIN UPDATE entry_count SET n = n + 1; END",
    "CREATE TRIGGER entries_fewer AFTER DELETE ON entries WHEN OLD.alias_of IS NULL "
    "BEGIN UPDATE entry_count SET n = n - 1; END",
    "CREATE TRIGGER entries_turned AFTER UPDATE OF alias_of ON entries "
    "BEGIN UPDATE entry_count SET n = n + (NEW.alias_of IS NULL) - (OLD.alias_of IS NULL); END",
)


def counted(db: sqlite3.Connection) -> int:
    """Return how many entries there are; call it in a transaction that may write.

    Further wordings of an entry are none of their own. The number stands in the file and is kept by triggers, so it is true
    whichever process added or removed what. Counted once, when a file has no such table yet.
    """
    if db.execute(_MADE).fetchone() is None:
        for statement in _MAKE:
            db.execute(statement)
    return int(db.execute("SELECT n FROM entry_count").fetchone()[0])
