"""A double of LangSmith on loopback: the two addresses from which its client reads a data set."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

DATASET = "11111111-1111-4111-8111-111111111111"
_TIME = "2026-11-26T00:00:00+00:00"


@dataclass
class LangSmith:
    """What is served, and what was asked for."""

    url: str
    examples: Sequence[dict[str, object]]
    """Of the data set "own": inputs and outputs."""
    key: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve_langsmith(examples: Sequence[dict[str, object]], *, key: str = "k") -> Iterator[LangSmith]:
    """Run the double; who comes with another key is refused."""
    state = LangSmith(url="", examples=examples, key=key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(address.query).items()}
            state.asked.append(self.path)
            if self.headers.get("x-api-key") != state.key:
                self._reply(401, {"detail": "Unauthorized"})
            elif address.path.endswith("/datasets"):
                found = {"id": DATASET, "name": "own", "description": None, "created_at": _TIME, "data_type": "kv"}
                self._reply(200, [found] if query.get("name") == "own" else [])
            elif address.path.endswith("/examples"):
                begin, count = int(query["offset"]), int(query["limit"])
                self._reply(200, [_example(n, state.examples[n]) for n in range(len(state.examples))][begin : begin + count])
            else:
                self._reply(404, {"detail": "Not Found"})

        def _reply(self, status: int, body: object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _example(number: int, example: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"22222222-2222-4222-8222-{number:012d}", "dataset_id": DATASET, "created_at": _TIME, "modified_at": _TIME,
        **example,
    }  # fmt: skip
