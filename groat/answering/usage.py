"""Tokens of a reply, from what endpoints of many makers report of them.

``langchain-openai`` keeps the OpenAI form of a usage in ``usage_metadata``; what other makers add stands only in the raw
usage, ``response_metadata["token_usage"]``, which it keeps of replies that were not streamed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from langchain_core.messages import AIMessage, BaseMessage

from groat.text import count_tokens
from groat.types import Usage

_PLAIN_TIERS = frozenset({"", "auto", "default", "standard", "on_demand"})
_PREFIXED_TIERS = ("flex", "priority")
"""Service tiers whose name langchain-openai puts before the keys of its details."""

_CACHE_READ_KEYS = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
"""Cached input beside the OpenAI form: Moonshot; DeepSeek; Anthropic through a gateway."""
_CACHE_WRITE_KEYS = ("cache_write_tokens", "cache_creation_input_tokens", "cache_creation_tokens")
"""Input written to the prompt cache: OpenRouter; Anthropic through a gateway, and DashScope within the details; LiteLLM."""


def prompt_tokens(prompt: Sequence[BaseMessage]) -> int:
    """Return the tokens of a prompt by OpenAI's published rule: the text, 3 for each message and 3 for the reply's start."""
    return 3 + sum(count_tokens(message.text) + 3 for message in prompt)


def usage_of(message: AIMessage, prompt: Sequence[BaseMessage]) -> Usage:
    """Read the tokens that the endpoint reported, or count them here where it reported none, or none that can be.

    Cannot be: a number that is negative or no number, a prompt of no tokens, a text of no tokens, more cached than input
    tokens, more reasoning than output tokens. Nothing of such a report is used, and the count is marked ``estimated``.

    Args:
        message: the reply.
        prompt: what was sent, to be counted when it must.
    """
    reported = _reported(message)
    usage: Usage
    if reported is None or not reported.can_be(message.text):
        usage = {
            "input": prompt_tokens(prompt),
            "output": count_tokens(message.text),
            "cache_read": 0,
            "cache_write": 0,
            "reasoning": 0,
            "estimated": True,
        }
    else:
        usage = {
            "input": reported.input,
            "output": reported.output,
            "cache_read": reported.cache_read,
            "cache_write": reported.cache_write,
            "reasoning": reported.reasoning,
            "estimated": False,
        }
    if (tier := _service_tier(message)) not in _PLAIN_TIERS:
        usage["service_tier"] = tier
    return usage


def billed_usd(message: AIMessage) -> str | None:
    """Return what the endpoint says it billed for the reply, in dollars, as OpenRouter does; None when it does not say.

    A bill for a call with the user's own key at the maker holds the gateway's fee only, so it is not taken.
    """
    raw = _mapping(message.response_metadata.get("token_usage"))
    cost = raw.get("cost")
    if raw.get("is_byok") is not False or isinstance(cost, bool) or not isinstance(cost, int | float):
        return None
    return f"{Decimal(str(cost)):f}" if math.isfinite(cost) and cost >= 0 else None


@dataclass(frozen=True, kw_only=True)
class _Reported:
    input: int
    output: int
    cache_read: int
    cache_write: int
    reasoning: int

    def can_be(self, text: str) -> bool:
        return (
            self.input > 0
            and (self.output > 0 or not text.strip())
            and min(self.output, self.cache_read, self.cache_write, self.reasoning) >= 0
            and self.cache_read + self.cache_write <= self.input
            and self.reasoning <= self.output
        )


def _reported(message: AIMessage) -> _Reported | None:
    """Return the numbers that were reported, None when there are none or one of them is no number."""
    raw = _mapping(message.response_metadata.get("token_usage"))
    kept = _mapping(message.usage_metadata)
    inputs, outputs = _mapping(kept.get("input_token_details")), _mapping(kept.get("output_token_details"))
    raw_inputs = _mapping(raw.get("prompt_tokens_details"))
    try:
        given = _first(kept, ("input_tokens",)) or _first(raw, ("prompt_tokens",))
        written = _first(kept, ("output_tokens",)) or _first(raw, ("completion_tokens",))
        total = _first(kept, ("total_tokens",)) or _first(raw, ("total_tokens",))
        read = _detail(inputs, "cache_read") or _first(raw_inputs, _CACHE_READ_KEYS) or _first(raw, _CACHE_READ_KEYS)
        kept_new = _detail(inputs, "cache_creation") or _first(raw_inputs, _CACHE_WRITE_KEYS) or _first(raw, _CACHE_WRITE_KEYS)
        reasoning = _detail(outputs, "reasoning") or _first(raw, ("reasoning_tokens",))
    except ValueError:
        return None
    if not kept and not raw:
        return None
    beside = total - given - written
    if beside > 0 and (beside == reasoning or "gemini" in str(message.response_metadata.get("model_name", ""))):
        # xAI and Gemini report the reasoning beside the output, and within the total; Gemini names it nowhere else.
        written, reasoning = written + beside, beside
    elif beside > 0 and beside == read + kept_new:
        # Gateways to Anthropic and Bedrock report the cached tokens beside the input, and within the total.
        given += beside
    return _Reported(input=given, output=written, cache_read=read, cache_write=kept_new, reasoning=reasoning)


def _service_tier(message: AIMessage) -> str:
    said = message.response_metadata.get("service_tier")
    if isinstance(said, str) and said:
        return said
    # A streamed reply may name it in the chunk with the usage alone, where nothing but the prefix is kept of it.
    details = _mapping(_mapping(message.usage_metadata).get("input_token_details"))
    return next((tier for tier in _PREFIXED_TIERS if tier in details or f"{tier}_cache_read" in details), "")


def _detail(details: Mapping[str, object], name: str) -> int:
    return _first(details, (name, *(f"{tier}_{name}" for tier in _PREFIXED_TIERS)))


def _first(values: Mapping[str, object], names: Sequence[str]) -> int:
    """Return the first of these numbers that is there and not 0, else 0. Raises ValueError for what is no number."""
    for name in names:
        value = values.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            raise ValueError(f"{name} is no number of tokens")
        if value:
            return int(value)
    return 0


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
