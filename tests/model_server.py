"""A small OpenAI-compatible server on loopback whose outcomes a test chooses."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Failing = Literal["unauthorized", "rate_limited", "broken", "bad_request", "hang", "drop"]
_ERRORS: dict[str, tuple[int, str]] = {
    "unauthorized": (401, "Incorrect API key provided"),
    "rate_limited": (429, "Rate limit reached"),
    "broken": (500, "The server had an error"),
    "bad_request": (400, "The model does not exist"),
}


@dataclass(frozen=True, kw_only=True)
class Says:
    """A reply with its usage, in OpenAI's words; ``usage=None`` for a server that reports none."""

    text: str
    usage: dict[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    )
    finish_reason: str = "stop"


@dataclass
class ModelServer:
    """What the server will do, and what was asked of it.

    Attributes:
        outcomes: taken from the front, one for each request; the last one serves all further requests.
        requests: body of every request to the chat endpoint, in order.
        keys: value of the authorization header of each.
    """

    outcomes: list[Says | Failing]
    hang_s: float = 1.0
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    def next_outcome(self) -> Says | Failing:
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]


@contextmanager
def serve_model(*outcomes: Says | Failing, hang_s: float = 1.0) -> Iterator[ModelServer]:
    """Run a server with these outcomes; its ``url`` is the base URL that a client needs."""
    state = ModelServer(list(outcomes), hang_s=hang_s)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    server.daemon_threads = True
    server.block_on_close = False
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(state: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            state.requests.append(body)
            state.keys.append(self.headers.get("authorization", ""))
            outcome = state.next_outcome()
            if isinstance(outcome, Says):
                self._say(outcome, body)
            elif outcome == "hang":
                time.sleep(state.hang_s)
            elif outcome != "drop":
                status, message = _ERRORS[outcome]
                # A real provider repeats part of the key and of the request in its errors.
                echoed = f"{message}: {self.headers.get('authorization')} {json.dumps(body, ensure_ascii=False)}"
                self._send(status, "application/json", json.dumps({"error": {"message": echoed, "code": outcome}}).encode())

        def _say(self, says: Says, body: dict[str, Any]) -> None:
            if body.get("stream"):
                chunks = _chunks(says, with_usage=bool(body.get("stream_options", {}).get("include_usage")))
                lines = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
                self._send(200, "text/event-stream", lines.encode())
            else:
                self._send(200, "application/json", json.dumps(_whole(says)).encode())

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the output of the tests clean."""

    return Handler


def _whole(says: Says) -> dict[str, Any]:
    message = {"role": "assistant", "content": says.text}
    choice = {"index": 0, "message": message, "finish_reason": says.finish_reason}
    usage = {} if says.usage is None else {"usage": says.usage}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "served", "choices": [choice], **usage}


def _chunks(says: Says, *, with_usage: bool) -> Iterator[dict[str, Any]]:
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "served"}
    half = len(says.text) // 2
    for piece in (says.text[:half], says.text[half:]):
        delta = {"role": "assistant", "content": piece}
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": says.finish_reason}]}
    if with_usage and says.usage is not None:
        yield {**base, "choices": [], "usage": says.usage}
