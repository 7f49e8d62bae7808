"""A collector on loopback: takes spans and metrics over OTLP, or refuses, stalls, hangs up, as a test says."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

Mood = Literal["well", "refusing", "busy", "broken", "slow"]
_STATUS = {"well": 200, "refusing": 400, "busy": 429, "broken": 500, "slow": 200}


@dataclass
class Collector:
    """What came, and how it is received."""

    url: str = ""
    mood: Mood = "well"
    slow_s: float = 20.0
    spans: list[tuple[str, bytes]] = field(default_factory=list)
    """Name and trace id of each span."""
    requests: int = 0
    metrics: int = 0
    """Requests with metrics."""
    awake: threading.Event = field(default_factory=threading.Event)
    """Set to end all stalls."""

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.spans]


@contextmanager
def serve_collector(*, port: int = 0) -> Iterator[Collector]:
    """Run it."""
    state = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            state.requests += 1
            mood = state.mood
            if mood == "slow":
                state.awake.wait(state.slow_s)
            if _STATUS[mood] == 200:
                self._take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            # Whoever stopped waiting hears nothing.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(_STATUS[mood])
                self.send_header("content-length", "0")
                self.end_headers()

        def _take(self, body: bytes) -> None:
            if not self.path.endswith("/v1/traces"):
                state.metrics += 1
                return
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    state.spans += [(span.name, span.trace_id) for span in scope.spans]

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.awake.set()
        server.shutdown()
        server.server_close()
        thread.join()
