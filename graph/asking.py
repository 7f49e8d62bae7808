"""Put one question through the graph and report what happened."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar, cast

from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import BaseModel
from typing_extensions import TypedDict

from graph.build import Groat, build_graph
from graph.context import Context
from graph.services import Services
from graph.state import Input, Output
from groat.errors import StorageError, StructureError
from groat.types import Attempt, Lookup, Route, Source, Verdict
from groat.validation import schema_of, typed

Shape = TypeVar("Shape", bound=BaseModel)


class Compression(TypedDict):
    """What was sent of what was found."""

    tokens_before: int
    tokens_after: int
    level: str
    reason: str


class Decisions(TypedDict):
    """Every decision on the way, with its evidence."""

    lookup: Lookup
    route: Route | None
    compression: Compression | None
    attempts: list[Attempt]
    verdicts: list[Verdict]


class Answered(TypedDict):
    """The report of one question, as ``groat ask --json`` prints it."""

    answer: str
    verified: bool
    error: str
    path: list[str]
    sources: list[Source]
    cost_usd: float | None
    baseline_cost_usd: float | None
    latency_ms: float
    first_token_ms: float | None
    """Until the user could read something; None when nothing could be read."""
    decisions: Decisions
    trace_id: str


async def ask(graph: Groat, question: str | Sequence[AnyMessage], context: Context, *, thread: str | None = None) -> Answered:
    """Answer one question and return the report.

    Args:
        graph: the compiled graph; with ``thread`` it needs a checkpointer.
        question: what is asked, or a conversation that ends with it.
        context: the knobs of this run.
        thread: conversation that the question belongs to; None for a question that stands alone.

    Raises:
        GroatError: the question cannot be asked, the tenant is unknown, or the knowledge base cannot be read.
    """
    run_id = uuid.uuid4()
    config: RunnableConfig = {"run_id": run_id}
    if thread is not None:
        config["configurable"] = {"thread_id": _thread_prefix(context.tenant) + thread}
    begun = time.perf_counter()
    sent: Input = {"question": question} if isinstance(question, str) else {"messages": list(question)}
    output = await graph.ainvoke(sent, config=config, context=context)
    return report(cast(Output, output), trace_id=str(run_id), latency_ms=(time.perf_counter() - begun) * 1000)


async def ask_for(
    graph: Groat, question: str | Sequence[AnyMessage], shape: type[Shape], context: Context, *, thread: str | None = None
) -> tuple[Shape, Answered]:
    """Answer one question with data of a given shape, and return the data with the report.

    Args:
        graph: the compiled graph.
        question: what is asked, or a conversation that ends with it.
        shape: pydantic model of the data; its JSON Schema takes the place of the context's.
        context: the knobs of this run.
        thread: conversation that the question belongs to.

    Raises:
        StructureError: no such data came; it carries every attempt.
        GroatError: as in ``ask``.
    """
    answered = await ask(graph, question, replace(context, response_schema=schema_of(shape)), thread=thread)
    attempts = answered["decisions"]["attempts"]
    if answered["error"]:
        raise StructureError(answered["error"], attempts=attempts)
    return typed(answered["answer"], shape, attempts=attempts), answered


def report(output: Output, *, trace_id: str, latency_ms: float) -> Answered:
    """Return the report of a finished run. Pure."""
    shortened = output["shortened"]
    compression: Compression | None = None
    if shortened is not None:
        compression = {
            "tokens_before": shortened["tokens_before"],
            "tokens_after": shortened["tokens_after"],
            "level": shortened["level"],
            "reason": shortened["reason"],
        }
    return {
        "answer": output["answer"],
        "verified": output["verified"],
        "error": output["error"],
        "path": output["path"],
        "sources": output["sources"],
        "cost_usd": _number(output["cost_usd"]),
        "baseline_cost_usd": _number(output["baseline_cost_usd"]),
        "latency_ms": round(latency_ms, 2),
        "first_token_ms": output["first_token_ms"] if output["answer"] else None,
        "decisions": {
            "lookup": output["lookup"],
            "route": output["route"],
            "compression": compression,
            "attempts": output["attempts"],
            "verdicts": output["verdicts"],
        },
        "trace_id": trace_id,
    }


@asynccontextmanager
async def conversations(services: Services, folder: Path) -> AsyncIterator[Groat]:
    """Yield the graph with conversations kept in ``folder``.

    Raises:
        StorageError: the database of conversations cannot be used.
    """
    path = folder / "threads.sqlite"
    try:
        await asyncio.to_thread(_make_private, path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written ({error.strerror}); set GROAT_DATA_DIR to a folder of yours") from error
    try:
        async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
            yield build_graph(services, checkpointer=saver)
    except sqlite3.Error as error:
        # Only the saver lets errors of SQLite through; the engines explain theirs themselves.
        raise StorageError(
            f"the conversations in {path} cannot be used ({error}); if the file is damaged, move it away, a new one is made"
        ) from error


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)


async def forget_conversations(services: Services, folder: Path, *, tenant: str | None) -> int:
    """Delete the conversations of a tenant, of all tenants with None; return how many.

    Raises:
        StorageError: the database of conversations cannot be used.
    """
    if not (folder / "threads.sqlite").exists():
        return 0
    async with conversations(services, folder) as graph:
        saver = graph.checkpointer
        assert isinstance(saver, AsyncSqliteSaver)  # conversations() made it
        await saver.setup()
        async with saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
            names = [str(name) for (name,) in await rows.fetchall()]
        doomed = [name for name in names if tenant is None or name.startswith(_thread_prefix(tenant))]
        for name in doomed:
            await saver.adelete_thread(name)
        return len(doomed)


def _thread_prefix(tenant: str) -> str:
    """Return what the name of a tenant's every conversation begins with; no other tenant's can, whatever it is called."""
    return f"{len(tenant)}:{tenant}/"


def _number(amount: str | None) -> float | None:
    # Exact decimals are in the ledger; a report is for reading and adding up a few.
    return None if amount is None else float(Decimal(amount))
