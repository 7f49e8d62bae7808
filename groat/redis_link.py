"""Connections to one Redis, each event loop with its own, and its address without the password."""

import asyncio
import threading
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from groat.errors import SettingsError

_CONNECTIONS = 8
"""For each event loop; calls beyond wait their turn, since a script takes less than making a connection."""


class RedisLink:
    """One Redis for all event loops of a process. Nothing is opened before the first call.

    Args:
        url: ``redis://``, ``rediss://`` (with TLS) or ``unix://``, with the password where there is one.
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


def place(url: str) -> str:
    """Return where an address points, without the password."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or 'localhost'}:{parts.port or 6379}" if parts.scheme != "unix" else parts.path
    except ValueError:
        return "an address that cannot be read"


def is_address(url: str) -> bool:
    """Say whether ``url`` is the address of a Redis, be it there or not."""
    try:
        _pool(url)
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.path if parts.scheme == "unix" else parts.hostname)


def _pool(url: str, **options: Any) -> BlockingConnectionPool:
    pool = BlockingConnectionPool.from_url(url, **options)
    try:
        pool.connection_class(**pool.connection_kwargs)  # connects to nothing yet
    except TypeError as error:
        raise ValueError("the address holds an option that is none") from error
    return pool
