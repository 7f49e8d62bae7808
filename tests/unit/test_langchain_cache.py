"""The cache under real chat models of LangChain, which ask a real server on loopback."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.globals import get_llm_cache, set_llm_cache
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import BaseModel, SecretStr

from graph.judging import LazyJudge
from groat.cache import AnswerCache, MemoryStore, RedisStore
from groat.cache.entry import Entry
from groat.cache.langchain import GroatCache
from groat.embedding import Matrix, Vector
from groat.errors import BadInput, StorageError
from tests.fakes import FixedClock, KnownVectors
from tests.model_server import Body, ModelServer, Outcome, Says, serve_model
from tests.redis_server import serve_redis
from tests.unit.test_cache_answers import CALIBRATION

KEPT = {"en": "How do I reset my password?", "zh": "怎么重置密码？"}
REWORDED = {"en": "How do I reset the password?", "zh": "密码怎么重置？"}
NEAR = {**dict.fromkeys(KEPT.values(), 1.0), **dict.fromkeys(REWORDED.values(), 0.95)}
SAID = {"en": "Open the settings and choose Reset.", "zh": "打开设置，选择“重置”。"}
NOTHING_USED = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "total_cost": 0}

in_both_languages = pytest.mark.parametrize("lang", ["en", "zh"])
Way = Literal["sync", "async"]
both_ways = pytest.mark.parametrize("way", ["sync", "async"])


class Embedder(KnownVectors):
    """Known vectors, also for documents, which nobody asks for here."""

    async def passages(self, texts: Sequence[str]) -> Matrix:
        raise AssertionError("the cache embeds questions only")


class World:
    """Caches over one store, and models on one server that ask them."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.embedder = Embedder(NEAR)
        self.clock = FixedClock()
        self.answers = AnswerCache(MemoryStore(), CALIBRATION, clock=self.clock)
        self.caches: list[GroatCache] = []
        self.cache = self.open()

    def open(self, **arguments: Any) -> GroatCache:
        cache = GroatCache(self.answers, self.embedder, **arguments)
        self.caches.append(cache)
        return cache

    def model(self, cache: GroatCache | None = None, **settings: Any) -> ChatOpenAI:
        return chat(self.server, cache or self.cache, **settings)

    @property
    def requests(self) -> int:
        return len(self.server.requests)


def chat(server: ModelServer, cache: GroatCache | None, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(**{
        "model": "small", "base_url": server.url, "api_key": SecretStr("sk-none"), "max_retries": 0, "cache": cache,
        "http_client": DefaultHttpxClient(verify=False), "http_async_client": DefaultAsyncHttpxClient(verify=False), **settings,
    })  # fmt: skip


@pytest.fixture
def world() -> Iterator[World]:
    def answer(body: Body, number: int) -> Outcome:
        return Says(text=SAID["zh" if "密码" in json.dumps(body["messages"], ensure_ascii=False) else "en"])

    with serve_model(answer_with=answer) as server:
        world = World(server)
        yield world
        for cache in world.caches:
            cache.close()


async def ask(model: Any, prompt: object, way: Way) -> Any:
    if way == "async":
        return await model.ainvoke(prompt)
    # As an application does: from a thread that has no loop.
    return await asyncio.to_thread(model.invoke, prompt)


@in_both_languages
@both_ways
async def test_an_equal_question_costs_one_request_and_the_hit_says_who_served_it(world: World, lang: str, way: Way) -> None:
    model = world.model()
    first = await ask(model, KEPT[lang], way)
    with get_usage_metadata_callback() as used:
        second = await ask(model, f" {KEPT[lang]} ", way)
    assert world.requests == 1
    assert (first.text, second.text) == (SAID[lang], SAID[lang])
    assert first.response_metadata["token_usage"]["total_tokens"] == 120
    assert second.usage_metadata == NOTHING_USED
    assert set(second.response_metadata["token_usage"].values()) == {0, None}
    assert second.response_metadata["model_name"] == "small"
    note = second.response_metadata["groat"]
    assert note["usage_saved"]["total_tokens"] == 120
    assert len(note["entry_id"]) == 32
    assert {name: note[name] for name in ("served_by", "tier", "similarity")} == {
        "served_by": "cache", "tier": "exact", "similarity": 1.0
    }  # fmt: skip
    assert all(value["total_tokens"] == 0 for value in used.usage_metadata.values())


@pytest.mark.parametrize(("lang", "way"), [("en", "sync"), ("zh", "async")])
async def test_a_reworded_question_hits_where_the_shipped_calibration_allows_it(tmp_path: Path, lang: str, way: Way) -> None:
    with serve_model(Says(text=SAID[lang])) as server:
        # The judge reads the Chinese one: without it nothing Chinese is proven at 1 % of wrong hits.
        cache = GroatCache.open(tmp_path / "cache.sqlite", judge=LazyJudge() if lang == "zh" else None)
        await ask(chat(server, cache), KEPT[lang], way)
        hit = await ask(chat(server, cache), REWORDED[lang], way)
        assert hit.text == SAID[lang]
        assert hit.response_metadata["groat"]["tier"] == "semantic"
        assert hit.response_metadata["groat"]["similarity"] >= 0.95
        cache.close()
        # What was kept outlives the process.
        again = GroatCache.open(f"sqlite:///{tmp_path}/cache.sqlite")
        assert (await ask(chat(server, again), KEPT[lang], way)).text == SAID[lang]
        again.close()
        assert len(server.requests) == 1


SYSTEM = SystemMessage("Answer in one sentence.")


def tool(name: str) -> Body:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("question", [KEPT, REWORDED], ids=["equal", "reworded"])
@in_both_languages
@pytest.mark.parametrize(
    "other",
    [
        lambda world, text: world.model(model="big").invoke(text),
        lambda world, text: world.model(temperature=0.7).invoke(text),
        lambda world, text: world.model(max_completion_tokens=5).invoke(text),
        lambda world, text: world.model().invoke([SYSTEM, HumanMessage(text)]),
        lambda world, text: world.model().invoke([HumanMessage(text, name="bob")]),
        lambda world, text: world.model().bind_tools([tool("reset")]).invoke(text),
        lambda world, text: world.model().invoke(text, stop=["."]),
        lambda world, text: world.model().bind(response_format={"type": "json_object"}).invoke(text),
        lambda world, text: world.model(world.open(tenant="other")).invoke(text),
        lambda world, text: world.model(world.open(answer_language="zh" if text.isascii() else "en")).invoke(text),
        lambda world, text: world.model().invoke([HumanMessage("My VPN is off."), AIMessage("Yes."), HumanMessage(text)]),
        lambda world, text: world.model().invoke([AIMessage("Hello, I help with bikes."), HumanMessage(text)]),
        lambda world, text: world.model().invoke([HumanMessage(text), AIMessage("Well,")]),
    ],
    ids=[
        "model", "temperature", "length", "system", "name", "tools", "stop", "format", "tenant", "language", "history",
        "greeting", "prefilled",
    ],
)  # fmt: skip
def test_whatever_else_differs_the_model_is_asked(
    world: World, lang: str, question: dict[str, str], other: Callable[[World, str], object]
) -> None:
    world.model().invoke(KEPT[lang])
    other(world, question[lang])
    assert world.requests == 2


def test_other_tools_and_another_system_message_miss_too(world: World) -> None:
    for name in ("reset", "reset", "delete"):
        world.model().bind_tools([tool(name)]).invoke(KEPT["en"])
    assert world.requests == 2
    for text in ("Be brief.", "Be brief.", "Be long."):
        world.model().invoke([SystemMessage(text), HumanMessage(KEPT["en"])])
    assert world.requests == 4


@in_both_languages
def test_the_same_words_hit_under_the_same_system_message(world: World, lang: str) -> None:
    world.model().invoke([SYSTEM, HumanMessage(KEPT[lang])])
    hit = world.model().invoke([SYSTEM, HumanMessage(REWORDED[lang])])
    assert world.requests == 1
    assert hit.response_metadata["groat"]["tier"] == "semantic"
    assert set(world.embedder.asked) == {KEPT[lang], REWORDED[lang]}


@in_both_languages
def test_a_follow_up_hits_in_the_same_conversation_and_in_no_other_words(world: World, lang: str) -> None:
    def conversation(first: BaseMessage, then: str) -> list[BaseMessage]:
        return [HumanMessage("Is my phone insured? 手机有保险吗？"), first, HumanMessage(then)]

    paid = world.model().invoke("Is my phone insured? 手机有保险吗？")
    from_cache = world.model().invoke("Is my phone insured? 手机有保险吗？")
    world.model().invoke(conversation(paid, KEPT[lang]))
    assert world.requests == 2
    # The turn that came from the cache says the same as the one that was paid for.
    assert world.model().invoke(conversation(from_cache, KEPT[lang])).text == SAID[lang]
    assert world.requests == 2
    world.model().invoke(conversation(paid, REWORDED[lang]))
    world.model().invoke(conversation(AIMessage("No."), KEPT[lang]))
    assert world.requests == 4


@in_both_languages
def test_a_picture_is_served_to_the_equal_prompt_alone_and_never_embedded(world: World, lang: str) -> None:
    def prompt(text: str, picture: str) -> list[BaseMessage]:
        url = {"url": f"data:image/png;base64,{picture * 3000}"}
        return [HumanMessage([{"type": "text", "text": text}, {"type": "image_url", "image_url": url}])]

    for _ in range(2):
        world.model().invoke(prompt(KEPT[lang], "A"))
    assert world.requests == 1
    world.model().invoke(prompt(REWORDED[lang], "A"))
    world.model().invoke(prompt(KEPT[lang], "B"))
    world.model().invoke([*prompt(KEPT[lang], "A"), AIMessage("A cat."), HumanMessage(KEPT[lang])])
    assert world.requests == 4
    assert world.embedder.asked == []


@both_ways
async def test_a_whole_batch_is_served(world: World, way: Way) -> None:
    model: Any = world.model()
    questions = [KEPT["en"], KEPT["zh"]]
    for _ in range(2):
        replies = await model.abatch(questions) if way == "async" else await asyncio.to_thread(model.batch, questions)
        assert [reply.text for reply in replies] == [SAID["en"], SAID["zh"]]
    assert world.requests == 2


@in_both_languages
@both_ways
async def test_a_stream_that_langchain_answers_whole_comes_from_the_cache(world: World, lang: str, way: Way) -> None:
    model = world.model(disable_streaming=True)
    for requests in (1, 1):
        chunks = [chunk async for chunk in model.astream(KEPT[lang])] if way == "async" else list(model.stream(KEPT[lang]))
        assert [chunk.text for chunk in chunks] == [SAID[lang]]
        assert world.requests == requests
    assert chunks[0].usage_metadata == NOTHING_USED


@both_ways
async def test_langchain_asks_no_cache_for_a_stream_of_tokens(world: World, way: Way) -> None:
    model = world.model()
    model.invoke(KEPT["en"])
    chunks = [chunk async for chunk in model.astream(KEPT["en"])] if way == "async" else list(model.stream(KEPT["en"]))
    assert "".join(chunk.text for chunk in chunks) == SAID["en"]
    assert world.requests == 2


async def test_what_was_streamed_inside_a_call_is_kept_and_a_hit_is_one_event(world: World) -> None:
    model = world.model(streaming=True)

    async def texts() -> list[str]:
        events = [event async for event in model.astream_events(KEPT["zh"], version="v2")]
        ended = next(event for event in events if event["event"] == "on_chat_model_end")
        return [str(ended["data"]["output"].text)]

    model.invoke(KEPT["zh"])
    assert (await model.ainvoke(KEPT["zh"])).text == SAID["zh"]
    assert world.requests == 1
    assert await texts() == [SAID["zh"]]


async def test_two_hits_are_two_messages_of_a_langgraph_conversation(world: World) -> None:
    async def answer(state: MessagesState) -> dict[str, list[BaseMessage]]:
        return {"messages": [await world.model().ainvoke(state["messages"][-1].text)]}

    builder = StateGraph(MessagesState).add_node("answer", answer)
    graph: Any = builder.add_edge(START, "answer").add_edge("answer", END).compile()
    messages: list[BaseMessage] = []
    for _ in range(3):
        messages = (await graph.ainvoke({"messages": [*messages, HumanMessage(KEPT["en"])]}))["messages"]
    assert [message.text for message in messages] == [KEPT["en"], SAID["en"]] * 3
    asked = {"messages": [HumanMessage(KEPT["en"])]}
    assert [part.text async for part, _ in graph.astream(asked, stream_mode="messages")] == [SAID["en"]]
    assert world.requests == 1


class Scripted:
    """An endpoint that calls a tool at the first question and answers once it was told what the tool returned."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        returned = json.loads(request.content)["messages"][-1]["role"] == "tool"
        call = {"id": "call_1", "type": "function", "function": {"name": "reset", "arguments": '{"account": 7}'}}
        message = {"content": "Done.", "role": "assistant"} if returned else {"role": "assistant", "tool_calls": [call]}
        choice = {"index": 0, "finish_reason": "stop" if returned else "tool_calls", "message": message}
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
        body = {"id": "c", "object": "chat.completion", "created": 1, "model": "small", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=body)

    def model(self, cache: GroatCache) -> Any:
        client = httpx.Client(transport=httpx.MockTransport(self))
        model = ChatOpenAI(model="small", api_key=SecretStr("sk-none"), max_retries=0, cache=cache, http_client=client)
        return model.bind_tools([tool("reset")])


@in_both_languages
def test_calls_of_tools_serve_the_equal_prompt_alone_and_the_loop_after_them_too(world: World, lang: str) -> None:
    endpoint = Scripted()
    model = endpoint.model(world.cache)

    def run(text: str) -> AIMessage:
        call = model.invoke(text)
        assert [(one["name"], one["args"], one["id"]) for one in call.tool_calls] == [("reset", {"account": 7}, "call_1")]
        told: AIMessage = model.invoke([HumanMessage(text), call, ToolMessage("ok", tool_call_id="call_1")])
        assert told.text == "Done."
        return told

    run(KEPT[lang])
    assert endpoint.requests == 2
    assert run(KEPT[lang]).usage_metadata == NOTHING_USED
    assert endpoint.requests == 2
    for text in (REWORDED[lang], f"{KEPT[lang]} "):
        before = endpoint.requests
        run(text)
        assert endpoint.requests == before + 2
    assert world.embedder.asked == [KEPT[lang], REWORDED[lang]]


@pytest.mark.parametrize(
    "outcome",
    [
        Says(text="", refusal="I'm sorry, I can't help with that. 抱歉。"),
        Says(text=""),
        Says(text=" \n"),
        Says(text="Open the sett", finish_reason="length"),
        Says(text="打开设", finish_reason="content_filter"),
        Says(text="Open", finish_reason="something_new"),
        "no_content",
    ],
    ids=["refusal", "empty", "blank", "length", "filter", "unknown end", "no content"],
)
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streamed"])
@in_both_languages
def test_an_answer_that_is_none_is_not_kept(outcome: Outcome, streaming: bool, lang: str) -> None:
    with serve_model(outcome) as server:
        world = World(server)
        for _ in range(2):
            world.model(streaming=streaming).invoke(KEPT[lang])
        world.cache.close()
        assert world.requests == 2
        assert asyncio.run(world.answers.count()) == 0


@both_ways
async def test_an_error_of_the_model_reaches_the_caller_and_is_not_kept(way: Way) -> None:
    with serve_model("broken", Says(text="Well.")) as server:
        world = World(server)
        with pytest.raises(Exception, match="The server had an error"):
            await ask(world.model(), KEPT["en"], way)
        assert (await ask(world.model(), KEPT["en"], way)).text == "Well."
        world.cache.close()


@pytest.mark.parametrize(
    "question", ["Where is my order?", "我的订单到哪儿了？", "What time is it?", "现在几点？", "x" * 4001, "字" * 4001]
)
def test_the_policy_of_the_cache_holds(world: World, question: str) -> None:
    for _ in range(2):
        world.model().invoke(question)
        world.model().invoke([HumanMessage(question), AIMessage("", tool_calls=[CALL]), ToolMessage("A7", tool_call_id="1")])
    assert world.requests == 4


CALL: Any = {"name": "find", "args": {}, "id": "1"}


async def test_each_prompt_of_one_call_has_its_own_answer(world: World) -> None:
    for _ in range(2):
        generated = await world.model().agenerate([[HumanMessage(KEPT["en"])], [HumanMessage(KEPT["zh"])]])
        assert [one[0].text for one in generated.generations] == [SAID["en"], SAID["zh"]]
    assert world.requests == 2


class Broken(MemoryStore):
    """A store whose every method fails, in a way that groat explains or in another one."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def exact(self, identity: str, exact_text: str, *, now: float) -> Entry | None:
        raise self.error

    async def put(self, entry: Entry, *, max_entries: int) -> None:
        raise self.error

    async def forget(self, **kwargs: Any) -> int:
        raise self.error


class FailingEmbedder(Embedder):
    """An embedder that fails in the same two ways."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    async def query(self, text: str) -> Vector:
        raise self.error


ERRORS = [StorageError("the disk is full; free some space"), ZeroDivisionError("secret question")]


@in_both_languages
@both_ways
@pytest.mark.parametrize("error", ERRORS, ids=["explained", "any"])
@pytest.mark.parametrize("part", ["store", "embedder", "tenant"])
async def test_the_model_answers_when_the_cache_cannot(
    world: World, part: str, error: Exception, lang: str, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    def tenant() -> str:
        if part == "tenant":
            raise error
        return "default"

    store = Broken(error) if part == "store" else MemoryStore()
    embedder = FailingEmbedder(error) if part == "embedder" else Embedder()
    cache = GroatCache(AnswerCache(store, CALIBRATION), embedder, tenant=tenant)
    for _ in range(2):
        assert (await ask(world.model(cache), KEPT[lang], way)).text == SAID[lang]
    cache.close()
    assert world.requests == 2
    explained = isinstance(error, StorageError)
    sentence = str(error) if explained else "the answer cache failed with ZeroDivisionError"
    assert cache.last_failure == sentence
    assert [record.getMessage() for record in caplog.records if record.name == "groat.cache.langchain"] == [
        f"answered without the cache: {sentence}"
    ]


async def test_a_tenant_that_is_nobody_gets_no_answers_of_others(world: World) -> None:
    with pytest.raises(BadInput, match="the tenant is empty"):
        world.open(tenant=" ")
    with pytest.raises(BadInput, match="ttl_s is 0"):
        world.open(ttl_s=0)
    for nobody in ("", None):
        cache = world.open(tenant=lambda nobody=nobody: nobody)
        for _ in range(2):
            await ask(world.model(cache), KEPT["en"], "async")
        with pytest.raises(BadInput, match="the tenant is empty"):
            cache.clear()
    assert world.requests == 4


async def test_one_cache_serves_each_tenant_its_own_answers(world: World) -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    cache = world.open(tenant=lambda: tenant.get())
    model = world.model(cache)

    async def as_tenant(name: str, way: Any) -> AIMessage:
        tenant.set(name)
        reply: AIMessage = await ask(model, KEPT["zh"], way)
        return reply

    for way in ("sync", "async"):
        await asyncio.gather(*(asyncio.create_task(as_tenant(name, way)) for name in ("a", "b", "c")))
        assert world.requests == 3


@both_ways
async def test_clearing_forgets_the_answers_of_this_tenant_only(world: World, way: Way) -> None:
    mine, theirs = world.cache, world.open(tenant="other")
    for cache in (mine, theirs):
        for lang in ("en", "zh"):
            await ask(world.model(cache), KEPT[lang], way)
    await mine.aclear() if way == "async" else mine.clear()
    assert await world.answers.count() == 2
    await ask(world.model(theirs), KEPT["en"], way)
    assert world.requests == 4
    await ask(world.model(mine), KEPT["en"], way)
    assert world.requests == 5


async def test_clearing_never_claims_what_it_did_not_do(world: World) -> None:
    with pytest.raises(BadInput, match="cannot clear by llm_string"):
        world.cache.clear(llm_string="x")
    cache = GroatCache(AnswerCache(Broken(ERRORS[0]), CALIBRATION), world.embedder)
    with pytest.raises(StorageError, match="the disk is full"):
        await cache.aclear()
    cache.close()


@in_both_languages
def test_an_answer_serves_no_longer_than_its_life(world: World, lang: str) -> None:
    model = world.model(world.open(ttl_s=60))
    for after_s, requests in ((0, 1), (59, 1), (61, 2)):
        world.clock.now = 1000.0 + after_s
        model.invoke(KEPT[lang])
        assert world.requests == requests


def test_fifty_threads_at_once_get_their_own_answers_and_afterwards_cost_nothing() -> None:
    def answer(body: Body, number: int) -> Outcome:
        return Says(text=f"Re: {body['messages'][-1]['content']}")

    numbers = ["one 一", "two 二", "three 三", "four 四", "five 五"]
    with serve_model(answer_with=answer) as server:
        world = World(server)
        model, start = world.model(), threading.Barrier(50)

        def one(place: int) -> tuple[str, str]:
            question = f"How do I install part {numbers[place % 5]}?"
            start.wait(30)
            return question, model.invoke(question).text

        with ThreadPoolExecutor(50) as threads:
            first = list(threads.map(one, range(50)))
            requests = world.requests
            second = list(threads.map(one, range(50)))
        world.cache.close()
        assert all(text == f"Re: {question}" for question, text in first + second)
        assert 5 <= requests <= 50
        assert world.requests == requests
        assert asyncio.run(world.answers.count()) == 5


class Waiting(Embedder):
    """An embedder that holds its thread until it is told to go on, or fails after 30 s."""

    def __init__(self) -> None:
        super().__init__(NEAR)
        self.begun, self.go_on = threading.Event(), threading.Event()

    async def query(self, text: str) -> Vector:
        self.begun.set()
        assert self.go_on.wait(30)
        return await super().query(text)


async def test_the_callers_loop_runs_on_while_the_cache_works(world: World) -> None:
    embedder = Waiting()
    cache = GroatCache(world.answers, embedder)
    asking = asyncio.create_task(world.model(cache).ainvoke(KEPT["en"]))
    assert await asyncio.to_thread(embedder.begun.wait, 30)
    embedder.go_on.set()
    assert (await asking).text == SAID["en"]
    cache.close()


def test_one_cache_outlives_the_loops_that_ask_it(world: World) -> None:
    for _ in range(3):
        assert asyncio.run(world.model().ainvoke(KEPT["en"])).text == SAID["en"]
    assert world.requests == 1


@pytest.fixture
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors that the shipped calibration was not made with, so that only equal questions hit."""
    monkeypatch.setattr("groat.cache.langchain.BundledEmbedder", Embedder)


@pytest.mark.usefixtures("_unmeasured")
def test_without_a_calibration_for_the_vectors_only_equal_questions_hit_and_the_log_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    cache = GroatCache.open(":memory:")
    for text in (KEPT["en"], KEPT["en"], REWORDED["en"]):
        world.model(cache).invoke(text)
    cache.close()
    assert world.requests == 2
    assert "groat's cache serves equal questions only: no rule was made for the vectors of known/8" in caplog.text


@pytest.mark.usefixtures("_unmeasured")
def test_a_closed_cache_begins_anew_at_the_next_use(tmp_path: Path, world: World) -> None:
    cache = GroatCache.open(tmp_path / "new" / "cache.sqlite")
    for _ in range(2):
        assert world.model(cache).invoke(KEPT["en"]).text == SAID["en"]
        cache.close()
        cache.close()
    assert world.requests == 1
    assert not [thread for thread in threading.enumerate() if thread.name == "groat-cache"]


class Answer(BaseModel):
    text: str


def test_structured_answers_are_kept_when_the_schema_can_be_compared(caplog: pytest.LogCaptureFixture) -> None:
    with serve_model(Says(text='{"text": "打开设置"}')) as server:
        world = World(server)
        by_schema = world.model().with_structured_output(Answer.model_json_schema() | {"description": "An answer."})
        for _ in range(2):
            assert by_schema.invoke(KEPT["zh"]) == {"text": "打开设置"}
        assert world.requests == 1
        # Of a class LangChain tells its cache the name alone, and classes change.
        by_class = world.model().with_structured_output(Answer)
        for _ in range(2):
            assert by_class.invoke(KEPT["zh"]) == Answer(text="打开设置")
        assert world.requests == 3
        world.cache.close()
        assert [record.getMessage()[:74] for record in caplog.records if record.name == "groat.cache.langchain"] == [
            "answered without the cache: the settings of the model hold a Python object"
        ]
        assert world.cache.last_failure is None


class CountedLLM(FakeListLLM):
    """A plain model that counts how often it was really asked."""

    asked: list[str] = []  # noqa: RUF012  # pydantic copies it

    def _call(self, prompt: str, *args: Any, **kwargs: Any) -> str:
        self.asked.append(prompt)
        return super()._call(prompt, *args, **kwargs)

    async def _acall(self, prompt: str, *args: Any, **kwargs: Any) -> str:
        return self._call(prompt)


@in_both_languages
@both_ways
async def test_a_plain_model_is_served_by_the_same_rule(world: World, lang: str, way: Way) -> None:
    model = CountedLLM(responses=[SAID[lang]], cache=world.cache)
    for text in (KEPT[lang], KEPT[lang], REWORDED[lang]):
        assert await ask(model, text, way) == SAID[lang]
    assert model.asked == [KEPT[lang]]
    result = model.generate([REWORDED[lang]])
    assert result.generations[0][0].generation_info is not None
    assert result.generations[0][0].generation_info["groat"]["tier"] == "semantic"


@pytest.mark.parametrize(
    "frame",
    ["Context: phones and bikes.\nQuestion: {}", "System: Be brief.\nHuman: {}", "Human: {}"],
    ids=["template", "conversation", "one turn"],
)
@in_both_languages
def test_an_assembled_prompt_of_a_plain_model_hits_only_when_equal_and_is_never_embedded(
    world: World, frame: str, lang: str
) -> None:
    model = CountedLLM(responses=["a"], cache=world.cache)
    for text in (KEPT[lang], KEPT[lang], REWORDED[lang]):
        model.invoke(frame.format(text))
    assert len(model.asked) == 2
    assert world.embedder.asked == []


def test_plain_models_and_chat_models_share_no_answers(world: World) -> None:
    plain = CountedLLM(responses=["a"], cache=world.cache)
    plain.invoke(KEPT["en"])
    assert world.model().invoke(KEPT["en"]).text == SAID["en"]


@pytest.mark.parametrize(
    "address", ["redis://user:secret@host:port", "sqlite://relative.sqlite", "sqlite:///", "https://host/secret"]
)
def test_an_address_that_keeps_nothing_is_refused_without_telling_secrets(address: str) -> None:
    with pytest.raises(BadInput, match="give the path of a file") as raised:
        GroatCache.open(address)
    assert "secret" not in str(raised.value)


@pytest.mark.usefixtures("_unmeasured")
@both_ways
async def test_two_machines_share_a_cache_in_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World, way: Way
) -> None:
    monkeypatch.setattr("groat.cache.langchain.RedisStore", partial(RedisStore, patience_s=10.0))
    with serve_redis(tmp_path) as redis:
        caches = [GroatCache.open(redis.url), GroatCache.open(redis.url)]
        for cache in caches:
            for lang in ("en", "zh"):
                assert (await ask(world.model(cache), KEPT[lang], way)).text == SAID[lang]
        assert world.requests == 2
        await caches[0].aclear()
        await ask(world.model(caches[1]), KEPT["zh"], way)
        assert world.requests == 3
        for cache in caches:
            cache.close()


@pytest.mark.usefixtures("_unmeasured")
def test_a_cache_in_memory_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.chdir(tmp_path)
    cache = GroatCache.open(":memory:")
    for _ in range(2):
        world.model(cache).invoke(KEPT["zh"])
    cache.close()
    assert world.requests == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def _no_global_cache() -> Iterator[None]:
    yield
    set_llm_cache(None)


@pytest.mark.usefixtures("_no_global_cache")
def test_the_page_about_it_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[2].joinpath("docs/langchain-cache.md").read_text(encoding="utf-8")
    snippets = [block.split("```")[0] for block in page.split("```python\n")[1:]]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    with serve_model(Says(text=SAID["en"])) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        names: dict[str, Any] = {}
        for snippet in snippets:
            exec(snippet, names)  # it is our own page
        cache = get_llm_cache()
        assert isinstance(cache, GroatCache)
        cache.close()
        assert len(server.requests) == 3
    told = capsys.readouterr().out
    assert told.startswith(f"{SAID['en']} 0 ")
    assert "'tier': 'semantic'" in told
