"""The picture."""

from functools import partial

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from graph.context import Context
from graph.edges import after_cache, after_compress, after_route, after_validate, inline
from graph.endings import told
from graph.first_box import FirstBox
from graph.landing import add_box
from graph.seeing import SeenGraph
from graph.services import Services
from graph.state import Input, Output, State
from nodes import Knobs
from nodes.answer_cheap import AnswerCheap
from nodes.answer_expensive import AnswerExpensive
from nodes.check_cache import CheckCache
from nodes.compress import Compress
from nodes.remember import Remember
from nodes.retrieve import Retrieve
from nodes.route import RouteQuestion
from nodes.validate import Validate

Groat = CompiledStateGraph[State, Knobs, Input, Output]


def build_graph(s: Services, *, checkpointer: BaseCheckpointSaver[str] | None = None) -> Groat:
    """Return the compiled graph over live engines. LangGraph's server brings a checkpointer of its own."""
    g = StateGraph[State, Knobs, Input, Output](State, context_schema=Context, input_schema=Input, output_schema=Output)
    check_cache = CheckCache(
        answers=s.answers, flights=s.flights, knowledge=s.knowledge, embedder=s.embedder, answerer=s.answerer, books=s.books,
        tenants=s.tenants, audits=s.audits, scope=s.scope,
    )  # fmt: skip
    g.add_node("check_cache", first := FirstBox.of(check_cache, s.recorder))
    add = partial(add_box, g, s.flights)
    add("retrieve", Retrieve(knowledge=s.knowledge, k=s.retrieve_k, max_tokens=s.context_tokens))
    add("route", RouteQuestion(router=s.router, allowance=s.allowance, embedder=s.embedder, books=s.books, budgets=s.budgets))
    add("compress", Compress(
        compressor=s.compressor, knowledge=s.knowledge, embedder=s.embedder, answerer=s.answerer, books=s.books,
        budgets=s.budgets, pruner=s.pruner,
    ))  # fmt: skip
    add("answer_cheap", AnswerCheap(answerer=s.answerer, books=s.books, budgets=s.budgets))
    add("answer_expensive", AnswerExpensive(answerer=s.answerer, books=s.books, budgets=s.budgets))
    validate = Validate(
        books=s.books, budgets=s.budgets, knowledge=s.knowledge, embedder=s.embedder, answerer=s.answerer,
        acceptance=s.acceptance, advisers=s.advisers, unread=s.unread,
    )  # fmt: skip
    add("validate", told(validate, s))
    add("remember", Remember(answers=s.answers, flights=s.flights, embedder=s.embedder, audits=s.audits))

    g.add_edge(START, "check_cache")
    g.add_conditional_edges("check_cache", inline(after_cache))
    g.add_edge("retrieve", "route")
    g.add_conditional_edges("route", inline(after_route))
    g.add_conditional_edges("compress", inline(after_compress))
    g.add_edge("answer_cheap", "validate")
    g.add_edge("answer_expensive", "validate")
    g.add_conditional_edges("validate", inline(after_validate))
    g.add_edge("remember", END)
    return SeenGraph.of(g.compile(name="groat", checkpointer=checkpointer), lambda: s.versions, s.runs, first)
