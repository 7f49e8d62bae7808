"""Answers that were given once and may serve again: identity, exact and semantic lookup, and what forbids it."""

from groat.cache.answers import AnswerCache
from groat.cache.calibration import Calibration
from groat.cache.entry import Entry, NewAnswer
from groat.cache.guard import differences
from groat.cache.identity import conversation_key, identity_key
from groat.cache.policy import cacheable
from groat.cache.stores import AnswerStore, MemoryStore, RedisStore, SqliteStore

__all__ = [
    "AnswerCache",
    "AnswerStore",
    "Calibration",
    "Entry",
    "MemoryStore",
    "NewAnswer",
    "RedisStore",
    "SqliteStore",
    "cacheable",
    "conversation_key",
    "differences",
    "identity_key",
]
