"""The questions of a batch through the graph, so that a batch that was killed pays nothing twice.

Each row is a thread of LangGraph whose every step is on the disk before the next begins. A row that was under way when the
batch was killed goes on from its last step; in the step itself the reply that was paid for is found in the ledger. The thread
is forgotten once the row is written.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import tenacity
from filelock import FileLock, Timeout
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graph.build import Groat, build_graph
from graph.context import Context
from graph.services import Services
from graph.settings import Settings
from graph.state import Input, Output
from groat.answering import Limits
from groat.answering.throttle import Throttle
from groat.batch import Answered, Failed, Outcome, Row
from groat.cache.flight import Flights
from groat.cache.flight_redis import RedisLeases
from groat.errors import BadInput, GroatError, StorageError

PATIENT_S = 3600.0
"""Longest time for one question: nobody sits before it, and its turn at the rate limits may come late."""
WINDOW_S = 60.0
_HALTS = frozenset({"auth", "quota", "budget"})
"""Failures that every further question would meet as well."""
_MAY_PASS = frozenset({"rate_limit", "overloaded", "timeout", "connection", "server", "deadline"})
_ROUNDS = 4
"""How often a question is asked whose model failed in a way that may pass, each time with all its own tries."""
_WAIT = tenacity.wait_random_exponential(multiplier=4, max=60)


def throttled(services: Services, *, at_once: int, rpm: int | None, tpm: int | None, window_s: float = WINDOW_S) -> Throttle:
    """Hold all requests to chat models, audits and opinions among them, to the limits of a batch; return what holds them.

    Args:
        services: their answerer is changed for good: what audits ask in the background goes through it too.
        at_once: most requests under way.
        rpm: most requests a minute; None for no limit.
        tpm: most tokens a minute, in and out; None for no limit.
        window_s: how long such a minute is.
    """
    throttle = Throttle(services.answerer.gate, limits=Limits(requests=rpm, tokens=tpm, window_s=window_s), at_once=at_once)
    services.answerer.gate = throttle
    return throttle


def patient(services: Services, settings: Settings) -> Services:
    """Return the services with equal questions waiting for each other as long as a question may take."""
    url = settings.redis_url.get_secret_value()
    return replace(services, flights=Flights(RedisLeases(url) if url else None, wait_s=PATIENT_S, lead_s=PATIENT_S))


def state_file(out: Path) -> Path:
    """Return the file in which a batch keeps what is under way."""
    return out.with_name(f"{out.name.removesuffix('.jsonl')}.state.sqlite")


@asynccontextmanager
async def keeping(state: Path) -> AsyncIterator[tuple[AsyncSqliteSaver, set[str]]]:
    """Yield what keeps the threads of a batch in ``state``, and the names of those that an earlier run left there.

    Raises:
        BadInput: another process works on it.
        StorageError: it cannot be used.
    """
    lock = FileLock(f"{state}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BadInput(f"another batch is writing beside {state}; wait for its end, or name another file") from None
    try:
        async with AsyncSqliteSaver.from_conn_string(str(state)) as saver:
            await saver.setup()
            # Safe against a kill; after a power cut a row may be asked again.
            await saver.conn.execute("PRAGMA synchronous = NORMAL")
            async with saver.conn.execute("SELECT DISTINCT thread_id FROM checkpoints") as rows:
                yield saver, {str(name) for (name,) in await rows.fetchall()}
    except sqlite3.Error as error:
        raise StorageError(f"{state} cannot be used ({error}); make room, or move it away and go on") from error
    finally:
        lock.release()


@asynccontextmanager
async def kept_asker(services: Services, context: Context, state: Path, head: Sequence[Row]) -> AsyncIterator["GraphAsker"]:
    """Yield what asks the graph, with what an earlier run of the batch left under way in ``state`` brought to its end.

    Args:
        services: the engines.
        context: the knobs; a row may have a tenant, a language and a collection of its own.
        state: the database of what is under way.
        head: the first rows that are not written: only they can have been under way.

    Raises:
        BadInput: another process works on it.
        StorageError: it cannot be used.
    """
    async with keeping(state) as (saver, left):
        asker = GraphAsker(build_graph(services, checkpointer=saver), saver, context, left)
        await asker.bring_to_an_end(head)
        yield asker


def drop_state(state: Path) -> None:
    """Remove the files of a batch that has ended."""
    for end in ("", "-wal", "-shm", ".lock"):
        Path(f"{state}{end}").unlink(missing_ok=True)


class GraphAsker:
    """Asks the graph of this process.

    Args:
        graph: with the saver for its checkpointer.
        saver: keeps the threads.
        context: the knobs of a row that names none.
        kept: threads that an earlier run left.
    """

    def __init__(self, graph: Groat, saver: AsyncSqliteSaver, context: Context, kept: set[str]) -> None:
        """Ask nothing yet."""
        self._graph = graph
        self._saver = saver
        self._context = replace(context, deadline_s=PATIENT_S)
        self._kept = kept

    async def ask(self, row: Row) -> Outcome:
        """Return what came of a row, asked again while the failure may pass."""
        begun, spent = time.perf_counter(), list[str | None]()
        for place in range(_ROUNDS):
            try:
                output = await self._run(row, place)
            except StorageError:
                raise
            except GroatError as error:
                return Failed(failure="bad_input", reason=str(error), cost_usd=_sum(spent))
            except Exception as error:  # one row that nobody thought of must not hold up all others
                return Failed(failure="unknown", reason=f"failed with {type(error).__name__}", cost_usd=_sum(spent))
            spent.append(output["cost_usd"])
            failure = failure_of(output)
            if failure not in _MAY_PASS or place + 1 == _ROUNDS:
                break
            await asyncio.sleep(_pause_s(place))
        if output["answer"]:
            return answered(output, _sum(spent), (time.perf_counter() - begun) * 1000)
        return Failed(failure=failure, reason=output["error"], cost_usd=_sum(spent), halts=failure in _HALTS)

    async def forget(self, row: Row) -> None:
        """Delete the row's threads."""
        for place in range(_ROUNDS):
            if place == 0 or thread_of(row, place) in self._kept:
                await self._saver.adelete_thread(thread_of(row, place))
        self._kept.difference_update(thread_of(row, place) for place in range(_ROUNDS))

    async def bring_to_an_end(self, rows: Sequence[Row]) -> None:
        """Finish what was under way beyond its first box, before any row that may be equal to it is asked."""
        under_way = [(row, place) for row in rows for place in range(_ROUNDS) if thread_of(row, place) in self._kept]

        async def finish(row: Row, place: int) -> None:
            state = await self._graph.aget_state(config_of(row, place))
            if state.tasks and "run" in state.values:
                with suppress(GroatError):  # it is met again, and told, at the row's turn
                    await self._run(row, place)

        await asyncio.gather(*(finish(row, place) for row, place in under_way))

    async def _run(self, row: Row, place: int) -> Mapping[str, Any]:
        """Return the output of one round, from its end, from where it was, or from the start."""
        config = config_of(row, place)
        sent: Input | None = {"question": row.question}
        if thread_of(row, place) in self._kept:
            state = await self._graph.aget_state(config)
            # A step that was cancelled or failed is a task that is left, and not among what is next.
            if not state.tasks and "answer" in state.values:
                return state.values
            if state.tasks and "run" in state.values:
                sent = None
            else:
                await self._saver.adelete_thread(thread_of(row, place))
        self._kept.add(thread_of(row, place))
        output = await self._graph.ainvoke(sent, config, context=knobs_of(self._context, row), durability="sync")
        return cast(Output, output)


def knobs_of(context: Context, row: Row) -> Context:
    """Return the knobs of a batch with what a row has of its own."""
    return replace(
        context,
        tenant=row.tenant or context.tenant,
        language=row.lang or context.language,
        collection=row.collection or context.collection,
    )


def thread_of(row: Row, place: int = 0) -> str:
    """Return the name of the thread of a row, in the round ``place`` of asking it."""
    return f"{row.number}:{row.digest}:{place}"


def config_of(row: Row, place: int = 0) -> RunnableConfig:
    """Return what names that thread to LangGraph."""
    return {"configurable": {"thread_id": thread_of(row, place)}}


def _pause_s(place: int) -> float:
    state = tenacity.RetryCallState(tenacity.AsyncRetrying(), None, (), {})
    state.attempt_number = place + 1
    return _WAIT(state)


def failure_of(output: Mapping[str, Any]) -> str:
    """Return the kind of failure of a question without an answer, "" for one with an answer."""
    if output["answer"]:
        return ""
    return str(output["attempts"][-1].get("failure", "empty")) if output["attempts"] else "unknown"


def _sum(amounts: Sequence[str | None]) -> str | None:
    known = [amount for amount in amounts if amount is not None]
    return None if len(known) < len(amounts) else f"{sum(map(Decimal, known), Decimal(0)):f}"


def answered(output: Mapping[str, Any], cost: str | None, latency_ms: float) -> Answered:
    """Return what is written of a question with an answer."""
    hit = output["lookup"]["outcome"] == "hit"
    return Answered(
        answer=output["answer"],
        verified=output["verified"],
        hit=output["lookup"]["tier"] if hit else None,
        tier=None if hit or not output["attempts"] else output["attempts"][-1]["tier"],
        sources=output["sources"],
        path=output["path"],
        cost_usd=cost,
        baseline_cost_usd=output["baseline_cost_usd"],
        latency_ms=round(latency_ms, 2),
        run=output["run"],
    )
