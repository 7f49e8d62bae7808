"""What endpoints of many makers report of a reply's tokens, in the form that each documents, read through the real client."""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from groat.answering.usage import billed_usd, prompt_tokens, usage_of
from groat.costs import PriceTable
from groat.types import Usage

PROMPT = [HumanMessage("hello world")]
COUNTED: Usage = {"input": 8, "output": 2, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True}
NOON = 1_795_521_600.0
"""2026-11-24 12:00 UTC: a plain hour for those whose prices change with the hour."""


def tokens(
    given: int, written: int, *, read: int = 0, new: int = 0, reasoning: int = 0, service_tier: str | None = None
) -> Usage:
    usage: Usage = {
        "input": given, "output": written, "cache_read": read, "cache_write": new, "reasoning": reasoning, "estimated": False
    }  # fmt: skip
    return usage if service_tier is None else {**usage, "service_tier": service_tier}


def openai_usage(given: int, written: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written, **more}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One maker's usage, what it says, and what that costs."""

    name: str
    raw: dict[str, Any]
    read: Usage
    streamed: Usage | None = None
    """Where the streamed form keeps less; None for the same."""
    top: dict[str, Any] = field(default_factory=dict)
    """What stands beside the usage in the reply."""
    priced_as: str = ""
    cost: str | None = None


SHAPES = [
    Shape(
        name="openai",
        raw=openai_usage(
            2_006,
            300,
            prompt_tokens_details={"cached_tokens": 1_920, "audio_tokens": 0},
            completion_tokens_details={
                "reasoning_tokens": 192, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
            },
        ),
        top={"service_tier": "default"},
        read=tokens(2_006, 300, read=1_920, reasoning=192),
        priced_as="gpt-5-mini",
        cost="0.0006695",  # 86 x 0.25 + 1,920 x 0.025 + 300 x 2, per million
    ),
    Shape(
        name="openai flex",
        raw=openai_usage(
            2_006, 300, prompt_tokens_details={"cached_tokens": 1_920}, completion_tokens_details={"reasoning_tokens": 192}
        ),
        top={"service_tier": "flex"},
        read=tokens(2_006, 300, read=1_920, reasoning=192, service_tier="flex"),
        priced_as="gpt-5-mini",
        cost="0.00033475",
    ),
    Shape(
        name="openai priority",
        raw=openai_usage(
            1_000, 100, prompt_tokens_details={"cached_tokens": 0}, completion_tokens_details={"reasoning_tokens": 0}
        ),
        top={"service_tier": "priority"},
        read=tokens(1_000, 100, service_tier="priority"),
        priced_as="gpt-5.2",
        cost="0.0063",  # 1,000 x 3.5 + 100 x 28, per million
    ),
    Shape(
        name="openai scale",
        raw=openai_usage(1_000, 100),
        top={"service_tier": "scale"},
        read=tokens(1_000, 100, service_tier="scale"),
        streamed=tokens(1_000, 100, service_tier="scale"),
        priced_as="gpt-5.2",
        cost=None,
    ),
    Shape(
        name="azure",
        raw=openai_usage(
            1_200, 80, prompt_tokens_details={"cached_tokens": 1_024}, completion_tokens_details={"reasoning_tokens": 64}
        ),
        top={"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}]},
        read=tokens(1_200, 80, read=1_024, reasoning=64),
        priced_as="azure:gpt-5-mini",
        cost="0.0002296",
    ),
    Shape(
        name="deepseek",
        raw=openai_usage(
            1_500,
            120,
            prompt_tokens_details={"cached_tokens": 1_472},
            completion_tokens_details={"reasoning_tokens": 40},
            prompt_cache_hit_tokens=1_472,
            prompt_cache_miss_tokens=28,
        ),
        read=tokens(1_500, 120, read=1_472, reasoning=40),
        priced_as="deepseek-chat",
        cost="0.0002426",  # 28 x 0.27 + 1,472 x 0.07 + 120 x 1.1, per million
    ),
    Shape(
        name="deepseek, older",
        raw=openai_usage(1_500, 120, prompt_cache_hit_tokens=1_472, prompt_cache_miss_tokens=28),
        read=tokens(1_500, 120, read=1_472),
        streamed=tokens(1_500, 120),
        priced_as="deepseek-chat",
        cost="0.0002426",
    ),
    Shape(
        name="dashscope",
        raw=openai_usage(
            1_800, 90, prompt_tokens_details={"cached_tokens": 1_024, "cache_creation_input_tokens": 512, "cache_type": "e"}
        ),
        read=tokens(1_800, 90, read=1_024, new=512),
        streamed=tokens(1_800, 90, read=1_024),
        priced_as="qwen-plus",
        cost=None,
    ),
    Shape(
        name="moonshot",
        raw=openai_usage(1_019, 70, cached_tokens=768),
        read=tokens(1_019, 70, read=768),
        streamed=tokens(1_019, 70),
        priced_as="kimi-k2-0905-preview",
        cost="0.0004408",  # 251 x 0.6 + 768 x 0.15 + 70 x 2.5, per million
    ),
    Shape(
        name="zhipu",
        raw=openai_usage(1_200, 300, prompt_tokens_details={"cached_tokens": 800}),
        read=tokens(1_200, 300, read=800),
        priced_as="zai:glm-4.6",
        cost="0.000988",
    ),
    Shape(
        name="openrouter",
        raw=openai_usage(
            194,
            12,
            cost=0.00095,
            is_byok=False,
            cost_details={"upstream_inference_cost": None},
            prompt_tokens_details={"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
            completion_tokens_details={"reasoning_tokens": 0},
        ),
        read=tokens(194, 12, new=100),
        priced_as="openrouter:openai/gpt-5-mini",
        cost="0.0000725",
    ),
    Shape(name="vllm", raw=openai_usage(57, 9, prompt_tokens_details=None), read=tokens(57, 9)),
    Shape(
        name="llama.cpp",
        raw=openai_usage(57, 9),
        top={"timings": {"cache_n": 40, "prompt_n": 17, "predicted_n": 9}},
        read=tokens(57, 9),
    ),
    Shape(name="ollama", raw=openai_usage(26, 9), top={"system_fingerprint": "fp_ollama"}, read=tokens(26, 9)),
    Shape(
        name="anthropic through a gateway",
        raw=openai_usage(
            2_100,
            50,
            prompt_tokens_details={"cached_tokens": 1_500},
            cache_creation_input_tokens=500,
            cache_read_input_tokens=1_500,
        ),
        read=tokens(2_100, 50, read=1_500, new=500),
        streamed=tokens(2_100, 50, read=1_500),
        priced_as="claude-sonnet-4-5",
        cost="0.003375",  # 100 x 3 + 1,500 x 0.3 + 500 x 3.75 + 50 x 15, per million
    ),
    Shape(
        name="cached tokens beside the input",
        raw={
            "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 1_650,
            "prompt_tokens_details": {"cached_tokens": 1_500},
        },
        read=tokens(1_600, 50, read=1_500),
    ),
    Shape(
        name="gemini",
        raw={"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 820},
        top={"model": "gemini-2.5-flash"},
        read=tokens(500, 320, reasoning=300),
        priced_as="gemini-2.5-flash",
        cost="0.00095",  # 500 x 0.3 + 320 x 2.5, per million
    ),
    Shape(
        name="xai",
        raw={
            "prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 409,
            "completion_tokens_details": {"reasoning_tokens": 300},
        },
        read=tokens(100, 309, reasoning=300),
        priced_as="grok-4",
        cost="0.004935",
    ),
]  # fmt: skip


def _body(shape: Shape, text: str) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": shape.raw, **shape.top
    }  # fmt: skip


def _events(shape: Shape, text: str) -> str:
    top = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **shape.top}
    chunks = [
        {**top, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {**top, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**top, "choices": [], "usage": shape.raw},
    ]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


async def _reply(shape: Shape, *, streamed: bool, text: str = "hello world") -> AIMessage:
    def respond(request: httpx.Request) -> httpx.Response:
        if streamed:
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=_events(shape, text))
        return httpx.Response(200, json=_body(shape, text))

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        model = ChatOpenAI(
            model="m", base_url="http://127.0.0.1:9/v1", api_key=SecretStr("none"), max_retries=0, http_async_client=client,
            streaming=streamed, stream_usage=True,
        )  # fmt: skip
        return await model.ainvoke(PROMPT)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
async def test_every_shape_is_read_to_the_last_token(shape: Shape) -> None:
    assert usage_of(await _reply(shape, streamed=False), PROMPT) == shape.read
    assert usage_of(await _reply(shape, streamed=True), PROMPT) == (shape.streamed or shape.read)


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.priced_as], ids=lambda shape: shape.name)
def test_every_shape_is_priced_to_the_last_digit(shape: Shape) -> None:
    cost = PriceTable().cost(shape.read, shape.priced_as, at=NOON)
    assert cost == (None if shape.cost is None else Decimal(shape.cost))


def _message(text: str = "hello world", **raw: Any) -> AIMessage:
    return AIMessage(text, response_metadata={"token_usage": raw})


@pytest.mark.parametrize(
    "raw",
    [
        {},
        openai_usage(10, -1),
        openai_usage(-10, 5),
        openai_usage(0, 5),
        openai_usage(10, 0),
        openai_usage(10, 5, cached_tokens=11),
        openai_usage(10, 5, cached_tokens=-1),
        openai_usage(10, 5, cached_tokens=6, cache_write_tokens=6),
        openai_usage(10, 5, reasoning_tokens=6),
        {"prompt_tokens": 10},
        {"prompt_tokens": "10", "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": 10.5, "completion_tokens": 5},
        {"prompt_tokens": float("nan"), "completion_tokens": 5},
        {"prompt_tokens": 10, "completion_tokens": float("inf")},
        {"prompt_tokens": [10], "completion_tokens": 5},
    ],
)
def test_a_report_that_cannot_be_is_counted_here(raw: dict[str, Any]) -> None:
    assert usage_of(_message(**raw), PROMPT) == COUNTED


def test_nothing_of_a_report_that_cannot_be_is_used_but_its_service_tier() -> None:
    message = _message(**openai_usage(10, 5, cached_tokens=11))
    message.response_metadata["service_tier"] = "flex"
    assert usage_of(message, PROMPT) == {**COUNTED, "service_tier": "flex"}


def test_metadata_that_the_client_spoiled_is_counted_here() -> None:
    message = AIMessage("hello world")
    message.usage_metadata = {"input_tokens": "many", "output_tokens": 5, "total_tokens": 5}  # type: ignore[assignment]
    assert usage_of(message, PROMPT) == COUNTED
    assert usage_of(AIMessage("hello world", response_metadata={"token_usage": None}), PROMPT) == COUNTED


def test_an_empty_reply_of_no_tokens_can_be() -> None:
    assert usage_of(_message("", **openai_usage(10, 0)), PROMPT) == tokens(10, 0)


def test_whole_numbers_written_with_a_point_are_numbers() -> None:
    assert usage_of(_message(prompt_tokens=10.0, completion_tokens=5.0), PROMPT) == tokens(10, 5)


def test_a_total_that_nothing_explains_is_not_believed() -> None:
    assert usage_of(_message(prompt_tokens=10, completion_tokens=5, total_tokens=999), PROMPT) == tokens(10, 5)
    assert usage_of(_message(prompt_tokens=10, completion_tokens=5, total_tokens=3), PROMPT) == tokens(10, 5)


@pytest.mark.parametrize("name", ["auto", "default", "standard", "on_demand", "", None])
def test_names_of_the_plain_service_tier_are_left_out(name: str | None) -> None:
    message = _message(**openai_usage(10, 5))
    message.response_metadata["service_tier"] = name
    assert usage_of(message, PROMPT) == tokens(10, 5)


@pytest.mark.parametrize("tier", ["flex", "priority"])
def test_a_service_tier_that_stands_in_the_details_alone_is_found(tier: str) -> None:
    message = AIMessage(
        "hello",
        usage_metadata={
            "input_tokens": 100,
            "output_tokens": 20,
            "total_tokens": 120,
            "input_token_details": {f"{tier}_cache_read": 60, tier: 40},
            "output_token_details": {f"{tier}_reasoning": 15, tier: 5},
        },
    )
    assert usage_of(message, PROMPT) == tokens(100, 20, read=60, reasoning=15, service_tier=tier)


async def test_a_bill_is_taken_from_a_gateway_that_sends_one() -> None:
    openrouter = next(shape for shape in SHAPES if shape.name == "openrouter")
    assert billed_usd(await _reply(openrouter, streamed=False)) == "0.00095"


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"cost": 0.1},
        {"cost": 0.1, "is_byok": True},
        {"cost": -0.1, "is_byok": False},
        {"cost": float("nan"), "is_byok": False},
        {"cost": "0.1", "is_byok": False},
        {"cost": True, "is_byok": False},
        {"cost": {"total_cost": 0.1}, "is_byok": False},
    ],
)
def test_what_is_no_bill_is_not_taken(raw: dict[str, Any]) -> None:
    assert billed_usd(_message(**raw)) is None


def test_a_small_bill_is_a_plain_decimal() -> None:
    assert billed_usd(_message(cost=1e-7, is_byok=False)) == "0.0000001"


def test_a_prompt_is_counted_by_the_published_rule() -> None:
    assert prompt_tokens(PROMPT) == 3 + 3 + 2
    assert prompt_tokens([]) == 3
