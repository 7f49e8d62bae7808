"""What happens to questions over HTTP when something fails under load: Redis, the model, a process, the backend of traces.

python -m evals.serve_faults [--seconds 8] [--only NAME...] [--json FILE]

Two ``groat serve`` processes share one Redis and one data folder; four askers go from one to the other, in both languages, and
documents change. Somebody whose connection breaks asks the other process, as a load balancer does. The first row is the same
without a fault.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
from rich.table import Table
from typing_extensions import TypedDict

from evals.fleet import Fleet, Told, fleet, lockers
from evals.processes import free_port
from evals.redis_server import serve_redis
from evals.report import add_json_option, hand_over
from groat.errors import StorageError

_PROCESSES, _ASKERS, _EDITS_S = 2, 4, 1.0
_MODEL_S: Final = 0.2
_TIMEOUT_S: Final = 2.0
"""After which a model that hangs is given up."""
_PAUSE_S: Final = 0.05
_SETTLES_S: Final = 3.0
_ENDS_WITHIN_S: Final = 120.0


@dataclass
class Place:
    """The fleet, and what is put up again in its midst."""

    shared: Fleet
    again: ExitStack
    leaving: set[int] = field(default_factory=set)
    """Processes that are ending or have ended; a load balancer sends them nothing."""
    exits: list[int] = field(default_factory=list)
    """Exit codes of those that were asked to end."""


Step = Callable[[Place], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """Something that happens, and that ends."""

    name: str
    strike: Step
    mend: Step
    settings: dict[str, str] = field(default_factory=dict)


class Row(TypedDict):
    """What came of all questions, from the first to the last."""

    fault: str
    asked: int
    answered: int
    hits: int
    sentences: dict[str, int]
    """Sentence of an error -> how many questions ended with it."""
    broken: int
    """Connections that broke under a question; each was asked again at the other process."""
    unanswered: int
    """Questions with neither an answer nor a sentence."""
    wrong: int
    stale: int
    ledger_rows: int
    billed: int
    not_in_ledger: int
    """On the bill and not in the ledger: calls that were under way in a process that was killed."""
    not_billed: int
    """In the ledger and not on the bill."""
    p95_ms: float
    exits: list[int]


async def _nothing(place: Place) -> None: ...


async def _kill_redis(place: Place) -> None:
    place.shared.redis.kill()


async def _start_redis(place: Place) -> None:
    port = place.shared.redis.port
    await asyncio.to_thread(lambda: place.again.enter_context(serve_redis(place.shared.folder, port=port)))


async def _hang(place: Place) -> None:
    place.shared.model.hangs = True


async def _go_on(place: Place) -> None:
    place.shared.model.hangs = False


async def _terminate(place: Place) -> None:
    """End the second process as a deployment does: no new questions, and what is under way is finished."""
    place.leaving.add(1)
    place.exits.append(await asyncio.to_thread(place.shared.processes[1].end))


async def _kill(place: Place) -> None:
    place.shared.processes[1].kill()
    place.leaving.add(1)


async def _stop(place: Place) -> None:
    os.killpg(place.shared.processes[1].process.pid, signal.SIGSTOP)


async def _continue(place: Place) -> None:
    os.killpg(place.shared.processes[1].process.pid, signal.SIGCONT)


async def _restart(place: Place) -> None:
    await asyncio.to_thread(place.shared.begin, 1)


FAULTS = (
    Fault("none", _nothing, _nothing),
    Fault("Redis killed, then back empty", _kill_redis, _start_redis),
    Fault("model hangs", _hang, _go_on, {"GROAT_TIMEOUT_S": f"{_TIMEOUT_S:g}"}),
    Fault("process ended (SIGTERM)", _terminate, _restart),
    Fault("process killed (SIGKILL)", _kill, _restart),
    Fault("process stopped for a while (SIGSTOP)", _stop, _continue),
    Fault("traces' backend down", _nothing, _nothing, {"GROAT_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}),
)


async def measure(fault: Fault, folder: Path, *, seconds: float) -> Row:
    """Let a fault happen under load for some seconds, mend it, and go on as long again."""
    settings = {"GROAT_TRIES": "2", "GROAT_BREAKER_REST_S": "2", **fault.settings}
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(fleet(folder, delay_s=_MODEL_S, **settings))
        place = Place(shared, stack.enter_context(ExitStack()))
        await shared.write(lockers())
        await asyncio.to_thread(shared.begin, _PROCESSES)
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=_ENDS_WITHIN_S))
        told: list[Told] = []
        over = asyncio.Event()
        working = [asyncio.create_task(_ask_on(place, client, seed, told, over)) for seed in range(_ASKERS)]
        working.append(asyncio.create_task(_edit(shared, over)))
        await asyncio.sleep(_SETTLES_S)
        await fault.strike(place)
        await asyncio.sleep(seconds)
        await fault.mend(place)
        await asyncio.sleep(seconds)
        over.set()
        await asyncio.gather(*working)
        # What the cache serves in the end is looked at once for each question.
        serving = next(n for n in range(len(shared.processes)) if n not in place.leaving)
        told += [await shared.ask(client, serving, locker, wording) for locker in lockers() for wording in range(2)]
        await asyncio.sleep(_MODEL_S)
        return _row(fault.name, told, shared, place)


async def _ask_on(place: Place, client: httpx.AsyncClient, seed: int, told: list[Told], over: asyncio.Event) -> None:
    draw, places = random.Random(seed), lockers()
    while not over.is_set():
        locker, wording = draw.choice(places), draw.randrange(2)
        first = seed + len(told)
        for turn in range(3):
            serving = [n for n in range(len(place.shared.processes)) if n not in place.leaving]
            told.append(await place.shared.ask(client, serving[(first + turn) % len(serving)], locker, wording))
            if told[-1].outcome != "lost":
                break
        await asyncio.sleep(_PAUSE_S)


async def _edit(shared: Fleet, over: asyncio.Event) -> None:
    draw, places = random.Random("edits"), lockers()
    while not over.is_set():
        # What stands on an old document in a lost Redis is found out when it is read.
        with suppress(StorageError):
            await shared.write([draw.choice(places)])
        await asyncio.sleep(_EDITS_S)


def _row(name: str, told: Sequence[Told], shared: Fleet, place: Place) -> Row:
    ends = Counter(one.outcome for one in told)
    paid, billed = shared.paid(), shared.billed()
    waits = sorted(one.seconds for one in told)
    says = Counter(one.says for one in told if one.outcome in ("refused", "failed"))
    return {
        "fault": name, "asked": len(told) - ends["lost"], "answered": sum(one.answered for one in told),
        "hits": ends["exact hit"] + ends["hit by likeness"], "sentences": dict(says), "broken": ends["lost"],
        "unanswered": sum(not one.says for one in told if one.outcome in ("refused", "failed")),
        "wrong": sum(one.wrong for one in told), "stale": sum(one.stale for one in told), "ledger_rows": paid.total(),
        "billed": billed.total(), "not_in_ledger": (billed - paid).total(), "not_billed": (paid - billed).total(),
        "p95_ms": round(1000 * waits[int(0.95 * (len(waits) - 1))], 1), "exits": place.exits,
    }  # fmt: skip


def _table(rows: Sequence[Row]) -> Table:
    columns = (
        "asked",
        "answered",
        "hits",
        "sentences",
        "broken",
        "wrong",
        "stale",
        "ledger",
        "bill",
        "not in ledger",
        "p95 ms",
    )
    table = Table("fault", *columns, box=None)
    for row in rows:
        table.add_row(
            row["fault"], str(row["asked"]), str(row["answered"]), str(row["hits"]), str(sum(row["sentences"].values())),
            str(row["broken"]), str(row["wrong"]), str(row["stale"]), str(row["ledger_rows"]), str(row["billed"]),
            str(row["not_in_ledger"]), f"{row['p95_ms']:.0f}",
        )  # fmt: skip
    return table


async def main(arguments: Sequence[str]) -> None:
    """Let each fault happen and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=8.0, help="how long each fault lasts, and how long is looked on after it"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults whose names begin so; all without it")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    for fault in FAULTS:
        if not options.only or fault.name.startswith(tuple(options.only)):
            with tempfile.TemporaryDirectory() as folder:
                begun = time.monotonic()
                rows.append(await measure(fault, Path(folder), seconds=options.seconds))
                sys.stderr.write(f"{fault.name}: done in {time.monotonic() - begun:.0f} s\n")
    said = [f"{row['fault']}: {count} times: {what}" for row in rows for what, count in row["sentences"].items()]
    hand_over(rows, options.json_file, [_table(rows), *said])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
