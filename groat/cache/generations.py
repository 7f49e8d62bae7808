"""What a LangChain model generated, as JSON data and back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import regex
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation

from groat.types import CachedAnswer, Lookup

_ENDS: Final = frozenset(
    "stop end_turn stop_sequence complete completed eos eos_token tool_calls tool_call tool_use function_call".split()
)
"""How providers say that an answer is whole. Whatever else they say (a length, a filter, an error, a pause) it is not."""
_END_FIELDS: Final = ("finish_reason", "stop_reason", "stopReason", "done_reason")
_COUNTS = regex.compile(r"usage|(?:^|_)count|TokenCount|cost|metrics", regex.IGNORECASE)
"""Names under which providers report what a call used; Ollama's are ``eval_count`` and ``prompt_eval_count``."""


@dataclass(frozen=True)
class Kept:
    """Generations in the form that is kept."""

    answer: str
    """JSON."""
    calls_tools: bool
    """Some hold more than text: calls of tools, or blocks of another kind."""


def dump_generations(generations: Iterable[Generation]) -> Kept | None:
    """Return the generations as JSON; None when one may not serve again.

    It may not when it is empty, refused or cut short, when it holds a call of a tool that could not be read, when it is no
    message of a model, or when JSON cannot hold its content. Of the metadata what JSON cannot hold is left out.
    """
    dumped = []
    calls_tools = False
    for generation in generations:
        if isinstance(generation, ChatGeneration):
            message = generation.message
            if not isinstance(message, AIMessage) or not _is_whole(generation.generation_info, message.response_metadata):
                return None
            if not _says_something(message):
                return None
            calls_tools = calls_tools or _calls_tools(message)
            body = _message(message)
        elif generation.text.strip() and _is_whole(generation.generation_info):
            body = {"text": generation.text}
        else:
            return None
        dumped.append(body | {"info": _json_part(generation.generation_info)})
    return Kept(json.dumps(dumped), calls_tools) if dumped and _is_json(dumped) else None


def load_generations(kept: CachedAnswer, lookup: Lookup) -> list[Generation]:
    """Return the generations with nothing used, and a note under "groat" in their metadata that says what served them.

    Raises:
        ValueError, TypeError or KeyError: the answer is none that ``dump_generations`` wrote.
    """
    candidate = lookup["candidate"]
    note = {
        "served_by": "cache",
        "tier": lookup["tier"],
        "entry_id": kept["entry_id"],
        "similarity": candidate["similarity"] if candidate else None,
    }
    return [_loaded(one, note) for one in json.loads(kept["answer"])]


def _loaded(one: Mapping[str, Any], note: Mapping[str, object]) -> Generation:
    info = None if one["info"] is None else _uncounted(one["info"])
    if "text" in one:
        return Generation(text=one["text"], generation_info={**(info or {}), "groat": note})
    message = AIMessage(
        content=one["content"],
        name=one["name"],
        tool_calls=one["tool_calls"],
        additional_kwargs=one["additional_kwargs"],
        response_metadata={**_uncounted(one["response_metadata"]), "groat": {**note, "usage_saved": one["usage"]}},
        usage_metadata={"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
    )
    # No id: a conversation that holds a message of the same id already would replace it.
    return ChatGeneration(message=message, generation_info=info)


def _message(message: AIMessage) -> dict[str, Any]:
    return {
        "content": message.content,
        "name": message.name,
        "tool_calls": message.tool_calls,
        "additional_kwargs": message.additional_kwargs,
        "response_metadata": _json_part(message.response_metadata),
        "usage": message.usage_metadata if _is_json(message.usage_metadata) else None,
    }


def _is_whole(*told: Mapping[str, Any] | None) -> bool:
    """Say whether nothing in the metadata tells of an answer that was cut short. Silence is taken for a whole one."""
    for metadata in told:
        ends = [metadata[name] for name in _END_FIELDS if name in metadata] if metadata else []
        if any(str(end).casefold() not in _ENDS for end in ends) or (metadata and metadata.get("incomplete_details")):
            return False
    return True


def _says_something(message: AIMessage) -> bool:
    if message.invalid_tool_calls or message.additional_kwargs.get("refusal") or any(map(_is_refusal, _blocks(message))):
        return False
    return bool(message.text.strip()) or _calls_tools(message)


def _calls_tools(message: AIMessage) -> bool:
    called = message.tool_calls or message.additional_kwargs.get("tool_calls") or message.additional_kwargs.get("function_call")
    return bool(called) or any(block.get("type") != "text" for block in _blocks(message))


def _blocks(message: AIMessage) -> Sequence[Mapping[str, Any]]:
    return [] if isinstance(message.content, str) else [block for block in message.content if isinstance(block, dict)]


def _is_refusal(block: Mapping[str, Any]) -> bool:
    inner = block.get("value")
    return block.get("type") == "refusal" or (isinstance(inner, dict) and "refusal" in inner)


def _json_part(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if metadata is None else {name: value for name, value in metadata.items() if _is_json(value)}


def _is_json(value: object) -> bool:
    """Say whether the value comes back from JSON as it was."""
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def _uncounted(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata with every number that counts or prices the call set to 0."""
    return {name: _zeroed(value) if _COUNTS.search(name) else value for name, value in metadata.items()}


def _zeroed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _zeroed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_zeroed(one) for one in value]
    return 0 if isinstance(value, int | float) and not isinstance(value, bool) else value
