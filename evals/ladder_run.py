"""Put a day through one arm, request by request in the order of the file, in blocks that an interrupted run takes up again."""

import json
import shutil
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import cast

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from evals.ladder_arms import Arm
from evals.ladder_outcomes import Call, Outcome, blank, fresh_quality, served, whole_ms
from evals.ladder_reading import Latencies, read_rows
from evals.ladder_rows import Row
from evals.ladder_world import CACHE, Prices, World, open_world
from evals.vectors import VectorFile
from graph.state import Input, Output
from groat.conversation import MAX_TURNS
from groat.types import Charge

BLOCK = 500
"""Requests after which the results and the state of the cache are kept."""
_COMPLETE = "complete"


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
    folder.mkdir(parents=True, exist_ok=True)
    blocks = _blocks(folder)
    outcomes = [one for block in blocks for one in block]
    if (folder / _COMPLETE).exists():
        progress(len(outcomes))
        return outcomes
    number = len(blocks)
    _put_back(folder, number)
    said = _Conversations()
    rows = day.rows()
    for row in islice(rows, len(outcomes)):
        said.add(row)
    progress(len(outcomes))
    async with open_world(arm, folder, day.prices, day.latencies, vectors, day.tenants) as world:
        fresh = {one["id"]: one for one in outcomes if not one["hit"]}
        world.store.origins |= {entry: one["id"] for one in outcomes for entry in one["kept"]}
        while block := list(islice(rows, BLOCK)):
            found = []
            for row in block:
                with world.under_way(row):
                    one = await _ask(world, row, said.before(row), fresh)
                said.add(row)
                found.append(one)
                if not one["hit"]:
                    fresh[one["id"]] = one
                progress(len(outcomes) + len(found))
            outcomes += found
            number += 1
            _keep(folder, number, found)
    (folder / _COMPLETE).touch()
    _tidy(folder)
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


def _blocks(folder: Path) -> list[list[Outcome]]:
    """Return the blocks that were written whole."""
    found: list[list[Outcome]] = []
    while (path := folder / f"outcomes-{len(found) + 1:05}.jsonl").exists():
        found.append([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    return found


def _put_back(folder: Path, number: int) -> None:
    """Make the cache what it was after so many blocks."""
    for path in (*folder.glob("*.sqlite-*"), *(one for one in folder.glob("*.sqlite") if not one.name.startswith("after-"))):
        path.unlink()
    if (kept := folder / f"after-{number:05}.sqlite").exists():
        shutil.copyfile(kept, folder / CACHE)


def _keep(folder: Path, number: int, block: Sequence[Outcome]) -> None:
    """Write a block down: the state of the cache first, so that there is one for every block that counts as done."""
    live = folder / CACHE
    if live.exists():
        partial = folder / "after.part"
        with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
        partial.replace(folder / f"after-{number:05}.sqlite")
    partial = folder / "outcomes.part"
    partial.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in block), encoding="utf-8")
    partial.replace(folder / f"outcomes-{number:05}.jsonl")
    (folder / f"after-{number - 1:05}.sqlite").unlink(missing_ok=True)


def _tidy(folder: Path) -> None:
    """Remove the databases of an arm that is done: only its outcomes are asked for again."""
    for path in folder.glob("*.sqlite*"):
        path.unlink()
