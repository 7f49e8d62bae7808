"""The OpenAI-compatible endpoint, asked by OpenAI's and LangChain's own clients over real HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from tests.graph.conftest import GOOD, QUESTION, UNCITED
from tests.model_server import ModelServer, Says, serve_model
from tests.web.conftest import ASKS_ACME, KEYS, ZH_GOOD, ZH_QUESTION, Reviewed, client_of, listening, review


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serve_model(Says(text=GOOD)) as started:
        yield started


@pytest.fixture
async def fresh(tmp_path: Path, server: ModelServer) -> Reviewed:
    """Return an application that nobody has asked yet."""
    return await review(tmp_path, server, [])


def openai_client(address: str, key: str = ASKS_ACME) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)


def read(client: openai.OpenAI, *, stream: bool) -> None:
    """Ask, and read all that comes."""
    reply = client.chat.completions.create(model="groat", messages=[{"role": "user", "content": QUESTION}], stream=stream)
    list(reply)


async def test_openais_client_gets_an_answer_with_what_it_cost(fresh: Reviewed, server: ModelServer) -> None:
    with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="groat", messages=[{"role": "user", "content": QUESTION}]
        )  # fmt: skip
    reply = raw.parse()
    assert reply.choices[0].message.content == GOOD
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    (paid,) = server.bill
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (paid.input, paid.output)
    account = reply.model_dump()["groat"]
    assert account["path"][-1] == "remember"
    assert 0 < account["cost_usd"] < account["baseline_cost_usd"]
    assert raw.headers["x-groat-cost-usd"].startswith("0.0")
    assert raw.headers["x-groat-trace-id"] == account["trace_id"]


async def test_a_hit_spends_nothing_and_says_so(fresh: Reviewed) -> None:
    with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
        for _ in range(2):
            reply = client.chat.completions.create(model="groat", messages=[{"role": "user", "content": QUESTION}])
    assert reply.usage is not None
    assert (reply.usage.total_tokens, reply.model_dump()["groat"]["cache"]) == (0, "exact")


async def test_a_stream_gives_the_answer_and_its_usage_at_the_end(fresh: Reviewed) -> None:
    with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
        parts = list(
            client.chat.completions.create(
                model="groat", messages=[{"role": "user", "content": QUESTION}], stream=True,
                stream_options={"include_usage": True},
            )
        )  # fmt: skip
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == GOOD
    assert [part.choices[0].finish_reason for part in parts if part.choices][-1] == "stop"
    assert parts[-1].usage is not None
    assert parts[-1].usage.total_tokens > 0


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_langchains_client_is_served_unchanged(tmp_path: Path, language: str) -> None:
    question, good = (QUESTION, GOOD) if language == "en" else (ZH_QUESTION, ZH_GOOD)
    with serve_model(Says(text=good)) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address:
            model = ChatOpenAI(
                model="groat", base_url=f"{address}/v1", api_key=SecretStr(ASKS_ACME), stream_usage=True, max_retries=0,
                http_client=httpx.Client(verify=False), http_async_client=httpx.AsyncClient(verify=False),
            )  # fmt: skip
            said = model.invoke(question)
            streamed = list(model.stream(question))
            await model.root_async_client.close()
            model.root_client.close()
    assert said.content == good
    assert "".join(str(part.content) for part in streamed) == good
    assert said.usage_metadata is not None
    assert said.usage_metadata["output_tokens"] > 0


async def test_structured_answers_fit_their_schema(tmp_path: Path) -> None:
    text = json.dumps({"minutes": 20, "source": "en-reset"})
    schema = {
        "type": "object", "properties": {"minutes": {"type": "integer"}, "source": {"type": "string"}},
        "required": ["minutes"], "additionalProperties": False,
    }  # fmt: skip
    with serve_model(Says(text=text)) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
            reply = client.chat.completions.create(
                model="groat:expensive", messages=[{"role": "user", "content": QUESTION}],
                response_format={"type": "json_schema", "json_schema": {"name": "validity", "schema": schema, "strict": True}},
            )  # fmt: skip
    assert json.loads(reply.choices[0].message.content or "") == {"minutes": 20, "source": "en-reset"}


async def test_options_reach_the_graph(fresh: Reviewed, server: ModelServer) -> None:
    with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
        for _ in range(2):
            client.chat.completions.create(
                model="groat:expensive",
                messages=[{"role": "user", "content": QUESTION}],
                extra_body={"groat": {"no_cache": True}},
            )
        client.chat.completions.create(
            model="groat:cheap", messages=[{"role": "user", "content": QUESTION}], extra_headers={"X-Groat-No-Cache": "true"}
        )
    assert [paid.model for paid in server.bill] == ["big", "big", "small"]


async def test_failed_tries_are_part_of_the_usage(tmp_path: Path) -> None:
    with serve_model(Says(text=UNCITED), Says(text=GOOD)) as server:
        fresh = await review(tmp_path, server, [])
        with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
            reply = client.chat.completions.create(model="groat", messages=[{"role": "user", "content": QUESTION}])
        assert reply.usage is not None
        assert len(server.bill) == 2
        assert reply.usage.prompt_tokens == sum(paid.input for paid in server.bill)


@pytest.mark.parametrize(
    ("changed", "status", "says"),
    [
        ({"model": "gpt-5"}, 404, "groat:cheap"),
        ({"n": 2}, 400, "leave n out"),
        ({"functions": [{"name": "f"}]}, 400, "tools"),
        ({"logprobs": True}, 400, "logprobs"),
        ({"stop": ["."]}, 400, "stop"),
        ({"temperature": "warm"}, 400, "temperature"),
        ({"best_guess": 1}, 400, "best_guess"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": 7}}}}, 400, "schema"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, 400, "only text"),
        ({"messages": [{"role": "user", "content": "  "}]}, 400, ""),
        ({"groat": {"tenant": "other"}}, 403, "another tenant"),
        ({"groat": {"max_quality_loss": 7}}, 400, "max_quality_loss"),
        ({"groat": {"speed": 7}}, 400, "speed"),
        ({"response_format": {"type": "json_schema"}}, 400, "json_schema"),
    ],
    ids=str,
)
async def test_what_cannot_be_answered_is_told_in_openais_form(
    fresh: Reviewed, server: ModelServer, changed: dict[str, Any], status: int, says: str
) -> None:
    body = {"model": "groat", "messages": [{"role": "user", "content": QUESTION}], **changed}
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
        response = await client.post("/v1/chat/completions", json=body)
    error = response.json()["error"]
    assert response.status_code == status
    assert says in error["message"]
    assert {"message", "type", "param", "code"} == error.keys()
    assert server.bill == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000], ids=len)
async def test_a_body_that_is_none_is_told(fresh: Reviewed, body: bytes) -> None:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
        response = await client.post("/v1/chat/completions", content=body)
    assert (response.status_code, "message" in response.json()["error"]) == (400, True)


async def test_a_header_cannot_name_another_tenant(fresh: Reviewed) -> None:
    async with client_of(fresh.app(KEYS), authorization=f"Bearer {ASKS_ACME}") as client:
        response = await client.post(
            "/v1/chat/completions", headers={"x-groat-tenant": "other"},
            json={"model": "groat", "messages": [{"role": "user", "content": QUESTION}]},
        )  # fmt: skip
    assert response.status_code == 403


async def test_without_a_key_nothing_is_answered(fresh: Reviewed) -> None:
    async with client_of(fresh.app(KEYS)) as client:
        for response in (await client.get("/v1/models"), await client.post("/v1/chat/completions", json={})):
            assert (response.status_code, response.json()["error"]["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("streams", [False, True])
async def test_a_model_that_fails_is_told_and_no_answer_made_up(tmp_path: Path, streams: bool) -> None:
    with serve_model("unauthorized") as server:
        fresh = await review(tmp_path, server, [])
        with (
            listening(fresh.app(KEYS)) as address,
            openai_client(address) as client,
            pytest.raises(openai.APIError) as raised,
        ):
            read(client, stream=streams)
    assert "key" in str(raised.value).lower()


async def test_a_conversation_is_answered_to_its_last_question(fresh: Reviewed, server: ModelServer) -> None:
    with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
        client.chat.completions.create(
            model="groat",
            messages=[
                {"role": "system", "content": "Answer briefly."},
                {"role": "user", "content": [{"type": "text", "text": "Are gift cards refunded?"}]},
                {"role": "assistant", "content": "Gift cards are never refunded. [en-refund]"},
                {"role": "user", "content": QUESTION},
            ],
        )
    assert len(server.bill) == 1


async def test_the_models_are_listed_and_vectors_given(fresh: Reviewed) -> None:
    with listening(fresh.app(KEYS)) as address, openai_client(address) as client:
        assert [model.id for model in client.models.list()] == ["groat", "groat:cheap", "groat:expensive"]
        assert client.models.retrieve("groat:cheap").id == "groat:cheap"
        given = client.embeddings.create(model="groat", input=["reset link", "重置链接"])
        plain = client.embeddings.create(model="groat", input="reset link", encoding_format="float")
        chain = OpenAIEmbeddings(
            model="groat", openai_api_base=f"{address}/v1", openai_api_key=SecretStr(ASKS_ACME),
            check_embedding_ctx_length=False, http_client=httpx.Client(verify=False),
        )  # fmt: skip
        by_langchain = chain.embed_query("reset link")
        chain.client._client.close()
    expected = await fresh.world.services.embedder.passages(["reset link", "重置链接"])
    assert np.allclose([one.embedding for one in given.data], expected, atol=1e-6)
    assert np.allclose(plain.data[0].embedding, expected[0], atol=1e-6)
    assert np.allclose(by_langchain, expected[0], atol=1e-6)
