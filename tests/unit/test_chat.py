"""The one seam to chat models, against a real server on loopback."""

import traceback
from collections.abc import AsyncIterator

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from groat.answering import ASSUMED_OUTPUT, Answerer, Endpoint, Reply, build_prompt, try_answer
from groat.errors import Failure, ModelError
from groat.types import Usage
from tests.fakes import ScriptedChat, asked, passage
from tests.model_server import Failing, ModelServer, Says, serve_model

KEY = "sk-secret-0123456789"
SECRET = "the user's private words"
PROMPT = [HumanMessage(SECRET)]
FULL_USAGE = {
    "prompt_tokens": 1_000,
    "completion_tokens": 300,
    "total_tokens": 1_300,
    "prompt_tokens_details": {"cached_tokens": 800},
    "completion_tokens_details": {"reasoning_tokens": 250},
}
READ: Usage = {"input": 1_000, "output": 300, "cache_read": 800, "cache_write": 0, "reasoning": 250, "estimated": False}


def _answerer(server: ModelServer, *, timeout: float = 5.0, streaming: bool = False) -> Answerer:
    model = ChatOpenAI(
        model="served",
        base_url=server.url,
        api_key=SecretStr(KEY),
        stream_usage=True,
        streaming=streaming,
        max_retries=0,
        timeout=timeout,
    )
    endpoint = Endpoint(model=model, name="served", priced_as="gpt-5-mini", key_setting="GROAT_CHEAP_API_KEY")
    return Answerer({"cheap": endpoint, "expensive": endpoint})


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_reply_comes_back_with_its_usage_streamed_or_not(streaming: bool) -> None:
    with serve_model(Says(text=" 你好 world \n", usage=FULL_USAGE)) as server:
        reply = await _answerer(server, streaming=streaming).answer(PROMPT, tier="cheap")
    assert (reply.text, reply.usage, reply.finish_reason) == ("你好 world", READ, "stop")
    assert reply.latency_ms > 0
    assert bool(server.requests[0].get("stream")) is streaming
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_reports_no_usage_is_counted_here(streaming: bool) -> None:
    with serve_model(Says(text="hello world", usage=None)) as server:
        reply = await _answerer(server, streaming=streaming).answer([HumanMessage("hello world")], tier="cheap")
    assert reply.usage == {
        "input": 8, "output": 2, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True
    }  # fmt: skip


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_cut_reply_says_so(streaming: bool) -> None:
    with serve_model(Says(text="and then", finish_reason="length")) as server:
        assert (await _answerer(server, streaming=streaming).answer(PROMPT, tier="cheap")).finish_reason == "length"


@pytest.mark.parametrize(
    ("outcome", "failure", "status", "sentence"),
    [
        ("unauthorized", "auth", 401, "refused the key; check GROAT_CHEAP_API_KEY (HTTP 401)"),
        (
            "rate_limited",
            "rate_limit",
            429,
            "is over its rate limit or quota; wait, or raise the limit at the provider (HTTP 429)",
        ),
        ("broken", "server", 500, "failed on the provider's side; try again later (HTTP 500)"),
        (
            "bad_request",
            "invalid_request",
            400,
            "did not accept the request; check that the model's name is right and the context fits (HTTP 400)",
        ),
        ("hang", "timeout", None, "did not answer in time; try again or raise GROAT_TIMEOUT_S"),
        ("drop", "connection", None, "cannot be reached; check the network and the base URL"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_every_failure_is_one_sentence_after_one_request(
    outcome: Failing, failure: Failure, status: int | None, sentence: str, streaming: bool
) -> None:
    with serve_model(outcome, hang_s=0.6) as server:
        with pytest.raises(ModelError) as caught:
            await _answerer(server, timeout=0.3, streaming=streaming).answer(PROMPT, tier="cheap")
        assert len(server.requests) == 1
    error = caught.value
    assert str(error) == f"the cheap model 'served' {sentence}"
    assert (error.failure, error.status) == (failure, status)


async def test_nothing_listens() -> None:
    with serve_model("drop") as server:
        answerer = _answerer(server)
    with pytest.raises(ModelError, match="cannot be reached; check the network and the base URL"):
        await answerer.answer(PROMPT, tier="expensive")


async def test_no_sentence_repeats_the_key_or_the_prompt() -> None:
    outcomes: list[Failing] = ["unauthorized", "rate_limited", "broken", "bad_request"]
    with serve_model(*outcomes) as server:
        for _ in outcomes:
            with pytest.raises(ModelError) as caught:
                await _answerer(server).answer(PROMPT, tier="cheap")
            told = "".join(traceback.format_exception_only(caught.value))
            assert KEY not in told
            assert SECRET not in told


async def test_an_error_of_no_known_kind_is_named_by_its_class_alone() -> None:
    model = ScriptedChat(replies=[KeyError(SECRET)])
    endpoint = Endpoint(model=model, name="odd", priced_as="odd", key_setting="K")
    with pytest.raises(ModelError) as caught:
        await Answerer({"cheap": endpoint, "expensive": endpoint}).answer(PROMPT, tier="expensive")
    assert (str(caught.value), caught.value.failure) == ("the expensive model 'odd' failed with KeyError", "unknown")


async def test_a_message_in_parts_is_read_and_cache_writes_are_counted() -> None:
    message = AIMessage(
        content=[{"type": "text", "text": "Hello"}],
        usage_metadata={
            "input_tokens": 50,
            "output_tokens": 5,
            "total_tokens": 55,
            "input_token_details": {"cache_read": 10, "cache_creation": 20},
        },
    )
    endpoint = Endpoint(model=ScriptedChat(replies=[message]), name="m", priced_as="m", key_setting="K")
    reply = await Answerer({"cheap": endpoint, "expensive": endpoint}).answer(PROMPT, tier="cheap")
    usage: Usage = {"input": 50, "output": 5, "cache_read": 10, "cache_write": 20, "reasoning": 0, "estimated": False}
    assert reply == Reply(text="Hello", usage=usage, finish_reason="stop", latency_ms=reply.latency_ms)


@pytest.fixture
async def world() -> AsyncIterator[tuple[ModelServer, Answerer]]:
    with serve_model("unauthorized", Says(text="[no answer]."), Says(text="It is 20 minutes. [doc]")) as server:
        yield server, _answerer(server)


async def test_a_try_is_recorded_whether_it_failed_abstained_or_answered(world: tuple[ModelServer, Answerer]) -> None:
    server, answerer = world
    passages = [passage("It is 20 minutes.")]
    tries = [
        await try_answer(
            answerer, asked("How long?"), box="answer_cheap", tier="cheap", kind="knowledge", passages=passages,
            level="full", repair=None, affordable=lambda _: None,
        )
        for _ in range(3)
    ]  # fmt: skip
    assert [(one.attempt["text"], one.attempt["abstained"], one.attempt.get("failure")) for one in tries] == [
        ("", False, "auth"),
        ("[no answer].", True, None),
        ("It is 20 minutes. [doc]", False, None),
    ]
    assert [one.usage and one.usage["input"] for one in tries] == [0, 100, 100]
    assert (
        server.requests[2]["messages"][-1]["content"] == build_prompt(asked("How long?"), passages, kind="knowledge")[-1].text
    )


@pytest.mark.parametrize(
    ("affordable", "limits"), [(ASSUMED_OUTPUT - 1, []), (ASSUMED_OUTPUT, [ASSUMED_OUTPUT]), (None, [None])]
)
async def test_a_call_is_held_to_what_can_be_paid_or_not_made(affordable: int | None, limits: list[int | None]) -> None:
    given: list[int] = []

    def pays(prompt: int) -> int | None:
        given.append(prompt)
        return affordable

    with serve_model(Says(text="20 minutes")) as server:
        tried = await try_answer(
            _answerer(server), asked("How long?"), box="answer_cheap", tier="cheap", kind="knowledge", passages=[],
            level="none", repair=None, affordable=pays,
        )  # fmt: skip
    assert [request.get("max_completion_tokens") for request in server.requests] == limits
    assert (tried.usage is None, tried.attempt.get("failure")) == ((False, None) if limits else (True, "budget"))
    assert given[0] > 100
