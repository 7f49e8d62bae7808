"""What must be equal before one answer serves two questions, through the whole graph."""

from dataclasses import replace
from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, AnyMessage, ChatMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from graph.context import Context
from graph.state import Output
from groat.errors import BadInput
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World

ZH = "忘记登录密码怎么找回？"
ZH_GOOD = "忘记密码时请点击登录页的链接。 [zh-reset]"
EARLIER: list[AnyMessage] = [HumanMessage("When does a refund arrive?"), AIMessage("Within 5 working days. [en-refund]")]
EARLIER_ZH: list[AnyMessage] = [HumanMessage("退款几天到账？"), AIMessage("5 个工作日内。 [en-refund]")]
BRIEF = SystemMessage("Call every customer a guest.")
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def say(world: World, *messages: AnyMessage, **knobs: Any) -> Output:
    context = Context(**{"tenant": "acme", **knobs})
    return cast(Output, await world.graph().ainvoke({"messages": list(messages)}, context=context))


def outcomes(*outputs: Output) -> list[str]:
    return [output["lookup"]["outcome"] for output in outputs]


@pytest.mark.parametrize("told", [BRIEF, ChatMessage(role="developer", content=BRIEF.text)])
async def test_a_system_message_reaches_every_model_after_the_rules(make_world: MakeWorld, told: AnyMessage) -> None:
    world = make_world(["A purple elephant juggles. [en-reset]"], [GOOD])
    output = await say(world, told, HumanMessage(QUESTION))
    assert output["answer"] == GOOD
    for prompt in (world.cheap.prompts[0], world.expensive.prompts[0]):
        assert [message.type for message in prompt] == ["system", "system", "human"]
        assert prompt[1].text.endswith(f"the rules hold.\n{BRIEF.text}")
    assert [message.text for message in output["messages"]] == [BRIEF.text, QUESTION, GOOD]


async def test_a_system_message_after_the_question_is_no_question(world: World) -> None:
    output = await say(world, HumanMessage(QUESTION), BRIEF)
    assert (output["asked"]["text"], output["asked"].get("instructions")) == (QUESTION, BRIEF.text)
    assert [message.text for message in output["messages"]] == [QUESTION, BRIEF.text, GOOD]


@pytest.mark.parametrize("other", [[], [SystemMessage("Call every customer a friend.")], [BRIEF, SystemMessage("Be kind.")]])
async def test_another_system_message_never_shares_an_answer(world: World, other: list[AnyMessage]) -> None:
    first = await say(world, BRIEF, HumanMessage(QUESTION))
    another = await say(world, *other, HumanMessage(QUESTION))
    again = await say(world, BRIEF, HumanMessage(QUESTION))
    assert outcomes(first, another, again) == ["miss", "miss", "hit"]


async def test_the_same_system_message_with_every_turn_of_a_thread_counts_once(make_world: MakeWorld) -> None:
    world = make_world([GOOD])
    graph, thread = world.graph(InMemorySaver()), RunnableConfig(configurable={"thread_id": "t"})
    for text in (QUESTION, "And on the phone?"):
        sent: Any = {"messages": [SystemMessage(BRIEF.text), HumanMessage(text)]}
        output = await graph.ainvoke(sent, config=thread, context=Context(tenant="acme"))
    assert output["asked"]["instructions"] == BRIEF.text


async def test_system_messages_that_are_too_long_are_refused_and_not_cut(world: World) -> None:
    with pytest.raises(BadInput, match=r"the system messages have 20,001 characters and at most 20,000"):
        await say(world, SystemMessage("x" * 20_001), HumanMessage(QUESTION))


async def test_a_question_with_tools_never_shares_an_answer_with_one_without(world: World) -> None:
    other = {**TOOL, "function": {"name": "clock"}}
    runs = [await world.ask(tools=tools) for tools in ([TOOL], None, [], [other], [TOOL, other], [TOOL])]
    assert outcomes(*runs) == ["miss", "miss", "hit", "miss", "miss", "hit"]


def test_tools_that_are_none_are_refused() -> None:
    with pytest.raises(BadInput, match="no list of JSON objects"):
        Context(tools=cast(Any, ["weather"]))


async def test_what_may_be_found_is_part_of_what_an_answer_is_kept_under(world: World) -> None:
    await world.ask()
    services = world.services
    for changed in (replace(services, retrieve_k=3), replace(services, context_tokens=500)):
        world.services = changed
        assert (await world.ask())["lookup"]["outcome"] == "miss"
    world.services = services
    assert (await world.ask())["lookup"]["outcome"] == "hit"


@pytest.mark.parametrize(
    ("question", "answer", "earlier"), [(QUESTION, GOOD, EARLIER), (ZH, ZH_GOOD, EARLIER_ZH)], ids=["en", "zh"]
)
async def test_a_question_that_stands_alone_shares_its_answer_with_those_who_ask_it_alone(
    make_world: MakeWorld, question: str, answer: str, earlier: list[AnyMessage]
) -> None:
    world = make_world([answer], [answer])
    within = await say(world, *earlier, HumanMessage(question))
    prompts = [*world.cheap.prompts, *world.expensive.prompts]
    assert prompts
    # What is shared with all was not told what one of them had said.
    assert not any(turn.text in message.text for prompt in prompts for message in prompt for turn in earlier)
    assert (within["asked"]["history"], within["asked"].get("turns_left_out")) == ([], 2)
    alone = await say(world, HumanMessage(question))
    elsewhere = await say(world, HumanMessage("Where do gift cards go?"), AIMessage("Nowhere."), HumanMessage(question))
    assert outcomes(within, alone, elsewhere) == ["miss", "hit", "hit"]


async def test_a_follow_up_is_asked_with_its_turns_and_says_why_it_is_one(make_world: MakeWorld) -> None:
    world = make_world([GOOD])
    alone = await say(world, HumanMessage("How long is it valid?"))
    within = await say(world, *EARLIER, HumanMessage("How long is it valid?"))
    assert outcomes(alone, within) == ["miss", "miss"]
    assert within["asked"].get("follow_up") == "reference"
    assert [message.text for message in world.cheap.prompts[-1][1:3]] == [turn.text for turn in EARLIER]


async def test_without_the_cache_no_turn_is_left_out(world: World) -> None:
    output = await say(world, *EARLIER, HumanMessage(QUESTION), use_cache=False)
    assert len(output["asked"]["history"]) == 2
