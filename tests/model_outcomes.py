"""What the model server of the tests can answer: replies, refusals, failures, and the words of OpenAI that carry them."""

import json
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final, Literal, TypeAlias

from groat.text import count_tokens

Body: TypeAlias = dict[str, Any]
"""A request or a reply in JSON, in OpenAI's words."""

Malformed = Literal["bad_json", "html", "empty_choices", "no_content"]
Failing = Literal["unauthorized", "rate_limited", "broken", "unavailable", "bad_request", "hang", "drop"] | Malformed
"""Outcomes that say nothing. A hang lasts until the client goes or ``hang_s`` passes, then the connection closes, as it does
at once for a drop. The malformed ones have status 200."""

Misreport = Literal["no_output", "cached_over_input", "negative"]
Twist = Literal["cut", "length", "content_filter", "refusal"] | Misreport
"""What ``faulty`` can make of a reply that was good."""

COUNTED: Final = "counted"
FIXED_USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
_PIECE = re.compile(r"\s*(?:[⺀-鿿가-힯豈-﫿＀-￯]|[^\s⺀-鿿가-힯豈-﫿＀-￯]+)|\s+")


@dataclass(frozen=True, kw_only=True)
class Says:
    """A reply.

    Attributes:
        usage: in OpenAI's words; ``COUNTED`` counts the tokens, None is a server that reports none (its bill is counted).
        delay_s: before the first byte.
        piece_delay_s: between the words of a stream, and between the bytes of a whole body: a slow drip.
        cut_after: the connection breaks after so many words.
        logprobs: natural logarithms, one for each word, sent when the request asks for them.
        refusal: sent in place of the content.
        misreport: the usage that is told is not the one that is billed.
        calls: of tools, each a name and its arguments in JSON; with them there is no content, and a stream brings the
            arguments in two pieces.
    """

    text: str = ""
    usage: Body | Literal["counted"] | None = field(default_factory=FIXED_USAGE.copy)
    finish_reason: str = "stop"
    delay_s: float = 0.0
    piece_delay_s: float = 0.0
    cut_after: int | None = None
    logprobs: Sequence[float] | None = None
    refusal: str | None = None
    service_tier: str | None = None
    misreport: Misreport | None = None
    calls: Sequence[tuple[str, str]] = ()

    @property
    def name(self) -> str:
        return "cut" if self.cut_after is not None else "ok"

    def pieces(self) -> list[str]:
        return _PIECE.findall(self.text if self.refusal is None else self.refusal)

    def true_usage(self, body: Body) -> Body:
        """The usage that is billed."""
        if isinstance(self.usage, dict):
            return self.usage
        return _usage(prompt_tokens(body), count_tokens(self.text if self.refusal is None else self.refusal))

    def told_usage(self, body: Body) -> Body | None:
        if self.usage is None:
            return None
        usage = self.true_usage(body)
        prompt, output = usage["prompt_tokens"], usage["completion_tokens"]
        match self.misreport:
            case None:
                return usage
            case "no_output":
                return _usage(prompt, 0)
            case "negative":
                return _usage(prompt, -output - 1)
            case "cached_over_input":
                return {**usage, "prompt_tokens_details": {"cached_tokens": prompt + 1}}


@dataclass(frozen=True, kw_only=True)
class Refuses:
    """An HTTP error; its body repeats the key and the request, as a real provider's does.

    Attributes:
        retry_after_as: seconds are rounded up to whole ones, and so is the time of a date.
    """

    status: int
    retry_after_s: float | None = None
    retry_after_as: Literal["seconds", "date", "ms"] = "seconds"
    message: str = "The request was refused"
    code: str | None = None
    name: str = "refused"

    def headers(self) -> dict[str, str]:
        if self.retry_after_s is None:
            return {}
        if self.retry_after_as == "ms":
            return {"retry-after-ms": f"{self.retry_after_s * 1000:g}"}
        if self.retry_after_as == "seconds":
            return {"retry-after": str(math.ceil(self.retry_after_s))}
        due = datetime.now(UTC) + timedelta(seconds=self.retry_after_s)
        return {"retry-after": format_datetime((due + timedelta(seconds=0.999999)).replace(microsecond=0), usegmt=True)}


Outcome = Says | Refuses | Failing
Answering = Callable[[Body, int], Outcome]
"""From the body of a request and its number, from 0, to what happens; called in the server's thread, so it must not wait."""

REFUSALS: dict[str, Refuses] = {
    "unauthorized": Refuses(status=401, message="Incorrect API key provided", code="unauthorized", name="unauthorized"),
    "rate_limited": Refuses(status=429, message="Rate limit reached", code="rate_limited", name="rate_limited"),
    "broken": Refuses(status=500, message="The server had an error", code="broken", name="broken"),
    "unavailable": Refuses(status=503, message="The engine is overloaded", code="unavailable", name="unavailable"),
    "bad_request": Refuses(status=400, message="The model does not exist", code="bad_request", name="bad_request"),
}


def faulty(answering: Answering, *, share: float, seed: int, kinds: Sequence[Outcome | Twist]) -> Answering:
    """Let a share of the requests (0..1) end in one of ``kinds``; which ones depends on the seed and their numbers alone."""

    def answer(body: Body, number: int) -> Outcome:
        rng = random.Random(f"{seed}:{number}")  # its own for each number: the order of arrival changes nothing
        outcome = answering(body, number)
        if rng.random() >= share:
            return outcome
        kind = rng.choice(kinds)
        twisted = _TWISTS.get(kind) if isinstance(kind, str) else None
        if twisted is None:
            return kind  # type: ignore[return-value]  # what is no twist is an outcome
        return twisted(outcome) if isinstance(outcome, Says) else outcome

    return answer


def _half(says: Says) -> str:
    pieces = says.pieces()
    return "".join(pieces[: len(pieces) // 2])


_TWISTS: dict[str, Callable[[Says], Says]] = {
    "cut": lambda says: replace(says, cut_after=len(says.pieces()) // 2),
    "length": lambda says: replace(says, text=_half(says), finish_reason="length"),
    "content_filter": lambda says: replace(says, text=_half(says), finish_reason="content_filter"),
    "refusal": lambda says: replace(says, text="", refusal="I'm sorry, I can't help with that."),
    "no_output": lambda says: replace(says, misreport="no_output"),
    "cached_over_input": lambda says: replace(says, misreport="cached_over_input"),
    "negative": lambda says: replace(says, misreport="negative"),
}


@dataclass(frozen=True)
class Part:
    """Some bytes of a reply, and the words of the answer that they bring."""

    data: bytes
    said: str = ""


def prompt_tokens(body: Body) -> int:
    """Count a chat request by OpenAI's published rule: the text, 3 tokens for each message and 3 for the reply's start."""
    return 3 + sum(count_tokens(_text(message.get("content"))) + 3 for message in body.get("messages", []))


def _text(content: str | list[Body] | None) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _usage(prompt: int, completion: int) -> Body:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def whole(says: Says, body: Body, number: int) -> list[Part]:
    """The body of a reply that is not streamed, divided at its words."""
    if says.calls:
        message: Body = {"role": "assistant", "content": None, "tool_calls": [_call(*call) for call in enumerate(says.calls)]}
        choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
        return [Part(_dump(_reply("chat.completion", body, number, choices, usage=says.told_usage(body))).encode())]
    content = says.text if says.refusal is None else None
    choice: Body = {
        "index": 0,
        "message": {"role": "assistant", "content": content, "refusal": says.refusal},
        "finish_reason": says.finish_reason,
    }
    if body.get("logprobs") and says.logprobs is not None:
        choice["logprobs"] = {"content": _logprobs(says), "refusal": None}
    text = _dump(_reply("chat.completion", body, number, [choice], service_tier=says.service_tier, usage=says.told_usage(body)))
    key = '"content": "' if says.refusal is None else '"refusal": "'
    start = text.index(key) + len(key)
    parts = [Part(text[:start].encode())]
    for piece in says.pieces():
        parts.append(Part(_dump(piece)[1:-1].encode(), piece))
    sent = sum(len(part.data) for part in parts)
    return [*parts, Part(text.encode()[sent:])]


def streamed(says: Says, body: Body, number: int) -> list[Part]:
    """The events of a streamed reply: the role, each word, then the finish reason, the usage when asked for, and the end."""

    def event(choices: list[Body], usage: Body | None = None) -> bytes:
        reply = _reply("chat.completion.chunk", body, number, choices, service_tier=says.service_tier, usage=usage)
        return f"data: {_dump(reply)}\n\n".encode()

    def choice(delta: Body, finish_reason: str | None = None) -> Body:
        return {"index": 0, "delta": delta, "finish_reason": finish_reason}

    kind = "content" if says.refusal is None else "refusal"
    entries = _logprobs(says) if body.get("logprobs") and says.logprobs is not None else []
    parts = [Part(event([choice({"role": "assistant", "content": "" if says.refusal is None else None})]))]
    for place, piece in enumerate(says.pieces()):
        more = {"logprobs": {"content": entries[place : place + 1]}} if entries else {}
        parts.append(Part(event([choice({kind: piece}) | more]), piece))
    for place, (name, arguments) in enumerate(says.calls):
        begun = _call(place, (name, arguments[: len(arguments) // 2]))
        rest = {"index": place, "function": {"arguments": arguments[len(arguments) // 2 :]}}
        parts += [Part(event([choice({"tool_calls": [piece]})])) for piece in ({"index": place, **begun}, rest)]
    end = event([choice({}, "tool_calls" if says.calls else says.finish_reason)])
    usage = says.told_usage(body)
    if usage is not None and _wants_usage(body):
        end += event([], usage)
    return [*parts, Part(end + b"data: [DONE]\n\n")]


def _call(place: int, called: tuple[str, str]) -> Body:
    name, arguments = called
    return {"id": f"call_{place}", "type": "function", "function": {"name": name, "arguments": arguments}}


def malformed(kind: Malformed, body: Body, number: int) -> tuple[str, bytes]:
    """The content type and the body of a reply that is none; where it can tell a usage, that is the prompt and no output."""
    if kind == "html":
        return "text/html", b"<html><body><h1>Welcome to the proxy</h1></body></html>"
    as_stream = bool(body.get("stream"))
    if kind == "bad_json":
        broken = '{"id": "c1", "choices": [{"index": 0, "mess'
        return ("text/event-stream", f"data: {broken}\n\n".encode()) if as_stream else ("application/json", broken.encode())
    usage = _usage(prompt_tokens(body), 0)
    message: Body = {"role": "assistant", "content": None}
    if not as_stream:
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}] if kind == "no_content" else []
        return "application/json", _dump(_reply("chat.completion", body, number, choices, usage=usage)).encode()
    choices = [{"index": 0, "delta": message, "finish_reason": "stop"}] if kind == "no_content" else []
    replies = [_reply("chat.completion.chunk", body, number, choices)]
    if _wants_usage(body):
        replies.append(_reply("chat.completion.chunk", body, number, [], usage=usage))
    return "text/event-stream", "".join([*(f"data: {_dump(reply)}\n\n" for reply in replies), "data: [DONE]\n\n"]).encode()


def _wants_usage(body: Body) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _reply(form: str, body: Body, number: int, choices: list[Body], **more: str | Body | None) -> Body:
    reply = {"id": f"c{number}", "object": form, "created": 1, "model": body.get("model"), "choices": choices}
    return reply | {key: value for key, value in more.items() if value is not None}


def _logprobs(says: Says) -> list[Body]:
    pairs = zip(says.pieces(), says.logprobs or (), strict=False)  # a test may give fewer than there are words
    return [{"token": piece, "logprob": value, "bytes": None, "top_logprobs": []} for piece, value in pairs]


def _dump(value: Body | str) -> str:
    return json.dumps(value, ensure_ascii=False)
