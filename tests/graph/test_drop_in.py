"""groat within somebody else's LangGraph, with its checkpointer, its state and its streams."""

from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from typing_extensions import TypedDict

from graph.context import Context
from groat.knowledge import GroatRetriever
from tests.graph.conftest import GOOD, QUESTION, World

AGAIN = {"en": QUESTION, "zh": "新密码至少要有多少个字符？"}


class Ticket(TypedDict, total=False):
    request: str
    reply: str
    sources: list[str]


async def test_a_node_maps_another_state_and_groat_answers_inside_of_it(world: World) -> None:
    groat = world.graph()

    async def ask_groat(state: Ticket) -> Ticket:
        found = await groat.ainvoke({"question": state["request"]}, context=Context(tenant="acme"))
        return {"reply": found["answer"], "sources": [source["id"] for source in found["sources"]]}

    desk = StateGraph(Ticket)
    desk.add_node("ask_groat", ask_groat)
    desk.add_edge(START, "ask_groat")
    desk.add_edge("ask_groat", END)
    tickets = desk.compile(checkpointer=InMemorySaver())
    for thread in ("1", "2"):
        config: RunnableConfig = {"configurable": {"thread_id": thread}}
        found = await tickets.ainvoke({"request": QUESTION}, config)
        assert found == {"request": QUESTION, "reply": GOOD, "sources": ["en-reset"]}
        assert set((await tickets.aget_state(config)).values) == {"request", "reply", "sources"}
    assert world.calls == 1
    assert (await world.ledger()).charges > 0


async def test_a_subgraph_shares_the_messages_streams_its_boxes_and_keeps_the_conversation(world: World) -> None:
    parent = StateGraph(MessagesState, context_schema=Context)
    parent.add_node("groat", world.graph())
    parent.add_edge(START, "groat")
    parent.add_edge("groat", END)
    talk = parent.compile(checkpointer=InMemorySaver())
    config: RunnableConfig = {"configurable": {"thread_id": "1"}}
    boxes: list[str] = []
    for question in (QUESTION, "And how often does it work?"):
        sent: Any = {"messages": [HumanMessage(question)]}
        async for namespace, update in talk.astream(
            sent, config, context=Context(tenant="acme"), stream_mode="updates", subgraphs=True
        ):
            boxes += list(update) if namespace else []
    assert {"check_cache", "retrieve", "route", "validate"} <= set(boxes)
    state = (await talk.aget_state(config)).values
    assert set(state) == {"messages"}
    assert [message.type for message in state["messages"]] == ["human", "ai", "human", "ai"]
    assert state["messages"][1].text == GOOD
    # The second question was asked with the first turn before it.
    assert any(GOOD in prompt.text for prompt in world.cheap.prompts[-1])


async def test_the_knowledge_base_is_a_retriever_and_a_retriever_is_the_knowledge(world: World) -> None:
    retriever = GroatRetriever(knowledge=world.services.knowledge, tenant="acme", k=1)
    assert isinstance(retriever, BaseRetriever)
    (found,) = await retriever.ainvoke(AGAIN["zh"])
    assert found.metadata["document_id"] == "zh-reset"
