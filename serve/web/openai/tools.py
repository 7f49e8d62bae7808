"""Conversations with tools: read, passed on to a model by the graph, and told in OpenAI's form."""

import json
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from graph.context import Context
from graph.passing import Handed, Passed
from graph.seeing import SeenGraph
from groat.tracing import names
from serve.web.openai.errors import Refused
from serve.web.openai.parameters import most_tokens, passed_on
from serve.web.openai.replies import choice, number, usage


class Function(BaseModel):
    """A function that a model may call."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    """JSON Schema of its arguments."""
    strict: bool | None = None


class Tool(BaseModel):
    """A tool that an application offers."""

    type: Literal["function"]
    function: Function


class CalledFunction(BaseModel):
    """What a model called."""

    name: str
    arguments: str
    """JSON, as the model wrote it: it may be broken."""


class ToolCall(BaseModel):
    """One call of a tool."""

    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class ToolTurn(BaseModel):
    """One turn of a conversation with tools; what its parts hold is between the application and the model."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Passing:
    """A request that is passed on."""

    handed: Handed
    context: Context
    config: RunnableConfig


def is_with_tools(raw: Mapping[str, Any]) -> bool:
    """Tell whether a request offers tools, or goes on after a tool was called."""
    turns = raw.get("messages")
    return bool(raw.get("tools")) or any(
        isinstance(turn, dict) and (turn.get("role") == "tool" or bool(turn.get("tool_calls")))
        for turn in (turns if isinstance(turns, list) else ())
    )


def read_tools(raw: Mapping[str, Any], *, streams: bool) -> Handed:
    """Return what is handed to the model.

    Raises:
        Refused: it cannot be read.
    """
    parameters = passed_on(raw)
    _validated(_TOOLS, raw.get("tools") or [], "tools")
    choice = raw.get("tool_choice")
    if choice is not None and not isinstance(choice, dict) and choice not in ("none", "auto", "required"):
        raise Refused("tool_choice is none, auto, required, or an object that names a function", param="tool_choice")
    turns = _validated(_TURNS, raw["messages"], "messages")
    return {
        "messages": [_message(turn, place) for place, turn in enumerate(turns)],
        "parameters": parameters,
        "max_output": most_tokens(raw),
        "streams": streams,
    }


_TOOLS = TypeAdapter(list[Tool])
_TURNS = TypeAdapter(list[ToolTurn])


def _validated(form: TypeAdapter[Any], value: object, name: str) -> Any:
    try:
        return form.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join([name, *(str(part) for part in first["loc"])])
        raise Refused(f"{where}: {first['msg'].lower()}", param=where) from error


def _message(turn: ToolTurn, place: int) -> AnyMessage:
    content = cast(Any, turn.content if turn.content is not None else "")
    match turn.role:
        case "system":
            return SystemMessage(content)
        case "developer":
            return SystemMessage(content, additional_kwargs={"__openai_role__": "developer"})
        case "user":
            return HumanMessage(content, name=turn.name)
        case "assistant":
            # Handed on in this form, what the model wrote stays as it was, broken JSON included.
            calls = [call.model_dump() for call in turn.tool_calls or ()]
            return AIMessage(content, additional_kwargs={"tool_calls": calls} if calls else {})
        case "tool":
            if turn.tool_call_id is None:
                raise Refused("a tool's turn names the call that it answers", param=f"messages.{place}.tool_call_id")
            return ToolMessage(content, tool_call_id=turn.tool_call_id)


async def replied(graph: SeenGraph, passing: Passing) -> Passed:
    """Return the whole reply. Raises ``GroatError`` when there is none."""
    return cast(Passed, await graph.ainvoke(cast(Any, passing.handed), config=passing.config, context=passing.context))


async def pieces(graph: SeenGraph, passing: Passing) -> AsyncGenerator[AIMessageChunk | Passed]:
    """Yield the reply while it comes, and at the end what came of it. Raises ``GroatError`` when it fails."""
    last: Passed = {}
    async for mode, part in graph.astream(
        passing.handed, passing.config, context=passing.context, stream_mode=["custom", "values"]
    ):
        if mode == "values":
            last = cast(Passed, part)
        elif part.get(names.EVENT) == names.CHUNK:
            yield part[names.CHUNK]
    yield last


def completion_of(passed: Passed, *, id: str, model: str, begun: float, trace: str) -> dict[str, Any]:
    """Return a whole reply."""
    message = passed["reply"]
    told: dict[str, Any] = {"role": "assistant", "content": message.text or None, "refusal": _refusal(message)}
    if calls := list(_calls(message)):
        told["tool_calls"] = calls
    only = {"index": 0, "message": told, "finish_reason": passed["finish_reason"], "logprobs": None}
    return {
        "id": id,
        "object": "chat.completion",
        "created": int(begun),
        "model": model,
        "choices": [only],
        "usage": usage(passed["charges"]),
        "groat": account_of(passed, trace=trace, begun=begun),
    }


def delta_of(chunk: AIMessageChunk) -> dict[str, Any]:
    """Return what a chunk adds to a reply; empty when that is nothing."""
    delta: dict[str, Any] = {}
    if chunk.text:
        delta["content"] = chunk.text
    if refusal := _refusal(chunk):
        delta["refusal"] = refusal
    if chunk.tool_call_chunks:
        delta["tool_calls"] = [_piece(one) for one in chunk.tool_call_chunks]
    return delta


def endings(
    passed: Passed, head: Mapping[str, Any], *, trace: str, begun: float, include_usage: bool
) -> Iterator[dict[str, Any]]:
    """Yield the last chunks of a reply."""
    end = {**head, "choices": [choice({}, passed["finish_reason"])], "groat": account_of(passed, trace=trace, begun=begun)}
    yield {**end, "usage": None} if include_usage else end
    if include_usage:
        yield {**head, "choices": [], "usage": usage(passed["charges"])}


def account_of(passed: Passed, *, trace: str, begun: float) -> dict[str, Any]:
    """Return what a reply cost, the field ``groat``."""
    return {
        "run": passed["run"],
        "trace_id": trace,
        "path": [passed["box"]],
        "cache": "off",
        "tier": passed["box"].removeprefix("answer_"),
        "verified": False,
        "cost_usd": number(passed["cost_usd"]),
        "baseline_cost_usd": number(passed["baseline_cost_usd"]),
        "latency_ms": round((time.time() - begun) * 1000, 2),
    }


def headers_of(passed: Passed, *, trace: str) -> dict[str, str]:
    """Return the same for those who read headers; what is unknown has none."""
    told = {
        "x-groat-run": passed["run"],
        "x-groat-trace-id": trace,
        "x-groat-path": passed["box"],
        "x-groat-cache": "off",
        "x-groat-verified": "false",
        "x-groat-cost-usd": passed["cost_usd"],
        "x-groat-baseline-cost-usd": passed["baseline_cost_usd"],
    }
    return {name: value for name, value in told.items() if value is not None}


def _refusal(message: AIMessage) -> str | None:
    said = message.additional_kwargs.get("refusal")
    return str(said) if said else None


def _calls(message: AIMessage) -> Iterator[dict[str, Any]]:
    for call in message.tool_calls:
        yield _call(call["id"], call["name"], json.dumps(call["args"], ensure_ascii=False))
    for broken in message.invalid_tool_calls:
        yield _call(broken["id"], broken["name"], broken["args"])


def _call(id: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    return {"id": id or "", "type": "function", "function": {"name": name or "", "arguments": arguments or ""}}


def _piece(one: Mapping[str, Any]) -> dict[str, Any]:
    """Return a piece of a call: its id and name come with the first one alone."""
    function = {name: one[key] for name, key in (("name", "name"), ("arguments", "args")) if one[key] is not None}
    begun = {} if one["id"] is None else {"id": one["id"], "type": "function"}
    return {"index": one["index"], **begun, "function": function}
