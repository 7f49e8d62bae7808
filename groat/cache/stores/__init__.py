"""Where entries are kept: one protocol, one contract suite, several places."""

from groat.cache.stores.memory import MemoryStore
from groat.cache.stores.protocol import AnswerStore
from groat.cache.stores.redis import RedisStore
from groat.cache.stores.sqlite import SqliteStore

__all__ = ["AnswerStore", "MemoryStore", "RedisStore", "SqliteStore"]
