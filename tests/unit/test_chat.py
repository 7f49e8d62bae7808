"""The one seam to chat models, against a real server on loopback."""

import time
import traceback
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace

import pytest
from langchain_core.exceptions import ModelRateLimitError
from langchain_core.messages import AIMessage, HumanMessage
from openai import APIError, DefaultHttpxClient

from groat.answering import (
    ASSUMED_OUTPUT,
    Answerer,
    Endpoint,
    Patience,
    Reply,
    Sent,
    Terms,
    Wanted,
    Wish,
    build_prompt,
    prompt_tokens,
    try_answer,
)
from groat.answering.failures import explained
from groat.errors import Failure, ModelError
from groat.types import Asked, Attempt, Passage, Usage
from tests.fakes import ScriptedChat, asked, passage
from tests.model_server import Failing, ModelServer, Says, serve_model
from tests.served import KEY, served

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


def _answerer(server: ModelServer, *, timeout_s: float = 5.0) -> Answerer:
    endpoint = served(server, timeout_s=timeout_s)
    return Answerer({"cheap": endpoint, "expensive": endpoint}, patience=Patience(tries=1))


def _scripted(reply: AIMessage | Exception, name: str = "m") -> Answerer:
    endpoint = Endpoint(model=ScriptedChat(replies=[reply]), name=name, priced_as="m", key_setting="K")
    return Answerer({"cheap": endpoint, "expensive": endpoint}, patience=Patience(tries=1))


def _wish(heard: list[str] | None) -> Wish:
    return Wish() if heard is None else Wish(on_token=heard.append)


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_reply_comes_back_with_its_usage_streamed_or_not(streaming: bool) -> None:
    heard: list[str] = []
    with serve_model(Says(text=" 你好 world \n", usage=FULL_USAGE)) as server:
        reply, endpoint = await _answerer(server).answer(PROMPT, tier="cheap", wish=_wish(heard if streaming else None))
    assert (reply.text, reply.usage, reply.finish_reason, endpoint.name) == ("你好 world", READ, "stop", "served")
    assert reply.latency_ms > 0
    assert (reply.first_token_ms is not None) is streaming
    assert "".join(heard) == (" 你好 world \n" if streaming else "")
    assert bool(server.requests[0].get("stream")) is streaming
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_server_that_reports_no_usage_is_counted_here(streaming: bool) -> None:
    with serve_model(Says(text="hello world", usage=None)) as server:
        prompt = [HumanMessage("hello world")]
        reply, _ = await _answerer(server).answer(prompt, tier="cheap", wish=_wish([] if streaming else None))
    assert reply.usage == {
        "input": 8, "output": 2, "cache_read": 0, "cache_write": 0, "reasoning": 0, "estimated": True
    }  # fmt: skip


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_cut_reply_says_so(streaming: bool) -> None:
    with serve_model(Says(text="and then", finish_reason="length")) as server:
        reply, _ = await _answerer(server).answer(PROMPT, tier="cheap", wish=_wish([] if streaming else None))
    assert (reply.text, reply.finish_reason) == ("and then", "length")


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
        ("unavailable", "server", 503, "failed on the provider's side; try again later (HTTP 503)"),
        (
            "bad_request",
            "invalid_request",
            400,
            "did not accept the request; check that the model's name is right and the context fits (HTTP 400)",
        ),
        ("hang", "timeout", None, "did not answer in time; try again or raise GROAT_TIMEOUT_S"),
        ("drop", "connection", None, "cannot be reached, or broke off; check the network and the base URL"),
        ("bad_json", "malformed", None, "sent something that is no answer of a chat model; check the base URL, or try again"),
        ("html", "malformed", None, "sent something that is no answer of a chat model; check the base URL, or try again"),
    ],
)
@pytest.mark.parametrize("streaming", [False, True])
async def test_every_failure_is_one_sentence(
    outcome: Failing, failure: Failure, status: int | None, sentence: str, streaming: bool
) -> None:
    with serve_model(outcome, hang_s=2) as server:
        with pytest.raises(ModelError) as caught:
            await _answerer(server, timeout_s=0.2).answer(PROMPT, tier="cheap", wish=_wish([] if streaming else None))
        assert len(server.requests) == 1
    error = caught.value
    assert str(error) == f"the cheap model 'served' {sentence}"
    assert (error.failure, error.status) == (failure, status)


async def test_an_error_event_in_a_stream_is_the_providers_and_may_pass() -> None:
    request = DefaultHttpxClient(verify=False).build_request("POST", "http://127.0.0.1")
    error = APIError(f"the engine died over {SECRET}", request=request, body=None)
    with pytest.raises(ModelError) as caught:
        await _scripted(error).answer(PROMPT, tier="cheap")
    assert (str(caught.value), caught.value.failure) == (
        "the cheap model 'm' failed on the provider's side; try again later",
        "server",
    )


@pytest.mark.parametrize("value", ["nan", "inf", "soon", "-3", ""])
def test_a_wait_that_is_no_number_of_seconds_is_not_waited_for(value: str) -> None:
    error = ModelRateLimitError("slow down")
    error.response = SimpleNamespace(headers={"retry-after": value})  # type: ignore[attr-defined]  # as openai's errors have
    endpoint = Endpoint(model=ScriptedChat(replies=[""]), name="m", priced_as="m", key_setting="K")
    assert explained(error, endpoint, "cheap").retry_after_s in {None, 0.0}


async def test_nothing_listens() -> None:
    with serve_model("drop") as server:
        answerer = _answerer(server)
    with pytest.raises(ModelError, match="cannot be reached, or broke off; check the network and the base URL"):
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
    with pytest.raises(ModelError) as caught:
        await _scripted(RuntimeError(SECRET), "odd").answer(PROMPT, tier="expensive")
    assert (str(caught.value), caught.value.failure) == ("the expensive model 'odd' failed with RuntimeError", "unknown")


async def test_a_message_in_parts_is_read_and_cache_writes_are_counted() -> None:
    message = AIMessage(
        content=[{"type": "text", "text": "Hello"}],
        usage_metadata={
            "input_tokens": 50,
            "output_tokens": 5,
            "total_tokens": 55,
            "input_token_details": {"cache_read": 10, "cache_creation": 20},
        },
        id="m1",
    )
    reply, _ = await _scripted(message).answer(PROMPT, tier="cheap")
    usage: Usage = {"input": 50, "output": 5, "cache_read": 10, "cache_write": 20, "reasoning": 0, "estimated": False}
    assert reply == Reply(text="Hello", usage=usage, finish_reason="stop", latency_ms=reply.latency_ms, message_id="m1")


class _Account:
    """Terms that allow everything, and what they were asked and told."""

    def __init__(self, affordable: int | None = None) -> None:
        self.prompts: list[int] = []
        self.permitted: list[tuple[str, str, int, int]] = []
        self.recorded: list[tuple[str, Sent, Attempt | None]] = []
        self._affordable = affordable

    def terms(self, key: str = "run:answer_cheap:0") -> Terms:
        now = time.time()
        return Terms(
            key=key, asked_at=now, deadline=now + 20, affordable=self._pays, permit=self._permit, record=self._record
        )  # fmt: skip

    def _pays(self, prompt: int) -> int | None:
        self.prompts.append(prompt)
        return self._affordable

    async def _permit(self, key: str, endpoint: Endpoint, given: int, most: int) -> None:
        self.permitted.append((key, endpoint.name, given, most))

    async def _record(self, key: str, sent: Sent, attempt: Attempt | None) -> None:
        self.recorded.append((key, sent, attempt))


def _wanted(passages: Sequence[Passage] = ()) -> Wanted:
    return Wanted(box="answer_cheap", tier="cheap", kind="knowledge", passages=passages, level="full")


QUESTION: Asked = asked("How long?")


@pytest.fixture
async def world() -> AsyncIterator[tuple[ModelServer, Answerer]]:
    with serve_model("unauthorized", Says(text="[no answer]."), Says(text="It is 20 minutes. [doc]")) as server:
        yield server, _answerer(server)


async def test_a_try_is_recorded_whether_it_failed_abstained_or_answered(world: tuple[ModelServer, Answerer]) -> None:
    server, answerer = world
    passages, account = [passage("It is 20 minutes.")], _Account()
    tries = [await try_answer(answerer, QUESTION, _wanted(passages), account.terms(f"k{n}")) for n in range(3)]
    assert [(one["text"], one["abstained"], one.get("failure")) for one in tries] == [
        ("", False, "auth"),
        ("[no answer].", True, None),
        ("It is 20 minutes. [doc]", False, None),
    ]
    assert [[(call["key"], call["outcome"], call["status"]) for call in one["calls"]] for one in tries] == [
        [("k0:0", "auth", 401)],
        [("k1:0", "ok", None)],
        [("k2:0", "ok", None)],
    ]
    assert [attempt for _, _, attempt in account.recorded] == [None, *tries[1:]]
    assert [(key, sent.outcome, sent.usage["input"]) for key, sent, _ in account.recorded] == [
        ("k0:0", "auth", 0),
        ("k1:0", "ok", 100),
        ("k2:0", "ok", 100),
    ]
    prompt = build_prompt(QUESTION, passages, kind="knowledge")
    assert account.permitted == [(f"k{n}:0", "served", prompt_tokens(prompt), ASSUMED_OUTPUT) for n in range(3)]
    assert server.requests[2]["messages"][-1]["content"] == prompt[-1].text


@pytest.mark.parametrize(
    ("affordable", "limits"), [(ASSUMED_OUTPUT - 1, []), (ASSUMED_OUTPUT, [ASSUMED_OUTPUT]), (None, [None])]
)
async def test_a_call_is_held_to_what_can_be_paid_or_not_made(affordable: int | None, limits: list[int | None]) -> None:
    account = _Account(affordable)
    with serve_model(Says(text="20 minutes")) as server:
        tried = await try_answer(_answerer(server), QUESTION, _wanted(), account.terms())
    assert [request.get("max_completion_tokens") for request in server.requests] == limits
    assert (len(account.permitted), len(tried["calls"]), tried.get("failure")) == ((1, 1, None) if limits else (0, 0, "budget"))
    assert account.prompts[0] > 100
