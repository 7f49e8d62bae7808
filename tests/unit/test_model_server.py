"""The model server of the tests does what it says, over HTTP, and its bill is right to the last token."""

import asyncio
import gc
import json
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.exceptions import ModelConnectionError, ModelTimeoutError
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import SecretStr

from groat.text import count_tokens
from tests.model_server import (
    COUNTED,
    Billed,
    Body,
    Failing,
    Limits,
    Misreport,
    ModelServer,
    Outcome,
    Refuses,
    Says,
    Totals,
    Twist,
    faulty,
    serve_model,
)

ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "怎么退款？"}]
PROMPT = 3 + sum(count_tokens(message["content"]) + 3 for message in ASKED)
TEXT = "退款在 5 天内到账, then a mail follows."
OUTPUT = count_tokens(TEXT)
GOOD = Says(text=TEXT, usage=COUNTED)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, limits=httpx.Limits(max_connections=100)) as opened:
        yield opened


def _body(*, stream: bool = False, **more: Any) -> Body:
    return {"model": "m", "messages": ASKED, "stream": stream, "stream_options": {"include_usage": True}, **more}


async def _post(client: httpx.AsyncClient, server: ModelServer, **more: Any) -> httpx.Response:
    return await client.post(f"{server.url}/chat/completions", json=_body(**more), headers={"authorization": "Bearer k"})


async def _read_until_broken(response: httpx.Response) -> tuple[bytes, bool]:
    seen = b""
    try:
        async for piece in response.aiter_bytes():
            seen += piece
    except httpx.RemoteProtocolError:
        return seen, True
    return seen, False


def _events(text: str) -> list[Any]:
    lines = text.removesuffix("\n\n").split("\n\n")
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def _told(response: httpx.Response) -> tuple[str, Any, Any]:
    """Text, finish reason and usage of a reply, streamed or not."""
    if response.headers["content-type"] == "application/json":
        whole = response.json()
        return whole["choices"][0]["message"]["content"] or "", whole["choices"][0]["finish_reason"], whole.get("usage")
    events = _events(response.text)
    choices = [choice for event in events for choice in event["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    return text, choices[-1]["finish_reason"], events[-1].get("usage")


def _outcomes(server: ModelServer) -> list[tuple[str, int, int]]:
    return [(one.outcome, one.input, one.output) for one in server.bill]


def _usage(prompt: int, completion: int) -> Body:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_tells_the_tokens_that_are_billed(client: httpx.AsyncClient, stream: bool) -> None:
    with serve_model(GOOD) as server:
        response = await _post(client, server, stream=stream)
        assert server.bill == [
            Billed(number=0, model="m", input=PROMPT, output=OUTPUT, outcome="ok", at=server.bill[0].at, streamed=stream)
        ]
    assert _told(response) == (TEXT, "stop", _usage(PROMPT, OUTPUT))
    assert (server.keys, server.requests) == (["Bearer k"], [_body(stream=stream)])
    assert server.totals() == Totals(1, PROMPT, OUTPUT, 0)


async def test_a_stream_comes_word_by_word_and_by_the_chinese_character_its_role_first(client: httpx.AsyncClient) -> None:
    with serve_model(Says(text="退款 in 5 days.")) as server:
        events = _events((await _post(client, server, stream=True)).text)
        silent = _events((await _post(client, server, stream=True, stream_options=None)).text)
    assert [event["choices"][0]["delta"] for event in events[:-1]] == [
        {"role": "assistant", "content": ""}, {"content": "退"}, {"content": "款"}, {"content": " in"}, {"content": " 5"},
        {"content": " days."}, {},
    ]  # fmt: skip
    assert [event["choices"][0]["finish_reason"] for event in events[:-1]] == [None] * 6 + ["stop"]
    assert (events[-1]["choices"], events[-1]["usage"]) == ([], _usage(100, 20))
    assert not any("usage" in event for event in silent)


@settings(max_examples=60)
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(Says(text=text).pieces()) == text


def test_prompts_in_parts_are_counted_as_texts() -> None:
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "怎么退款？"}]}, {"role": "assistant"}]}
    assert Says(text="ok", usage=COUNTED).true_usage(parts) == _usage(3 + count_tokens("怎么退款？") + 3 + 3, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refusal_service_tier_and_log_probabilities_are_told(client: httpx.AsyncClient, stream: bool) -> None:
    refusal, sure = Says(refusal="I can't do that.", usage=COUNTED), Says(text="A b", service_tier="flex", logprobs=[-0.1, -2])
    with serve_model(refusal, sure) as server:
        refused, answered = (
            await _post(client, server, stream=stream),
            await _post(client, server, stream=stream, logprobs=True),
        )
        assert _outcomes(server) == [("ok", PROMPT, count_tokens("I can't do that.")), ("ok", 100, 20)]
    entries = [
        {"token": "A", "logprob": -0.1, "bytes": None, "top_logprobs": []},
        {"token": " b", "logprob": -2, "bytes": None, "top_logprobs": []},
    ]
    if stream:
        choices = [event["choices"][0] for event in _events(refused.text)[:-1]]
        assert "".join(choice["delta"].get("refusal", "") for choice in choices) == "I can't do that."
        events = _events(answered.text)
        assert {event["service_tier"] for event in events} == {"flex"}
        given = [event["choices"][0]["logprobs"]["content"] for event in events[1:3]]
        assert given == [[entry] for entry in entries]
    else:
        assert refused.json()["choices"][0]["message"] == {"role": "assistant", "content": None, "refusal": "I can't do that."}
        assert answered.json()["service_tier"] == "flex"
        assert answered.json()["choices"][0]["logprobs"]["content"] == entries


@pytest.mark.parametrize(
    ("outcome", "status", "header"),
    [
        ("unauthorized", 401, None),
        ("rate_limited", 429, None),
        ("broken", 500, None),
        ("unavailable", 503, None),
        ("bad_request", 400, None),
        (Refuses(status=429, retry_after_s=1.2), 429, ("retry-after", "2")),
        (Refuses(status=429, retry_after_s=0.05, retry_after_as="ms"), 429, ("retry-after-ms", "50")),
    ],
)
async def test_a_refused_request_costs_nothing_and_its_connection_stays(
    client: httpx.AsyncClient, outcome: Outcome, status: int, header: tuple[str, str] | None
) -> None:
    with serve_model(outcome, keep_alive=True) as server:
        refused = [await _post(client, server, stream=True) for _ in range(2)]
        name = outcome if isinstance(outcome, str) else "refused"
        assert _outcomes(server) == [(name, 0, 0)] * 2
    assert [one.status_code for one in refused] == [status] * 2
    told = [(name, value) for name, value in refused[0].headers.items() if name.startswith("retry-after")]
    assert told == ([header] if header else [])
    assert "怎么退款？" in refused[0].json()["error"]["message"]
    assert len({id(one.extensions["network_stream"]) for one in refused}) == 1


async def test_a_retry_after_may_be_a_date(client: httpx.AsyncClient) -> None:
    with serve_model(Refuses(status=429, retry_after_s=30, retry_after_as="date")) as server:
        due = parsedate_to_datetime((await _post(client, server)).headers["retry-after"])
    assert 29 < (due - datetime.now(UTC)).total_seconds() <= 31


@pytest.mark.parametrize("stream", [False, True])
async def test_malformed_replies_cost_the_prompt(client: httpx.AsyncClient, stream: bool) -> None:
    kinds: list[Failing] = ["bad_json", "html", "empty_choices", "no_content"]
    with serve_model(*kinds) as server:
        bad, html, empty, silent = [await _post(client, server, stream=stream) for _ in kinds]
        assert _outcomes(server) == [(kind, PROMPT, 0) for kind in kinds]
    assert {one.status_code for one in (bad, html, empty, silent)} == {200}
    with pytest.raises(json.JSONDecodeError):
        json.loads(bad.text.removeprefix("data: "))
    assert html.headers["content-type"] == "text/html"
    assert (_events(empty.text)[0] if stream else empty.json())["choices"] == []
    assert _told(silent) == ("", "stop", _usage(PROMPT, 0))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("after", "said"), [(0, ""), (3, "退款在"), (99, TEXT)])
async def test_a_cut_breaks_the_connection_and_costs_what_was_sent(
    client: httpx.AsyncClient, stream: bool, after: int, said: str
) -> None:
    with serve_model(Says(text=TEXT, usage=COUNTED, cut_after=after)) as server:
        async with client.stream("POST", f"{server.url}/chat/completions", json=_body(stream=stream)) as response:
            seen, broken = await _read_until_broken(response)
        assert broken
        assert _outcomes(server) == [("cut", PROMPT, count_tokens(said))]
    shown = [json.loads(line[6:])["choices"][0]["delta"]["content"] for line in seen.decode().split("\n\n")[:-1]]
    assert ("".join(shown) == said) if stream else seen.decode().endswith(f'"content": "{said}')


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("no_output", _usage(PROMPT, 0)),
        ("negative", _usage(PROMPT, -OUTPUT - 1)),
        ("cached_over_input", {**_usage(PROMPT, OUTPUT), "prompt_tokens_details": {"cached_tokens": PROMPT + 1}}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_wrong_usage_stands_beside_a_right_bill(
    client: httpx.AsyncClient, kind: Misreport, told: Body, stream: bool
) -> None:
    with serve_model(Says(text=TEXT, usage=COUNTED, misreport=kind)) as server:
        assert _told(await _post(client, server, stream=stream)) == (TEXT, "stop", told)
        assert server.totals() == Totals(1, PROMPT, OUTPUT, 0)


async def test_cached_tokens_are_billed_inside_the_input(client: httpx.AsyncClient) -> None:
    with serve_model(Says(text="a", usage={**_usage(100, 20), "prompt_tokens_details": {"cached_tokens": 80}})) as server:
        await _post(client, server)
        await _post(client, server, model="other")
    assert (server.totals(), server.totals("other")) == (Totals(2, 200, 40, 160), Totals(1, 100, 20, 80))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_pays_for_what_was_sent(client: httpx.AsyncClient, stream: bool) -> None:
    slow = Says(text=TEXT, usage=COUNTED, piece_delay_s=5) if stream else Says(text=TEXT, usage=COUNTED, delay_s=5)
    with serve_model(slow) as server:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{server.url}/chat/completions", json=_body(stream=stream), timeout=0.1)
        await server.settled()
        assert _outcomes(server) == [("cancelled", PROMPT, 0)]


async def test_a_cancelled_stream_pays_for_the_words_that_left(client: httpx.AsyncClient) -> None:
    with serve_model(Says(text="退款在五天内", usage=COUNTED, piece_delay_s=0.03)) as server:
        seen = ""
        async with client.stream("POST", f"{server.url}/chat/completions", json=_body(stream=True)) as response:
            async for line in response.aiter_lines():
                seen += json.loads(line[6:])["choices"][0]["delta"]["content"] if line else ""
                if seen == "退款":
                    break
        await server.settled()
        assert _outcomes(server) == [("cancelled", PROMPT, count_tokens("退款"))]


async def test_a_body_that_drips_comes_byte_by_byte(client: httpx.AsyncClient) -> None:
    with serve_model(Says(text="ok", usage=None, piece_delay_s=0.0002)) as server:
        begun = time.perf_counter()
        response = await _post(client, server)
        assert time.perf_counter() - begun >= 0.0002 * len(response.content)
    assert _told(response)[0] == "ok"


async def test_a_hang_ends_with_its_time_and_costs_the_prompt(client: httpx.AsyncClient) -> None:
    with serve_model("hang", "drop", hang_s=0.05) as server:
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                await _post(client, server)
        assert _outcomes(server) == [("hang", PROMPT, 0), ("drop", PROMPT, 0)]


async def test_what_is_open_at_the_end_is_cut_and_billed(client: httpx.AsyncClient) -> None:
    with serve_model("hang", Says(text=TEXT, delay_s=60, usage=COUNTED), hang_s=60) as server:
        waiting = [asyncio.create_task(_post(client, server)) for _ in range(2)]
        while len(server.bill) < 2:  # noqa: ASYNC110  # the other side is a thread
            await asyncio.sleep(0.005)
        assert server.totals().requests == 1
        with pytest.raises(TimeoutError, match="2 requests are still open"):
            await server.settled(0.01)
    assert _outcomes(server) == [("hang", PROMPT, 0), ("cancelled", PROMPT, 0)]
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in told] == [httpx.RemoteProtocolError] * 2
    assert "model-server" not in {thread.name for thread in threading.enumerate()}


async def test_fifty_at_once_are_answered_at_once(client: httpx.AsyncClient) -> None:
    with serve_model(Says(text=TEXT, usage=COUNTED, delay_s=0.1), keep_alive=True) as server:
        replies = await asyncio.gather(*(_post(client, server, stream=n % 2 == 0) for n in range(50)))
    assert {_told(reply)[0] for reply in replies} == {TEXT}
    assert server.most_at_once == 50
    assert server.totals() == Totals(50, 50 * PROMPT, 50 * OUTPUT, 0)


async def test_requests_over_the_limit_are_refused_and_counted(client: httpx.AsyncClient) -> None:
    with serve_model(GOOD, limits=Limits(requests=2, window_s=0.3)) as server:
        codes = [(await _post(client, server)).status_code for _ in range(3)]
        refused = await _post(client, server)
        await asyncio.sleep(float(refused.headers["retry-after-ms"]) / 1000)
        codes.append((await _post(client, server)).status_code)
        assert (codes, server.violations) == ([200, 200, 429, 200], 2)
        assert [one.outcome for one in server.bill] == ["ok", "ok", "limit", "limit", "ok"]
        trace = server.trace()
    weight = PROMPT + OUTPUT
    assert [(one.tokens, one.requests_in_window, one.tokens_in_window, one.refused) for one in trace[:4]] == [
        (weight, 1, weight, False), (weight, 2, 2 * weight, False), (0, 2, 2 * weight, True), (0, 2, 2 * weight, True),
    ]  # fmt: skip
    assert trace[4].requests_in_window <= 2
    assert [one.at for one in trace] == sorted(one.at for one in trace)


async def test_output_that_was_asked_for_weighs_until_the_bill_is_known(client: httpx.AsyncClient) -> None:
    most = 2 * PROMPT + OUTPUT + 50
    with serve_model(
        GOOD, Says(text=TEXT, usage=COUNTED, delay_s=0.2), GOOD, limits=Limits(tokens=most, window_s=60)
    ) as server:
        done = await _post(client, server, max_completion_tokens=50)
        held = asyncio.create_task(_post(client, server, max_completion_tokens=50))
        while len(server.bill) < 2:  # noqa: ASYNC110  # the other side is a thread
            await asyncio.sleep(0.005)
        refused = await _post(client, server, max_tokens=1)
        assert [done.status_code, refused.status_code, (await held).status_code] == [200, 429, 200]
        assert server.violations == 1


def test_faults_strike_a_seeded_share() -> None:
    kinds: list[Outcome | Twist] = [Refuses(status=503), "hang", "cut", "length", "refusal", "negative"]

    def told(seed: int) -> list[Outcome]:
        answering = faulty(lambda _, __: GOOD, share=0.2, seed=seed, kinds=kinds)
        return [answering({}, number) for number in range(1000)]

    first = told(1)
    bad = [outcome for outcome in first if outcome != GOOD]
    assert (first, 160 < len(bad) < 240) == (told(1), True)
    assert first != told(2)
    pieces = GOOD.pieces()
    half = len(pieces) // 2
    assert set(map(repr, bad)) == set(map(repr, [
        Refuses(status=503), "hang", Says(text=TEXT, usage=COUNTED, cut_after=half),
        Says(text="".join(pieces[:half]), usage=COUNTED, finish_reason="length"),
        Says(usage=COUNTED, refusal="I'm sorry, I can't help with that."), Says(text=TEXT, usage=COUNTED, misreport="negative"),
    ]))  # fmt: skip


async def test_a_function_answers_and_its_mistake_fails_the_test(client: httpx.AsyncClient) -> None:
    def answering(body: Body, number: int) -> Outcome:
        return Says(text=f"{number}: {body['messages'][-1]['content']}") if number < 2 else Says(text=body["missing"])

    async def ask() -> None:
        with serve_model(answer_with=answering) as server:
            assert [_told(await _post(client, server))[0] for _ in range(2)] == ["0: 怎么退款？", "1: 怎么退款？"]
            assert (await _post(client, server)).status_code == 500

    with pytest.raises(KeyError, match="missing"):
        await ask()


def _chat(server: ModelServer, *, streaming: bool, timeout: float = 5.0) -> ChatOpenAI:
    return ChatOpenAI(
        model="m", base_url=server.url, api_key=SecretStr("k"), stream_usage=True, max_retries=0, streaming=streaming,
        timeout=timeout,
    )  # fmt: skip


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_client_of_langchain_reads_replies_and_their_usage(streaming: bool) -> None:
    with serve_model(Says(text=TEXT, usage=COUNTED, finish_reason="length")) as server:
        message = await _chat(server, streaming=streaming).ainvoke([("system", "Be brief."), ("user", "怎么退款？")])
        assert server.totals() == Totals(1, PROMPT, OUTPUT, 0)
    assert (message.text, message.response_metadata["finish_reason"]) == (TEXT, "length")
    usage = message.usage_metadata
    assert usage is not None
    assert (usage["input_tokens"], usage["output_tokens"]) == (PROMPT, OUTPUT)


async def test_the_client_of_langchain_streams_by_the_word() -> None:
    with serve_model(GOOD) as server:
        chunks = [chunk async for chunk in _chat(server, streaming=True).astream("怎么退款？")]
    assert [chunk.text for chunk in chunks if chunk.text] == GOOD.pieces()
    assert all(isinstance(chunk, AIMessageChunk) for chunk in chunks)


@pytest.mark.parametrize("streaming", [False, True])
async def test_the_client_of_langchain_meets_cuts_and_hangs(streaming: bool) -> None:
    with serve_model(Says(text=TEXT, cut_after=2), "hang", hang_s=5) as server:
        with pytest.raises(ModelConnectionError):
            await _chat(server, streaming=streaming).ainvoke("怎么退款？")
        with pytest.raises(ModelTimeoutError):
            await _chat(server, streaming=streaming, timeout=0.1).ainvoke("怎么退款？")
        assert [one.outcome for one in server.bill] == ["cut", "hang"]


async def test_embeddings_depend_on_the_text_alone_and_are_billed(client: httpx.AsyncClient) -> None:
    with serve_model() as server:
        model = OpenAIEmbeddings(
            model="e", openai_api_base=server.url, openai_api_key=SecretStr("k"), max_retries=0, dimensions=8,
            check_embedding_ctx_length=False,
        )  # fmt: skip
        one, two, again = await model.aembed_documents(["退款", "mail", "退款"])
        plain = await client.post(f"{server.url}/embeddings", json={"model": "e", "input": "退款", "dimensions": 8})
        assert [(one.kind, one.model, one.input, one.output, one.outcome) for one in server.bill] == [
            ("embedding", "e", 2 * count_tokens("退款") + count_tokens("mail"), 0, "ok"),
            ("embedding", "e", count_tokens("退款"), 0, "ok"),
        ]
    assert (one == again, one == two) == (True, False)
    assert plain.json()["data"][0]["embedding"] == pytest.approx(one)
    assert sum(x * x for x in one) == pytest.approx(1)


async def test_models_are_listed_and_other_paths_are_not_found(client: httpx.AsyncClient) -> None:
    with serve_model() as server:
        listed, missing = await client.get(f"{server.url}/models"), await client.get(f"{server.url}/files")
    assert [model["id"] for model in listed.json()["data"]] == ["served"]
    assert missing.status_code == 404


def test_the_server_stops_at_once_although_a_connection_has_just_come() -> None:
    for _ in range(5):
        with serve_model(keep_alive=True) as server:
            url = httpx.URL(server.url)
            late = socket.create_connection((url.host, url.port or 0))
            begun = time.perf_counter()
        assert time.perf_counter() - begun < 1
        with late, suppress(ConnectionResetError):  # it was not accepted any more
            assert late.recv(1) == b""
        gc.collect()  # what was left open would warn here
