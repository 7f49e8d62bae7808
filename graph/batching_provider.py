"""The questions of a batch through the graph, with the models' replies bought at a provider's batch endpoint.

Cache, retrieval, router and compression run first and here. A question that needs a model stops before the box that would ask
it; when the provider's reply is there, the graph goes on from that box, which finds the reply in place of the model: it is
charged, checked and remembered like any other. What validation sends up or back goes into the next round's batch.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_openai_messages
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graph.batching import PATIENT_S, answered, config_of, failure_of, keeping, knobs_of, thread_of
from graph.build import Groat, build_graph
from graph.collected import ROW, CollectedChat, message_of, order_name
from graph.context import Context
from graph.services import Services
from groat.answering import Answerer, Endpoint, Patience, build_prompt
from groat.answering.limits import UNLIMITED
from groat.answering.usage import usage_of
from groat.batch import BadRow, Failed, Outcome, Results, Row, Step, written
from groat.batch.orders import Orders
from groat.batch.provider import MOST_REQUESTS, ProviderBatches, write_requests
from groat.cache.flight import Flights
from groat.errors import BadInput, GroatError, ModelError, StorageError
from groat.types import Tier
from nodes.answer_cheap import AnswerCheap
from nodes.answer_expensive import AnswerExpensive

MOST_ROWS = 10_000
"""Rows that are worked on together: some 60 KB of disk each until they are written."""
_ROUNDS = 12
"""More than the bounds of validation let any question take."""
_LEAD_S = 7 * 86_400.0
_ANSWERS: list[str] = ["answer_cheap", "answer_expensive"]


@asynccontextmanager
async def provider_asker(
    services: Services, context: Context, state: Path, *, poll_s: float, at_once: int
) -> AsyncIterator["ProviderAsker"]:
    """Yield what answers rows through a provider's batches, with what an earlier run left in ``state``.

    Raises:
        BadInput: a tier's model has no batch endpoint, or another process works on it.
        StorageError: the state cannot be used.
    """
    endpoints = services.answerer.endpoints
    for tier, endpoint in endpoints.items():
        if not isinstance(endpoint.model, ChatOpenAI):
            raise BadInput(
                f"the {tier} tier has no provider with a batch endpoint; set GROAT_{tier.upper()}_MODEL and its key, or leave "
                "--provider-batch out"
            )
    async with keeping(state) as (saver, _):
        orders = Orders(saver.conn)
        await orders.open()
        collected = {
            tier: replace(
                one, model=CollectedChat(orders=orders, model=one.name), limits=UNLIMITED, streams=False,
                log_probabilities=False,
            )
            for tier, one in endpoints.items()
        }  # fmt: skip
        bought = replace(
            services,
            answerer=Answerer(collected, patience=Patience(tries=1)),
            advisers=(),  # an opinion would be asked at once and at the full price
            # Nobody waits in line: who asks the same comes back after the answer.
            flights=Flights(wait_s=0.0, lead_s=_LEAD_S),
        )
        yield ProviderAsker(bought, endpoints, saver, orders, context, poll_s=poll_s, at_once=at_once)


class ProviderAsker:
    """Works on many rows together, in rounds.

    Args:
        services: with endpoints that give collected replies.
        endpoints: the real ones.
        saver: keeps the threads of the rows.
        orders: what is bought.
        context: the knobs of a row that names none.
        poll_s: seconds between two looks at a batch.
        at_once: rows that go through the graph at the same time.
    """

    def __init__(
        self, services: Services, endpoints: Mapping[Tier, Endpoint], saver: AsyncSqliteSaver, orders: Orders, context: Context,
        *, poll_s: float, at_once: int,
    ) -> None:  # fmt: skip
        """Ask nobody yet."""
        self._graph: Groat = build_graph(services, checkpointer=saver)
        self._prices = services.books.prices
        parts: dict[str, Any] = {"answerer": services.answerer, "books": services.books, "budgets": services.budgets}
        self._boxes = {"answer_cheap": AnswerCheap(**parts), "answer_expensive": AnswerExpensive(**parts)}
        self._endpoints = {f"answer_{tier}": endpoint for tier, endpoint in endpoints.items()}
        self._saver, self._orders = saver, orders
        self._context = replace(context, deadline_s=PATIENT_S)
        self._poll_s = poll_s
        self._room = asyncio.Semaphore(at_once)

    async def run(self, rows: Iterator[Row | BadRow], results: Results, *, stop: asyncio.Event, step: Step) -> str:
        """Answer and write all rows; return why no further one can be asked, "" when nothing stands in the way."""
        while not stop.is_set() and (some := await asyncio.to_thread(lambda: list(islice(rows, MOST_ROWS)))):
            try:
                outcomes = await self._answer([row for row in some if isinstance(row, Row)], stop)
            except ModelError as error:
                return str(error)
            if outcomes is None:
                return ""
            for row in some:
                outcome = None if isinstance(row, BadRow) else outcomes[row.number]
                written(results, row, outcome)
                step(row, results.tally)
                if isinstance(row, Row):
                    await self._saver.adelete_thread(thread_of(row))
        return ""

    async def savings(self) -> tuple[Decimal | None, int]:
        """Return what the batch rates saved against the plain prices, in dollars, and how many replies were bought.

        None when the price table has no batch rate for one of the models.
        """
        noted = await self._orders.savings()
        if any(plain is None or paid is None for plain, paid in noted):
            return None, len(noted)
        return sum((Decimal(plain or 0) - Decimal(paid or 0) for plain, paid in noted), Decimal(0)), len(noted)

    async def _answer(self, rows: Sequence[Row], stop: asyncio.Event) -> dict[int, Outcome] | None:
        """Return the outcome of each row; None when ``stop`` was set before all were there."""
        outcomes: dict[int, Outcome] = {}
        waiting = list(rows)
        for _ in range(_ROUNDS):
            leaders = [row for row in waiting if await self._orders.leader(thread_of(row)) is None]
            led = {row.number for row in leaders}
            # Who follows comes after all whose answer may serve.
            for group in (leaders, [row for row in waiting if row.number not in led]):
                found = await asyncio.gather(*(self._advance(row) for row in group))
                outcomes |= {row.number: one for row, one in zip(group, found, strict=True) if one is not None}
            waiting = [row for row in waiting if row.number not in outcomes]
            if not waiting:
                return outcomes
            if not await self._buy(stop):
                return None
        late = Failed(failure="unknown", reason="it was not settled in as many rounds as a question can take; ask it again")
        return outcomes | {row.number: late for row in waiting}

    async def _advance(self, row: Row) -> Outcome | None:
        """Take a row through the graph as far as replies are there; None while one is ordered, or while it follows another."""
        async with self._room:
            ROW.set(thread_of(row))
            try:
                return await self._go_on(row)
            except StorageError:
                raise
            except GroatError as error:
                return Failed(failure="bad_input", reason=str(error))

    async def _go_on(self, row: Row) -> Outcome | None:
        leader = await self._orders.leader(thread_of(row))
        if leader is not None and await self._orders.is_open(leader):
            return None
        config, knobs = config_of(row), knobs_of(self._context, row)
        state = await self._graph.aget_state(config)
        if not state.values or (state.tasks and "run" not in state.values):
            await self._saver.adelete_thread(thread_of(row))
            await self._graph.ainvoke(
                {"question": row.question}, config, context=knobs, interrupt_before=_ANSWERS, durability="sync"
            )
            state = await self._graph.aget_state(config)
        while state.tasks:
            ahead = _same(state.values)
            if ahead is not None and (leader is None or await self._orders.is_open(ahead)):
                # It asks what another one asks already, and comes back for that answer.
                await self._orders.follow(thread_of(row), ahead)
                await self._saver.adelete_thread(thread_of(row))
                return None
            error = await self._reply_or_order(row, state.tasks[0].name, state.values)
            if error is not None:
                return error if isinstance(error, Failed) else None
            # The provider may have taken a day.
            await self._graph.aupdate_state(config, {"asked_at": time.time()})
            await self._graph.ainvoke(None, config, context=knobs, interrupt_before=_ANSWERS, durability="sync")
            state = await self._graph.aget_state(config)
        if state.values["answer"]:
            return answered(state.values, state.values["cost_usd"], 0.0)
        return Failed(failure=failure_of(state.values), reason=state.values["error"], cost_usd=state.values["cost_usd"])

    async def _reply_or_order(self, row: Row, box: str, values: Mapping[str, Any]) -> "Failed | bool | None":
        """Return None when the reply is there, True when it is ordered, what failed when it will not come."""
        if box not in self._boxes:
            return None  # killed between two boxes: it goes on by itself
        wanted = self._boxes[box].wanted(values, None)  # type: ignore[arg-type]  # a state holds what its boxes need
        prompt = build_prompt(values["asked"], wanted.passages, kind=wanted.kind, repair=wanted.repair)
        endpoint = self._endpoints[box]
        name = order_name(thread_of(row), endpoint.name, prompt)
        reply, error = await self._orders.outcome(name)
        if error is not None:
            return Failed(failure="server", reason=f"the provider's batch gave no reply ({error}); ask it again")
        if reply is not None:
            await self._note(name, reply, endpoint, prompt)
            return None
        body: dict[str, Any] = {"model": endpoint.name, "messages": convert_to_openai_messages(list(prompt))}
        if (most := endpoint.most(None)) is not None:
            body["max_completion_tokens"] = most
        await self._orders.place(name, run=values["run"], model=box, body=body)
        return True

    async def _note(self, name: str, reply: Mapping[str, Any], endpoint: Endpoint, prompt: Sequence[BaseMessage]) -> None:
        usage = usage_of(message_of(reply), prompt)
        paid = self._prices.cost(usage, endpoint.priced_as)
        plain = self._prices.cost({**usage, "service_tier": ""}, endpoint.priced_as)
        await self._orders.saved(
            name, plain=None if plain is None else f"{plain:f}", paid=None if paid is None else f"{paid:f}"
        )

    async def _buy(self, stop: asyncio.Event) -> bool:
        """Have all open orders answered, one file for each tier; False when ``stop`` was set before."""
        batches = await self._orders.gather(MOST_REQUESTS)
        provider = {
            box: ProviderBatches(endpoint.model.root_async_client, poll_s=self._poll_s)
            for box, endpoint in self._endpoints.items()
            if isinstance(endpoint.model, ChatOpenAI)
        }
        for place, batch in enumerate(batches):
            number = batch.id if batch.fresh or batch.id else await provider[batch.model].find(batch.name)
            if number is None:
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "requests.jsonl"
                    await asyncio.to_thread(write_requests, path, await self._orders.requests(batch))
                    number = await provider[batch.model].submit(path, name=batch.name)
            await self._orders.submitted(batch, number)
            batches[place] = replace(batch, id=number)
        for batch in batches:
            assert batch.id is not None  # all are submitted
            ended = await provider[batch.model].ended(batch.id, stop=stop)
            if ended is None:
                return False
            try:
                async for one in provider[batch.model].collect(ended):
                    if one.reply is not None:
                        await self._orders.replied(one.id, one.reply)
                    else:
                        await self._orders.refused(one.id, one.error, again=one.again)
            except ModelError as error:
                if error.failure == "invalid_request":
                    await self._orders.over(batch)
                raise
            await self._orders.over(batch)
        return True


def _same(values: Mapping[str, Any]) -> str | None:
    """Return the run that was answering the same question when this one was asked, None for none."""
    waited = values["lookup"].get("waited")
    return None if waited is None or values["attempts"] else str(waited["run"])
