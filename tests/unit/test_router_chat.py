"""The router as a chat model over two real ones, which ask a real server on loopback."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import BaseModel, SecretStr

from groat.routing.langchain import RouterChat
from tests.fakes import ScriptedChat, WordEmbedder
from tests.graph.conftest import router_of
from tests.model_server import ModelServer, Says, serve_model

QUESTIONS = {"en": "How do I reset my password?", "zh": "怎么修改密码？"}
THANKS = {"en": "Thank you!", "zh": "谢谢！"}
in_both_languages = pytest.mark.parametrize("lang", ["en", "zh"])
TOOL = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {"page": {"type": "string"}}}},
}


class Weather(BaseModel):
    """The weather."""

    degrees: int


def _chat(server: ModelServer, name: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=name, base_url=server.url, api_key=SecretStr("sk-test"), stream_usage=True, max_retries=0,
        http_client=DefaultHttpxClient(verify=False), http_async_client=DefaultAsyncHttpxClient(verify=False),
    )  # fmt: skip


def _router(cheap: BaseChatModel, expensive: BaseChatModel, p_cheap_ok: float = 0.1) -> RouterChat:
    return RouterChat(cheap=cheap, expensive=expensive, router=router_of(p_cheap_ok), embedder=WordEmbedder())


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(Says(text="In the settings.")) as running:
        yield running


@pytest.fixture
def chat(server: ModelServer) -> RouterChat:
    return _router(_chat(server, "small"), _chat(server, "big"))


async def _said(chat: Any, messages: Any, way: str) -> AIMessage:
    if way == "invoke":
        found = chat.invoke(messages)
    elif way == "ainvoke":
        found = await chat.ainvoke(messages)
    else:
        chunks = list(chat.stream(messages)) if way == "stream" else [chunk async for chunk in chat.astream(messages)]
        assert len(chunks) > 1
        found = chunks[0]
        for chunk in chunks[1:]:
            found += chunk
    assert isinstance(found, AIMessage)
    return found


@in_both_languages
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_each_question_goes_to_one_model_and_the_message_says_why(
    server: ModelServer, chat: RouterChat, lang: str, way: str
) -> None:
    with get_usage_metadata_callback() as used:
        hard = await _said(chat, QUESTIONS[lang], way)
        easy = await _said(chat, THANKS[lang], way)
    assert [body["model"] for body in server.requests] == ["big", "small"]
    assert (hard.text, easy.text) == ("In the settings.", "In the settings.")
    assert (hard.response_metadata["groat"]["tier"], easy.response_metadata["groat"]["tier"]) == ("expensive", "cheap")
    assert easy.response_metadata["groat"]["reasons"]
    assert sum(one["total_tokens"] for one in used.usage_metadata.values()) == 240


@pytest.mark.parametrize("way", ["invoke", "astream"])
async def test_tools_reach_the_chosen_model_and_their_results_stay_with_it(
    server: ModelServer, chat: RouterChat, way: str
) -> None:
    bound = chat.bind_tools([TOOL])
    asked = [SystemMessage("Be short."), HumanMessage(QUESTIONS["en"])]
    call = AIMessage("", tool_calls=[{"name": "look_up", "args": {"page": "1"}, "id": "c1"}])
    await _said(bound, asked, way)
    await _said(bound, [*asked, call, ToolMessage("found", tool_call_id="c1")], way)
    assert [body["model"] for body in server.requests] == ["big", "big"]
    assert all(body["tools"][0]["function"]["name"] == "look_up" for body in server.requests)


async def test_structured_output_passes_through_and_keeps_the_decision(server: ModelServer) -> None:
    call = {"name": "Weather", "args": {"degrees": 7}, "id": "c1", "type": "tool_call"}
    said = AIMessage("", tool_calls=[call])
    chat = _router(_Tooled(replies=[said]), _Tooled(replies=[said]))
    found = await chat.with_structured_output(Weather, include_raw=True).ainvoke(QUESTIONS["en"])
    assert isinstance(found, dict)
    assert found["parsed"] == Weather(degrees=7)
    assert found["raw"].response_metadata["groat"]["tier"] == "expensive"
    real = _router(_chat(server, "small"), _chat(server, "big")).with_structured_output(Weather, include_raw=True)
    await real.ainvoke(QUESTIONS["zh"])
    (body,) = server.requests
    assert body["tools"][0]["function"]["name"] == "Weather"
    assert "ls_structured_output_format" not in json.dumps(body)


class _Tooled(ScriptedChat):
    """A scripted model that takes tools."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(**kwargs)


async def test_a_promise_that_is_looser_sends_more_to_the_cheap_model(server: ModelServer) -> None:
    chat = _router(_chat(server, "small"), _chat(server, "big"), p_cheap_ok=0.9)
    await chat.ainvoke(QUESTIONS["en"])
    assert [body["model"] for body in server.requests] == ["small"]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_what_cannot_be_read_goes_to_the_expensive_model(server: ModelServer, chat: RouterChat, way: str) -> None:
    await _said(chat, [AIMessage("Hello.")], way)
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
    await _said(chat, [HumanMessage(picture)], way)  # type: ignore[arg-type]
    assert [body["model"] for body in server.requests] == ["big", "big"]


async def test_a_model_that_cannot_stream_is_handed_on_whole() -> None:
    chat = _router(ScriptedChat(replies=["cheap"]), _Whole(replies=["whole"]))
    chunks = list(chat.stream(QUESTIONS["en"]))
    assert "".join(chunk.text for chunk in chunks) == "whole"
    assert chunks[0].response_metadata["groat"]["tier"] == "expensive"


class _Whole(ScriptedChat):
    """A scripted model without streams."""

    _stream = BaseChatModel._stream
    _astream = BaseChatModel._astream
