"""An OpenAI-compatible server on loopback that reads its answer off the documents in the prompt, and keeps the bill."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from groat.text import count_tokens

_DOCUMENT: Final = re.compile(r'<document [^>]*id="([^"]+)"[^>]*>\n(.*?)\n</document>', re.DOTALL)
_QUESTION: Final = re.compile(r"<question>(.*?)</question>", re.DOTALL)
_NAME: Final = re.compile(r"[A-Z]{2,}-\d+")
"""What a question and a sentence of a document have in common: the name of what both are about."""
_SENTENCE: Final = re.compile(r"[^.。\n]*[.。]")


@dataclass(frozen=True, kw_only=True)
class Billed:
    """One request that was answered."""

    at: float
    """When it came, in seconds of a clock that only rises."""
    model: str
    about: str
    """What was asked about."""
    input: int
    output: int
    heard: bool
    """Whether the client was there to hear the answer."""


@dataclass
class BillingServer:
    """The bill, and how the server behaves now."""

    delay_s: float = 0.05
    """What an answer takes."""
    hangs: bool = False
    """While set, requests are taken and not answered; they are answered when it is unset."""
    bill: list[Billed] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: Request) -> Response:
        """Answer one request for a chat completion."""
        at, body = time.monotonic(), await request.json()
        prompt = "\n".join(_text(message["content"]) for message in body["messages"])
        about, text = _read(prompt)
        until = at + self.delay_s
        while self.hangs or time.monotonic() < until:
            await asyncio.sleep(0.01 if self.hangs else until - time.monotonic())
            if await request.is_disconnected():
                break
        heard = not await request.is_disconnected()
        # Who went away before the first word pays for what it sent.
        given, written = _given(body["messages"]), count_tokens(text) if heard else 0
        self.bill.append(Billed(at=at, model=body["model"], about=about, input=given, output=written, heard=heard))
        return JSONResponse(
            {
                "id": f"chatcmpl-{len(self.bill)}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body["model"],
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written},
            }
        )


def _read(prompt: str) -> tuple[str, str]:
    """Return what is asked about, and the sentence of the documents that says it."""
    asked = _QUESTION.findall(prompt)
    found = _NAME.search(asked[-1] if asked else prompt)
    about = found[0] if found else ""
    for document, text in _DOCUMENT.findall(prompt):
        for sentence in _SENTENCE.findall(unescape(text)):
            if about and re.search(rf"{about}(?!\d)", sentence):
                return about, f"{sentence.strip()} [{document}]"
    return about, "The documents do not say."


def _given(messages: list[dict[str, Any]]) -> int:
    """Count a request by OpenAI's published rule: the text, 3 tokens for each message and 3 for the reply's start."""
    return 3 + sum(count_tokens(_text(message["content"])) + 3 for message in messages)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


@contextmanager
def serve_bills(*, delay_s: float = 0.05) -> Iterator[BillingServer]:
    """Run a server on a free port; its ``url`` is the base URL that a client needs."""
    state = BillingServer(delay_s=delay_s)
    app = Starlette(routes=[Route("/v1/chat/completions", state.answer, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        if not thread.is_alive():
            raise RuntimeError("the model server ended at its start")
        time.sleep(0.01)
    state.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield state
    finally:
        state.hangs = False
        server.should_exit = True
        thread.join(timeout=30)
