"""Answers in OpenAI's form: whole, as chunks of a stream, and what each cost."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from graph.state import Output
from groat.types import Charge

_PIECE: Final = 400
"""Characters of one chunk of an answer: it is whole before its first piece is passed on."""


def completion(
    output: Output, *, id: str, model: str, begun: float, trace: str, left_out: Sequence[str] = ()
) -> dict[str, Any]:
    """Return a whole answer.

    Args:
        output: what the graph gave.
        id: of the completion.
        model: that was asked for.
        begun: when the question came, in seconds since 1970.
        trace: id of the run in LangGraph and LangSmith.
        left_out: parameters of the request that had no effect.
    """
    return {
        "id": id,
        "object": "chat.completion",
        "created": int(begun),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": output["answer"], "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": usage(output["charges"]),
        "groat": account(output, trace=trace, begun=begun, left_out=left_out),
    }


def chunks(
    output: Output, *, id: str, model: str, begun: float, trace: str, include_usage: bool, left_out: Sequence[str] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the chunks of an answer after the first one, which says who speaks."""
    head = {"id": id, "object": "chat.completion.chunk", "created": int(begun), "model": model}
    text = output["answer"]
    for begin in range(0, len(text), _PIECE):
        yield {**head, "choices": [choice({"content": text[begin : begin + _PIECE]})]}
    end = {**head, "choices": [choice({}, "stop")], "groat": account(output, trace=trace, begun=begun, left_out=left_out)}
    yield {**end, "usage": None} if include_usage else end
    if include_usage:
        yield {**head, "choices": [], "usage": usage(output["charges"])}


def first_chunk(*, id: str, model: str, begun: float) -> dict[str, Any]:
    """Return the chunk that says that an answer comes."""
    begins = choice({"role": "assistant", "content": ""})
    return {"id": id, "object": "chat.completion.chunk", "created": int(begun), "model": model, "choices": [begins]}


def event(value: Mapping[str, Any]) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def usage(charges: Sequence[Charge]) -> dict[str, Any]:
    """Return the tokens of all calls of chat models together, failed tries and escalations included: what is really paid."""
    chat = [charge["usage"] for charge in charges if charge["kind"] == "chat"]
    given, written = sum(one["input"] for one in chat), sum(one["output"] for one in chat)
    return {
        "prompt_tokens": given,
        "completion_tokens": written,
        "total_tokens": given + written,
        "prompt_tokens_details": {"cached_tokens": sum(one["cache_read"] for one in chat)},
        "completion_tokens_details": {"reasoning_tokens": sum(one["reasoning"] for one in chat)},
    }


def account(output: Output, *, trace: str, begun: float, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """Return how an answer came about and what it cost, the field ``groat`` of a reply."""
    route = output["route"]
    return {
        "run": output["run"],
        "trace_id": trace,
        "path": output["path"],
        "cache": output["lookup"]["tier"] or output["lookup"]["outcome"],
        "tier": output["attempts"][-1]["tier"] if output["attempts"] else None,
        "routed": route["tier"] if route else None,
        "verified": output["verified"],
        "sources": output["sources"],
        "cost_usd": number(output["cost_usd"]),
        "baseline_cost_usd": number(output["baseline_cost_usd"]),
        "latency_ms": round((time.time() - begun) * 1000, 2),
        "left_out": list(left_out),
    }


def headers(output: Output, *, trace: str) -> dict[str, str]:
    """Return the same for those who read headers; what is unknown has none."""
    told = {
        "x-groat-run": output["run"],
        "x-groat-trace-id": trace,
        "x-groat-path": ",".join(output["path"]),
        "x-groat-cache": output["lookup"]["tier"] or output["lookup"]["outcome"],
        "x-groat-verified": "true" if output["verified"] else "false",
        "x-groat-cost-usd": output["cost_usd"],
        "x-groat-baseline-cost-usd": output["baseline_cost_usd"],
    }
    return {name: value for name, value in told.items() if value is not None}


def choice(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    """Return the only choice of a chunk."""
    return {"index": 0, "delta": dict(delta), "finish_reason": finish_reason, "logprobs": None}


def number(amount: str | None) -> float | None:
    """Return an amount of dollars as JSON has it; None where it is unknown."""
    return None if amount is None else float(Decimal(amount))
