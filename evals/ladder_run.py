"""Put a day through one arm, request by request in the order of the file, in blocks that an interrupted run takes up again."""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from evals.ladder_arms import Arm
from evals.ladder_kept import BLOCK, KeptBlocks
from evals.ladder_outcomes import Call, Outcome, blank, fresh_quality, served, whole_ms
from evals.ladder_reading import Latencies, read_rows
from evals.ladder_rows import Row
from evals.ladder_world import CACHE, Prices, World, open_world
from evals.vectors import VectorFile
from graph.state import Input, Output
from groat.conversation import MAX_TURNS
from groat.types import Charge


@dataclass(frozen=True, kw_only=True)
class Day:
    """What all arms share. It can be handed to another process."""

    workload: Path
    limit: int | None
    """Most rows to take; None for all."""
    skip_bad: bool
    """Bad rows are left out; who is to hear of them heard it when the file was surveyed."""
    tenants: frozenset[str]
    latencies: Latencies
    prices: Prices
    folder: Path
    """Results of all arms; outside the repository."""

    def rows(self) -> Iterator[Row]:
        """Read the rows, from the first one."""
        return read_rows(self.workload, _unheard if self.skip_bad else None, limit=self.limit)


def _unheard(message: str) -> None:
    """Say nothing again."""


async def run_arm(arm: Arm, day: Day, vectors: VectorFile, progress: Callable[[int], None]) -> list[Outcome]:
    """Return what became of each request, of blocks that were done before from their files.

    The requests go one by one: the cache fills as the file says, and the result is the same each time. Arms can run beside
    each other.

    Args:
        arm: which levers.
        day: the requests.
        vectors: of questions and sentences.
        progress: is told how many requests are done.
    """
    folder = day.folder / arm.key
    kept, rows, said = KeptBlocks(folder, CACHE), day.rows(), _Conversations()
    done, read = kept.take_up(rows)
    for row, _ in done:
        said.add(row)
    outcomes = [one for _, one in done]
    progress(len(outcomes))
    rows = chain(read, rows)
    if (first := next(rows, None)) is None:
        return outcomes
    rows = chain([first], rows)
    opened = open_world(arm, folder, day.prices, day.latencies, vectors, day.tenants, accounts=kept.accounts)
    async with opened as world:
        fresh = {one["id"]: one for one in outcomes if not one["hit"]}
        world.store.origins |= {entry: one["id"] for one in outcomes for entry in one["kept"]}
        while block := list(islice(rows, BLOCK)):
            before = len(outcomes)
            for row in block:
                with world.under_way(row):
                    one = await _ask(world, row, said.before(row), fresh)
                said.add(row)
                outcomes.append(one)
                if not one["hit"]:
                    fresh[one["id"]] = one
                progress(len(outcomes))
            kept.add(outcomes[before:], world.allowance.accounts)
    return outcomes


async def _ask(world: World, row: Row, earlier: Sequence[AnyMessage], fresh: dict[str, Outcome]) -> Outcome:
    sent: Input = {"messages": [*earlier, HumanMessage(row.question)]} if earlier else {"question": row.question}
    begun = time.perf_counter()
    output = cast(Output, await world.graph.ainvoke(sent, context=replace(world.context, tenant=row.tenant)))
    took_ms = (time.perf_counter() - begun) * 1000
    waited_ms = sum(call["latency_ms"] for attempt in output["attempts"] for call in attempt["calls"])
    own_ms = round(max(took_ms - waited_ms, 0.0), 2)
    lookup = output["lookup"]
    if lookup["outcome"] == "hit":
        candidate, how = lookup["candidate"], lookup["tier"]
        assert candidate is not None
        assert how is not None  # a hit says how it was found, and what
        return served(row, how, fresh[world.store.origins[candidate["entry_id"]]], own_ms=own_ms)
    return {**_fresh(world, row, output, own_ms), "kept": [*world.store.newest]}


def _fresh(world: World, row: Row, output: Output, own_ms: float) -> Outcome:
    attempts = output["attempts"]
    place = next((i for i in reversed(range(len(attempts))) if attempts[i]["text"] == output["answer"]), len(attempts) - 1)
    if output["verified"]:
        place = len(attempts) - 1
    bills = world.billed
    first = attempts[0]["begun_ms"] if attempts else own_ms
    one: Outcome = {
        **blank(row),
        "verified": output["verified"],
        "calls": [_call(charge) for charge in output["charges"] if charge["kind"] == "chat"],
        "own_ms": own_ms,
        "latency_ms": (latency := whole_ms([bill.latency_ms for bill in bills], own_ms)),
        "first_token_ms": latency,
        "live_ms": round(first + bills[0].first_token_ms, 2) if bills else latency,
    }
    answered = sum(len(attempt["calls"]) for attempt in attempts[: place + 1])
    if not output["answer"] or not answered or "failure" in attempts[place]:
        return one
    bill = bills[answered - 1]
    quality = fresh_quality(row, bill.tier, holds_answer=bill.holds_answer)
    return {**one, "ok": quality, "tier": bill.tier, "lost": not bill.holds_answer}


def _call(charge: Charge) -> Call:
    assert charge["tier"] is not None  # every call of a chat model has one
    return {
        "tier": charge["tier"],
        "input": charge["usage"]["input"],
        "output": charge["usage"]["output"],
        "cost_usd": charge["cost_usd"],
    }


class _Conversations:
    """What was said before in each conversation: in every arm alike with the expensive model's recorded answers."""

    def __init__(self) -> None:
        self._said: dict[str, deque[AnyMessage]] = defaultdict(lambda: deque(maxlen=MAX_TURNS))

    def before(self, row: Row) -> list[AnyMessage]:
        return [] if row.conversation is None else [*self._said[self._name(row)]]

    def add(self, row: Row) -> None:
        if row.conversation is not None:
            self._said[self._name(row)] += [HumanMessage(row.question), AIMessage(row.recorded.expensive.sent)]

    @staticmethod
    def _name(row: Row) -> str:
        return f"{len(row.tenant)}:{row.tenant}/{row.conversation}"
