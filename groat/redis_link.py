"""Connections to one Redis, each event loop with its own, and its address without the password."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from weakref import WeakKeyDictionary

import redis.sentinel
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from groat.errors import SettingsError

_CONNECTIONS = 8
"""For each event loop; calls beyond wait their turn, since a script takes less than making a connection."""
_SENTINEL: Final = {"redis+sentinel": False, "rediss+sentinel": True}
"""Scheme of an address that names Sentinels, and whether it means TLS."""


class RedisLink:
    """One Redis for all event loops of a process. Nothing is opened before the first call.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with user and password where there are any; or
            ``redis+sentinel://HOST:PORT,HOST:PORT/NAME/DATABASE``, which follows the primary that Sentinels call NAME.
        what: what is kept there, as errors name it.
        reply_s: longest wait for one reply, and for a new connection, in seconds.
        turn_s: longest wait for a connection that is free, in seconds.
        again: whether a call whose connection breaks is sent once more; only for calls that may be repeated. Calls that took
            too long are not.
    """

    def __init__(self, url: str, what: str, *, reply_s: float, turn_s: float, again: bool) -> None:
        """Keep the arguments; nothing is opened yet."""
        self._url = url
        self._what = what
        self._reply_s = reply_s
        self._turn_s = turn_s
        self._again = again
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, Redis] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What is kept and where, without the password, for errors."""
        return f"{self._what} in Redis at {place(self._url)}"

    def client(self) -> Redis:
        """Return the client of the running event loop.

        Raises:
            SettingsError: the address is none.
        """
        loop = asyncio.get_running_loop()
        with self._lock:
            if (client := self._clients.get(loop)) is None:
                client = self._clients[loop] = self._connect()
        return client

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later call opens new ones."""
        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _connect(self) -> Redis:
        try:
            pool = _pool(
                self._url,
                # With version 3 redis-py does not look whether a kept connection was closed meanwhile.
                protocol=2,
                max_connections=_CONNECTIONS,
                timeout=self._turn_s,
                socket_timeout=self._reply_s,
                socket_connect_timeout=self._reply_s,
                retry=Retry(NoBackoff(), int(self._again), supported_errors=(RedisConnectionError,)),
            )
        except ValueError as error:
            # The message of redis-py may repeat the address, and with it the password.
            raise SettingsError(
                f"the address of Redis for {self._what} cannot be used; write it as redis://host:6379/0"
            ) from error
        return Redis.from_pool(pool)


def sync_client(url: str, *, reply_s: float) -> "redis.Redis":
    """Return a client for callers without an event loop; nothing is opened yet.

    Raises:
        ValueError: the address is none.
    """
    waits: dict[str, Any] = {"protocol": 2, "socket_timeout": reply_s, "socket_connect_timeout": reply_s}
    if (named := _Sentinels.of(url)) is None:
        return redis.Redis.from_url(url, **waits)
    watchers = redis.sentinel.Sentinel(named.hosts, sentinel_kwargs=waits)  # type: ignore[no-untyped-call]  # redis-py's
    found: redis.Redis = watchers.master_for(named.name, **named.options, **waits)  # type: ignore[no-untyped-call]
    return found


def place(url: str) -> str:
    """Return where an address points, without the password."""
    try:
        if (named := _Sentinels.of(url)) is not None:
            return f"{named.name} of the Sentinels at {','.join(f'{host}:{port}' for host, port in named.hosts)}"
        parts = urlsplit(url)
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.scheme != "unix" else parts.path
    except ValueError:
        return "an address that cannot be read"


def is_address(url: str) -> bool:
    """Say whether ``url`` is the address of a Redis, be it there or not."""
    try:
        if _Sentinels.of(url) is not None:
            return True
        _pool(url)
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.path if parts.scheme == "unix" else parts.hostname)


@dataclass(frozen=True)
class _Sentinels:
    """An address that names those who know the primary."""

    hosts: list[tuple[str, int]]
    name: str
    """What they call the primary."""
    options: dict[str, Any]
    """Of connections to the primary."""

    @classmethod
    def of(cls, url: str) -> "_Sentinels | None":
        """Read an address; None for one that names a Redis itself. ValueError: it names Sentinels and cannot be read."""
        scheme, _, rest = url.partition("://")
        if scheme not in _SENTINEL:
            return None
        where, _, path = rest.partition("/")
        login, _, hosts = where.rpartition("@")
        user, _, password = login.partition(":")
        name, _, database = path.partition("/")
        if not name:
            raise ValueError("the name of the primary is missing")
        options: dict[str, Any] = {"db": int(database or 0), "ssl": _SENTINEL[scheme]}
        if login:
            options |= {"username": unquote(user) or None, "password": unquote(password)}
        pairs = [host.rpartition(":") for host in hosts.split(",")]
        if not all(host and port for host, _, port in pairs):
            raise ValueError("each Sentinel is HOST:PORT")
        return cls([(host, int(port)) for host, _, port in pairs], name, options)


class _FollowingPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever Redis is the primary now; calls beyond the most wait their turn."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections, and with all of them those to the Sentinels."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for watcher in self.sentinel_manager.sentinels:
                await watcher.aclose()


def _pool(url: str, **options: Any) -> BlockingConnectionPool:
    if (named := _Sentinels.of(url)) is not None:
        waits = {name: value for name, value in options.items() if name.startswith("socket_")}
        watchers = Sentinel(named.hosts, sentinel_kwargs=waits)  # type: ignore[no-untyped-call]  # redis-py's
        return _FollowingPool(named.name, watchers, **named.options, **options)  # type: ignore[no-untyped-call]
    pool = BlockingConnectionPool.from_url(url, **options)
    try:
        pool.connection_class(**pool.connection_kwargs)  # connects to nothing yet
    except TypeError as error:
        raise ValueError("the address holds an option that is none") from error
    return pool
