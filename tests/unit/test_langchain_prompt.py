"""What is read from LangChain's prompts, and what is kept of its generations."""

import json
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, Generation, GenerationChunk

from groat.cache import identity_key
from groat.cache.generations import dump_generations, load_generations
from groat.cache.prompt import Reading, read_prompt
from groat.errors import BadInput
from groat.types import CachedAnswer, Lookup

LLM = '{"model": "small"}---[(\'stop\', None)]'
CALL: Any = {"name": "find", "args": {"q": "a"}, "id": "1", "type": "tool_call"}
QUESTIONS = ["How do I reset my password?", "怎么重置密码？"]


def read(*messages: BaseMessage, llm: str = LLM) -> Reading:
    return read_prompt(dumps(list(messages)), llm, tenant="acme", language="auto")


def keys(reading: Reading) -> list[str]:
    return [identity_key(request.identity) for request in reading.requests]


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_question_is_read_as_the_graph_reads_it(text: str) -> None:
    reading = read(SystemMessage("Be kind."), HumanMessage("Hi!"), AIMessage("Hello."), HumanMessage(f" {text} "))
    assert reading.question is not None
    language = "en" if text.isascii() else "zh"
    assert reading.question.asked == {
        "text": text,
        "language": language,
        "answer_language": language,
        "search_text": f"Hi!\n{text}",
        "history": [{"role": "user", "content": "Hi!"}, {"role": "assistant", "content": "Hello."}],
        "tenant": "acme",
    }


@pytest.mark.parametrize("text", QUESTIONS)
def test_one_block_of_text_is_a_question(text: str) -> None:
    reading = read(HumanMessage([{"type": "text", "text": text}]))
    assert reading.question is not None
    assert reading.question.asked["text"] == text


TEXT = {"type": "text", "text": "What is this? 这是什么？"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.mark.parametrize(
    "messages",
    [
        [HumanMessage([TEXT, IMAGE])],
        [HumanMessage([IMAGE])],
        [HumanMessage([TEXT, TEXT])],
        [HumanMessage([])],
        [HumanMessage([IMAGE]), AIMessage("A cat."), HumanMessage("Really?")],
        [HumanMessage("Q"), AIMessage("", tool_calls=[CALL]), ToolMessage("R", tool_call_id="1")],
        [HumanMessage("Q"), AIMessage("A")],
        [HumanMessage("Q"), SystemMessage("Be brief.")],
        [HumanMessage("Q"), FunctionMessage(content="R", name="find")],
        [ChatMessage(content="Q", role="user")],
        [HumanMessage("  ")],
        [HumanMessage("a\x00b")],
        [HumanMessage("half \ud83d a sign")],
        [HumanMessage("x" * 20_001)],
        [SystemMessage("Say something.")],
    ],
    ids=[
        "mixed", "picture", "two texts", "nothing", "picture before", "tool", "answer last", "system last", "function",
        "role", "blank", "control", "surrogate", "long", "no question",
    ],
)  # fmt: skip
def test_what_is_no_plain_question_stands_on_the_whole_prompt(messages: list[BaseMessage]) -> None:
    reading = read(*messages)
    assert reading.question is None
    assert reading.whole.asked["history"] != []
    reading.whole.asked["text"].encode("utf-8")
    assert keys(reading) == keys(read(*messages))
    assert keys(reading) != keys(read(SystemMessage("Else."), *messages))
    assert keys(reading) != keys(read(*messages, llm=LLM + " "))


@pytest.mark.parametrize(
    "earlier",
    [
        [AIMessage("", tool_calls=[CALL]), ToolMessage("R", tool_call_id="1")],
        [AIMessage([{"type": "tool_use", "id": "1", "name": "find", "input": {}}], tool_calls=[CALL])],
        [ToolMessage("R", tool_call_id="1")],
        [ChatMessage(content="Hi", role="critic")],
    ],
    ids=["call and result", "blocks", "result", "role"],
)
def test_a_question_after_anything_but_system_messages_is_a_follow_up(earlier: list[BaseMessage]) -> None:
    reading = read(*earlier, HumanMessage("And then? 然后呢？"))
    assert reading.question is not None
    assert reading.question.asked["history"] != []


def test_what_the_model_does_not_see_of_a_turn_changes_nothing() -> None:
    plain = read(HumanMessage("Q"), AIMessage("A"), HumanMessage("And? 还有呢？"))
    noted = AIMessage(
        "A",
        id="7",
        response_metadata={"id": "chatcmpl-1"},
        usage_metadata={"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    )
    assert keys(read(HumanMessage("Q", id="3"), noted, HumanMessage("And? 还有呢？"))) == keys(plain)
    called = AIMessage("A", tool_calls=[CALL])
    assert not set(keys(read(HumanMessage("Q"), called, HumanMessage("And? 还有呢？")))) & set(keys(plain))


def test_turns_beyond_those_that_the_rules_look_at_still_make_the_conversation() -> None:
    turns: list[BaseMessage] = [HumanMessage("Q"), AIMessage("A")] * 4
    one = read(HumanMessage("Begin."), AIMessage("Yes."), *turns, HumanMessage("And? 还有呢？"))
    other = read(HumanMessage("Start."), AIMessage("Yes."), *turns, HumanMessage("And? 还有呢？"))
    assert not set(keys(one)) & set(keys(other))


def test_a_class_that_nobody_knows_is_read_and_never_made() -> None:
    prompt = json.dumps([{"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"content": "Q", "type": "x"}}])
    reading = read_prompt(prompt, LLM, tenant="acme", language="auto")
    assert reading.question is None


@pytest.mark.parametrize(
    "prompt", ["42", "[]", "[1, 2]", '{"lc": 1}', '["Q"]', '[{"lc": 1, "type": "constructor"}]', "[" * 9999]
)
def test_json_that_is_no_list_of_messages_is_a_text(prompt: str) -> None:
    reading = read_prompt(prompt, LLM, tenant="acme", language="zh")
    assert reading.question is not None
    assert reading.question.asked["text"] == prompt
    assert reading.question.asked["answer_language"] == "zh"


@pytest.mark.parametrize(
    "llm",
    [
        "[('response_format', <class 'app.Answer'>)]",
        "[('callback', <function f at 0x7f32bdbc3ed0>)]",
        "[('client', <app.Client object at 0x7f32bdbc3ed0>)]",
    ],
)
def test_settings_that_only_their_address_tells_apart_are_refused(llm: str) -> None:
    with pytest.raises(BadInput, match="the settings of the model hold a Python object"):
        read(HumanMessage("Q"), llm=llm)


def test_messages_that_langchain_could_not_write_down_are_refused() -> None:
    with pytest.raises(BadInput, match="a message holds a Python object"):
        read(HumanMessage("Q", additional_kwargs={"array": object()}))


LOOKUP: Lookup = {
    "outcome": "hit",
    "tier": "exact",
    "reason": "exact",
    "candidate": {"entry_id": "e1", "question": "Q", "similarity": 1.0, "differences": []},
    "threshold": None,
    "calibration": "v",
}


def again(*generations: Generation) -> list[Any]:
    kept = dump_generations(generations)
    assert kept is not None
    answer: CachedAnswer = {
        "entry_id": "e1", "question": "Q", "answer": kept.answer, "sources": [], "documents": [], "tier": "expensive",
        "baseline_cost_usd": None,
    }  # fmt: skip
    return load_generations(answer, LOOKUP)


def chat(content: Any = "Yes. 是。", info: dict[str, Any] | None = None, **fields: Any) -> ChatGeneration:
    return ChatGeneration(message=AIMessage(content=content, **fields), generation_info=info)


def test_a_message_comes_back_with_all_that_json_holds_and_nothing_used() -> None:
    usage = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13, "input_token_details": {"cache_read": 5}}
    metadata = {
        "token_usage": {"total_tokens": 13, "details": {"cached_tokens": 5}, "shares": [0.5], "cached": True},
        "usage": {"inputTokens": 9}, "prompt_eval_count": 9, "cost": 0.1, "model_name": "small",
        "logprobs": {"content": [-0.5]}, "finish_reason": "stop", "headers": object(),
    }  # fmt: skip
    first, second = again(
        chat(id="7", name="bot", tool_calls=[CALL], usage_metadata=usage, response_metadata=metadata,
             additional_kwargs={"refusal": None}),
        chat("No. 否。", info={"finish_reason": "stop", "eval_count": 3}),
    )  # fmt: skip
    assert first.message == AIMessage(
        "Yes. 是。", name="bot", tool_calls=[CALL], additional_kwargs={"refusal": None},
        usage_metadata={"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
        response_metadata={
            "token_usage": {"total_tokens": 0, "details": {"cached_tokens": 0}, "shares": [0], "cached": True},
            "usage": {"inputTokens": 0}, "prompt_eval_count": 0, "cost": 0, "model_name": "small",
            "logprobs": {"content": [-0.5]}, "finish_reason": "stop",
            "groat": {
                "served_by": "cache", "tier": "exact", "entry_id": "e1", "similarity": 1.0, "usage_saved": usage
            },
        },
    )  # fmt: skip
    assert (second.message.text, second.generation_info) == ("No. 否。", {"finish_reason": "stop", "eval_count": 0})
    assert second.message.response_metadata["groat"]["usage_saved"] is None


def test_a_text_comes_back_with_a_note() -> None:
    (text,) = again(GenerationChunk(text="是。", generation_info={"finish_reason": "stop"}))
    note = {"served_by": "cache", "tier": "exact", "entry_id": "e1", "similarity": 1.0}
    assert text == Generation(text="是。", generation_info={"finish_reason": "stop", "groat": note})


@pytest.mark.parametrize(
    "more",
    [
        {"tool_calls": [CALL]},
        {"additional_kwargs": {"function_call": {"name": "find", "arguments": "{}"}}},
        {"content": [{"type": "reasoning", "summary": []}, {"type": "text", "text": "Yes. 是。"}]},
    ],
    ids=["call", "old call", "reasoning"],
)
def test_what_is_more_than_text_is_marked(more: dict[str, Any]) -> None:
    kept = dump_generations([chat(), chat(**more)])
    assert kept is not None
    assert kept.calls_tools
    plain = dump_generations([chat([{"type": "text", "text": "Yes. 是。"}])])
    assert plain is not None
    assert not plain.calls_tools


@pytest.mark.parametrize(
    "generation",
    [
        chat(""),
        chat([]),
        chat(response_metadata={"finish_reason": "length"}),
        chat(response_metadata={"stop_reason": "max_tokens"}),
        chat(response_metadata={"stopReason": "max_tokens"}),
        chat(response_metadata={"done_reason": "length"}),
        chat(response_metadata={"finish_reason": None}),
        chat(response_metadata={"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
        chat(info={"finish_reason": "SAFETY"}),
        chat(additional_kwargs={"refusal": "I cannot. 我不能。"}),
        chat([{"type": "refusal", "refusal": "I cannot."}]),
        chat([{"type": "non_standard", "value": {"refusal": "I cannot."}}]),
        chat(invalid_tool_calls=[{"name": "find", "args": "{", "id": "1", "error": "no JSON"}]),
        chat(additional_kwargs={"parsed": object()}),
        chat(additional_kwargs={"audio": b"\x00"}),
        ChatGeneration(message=HumanMessage("Yes.")),
        Generation(text=" "),
        Generation(text="Yes", generation_info={"finish_reason": "length"}),
    ],
)
def test_what_may_not_serve_again_is_not_kept_nor_what_came_with_it(generation: Generation) -> None:
    assert dump_generations([generation]) is None
    assert dump_generations([chat(), generation]) is None


@pytest.mark.parametrize("end", ["stop", "STOP", "end_turn", "COMPLETE", "tool_calls", "tool_use", "eos_token"])
def test_every_providers_word_for_a_whole_answer_is_known(end: str) -> None:
    assert dump_generations([chat(info={"finish_reason": end}, response_metadata={"stop_reason": end})]) is not None


def test_no_generation_is_no_answer() -> None:
    assert dump_generations([]) is None


def test_a_piece_of_a_stream_comes_back_as_a_message() -> None:
    (message,) = again(ChatGeneration(message=AIMessageChunk(content="是。")))
    assert type(message.message) is AIMessage
