"""An OpenAI-compatible server on loopback whose outcomes a test chooses, and which keeps the bill a provider would send."""

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus

import numpy as np

from groat.text import count_tokens
from tests.model_bill import Billed, Limits, ModelServer, Totals, Traced
from tests.model_outcomes import (
    COUNTED,
    FIXED_USAGE,
    REFUSALS,
    Answering,
    Body,
    Failing,
    Misreport,
    Outcome,
    Refuses,
    Says,
    Twist,
    faulty,
    malformed,
    prompt_tokens,
    streamed,
    whole,
)

__all__ = [
    "COUNTED",
    "FIXED_USAGE",
    "Answering",
    "Billed",
    "Body",
    "Failing",
    "Limits",
    "Misreport",
    "ModelServer",
    "Outcome",
    "Refuses",
    "Says",
    "Totals",
    "Traced",
    "Twist",
    "faulty",
    "prompt_tokens",
    "serve_model",
]

_MOST_HEAD_BYTES = 1 << 16
_DIMENSIONS = 64


@contextmanager
def serve_model(
    *outcomes: Outcome,
    hang_s: float = 1.0,
    answer_with: Answering | None = None,
    limits: Limits | None = None,
    keep_alive: bool = False,
) -> Iterator[ModelServer]:
    """Run a server; its ``url`` is the base URL that a client needs. What is open at the end is cut and billed.

    Args:
        outcomes: of the chat requests, in order; the last one repeats.
        hang_s: after which a hanging connection is closed.
        answer_with: decides in place of ``outcomes``.
        limits: what is enforced.
        keep_alive: connections serve more than one request. Only for clients that a test closes: those that ``ChatOpenAI``
            and ``OpenAIEmbeddings`` make for themselves outlive the test's event loop with their connections open, a warning.

    Raises:
        Exception: what ``answer_with`` raised, at the end.
    """
    state = ModelServer(list(outcomes), hang_s=hang_s, answering=answer_with, limits=limits, keep_alive=keep_alive)
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: _run(loop, _listen(state, ready, stop)), name="model-server", daemon=True)
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the model server of the tests did not start")
        yield state
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    if state.mistakes:
        raise state.mistakes[0]


def _run(loop: asyncio.AbstractEventLoop, main: Coroutine[None, None, None]) -> None:
    try:
        loop.run_until_complete(main)
    finally:
        loop.close()


async def _listen(state: ModelServer, ready: threading.Event, stop: asyncio.Event) -> None:
    """Serve until ``stop``, then end every conversation and wait until its socket is closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await _converse(state, reader, writer)
        except asyncio.CancelledError:
            pass  # by the stop below; a task that ends well leaves no warning
        except Exception as error:  # nobody awaits this task, so what it died of would be lost
            state.mistakes.append(error)
        tasks.discard(task)

    def protocol() -> asyncio.StreamReaderProtocol:
        return asyncio.StreamReaderProtocol(_Reader(limit=_MOST_HEAD_BYTES), converse)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, backlog=256)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    ready.set()
    await stop.wait()
    # Accept no more, and let what was accepted begin: asyncio does not expect a server to close between the two.
    asyncio.get_running_loop().remove_reader(server.sockets[0].fileno())
    for _ in range(5):
        await asyncio.sleep(0)
    server.close()
    open_at_the_end = list(tasks)
    for task in open_at_the_end:
        task.cancel()
    await asyncio.gather(*open_at_the_end)
    await server.wait_closed()
    await asyncio.sleep(0)  # a transport closes its socket one step after it says that it is closed


class _Gone(Exception):
    """The client went away."""


class _Reader(asyncio.StreamReader):
    """Knows at once that the client went away, also while nobody reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit=limit)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        self.gone.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.gone.set()
        super().set_exception(exc)


@dataclass(frozen=True)
class _Wire:
    """One connection, for writing."""

    reader: _Reader
    writer: asyncio.StreamWriter
    keep_alive: bool

    async def pause(self, seconds: float) -> None:
        """Wait, 0 for no longer than others need for their turn.

        Raises:
            _Gone: the client went away.
        """
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.reader.gone.wait(), seconds)
        else:
            await asyncio.sleep(0)
        if self.reader.gone.is_set():
            raise _Gone

    async def send(self, data: bytes) -> None:
        if self.reader.gone.is_set():
            raise _Gone
        self.writer.write(data)
        try:
            await self.writer.drain()
        except ConnectionError as error:
            raise _Gone from error

    async def drip(self, data: bytes, pause_s: float) -> None:
        """Send byte by byte."""
        for byte in data:
            await self.send(bytes([byte]))
            await self.pause(pause_s)

    async def begin(self, status: int, kind: str, *, length: int | None, headers: dict[str, str] | None = None) -> None:
        """Send the head of a response; without a length its body comes in chunks."""
        size = {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        fields = {"content-type": kind, "connection": "keep-alive" if self.keep_alive else "close", **size, **(headers or {})}
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in fields.items())]
        await self.send("\r\n".join([*lines, "", ""]).encode())

    async def reply(self, status: int, kind: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        await self.begin(status, kind, length=len(content), headers=headers)
        await self.send(content)


async def _converse(state: ModelServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert isinstance(reader, _Reader)
    wire = _Wire(reader, writer, state.keep_alive)
    try:
        while await _exchange(state, wire) and wire.keep_alive:
            pass
    except (_Gone, ConnectionError, asyncio.IncompleteReadError):
        pass  # the client is gone, and what it asked for is billed
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _exchange(state: ModelServer, wire: _Wire) -> bool:
    """Read one request and answer it; False when the connection ends with it."""
    head = (await wire.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    content = await wire.reader.readexactly(int(headers.get("content-length", 0)))
    key = headers.get("authorization", "")
    match method, path:
        case "POST", "/v1/chat/completions":
            return await _chat(state, wire, json.loads(content), key)
        case "POST", "/v1/embeddings":
            await _embed(state, wire, json.loads(content), key)
        case "GET", "/v1/models":
            models = [{"id": "served", "object": "model", "created": 1, "owned_by": "tests"}]
            await wire.reply(200, "application/json", json.dumps({"object": "list", "data": models}).encode())
        case _:
            await wire.reply(404, "application/json", b'{"error": {"message": "There is nothing here"}}')
    return True


async def _chat(state: ModelServer, wire: _Wire, body: Body, key: str) -> bool:
    number = state.admit(body, key, kind="chat")
    try:
        outcome = state.next_outcome(number)
        if isinstance(outcome, str):
            outcome = REFUSALS.get(outcome, outcome)
        return await _play(state, wire, number, outcome)
    finally:
        state.leave(number)


async def _play(state: ModelServer, wire: _Wire, number: int, outcome: Outcome) -> bool:
    """Let the outcome happen. It is billed before the last byte leaves, so that a client finds it on the bill."""
    body, key = state.requests[number], state.keys[number]
    if isinstance(outcome, Says):
        return await _say(state, wire, number, outcome)
    if isinstance(outcome, Refuses):
        state.settle(number, outcome.name, input=0, output=0)
        message = f"{outcome.message}: {key} {json.dumps(body, ensure_ascii=False)}"
        error = {"error": {"message": message, "code": outcome.code}}
        await wire.reply(outcome.status, "application/json", json.dumps(error).encode(), outcome.headers())
        return True
    state.settle(number, outcome, output=0)
    match outcome:
        case "hang":
            await wire.pause(state.hang_s)
            return False
        case "bad_json" | "html" | "empty_choices" | "no_content":
            await wire.reply(200, *malformed(outcome, body, number))
            return True
        case _:
            return False


async def _say(state: ModelServer, wire: _Wire, number: int, says: Says) -> bool:
    body = state.requests[number]
    usage = says.true_usage(body)
    as_stream = bool(body.get("stream"))
    parts = streamed(says, body, number) if as_stream else whole(says, body, number)
    length = None if as_stream else sum(len(part.data) for part in parts)
    sent = parts if says.cut_after is None else parts[: min(1 + says.cut_after, len(parts) - 1)]

    def bill(outcome: str, said: Sequence[str] | None) -> None:
        """Bill the whole output, or what these words come to."""
        most = usage["completion_tokens"]
        output = most if said is None else min(most, count_tokens("".join(said)))
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        state.settle(number, outcome, input=usage["prompt_tokens"], output=output, cache_read=cached)

    said: list[str] = []
    try:
        await wire.pause(says.delay_s)
        await wire.begin(200, "text/event-stream" if as_stream else "application/json", length=length)
        for part in sent:
            if part is sent[-1]:
                bill(says.name, None if says.cut_after is None else [*said, part.said])
            await _send(wire, part.data, says, as_stream=as_stream, last=part is parts[-1])
            said.append(part.said)
            if as_stream and part is not parts[-1]:
                await wire.pause(says.piece_delay_s)
    except (_Gone, asyncio.CancelledError):
        bill("cancelled", said)
        raise
    return says.cut_after is None


async def _send(wire: _Wire, data: bytes, says: Says, *, as_stream: bool, last: bool) -> None:
    if as_stream:
        await wire.send(f"{len(data):x}\r\n".encode() + data + b"\r\n" + (b"0\r\n\r\n" if last else b""))
    elif says.piece_delay_s > 0:
        await wire.drip(data, says.piece_delay_s)
    else:
        await wire.send(data)


async def _embed(state: ModelServer, wire: _Wire, body: Body, key: str) -> None:
    """Answer with vectors that depend on the texts alone; a text may be given as the list of its tokens."""
    number = state.admit(body, key, kind="embedding")
    try:
        given = body["input"]
        texts = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
        tokens = sum(count_tokens(text) if isinstance(text, str) else len(text) for text in texts)
        rows = []
        for place, text in enumerate(texts):
            vector = _vector(text if isinstance(text, str) else json.dumps(text), body.get("dimensions") or _DIMENSIONS)
            coded = base64.b64encode(vector.tobytes()).decode() if body.get("encoding_format") == "base64" else vector.tolist()
            rows.append({"object": "embedding", "index": place, "embedding": coded})
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        state.settle(number, "ok", input=tokens, output=0)
        reply = {"object": "list", "data": rows, "model": body.get("model"), "usage": usage}
        await wire.reply(200, "application/json", json.dumps(reply).encode())
    finally:
        state.leave(number)


def _vector(text: str, dimensions: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest())
    vector = np.random.default_rng(seed).standard_normal(dimensions)
    return (vector / np.linalg.norm(vector)).astype(np.float32)
