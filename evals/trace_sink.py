"""A backend for traces in a process of its own: takes what comes and counts it, or is slow, busy or broken, as it is told.

``PUT /mood`` with one of ``MOODS`` as its body; ``GET /counts``.
"""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Final, Literal

Mood = Literal["well", "slow", "busy", "broken"]
MOODS: Final[dict[Mood, int]] = {"well": 200, "slow": 200, "busy": 429, "broken": 500}
SLOW_S: Final = 20.0
_WAIT_S: Final = 30.0
_RUN: Final = re.compile(rb'name="post\.[0-9a-f-]{36}"')
"""What each run of LangSmith begins with."""


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mood: ClassVar[Mood] = "well"
    counts: ClassVar[Counter[str]] = Counter()

    def do_PUT(self) -> None:
        type(self).mood = self._body().decode()  # type: ignore[assignment]  # who sends it is this module
        self._reply(200, {})

    def do_GET(self) -> None:
        # Whatever a client of LangSmith looks up: a project.
        session = {
            "id": "33333333-3333-4333-8333-333333333333",
            "name": "p",
            "tenant_id": "33333333-3333-4333-8333-333333333333",
        }
        session |= {"start_time": "2026-11-26T00:00:00+00:00", "reference_dataset_id": None}  # type: ignore[dict-item]  # JSON
        self._reply(200, dict(self.counts) if self.path == "/counts" else [session])

    def do_POST(self) -> None:
        body, mood = self._body(), self.mood
        if mood == "slow":
            time.sleep(SLOW_S)
        if MOODS[mood] == 200:
            self.counts["bytes"] += len(body)
            self.counts["traces" if self.path.endswith("/v1/traces") else "other"] += 1
            self.counts["runs"] += len(_RUN.findall(body))
        self._reply(MOODS[mood], {})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def _reply(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        with suppress(BrokenPipeError, ConnectionResetError):  # whoever stopped waiting
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Sink:
    """A sink that runs."""

    url: str

    def be(self, mood: Mood) -> None:
        """Have it treat what comes in another way."""
        urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/mood", data=mood.encode(), method="PUT"), timeout=_WAIT_S
        ).close()

    def counts(self) -> dict[str, int]:
        """Return what it took: batches of spans, runs, bytes."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=_WAIT_S) as response:
            return dict(json.load(response))


@contextmanager
def sink(port: int = 0) -> Iterator[Sink]:
    """Run one; it is ended with the block."""
    command = [sys.executable, "-m", "evals.trace_sink", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1], text=True) as process:
        try:
            assert process.stdout is not None  # it is a pipe
            yield Sink(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Sink) as server:
        return int(server.server_address[1])


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), _Sink)
    server.daemon_threads = True
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()
