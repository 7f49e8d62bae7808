"""Several turns on one thread."""

from typing import Any, cast

import pytest
from langchain_core.exceptions import ModelAuthenticationError
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from graph.build import Groat
from graph.context import Context
from graph.state import Output
from groat.errors import BadInput
from tests.graph.conftest import GOOD, QUESTION, MakeWorld, World

REFUND = "A refund arrives within 5 working days. [en-refund]"
FOLLOW_UP = "And on the phone?"
THREAD: RunnableConfig = {"configurable": {"thread_id": "t"}}


async def _turn(graph: Groat, sent: dict[str, Any]) -> Output:
    return cast(Output, await graph.ainvoke(cast(Any, sent), config=THREAD, context=Context(tenant="acme")))


async def test_each_turn_starts_its_record_anew(make_world: MakeWorld) -> None:
    world = make_world([GOOD, REFUND])
    graph = world.graph(InMemorySaver())
    first = await _turn(graph, {"question": QUESTION})
    second = await _turn(graph, {"question": "And when does a refund arrive?"})
    assert second["path"] == first["path"]
    assert (len(second["attempts"]), len(second["verdicts"]), len(second["charges"])) == (1, 1, 2)
    assert second["run"] != first["run"]
    assert [message.text for message in second["messages"]] == [QUESTION, GOOD, "And when does a refund arrive?", REFUND]
    assert second["asked"]["history"] == [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": GOOD}]
    assert [message.text for message in world.cheap.prompts[1][1:3]] == [QUESTION, GOOD]


async def test_a_hit_leaves_nothing_of_the_turn_before(world: World) -> None:
    await world.ask()
    graph = world.graph(InMemorySaver())
    await _turn(graph, {"question": "Where do refunds go?"})
    # The same words in a conversation about the same thing are another question.
    second = await _turn(graph, {"question": "How long is a link valid?"})
    assert second["lookup"]["outcome"] == "miss"
    fresh = cast(
        Output,
        await graph.ainvoke(
            {"question": QUESTION}, config={"configurable": {"thread_id": "new"}}, context=Context(tenant="acme")
        ),
    )
    assert (fresh["path"], fresh["route"], fresh["shortened"]) == (["check_cache"], None, None)
    assert (fresh["attempts"], fresh["verdicts"], fresh["error"]) == ([], [], "")


async def test_a_follow_up_never_hits_on_its_bare_last_line(make_world: MakeWorld) -> None:
    world = make_world([GOOD, GOOD, REFUND, GOOD])
    bare = await world.ask(FOLLOW_UP)
    assert bare["lookup"]["outcome"] == "miss"
    graph = world.graph(InMemorySaver())
    await _turn(graph, {"question": "When does a refund arrive?"})
    followed = await _turn(graph, {"question": FOLLOW_UP})
    assert followed["lookup"]["outcome"] == "miss"
    assert followed["asked"]["search_text"] == f"When does a refund arrive?\n{FOLLOW_UP}"


async def test_the_same_follow_up_after_the_same_conversation_hits(world: World) -> None:
    messages: list[AnyMessage] = [HumanMessage(QUESTION), AIMessage(GOOD), HumanMessage("Where is it opened?")]
    paths = []
    for _ in range(2):
        output = await world.graph().ainvoke({"messages": list(messages)}, context=Context(tenant="acme"))
        paths.append(output["path"])
    assert paths[1] == ["check_cache"]
    assert len(paths[0]) > 1


async def test_messages_alone_make_a_question(world: World) -> None:
    output = await world.graph().ainvoke({"messages": [HumanMessage(QUESTION)]}, context=Context(tenant="acme"))
    assert [message.text for message in output["messages"]] == [QUESTION, GOOD]
    assert output["asked"]["text"] == QUESTION


async def test_a_new_message_on_a_thread_goes_before_the_question_left_over(make_world: MakeWorld) -> None:
    graph = make_world([GOOD, REFUND]).graph(InMemorySaver())
    await _turn(graph, {"question": QUESTION})
    second = await _turn(graph, {"messages": [HumanMessage("When does a refund arrive?")]})
    assert second["asked"]["text"] == "When does a refund arrive?"
    assert second["answer"] == REFUND


async def test_a_conversation_goes_on_after_a_turn_whose_calls_all_failed(make_world: MakeWorld) -> None:
    dead = ModelAuthenticationError("no")
    graph = make_world([dead, REFUND], [dead]).graph(InMemorySaver())
    failed = await _turn(graph, {"question": QUESTION})
    assert failed["answer"] == ""
    second = await _turn(graph, {"question": "When does a refund arrive?"})
    assert (second["answer"], second["error"]) == (REFUND, "")
    assert [message.text for message in second["messages"]] == [QUESTION, "When does a refund arrive?", REFUND]


async def test_the_question_of_a_failed_turn_can_be_repeated(make_world: MakeWorld) -> None:
    dead = ModelAuthenticationError("no")
    graph = make_world([dead, GOOD], [dead]).graph(InMemorySaver())
    await _turn(graph, {"question": QUESTION})
    second = await _turn(graph, {"question": QUESTION})
    assert [message.text for message in second["messages"]] == [QUESTION, GOOD]


async def test_no_question_at_all_is_refused(world: World) -> None:
    with pytest.raises(BadInput, match="no question was sent"):
        await world.graph().ainvoke({"messages": [AIMessage("Hello")]}, context=Context(tenant="acme"))


async def test_a_question_and_another_message_are_refused(world: World) -> None:
    sent: Any = {"question": QUESTION, "messages": [HumanMessage("Something else?")]}
    with pytest.raises(BadInput, match="they differ"):
        await world.graph().ainvoke(sent, context=Context(tenant="acme"))
