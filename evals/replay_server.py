"""An OpenAI-compatible server on loopback that answers from a day's recorded answers.

What is billed are the recorded tokens, less what was left out of the documents. Time may stand still: an answer then comes at
once, and its latency is only told.
"""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import regex

from evals.ladder_reading import Latencies
from evals.ladder_rows import Row, Said
from groat.text import count_tokens
from groat.types import Tier

_DOCUMENT = regex.compile(r"<document [^>]*>\n(.*?)\n</document>", regex.DOTALL)
_QUESTION = regex.compile(r"<question>(.*?)</question>(.*)", regex.DOTALL)
_REJECTED = "<rejected>"
_PIECE = regex.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One request that was answered."""

    row: str
    tier: Tier
    input_tokens: int
    output_tokens: int
    latency_ms: float
    first_token_ms: float
    """Modelled: see ``Latencies``."""
    holds_answer: bool
    """The documents that came over the wire still hold an answer that the full ones hold."""


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a client sent, as far as the server must understand it."""

    question: str
    documents: str | None
    """The text of all documents; None when the prompt has not groat's form, and nobody can say what was left out."""
    repair: str
    """What was added to have a rejected answer written anew; empty at a first try."""
    fingerprint: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Prompt":
        """Read a request of the chat API.

        Raises:
            ValueError: it has no messages.
        """
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise ValueError("the request has no messages")
        said = [_spoken(one) for one in messages if isinstance(one, dict) and one.get("role") == "user"]
        last = said[-1] if said else ""
        fingerprint = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()
        if (found := _QUESTION.search(last)) is None:
            return cls(question=last, documents=None, repair="", fingerprint=fingerprint)
        texts = [unescape(text) for text in _DOCUMENT.findall(last[: found.start()])]
        return cls(
            question=unescape(found[1]),
            documents="\n".join(texts),
            repair=found[2] if _REJECTED in found[2] else "",
            fingerprint=fingerprint,
        )


class Replay:
    """Answers prompts from recorded rows.

    Args:
        find: returns the row of a question, None for one that is not recorded.
        models: name of a model -> whose answers it gives.
        latencies: of the models, where none was recorded.
        pace: seconds that a recorded second takes; 0 answers at once.
        told: is told of every answer.
    """

    def __init__(
        self,
        find: Callable[[str], Row | None],
        models: Mapping[str, Tier],
        latencies: Latencies,
        *,
        pace: float = 0.0,
        told: Callable[[Answered], None] | None = None,
    ) -> None:
        """Serve nothing yet."""
        self.find = find
        self.models = dict(models)
        self.pace = pace
        self._latencies = latencies
        self._told = told
        self._repeats: Counter[tuple[str, Tier, str]] = Counter()

    def answer(self, row: Row, tier: Tier, prompt: Prompt) -> tuple[str, Answered]:
        """Return the text and the bill. The same prompt asked again gets the samples in turn, where there are any."""
        said = row.recorded.of(tier)
        asked = (row.id, tier, prompt.fingerprint)
        place = self._repeats[asked]
        if said.samples:
            self._repeats[asked] += 1
        text, output = said.sent, said.output_tokens
        if 0 < place <= len(said.samples):
            text = said.samples[place - 1]
            output = count_tokens(text)
        bill = Answered(
            row=row.id,
            tier=tier,
            input_tokens=_billed(row, said, prompt),
            output_tokens=output,
            latency_ms=self._latencies.whole_ms(tier, said),
            first_token_ms=self._latencies.first_token_ms(tier, said),
            holds_answer=prompt.documents is None or row.holds_answer(prompt.documents),
        )
        if self._told is not None:
            self._told(bill)
        return text, bill


def _billed(row: Row, said: Said, prompt: Prompt) -> int:
    """Return the recorded tokens, less those of the documents that were left out, and those of a repair on top."""
    if prompt.documents is None:
        return said.input_tokens
    full = sum(count_tokens(one.text) for one in row.documents)
    given = count_tokens(prompt.documents) if row.documents else 0
    return max(said.input_tokens - max(full - given, 0) + count_tokens(prompt.repair), 1)


def _spoken(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


@contextmanager
def serving(replay: Replay, *, port: int = 0) -> Iterator[str]:
    """Serve in a thread, and yield the base URL that a client needs.

    Raises:
        OSError: the port is taken.
    """

    class Handler(_Handler):
        answers = replay

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="replay", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    answers: Replay
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a head and a body that are sent apart wait for each other
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """List the models."""
        if self.path != "/v1/models":
            return self._refuse(404, f"there is nothing at {self.path}; POST to /v1/chat/completions")
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "replay"} for name in self.answers.models]
        self._reply(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        """Answer a question."""
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/v1/chat/completions":
            return self._refuse(404, f"there is nothing at {self.path}; POST to /v1/chat/completions")
        try:
            body = json.loads(content)
            prompt = Prompt.of(body)
        except (ValueError, AttributeError) as error:
            return self._refuse(400, f"this is no request of the chat API: {error}")
        tier = self.answers.models.get(str(body.get("model")))
        if tier is None:
            return self._refuse(404, f"the model is not known; known are {', '.join(self.answers.models)}")
        row = self.answers.find(prompt.question)
        if row is None:
            return self._refuse(404, "this question was not recorded")
        text, bill = self.answers.answer(row, tier, prompt)
        self._stream(body, text, bill) if body.get("stream") else self._whole(body, text, bill)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: users' questions have no place in a log."""

    def _whole(self, body: Mapping[str, Any], text: str, bill: Answered) -> None:
        time.sleep(bill.latency_ms / 1000 * self.answers.pace)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._reply(200, {**_head(body, bill, "chat.completion"), "choices": [choice], "usage": _usage(bill)})

    def _stream(self, body: Mapping[str, Any], text: str, bill: Answered) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        head = _head(body, bill, "chat.completion.chunk")
        pieces = _PIECE.findall(text) or [""]
        time.sleep(bill.first_token_ms / 1000 * self.answers.pace)
        for piece in pieces:
            self._chunk({**head, "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            time.sleep((bill.latency_ms - bill.first_token_ms) / len(pieces) / 1000 * self.answers.pace)
        self._chunk({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._chunk({**head, "choices": [], "usage": _usage(bill)})
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _chunk(self, value: object) -> None:
        self._write(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _refuse(self, status: int, sentence: str) -> None:
        self._reply(status, {"error": {"message": sentence, "type": "invalid_request_error"}})

    def _reply(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()


def _head(body: Mapping[str, Any], bill: Answered, kind: str) -> dict[str, object]:
    return {"id": f"replay-{bill.row}-{bill.tier}", "object": kind, "created": 0, "model": body["model"]}


def _usage(bill: Answered) -> dict[str, int]:
    total = bill.input_tokens + bill.output_tokens
    return {"prompt_tokens": bill.input_tokens, "completion_tokens": bill.output_tokens, "total_tokens": total}
