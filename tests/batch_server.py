"""A provider with a batch endpoint on loopback, by OpenAI's protocol, whose outcomes a test chooses."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.model_server import Body

Fate = str | int | None
"""What becomes of a request: the text of a reply, an HTTP status, or None when the batch expires before its turn."""


@dataclass
class BatchServer:
    """What the provider was sent and what it bills.

    Attributes:
        answering: says what becomes of a request.
        looks: how often a batch is looked at before it has ended; None: never ends.
        refuse: a batch fails as a whole, for this reason.
    """

    answering: Callable[[Body], Fate]
    looks: int | None = 2
    refuse: str = ""
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    billed: list[tuple[str, int, int]] = field(default_factory=list)
    """Model, input and output tokens of every reply."""
    seen: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self) -> list[list[Body]]:
        """Return the requests of every batch, in the order of submission."""
        return [
            [json.loads(line)["body"] for line in self.files[batch["input_file_id"]].splitlines()]
            for batch in self.batches.values()
        ]

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        name = f"batch_{len(self.batches)}"
        self.batches[name] = {
            "id": name, "object": "batch", "endpoint": body["endpoint"], "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"], "status": "validating", "created_at": 1,
            "metadata": body.get("metadata"), "looks": 0,
        }  # fmt: skip
        return self.shown(name)

    def shown(self, name: str) -> dict[str, Any]:
        return {key: value for key, value in self.batches[name].items() if key != "looks"}

    def look(self, name: str) -> dict[str, Any]:
        batch = self.batches[name]
        batch["looks"] += 1
        if batch["status"] not in ("completed", "failed", "expired") and self.looks is not None:
            batch["status"] = "in_progress"
            if batch["looks"] > self.looks:
                self._end(batch)
        return self.shown(name)

    def _end(self, batch: dict[str, Any]) -> None:
        if self.refuse:
            errors = {"object": "list", "data": [{"code": "x", "message": self.refuse}]}
            batch |= {"status": "failed", "errors": errors}
            return
        done, lost, expired = [], [], False
        for line in self.files[batch["input_file_id"]].splitlines():
            request = json.loads(line)
            fate = self.answering(request["body"])
            if isinstance(fate, str):
                done.append({"custom_id": request["custom_id"], "response": self._reply(request["body"], fate), "error": None})
            elif fate is None:
                expired = True
                error = {"code": "batch_expired", "message": "This request could not be executed in time."}
                lost.append({"custom_id": request["custom_id"], "response": None, "error": error})
            else:
                body = {"error": {"code": "refused", "message": "no"}}
                response = {"status_code": fate, "request_id": "r", "body": body}
                lost.append({"custom_id": request["custom_id"], "response": response, "error": None})
        # A provider keeps no order.
        for key, lines in (("output_file_id", done[::-1]), ("error_file_id", lost)):
            if lines:
                batch[key] = name = f"file-{key}-{batch['id']}"
                self.files[name] = "".join(json.dumps(line) + "\n" for line in lines).encode()
        batch["status"] = "expired" if expired else "completed"

    def _reply(self, body: Body, text: str) -> dict[str, Any]:
        given, written = 100, 20
        self.billed.append((body["model"], given, written))
        usage = {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written}
        message = {"role": "assistant", "content": text}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        reply = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": choices,
            "usage": usage,
        }
        return {"status_code": 200, "request_id": "r", "body": reply}


@contextmanager
def serve_batches(answering: Callable[[Body], Fate], *, looks: int | None = 2, refuse: str = "") -> Iterator[BatchServer]:
    """Run the provider; its ``url`` is the base URL that a client needs."""
    state = BatchServer(answering=answering, looks=looks, refuse=refuse)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _serve(self, method: Literal["GET", "POST"]) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            with state.lock:
                status, reply = _exchange(state, method, self.path, content, self.headers.get("content-type", ""))
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _exchange(state: BatchServer, method: str, path: str, sent: bytes, kind: str) -> tuple[int, Any]:
    parts = urlsplit(path)
    state.seen.append(f"{method} {parts.path}")
    match method, parts.path.split("/")[2:]:
        case "POST", ["files"]:
            form = message_from_bytes(f"content-type: {kind}\r\n\r\n".encode() + sent)
            (file,) = [one for one in form.walk() if one.get_param("name", header="content-disposition") == "file"]
            name, content = f"file-{len(state.files)}", file.get_payload(decode=True)
            assert isinstance(content, bytes)  # a part of a form holds text
            state.files[name] = content
            head = {"id": name, "object": "file", "bytes": len(content), "created_at": 1, "filename": "f"}
            return 200, {**head, "purpose": "batch", "status": "processed"}
        case "POST", ["batches"]:
            return 200, state.create(json.loads(sent))
        case "GET", ["batches"]:
            after = parse_qs(parts.query).get("after")
            shown = [] if after else [state.shown(name) for name in state.batches]
            return 200, {"object": "list", "data": shown, "has_more": False}
        case "GET", ["batches", name]:
            return 200, state.look(name)
        case "GET", ["files", name, "content"]:
            return 200, state.files[name]
        case _:
            return 404, {"error": {"message": "There is nothing here"}}
