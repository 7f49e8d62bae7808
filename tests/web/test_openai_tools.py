"""Conversations with tools over real HTTP, by OpenAI's and LangChain's own clients."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from groat.tracing.names import attributes as at
from tests.graph.conftest import GOOD, QUESTION
from tests.model_server import ModelServer, Says, serve_model
from tests.traces import listening as told_to
from tests.traces import said
from tests.web.conftest import ASKS_ACME, KEYS, Reviewed, client_of, listening, review
from tests.web.test_openai import openai_client

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place. 查询天气。",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
CALL = Says(calls=[("weather", '{"place": "北京"}'), ("weather", '{"place": "Paris"}')])
ASKED = [{"role": "user", "content": "北京和巴黎天气如何？ What is the weather there?"}]
ANSWERED: list[dict[str, Any]] = [
    *ASKED,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"place": "北京"'}}],
    },
    {"role": "tool", "tool_call_id": "call_0", "content": "晴 sunny"},
]


def client_at(address: str) -> Any:
    """Return OpenAI's client, asked as an application does, without the types of its parameters."""
    return openai_client(address)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(CALL) as started:
        yield started


@pytest.fixture
async def fresh(tmp_path: Path, server: ModelServer) -> Reviewed:
    return await review(tmp_path, server, [])


async def test_tools_are_passed_on_to_the_expensive_model_and_its_calls_back(fresh: Reviewed, server: ModelServer) -> None:
    with listening(fresh.app(KEYS)) as address, client_at(address) as client:
        reply = client.chat.completions.create(
            model="groat",
            messages=ASKED,
            tools=[WEATHER],
            tool_choice="required",
            parallel_tool_calls=True,
            temperature=0,
            max_completion_tokens=200,
        )
    assert reply.choices[0].finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in reply.choices[0].message.tool_calls] == [
        {"place": "北京"}, {"place": "Paris"}
    ]  # fmt: skip
    sent = server.requests[0]
    assert (sent["model"], sent["tools"], sent["tool_choice"], sent["temperature"]) == ("big", [WEATHER], "required", 0)
    assert sent["max_completion_tokens"] == 200
    assert sent["messages"] == ASKED


async def test_nothing_of_it_is_kept_and_each_call_is_in_the_ledger(fresh: Reviewed, server: ModelServer) -> None:
    with listening(fresh.app(KEYS)) as address, client_at(address) as client:
        for _ in range(2):
            reply = client.chat.completions.create(model="groat", messages=ASKED, tools=[WEATHER])
    assert [paid.model for paid in server.bill] == ["big", "big"]
    assert fresh.world.paid() == sorted((paid.model, paid.input, paid.output, paid.cache_read) for paid in server.bill)
    assert reply.usage.prompt_tokens == server.bill[-1].input
    account = reply.model_dump()["groat"]
    assert (account["path"], account["cache"], account["verified"]) == (["answer_expensive"], "off", False)
    assert account["cost_usd"] == account["baseline_cost_usd"] > 0


async def test_what_the_tools_said_reaches_the_model_as_it_was(tmp_path: Path) -> None:
    with serve_model(Says(text="晴天。Sunny.")) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address, client_at(address) as client:
            reply = client.chat.completions.create(model="groat:cheap", messages=ANSWERED)
    assert reply.choices[0].message.content == "晴天。Sunny."
    assert server.requests[0]["model"] == "small"
    assert server.requests[0]["messages"] == ANSWERED


async def test_calls_are_streamed_while_they_come(fresh: Reviewed) -> None:
    with listening(fresh.app(KEYS)) as address, client_at(address) as client:
        parts = list(
            client.chat.completions.create(
                model="groat", messages=ASKED, tools=[WEATHER], stream=True, stream_options={"include_usage": True}
            )
        )
        with client.chat.completions.stream(model="groat", messages=ASKED, tools=[WEATHER]) as stream:
            whole = stream.get_final_completion()
    pieces = [call for part in parts if part.choices for call in part.choices[0].delta.tool_calls or ()]
    assert len(pieces) == 4
    assert "".join(piece.function.arguments for piece in pieces if piece.index == 0) == '{"place": "北京"}'
    assert [piece.id for piece in pieces if piece.id] == ["call_0", "call_1"]
    assert [part.choices[0].finish_reason for part in parts if part.choices][-1] == "tool_calls"
    assert parts[-1].usage.total_tokens > 0
    assert whole.choices[0].message.tool_calls is not None
    assert whole.choices[0].message.tool_calls[1].function.name == "weather"


def langchain_model(address: str) -> ChatOpenAI:
    return ChatOpenAI(
        model="groat", base_url=f"{address}/v1", api_key=SecretStr(ASKS_ACME), max_retries=0, temperature=0,
        http_client=httpx.Client(verify=False), http_async_client=httpx.AsyncClient(verify=False),
    )  # fmt: skip


@tool
def weather(place: str) -> str:
    """The weather of a place."""
    return place


async def test_langchains_tools_are_called(fresh: Reviewed, server: ModelServer) -> None:
    with listening(fresh.app(KEYS)) as address:
        model = langchain_model(address)
        bound = model.bind_tools([weather])
        said = bound.invoke("北京和巴黎天气如何？")
        streamed = None
        for part in bound.stream("What is the weather?"):
            assert isinstance(part, AIMessageChunk)
            streamed = part if streamed is None else streamed + part
        await model.root_async_client.close()
        model.root_client.close()
    assert isinstance(said, AIMessage)
    assert streamed is not None
    expected = [("weather", {"place": "北京"}), ("weather", {"place": "Paris"})]
    assert [(call["name"], call["args"]) for call in said.tool_calls] == expected
    assert [(call["name"], call["args"]) for call in streamed.tool_calls] == expected
    assert said.usage_metadata is not None
    assert said.usage_metadata["input_tokens"] == server.bill[0].input


class Validity(BaseModel):
    """How long a link is valid."""

    minutes: int


async def test_langchains_structured_output_works_in_each_of_its_ways(tmp_path: Path) -> None:
    call, text = Says(calls=[("Validity", '{"minutes": 20}')]), Says(text='{"minutes": 20}')
    with serve_model(answer_with=lambda body, number: call if body.get("tools") else text) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address:
            model = langchain_model(address)
            found = [
                model.with_structured_output(Validity, method=method).invoke(f"{QUESTION} JSON")
                for method in ("json_schema", "function_calling", "json_mode")
            ]
            await model.root_async_client.close()
            model.root_client.close()
    assert found == [Validity(minutes=20)] * 3


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_that_does_not_fit_the_schema_is_an_error(tmp_path: Path, streams: bool) -> None:
    schema = {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]}

    def ask(client: Any) -> None:
        form = {"type": "json_schema", "json_schema": {"name": "validity", "schema": schema}}
        asked = [{"role": "user", "content": QUESTION}]
        list(client.chat.completions.create(model="groat", messages=asked, stream=streams, response_format=form))

    with serve_model(Says(text='{"minutes": "twenty"}')) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address, client_at(address) as client, pytest.raises(openai.APIError) as raised:
            ask(client)
    assert raised.value.code == "structure"
    assert len(server.bill) > 1


@pytest.mark.parametrize("streams", [False, True])
async def test_a_model_that_refuses_is_told_with_its_status(tmp_path: Path, streams: bool) -> None:
    with serve_model("bad_request") as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address, client_at(address) as client, pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="groat", messages=ASKED, tools=[WEATHER], stream=streams)
    assert [paid.output for paid in server.bill] == [0]


async def test_a_stream_that_breaks_off_is_an_error_and_is_not_begun_anew(tmp_path: Path) -> None:
    with serve_model(Says(text="one two three four five six", cut_after=3)) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address, client_at(address) as client, pytest.raises(openai.APIError):
            list(client.chat.completions.create(model="groat", messages=ASKED, tools=[WEATHER], stream=True))
    assert len(server.bill) == 1


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "天气"}}]}, "tools.0.function.name"),
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice"),
        ({"tools": [WEATHER], "logprobs": True}, "logprobs"),
        ({"messages": [{"role": "tool", "content": "晴"}]}, "messages.0.tool_call_id"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}], "tools": [WEATHER]}, "messages.0.role"),
        ({"tool_choice": "required"}, "tool_choice"),
    ],
    ids=str,
)
async def test_what_cannot_be_passed_on_is_named(
    fresh: Reviewed, server: ModelServer, changed: dict[str, Any], param: str
) -> None:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
        response = await client.post("/v1/chat/completions", json={"model": "groat", "messages": ASKED, **changed})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert server.bill == []


async def test_what_has_no_effect_is_said(tmp_path: Path) -> None:
    body = {"model": "groat", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0.7, "seed": 1, "user": "u"}
    with serve_model(Says(text=GOOD)) as server:
        fresh = await review(tmp_path, server, [])
        async with client_of(fresh.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
            response = await client.post("/v1/chat/completions", json=body)
    assert response.json()["groat"]["left_out"] == ["seed", "temperature"]


async def test_a_passed_on_request_is_a_trace_with_its_cost(
    fresh: Reviewed, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with told_to(monkeypatch) as told:
        async with client_of(fresh.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
            response = await client.post("/v1/chat/completions", json={"model": "groat", "messages": ASKED, "tools": [WEATHER]})
    (root,) = told.roots
    assert said(root)[at.OUTCOME] == "passed_on"
    assert [span.name for span in told.chats] == ["chat big"]
    assert f"{told.cost:f}" == response.headers["x-groat-cost-usd"]
