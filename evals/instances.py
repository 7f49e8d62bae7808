"""Do several ``groat serve`` processes on one Redis behave as one? A mixed load with documents that change, and what is shared.

python -m evals.instances [--processes 3] [--questions 600] [--at-once 12] [--json FILE]

Half the questions are Chinese, two tenants have lockers of the same names, and every question may go to any process.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import httpx
from rich.table import Table
from typing_extensions import TypedDict

from evals.fleet import THRIFTY, Fleet, Told, cost, fleet, lockers
from evals.report import add_json_option, hand_over

_EDITS_S = 1.0
"""How often a document changes."""
_BUDGET_USD = Decimal("0.01")
"""Of the tenant whose budget is tried: a handful of answers."""
_RPM = 300
"""Most requests a minute to each model, of all processes together."""
_WINDOW_S = 60.0


class Row(TypedDict):
    """What one process met."""

    process: int
    questions: int
    exact_hits: int
    hits_by_likeness: int
    answered: int
    refused: int
    failed: int
    wrong: int
    stale: int
    p50_ms: float


class Found(TypedDict):
    """What all of them came to."""

    rows: list[Row]
    edits: int
    hits_from_elsewhere: int
    """Of one question to each process after the first had answered it, how many were hits."""
    asked_elsewhere: int
    model_calls_of_a_burst: int
    """The same new question to every process at once: 1 when they share what is under way."""
    ledger_rows: int
    billed_requests: int
    ledger_equals_bill: bool
    ledger_usd: str
    budget_usd: str
    spent_of_budget_usd: str
    refused_for_budget: int
    most_in_a_minute: int
    limit_per_minute: int


async def measure(folder: Path, *, processes: int, questions: int, at_once: int) -> Found:
    """Start the processes, put the load on them, and try what they share."""
    async with fleet(
        folder, GROAT_TENANT_BUDGETS=f"{THRIFTY}={_BUDGET_USD}", GROAT_CHEAP_RPM=str(_RPM),
        GROAT_EXPENSIVE_RPM=str(_RPM),
    ) as shared:  # fmt: skip
        await shared.write(lockers())
        await asyncio.to_thread(shared.begin, processes)
        async with httpx.AsyncClient(timeout=150, limits=httpx.Limits(max_connections=None)) as client:
            told, edits = await _load(shared, client, questions, at_once)
            elsewhere = await _elsewhere(shared, client)
            burst = await _burst(shared, client)
            spent, refused = await _budget(shared, client)
        paid, billed = shared.paid(), shared.billed()
        times = [one.at for one in shared.model.bill]
    return {
        "rows": [_row(number, [one for one in told if one.process == number]) for number in range(processes)],
        "edits": edits, "hits_from_elsewhere": sum(elsewhere), "asked_elsewhere": len(elsewhere),
        "model_calls_of_a_burst": burst, "ledger_rows": paid.total(), "billed_requests": billed.total(),
        "ledger_equals_bill": paid == billed, "ledger_usd": f"{cost(paid):f}",
        "budget_usd": f"{_BUDGET_USD:f}", "spent_of_budget_usd": f"{spent:f}", "refused_for_budget": refused,
        "most_in_a_minute": max(sum(0 <= other - at < _WINDOW_S for other in times) for at in times),
        "limit_per_minute": 2 * _RPM,
    }  # fmt: skip


async def _load(shared: Fleet, client: httpx.AsyncClient, questions: int, at_once: int) -> tuple[list[Told], int]:
    draw, edit, places = random.Random("load"), random.Random("edits"), lockers()
    room, edits, over = asyncio.Semaphore(at_once), 0, asyncio.Event()

    async def ask(process: int, place: int, wording: int) -> Told:
        async with room:
            return await shared.ask(client, process, places[place], wording)

    async def change() -> None:
        nonlocal edits
        while not over.is_set():
            await shared.write([edit.choice(places)])
            edits += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _EDITS_S)

    editing = asyncio.create_task(change())
    try:
        asked = [
            ask(draw.randrange(len(shared.processes)), draw.randrange(len(places)), draw.randrange(2)) for _ in range(questions)
        ]
        return await asyncio.gather(*asked), edits
    finally:
        over.set()
        await editing


async def _elsewhere(shared: Fleet, client: httpx.AsyncClient) -> list[bool]:
    """Let the first process answer about fresh documents, and ask the others the same."""
    hits = []
    for locker in lockers()[::6]:
        await shared.write([locker])
        await shared.ask(client, 0, locker, 0)
        for process in range(1, len(shared.processes)):
            told = await shared.ask(client, process, locker, 0)
            hits.append(told.outcome == "exact hit" and not told.wrong and not told.stale)
    return hits


async def _burst(shared: Fleet, client: httpx.AsyncClient) -> int:
    locker = lockers()[0]
    await shared.write([locker])
    before = len(shared.model.bill)
    await asyncio.gather(*(shared.ask(client, process, locker, 0) for process in range(len(shared.processes))))
    return len(shared.model.bill) - before


async def _budget(shared: Fleet, client: httpx.AsyncClient) -> tuple[Decimal, int]:
    """Ask for the tenant with the small budget at all processes at once, past the cache; return what it spent and refusals."""
    before = cost(shared.paid())
    places = lockers([THRIFTY])
    await shared.write(places)
    asked = [
        shared.ask(client, number % len(shared.processes), locker, 0, no_cache=True)
        for number, locker in enumerate([*places, *places])
    ]
    told = await asyncio.gather(*asked)
    return cost(shared.paid()) - before, sum(one.status == 402 for one in told)


def _row(process: int, told: Sequence[Told]) -> Row:
    ends = Counter(one.outcome for one in told)
    waits = sorted(one.seconds for one in told)
    return {
        "process": process, "questions": len(told), "exact_hits": ends["exact hit"],
        "hits_by_likeness": ends["hit by likeness"], "answered": ends["answered"], "refused": ends["refused"],
        "failed": ends["failed"] + ends["lost"], "wrong": sum(one.wrong for one in told),
        "stale": sum(one.stale for one in told), "p50_ms": round(1000 * waits[len(waits) // 2], 1) if waits else 0.0,
    }  # fmt: skip


def _table(found: Found) -> Table:
    table = Table(
        "process", "questions", "exact hits", "by likeness", "answered", "refused", "failed", "wrong", "stale", "p50 ms"
    )
    for row in found["rows"]:
        table.add_row(*(str(row[name]) for name in Row.__annotations__))  # type: ignore[literal-required]
    return table


def _lines(found: Found) -> list[str]:
    return [
        f"{found['edits']} documents changed under the load",
        f"{found['hits_from_elsewhere']} of {found['asked_elsewhere']} answers of one process hit at the others",
        f"one new question to all processes at once: {found['model_calls_of_a_burst']} call of a model",
        f"ledger: {found['ledger_rows']} rows, the model server's bill: {found['billed_requests']}, "
        f"equal: {found['ledger_equals_bill']} (${found['ledger_usd']})",
        f"budget of ${found['budget_usd']}: ${found['spent_of_budget_usd']} spent, {found['refused_for_budget']} refused",
        f"requests to the models: at most {found['most_in_a_minute']} in a minute, of {found['limit_per_minute']}",
    ]


async def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--at-once", type=int, default=12)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = await measure(Path(folder), processes=options.processes, questions=options.questions, at_once=options.at_once)
    hand_over(found, options.json_file, [_table(found), *_lines(found)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
