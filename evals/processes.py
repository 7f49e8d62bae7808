"""Processes of groat on free ports of loopback, for as long as a test or a measurement needs them."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BIN: Final = Path(sys.executable).parent
"""Where the commands of this environment are."""
_STARTED_WITHIN_S: Final = 300.0
_ENDS_WITHIN_S: Final = 30.0
_OURS: Final = ("GROAT_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_", "OTEL_")


@dataclass(frozen=True)
class Serving:
    """A process that serves, and where."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """End it, and whatever it started, at once (SIGKILL)."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        """Ask it to end (SIGTERM) and wait; return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.returncode


@contextmanager
def serving(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], *, ready: str, port: int | None = None
) -> Iterator[Serving]:
    """Run a command that serves, in ``folder``, and end it afterwards.

    Args:
        command: the command line; ``{port}`` in it is where it is to serve.
        folder: where it works, and where its log goes.
        environment: its variables beyond the ordinary ones; ours of this process are not handed on.
        ready: path that answers with status 200 once it serves.
        port: where it is to serve; None for any free one.

    Raises:
        RuntimeError: it ended, or did not serve in time; the message ends with its log.
    """
    server = start(command, folder, environment, port=port)
    try:
        wait_until_ready(server, ready)
        yield server
    finally:
        if server.process.poll() is None:
            server.end()


def start(command: Sequence[str], folder: Path, environment: Mapping[str, str], *, port: int | None = None) -> Serving:
    """Start a command as ``serving`` does, and do not wait for it."""
    port = port or free_port()
    log = folder / f"{port}-{time.time_ns()}.log"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            cwd=folder,
            env={**plain, "LANGSMITH_TRACING": "false", **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
            # A group of its own: what the command starts is ended with it.
            start_new_session=True,
        )
    return Serving(port, process, log)


def wait_until_ready(server: Serving, path: str) -> None:
    """Wait until the path answers with status 200.

    Raises:
        RuntimeError: the process ended before, or it takes too long.
    """
    until = time.monotonic() + _STARTED_WITHIN_S
    while time.monotonic() < until and server.process.poll() is None:
        try:
            with urllib.request.urlopen(server.url + path, timeout=2) as reply:
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    state = "ended" if server.process.poll() is not None else "does not serve"
    raise RuntimeError(f"the process {state}; its log ends with: {server.log.read_text(encoding='utf-8')[-2000:]}")


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
