"""What happens to questions when the Redis of the answer cache is killed, restarted, slow, full, or cannot save.

python -m evals.cache_faults [--seconds 3] [--only NAME...] [--json FILE]

Each fault meets a real Redis with the real cache and the real leases of single flight: four askers through two caches,
documents that change ten times a second, a model that takes 20 ms. Extra time is all that a question took but for the model
and for another question that it waited for. The first row is the same without a fault: this machine, and the work of looking
up.
"""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from redis.asyncio import Redis
from rich.table import Table
from typing_extensions import TypedDict

from evals.bench_cache import Asks
from evals.fault_load import SIDES, Asked, Load
from evals.redis_server import RedisServer, serve_redis
from evals.report import add_json_option, hand_over
from groat.cache.accept import AcceptRule
from groat.cache.opening import open_rule
from groat.embedding.bundled import BundledEmbedder

_SETTLES_S, _BACK_WITHIN_S = 1.0, 10.0
"""Before the fault, from when the cache works on: it fills; after it: longer than any rest."""
_LOOKS, _FILLERS, _FILLER_BYTES = 200, 500, 8_000


@dataclass
class Place:
    """A Redis, and the way to it."""

    folder: Path
    options: tuple[str, ...]
    server: RedisServer
    stack: ExitStack
    delay_s: float = 0.0
    """How long each reply is held back by the proxy, where there is one."""

    def start_again(self) -> None:
        """Start a killed Redis at the same port."""
        self.server = self.stack.enter_context(serve_redis(self.folder, *self.options, port=self.server.port))

    async def tell(self, *command: str) -> None:
        """Send a command, past the proxy."""
        async with Redis.from_url(self.server.url) as client:
            await client.execute_command(*command)  # type: ignore[no-untyped-call]


Step = Callable[[Place], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """Something that happens, and that ends."""

    name: str
    strike: Step
    mend: Step
    options: tuple[str, ...] = ()
    """Of the server's command line."""
    proxy: bool = False


class Row(TypedDict):
    """What questions met. Times in milliseconds, of the questions asked while the fault lasted."""

    fault: str
    requests: int
    answered: int
    hits: int
    extra_p50: float
    extra_p99: float
    extra_max: float
    late_max: float
    """By how much this process itself woke up too late at the most: a busy machine."""
    events: int
    """Questions that said what did not work."""
    said: dict[str, int]
    wrong: int
    stale: int
    """Wrong and stale answers, from the first question to the last."""
    back_s: float | None
    """From the end of the fault until both caches had kept an answer with nothing failing; None when that did not come."""


async def _nothing(place: Place) -> None: ...


async def _kill(place: Place) -> None:
    place.server.kill()


async def _start(place: Place) -> None:
    await asyncio.to_thread(place.start_again)


async def _restart(place: Place) -> None:
    place.server.kill()
    await _start(place)


async def _stop(place: Place) -> None:
    os.kill(place.server.process.pid, signal.SIGSTOP)


async def _go_on(place: Place) -> None:
    os.kill(place.server.process.pid, signal.SIGCONT)


def _delay(seconds: float) -> Step:
    async def strike(place: Place) -> None:
        place.delay_s = seconds

    return strike


async def _fill(place: Place) -> None:
    await place.tell("CONFIG", "SET", "maxmemory", "1mb")


async def _crowd(place: Place) -> None:
    """Fill it with other keys, then leave place for half of all that is there."""
    async with Redis.from_url(place.server.url) as client:
        before = (await client.info("memory"))["used_memory"]
        await client.mset({f"filler {n}": bytes(_FILLER_BYTES) for n in range(_FILLERS)})
        await client.config_set("maxmemory", before + _FILLERS * _FILLER_BYTES // 2)


async def _widen(place: Place) -> None:
    await place.tell("CONFIG", "SET", "maxmemory", "0")


async def _lose_disk(place: Place) -> None:
    disk = place.folder / "disk"
    disk.mkdir()
    await place.tell("CONFIG", "SET", "dir", str(disk))
    shutil.rmtree(disk)
    await place.tell("BGSAVE")


async def _find_disk(place: Place) -> None:
    await place.tell("CONFIG", "SET", "dir", str(place.folder))
    await place.tell("BGSAVE")


FAULTS = (
    Fault("none", _nothing, _nothing),
    Fault("killed, then back empty", _kill, _start),
    Fault("killed, then back with its data", _kill, _start, ("--appendonly", "yes", "--appendfsync", "always")),
    Fault("restarted at once", _restart, _nothing),
    Fault("silent (SIGSTOP)", _stop, _go_on),
    Fault("slow: 8 ms a reply", _delay(0.008), _delay(0.0), proxy=True),
    Fault("slow: 30 ms a reply", _delay(0.03), _delay(0.0), proxy=True),
    Fault("full, noeviction", _fill, _widen, ("--maxmemory-policy", "noeviction")),
    Fault("full, allkeys-lru", _crowd, _widen, ("--maxmemory-policy", "allkeys-lru")),
    Fault("cannot save (MISCONF)", _lose_disk, _find_disk, ("--save", "3600 1", "--enable-protected-configs", "yes")),
)


@dataclass
class _Proxy:
    """Passes bytes on; replies after the delay of its place."""

    place: Place
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
        finally:
            server.close()
            for writer in self.writers:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who is cut off when the measurement ends is no news.
        with suppress(asyncio.CancelledError, OSError):
            there, out = await asyncio.open_connection("127.0.0.1", self.place.server.port)
            self.writers += [writer, out]
            await asyncio.gather(self._pass(reader, out, 0.0), self._pass(there, writer, None))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float | None) -> None:
        with suppress(OSError, RuntimeError):  # either end may have gone
            while content := await reader.read(1 << 16):
                await asyncio.sleep(self.place.delay_s if delay_s is None else delay_s)
                writer.write(content)
                await writer.drain()
            writer.close()


async def measure(
    fault: Fault, rule: AcceptRule, vectors: Asks, *, seconds: float = 3.0, settles_s: float = _SETTLES_S, rest_s: float = 2.0
) -> Row:
    """Let a fault happen under load for some seconds, mend it, and wait until the cache works again."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = stack.enter_context(serve_redis(Path(folder), *fault.options))
        place = Place(Path(folder), fault.options, server, stack)
        at = dict.fromkeys(("struck", "mended", "ready"), 0.0)

        async def script(load: Load) -> None:
            await _works_again(load, time.perf_counter())
            await asyncio.sleep(settles_s)
            at["struck"] = time.perf_counter()
            await fault.strike(place)
            await asyncio.sleep(seconds)
            at["mended"] = time.perf_counter()
            await fault.mend(place)
            at["ready"] = time.perf_counter()
            await _works_again(load, at["ready"])
            await asyncio.sleep(settles_s / 2)

        async with _Proxy(place).serve() as url:
            load = Load(url if fault.proxy else server.url, rule, vectors, rest_s=rest_s)
            await load.run(asyncio.ensure_future(script(load)))
    return _row(fault.name, load, **at)


async def _works_again(load: Load, since: float) -> None:
    """Wait until both caches have kept an answer with nothing failing, but not for ever."""
    for _ in range(_LOOKS):
        if _back(load.asked, since) is not None:
            return
        await asyncio.sleep(_BACK_WITHIN_S / _LOOKS)


def _row(name: str, load: Load, struck: float, mended: float, ready: float) -> Row:
    during = [one for one in load.asked if one.ended > struck and one.begun < mended]
    unanswered = sum(at < mended for at in load.begun) - sum(one.begun < mended for one in load.asked)
    extra = np.array([one.extra_ms for one in during] or [0.0])
    late = [ms for at, ms in load.late_ms if struck < at < mended]
    return {
        "fault": name, "requests": len(during) + unanswered, "answered": len(during), "hits": sum(one.hit for one in during),
        "extra_p50": round(float(np.median(extra)), 1), "extra_p99": round(float(np.percentile(extra, 99)), 1),
        "extra_max": round(float(extra.max()), 1), "late_max": round(max(late, default=0.0), 1),
        "events": sum(bool(one.events) for one in during),
        "said": dict(Counter(event.rpartition("127.0.0.1:")[2].partition(" ")[2] for one in during for event in one.events)),
        "wrong": sum(one.wrong for one in load.asked), "stale": sum(one.stale for one in load.asked),
        "back_s": _back(load.asked, ready),
    }  # fmt: skip


def _back(asked: Sequence[Asked], ready: float) -> float | None:
    """Return how long after the mending both caches had kept an answer with nothing failing; None when one had not."""
    first: dict[int, float] = {}
    for one in asked:
        if one.begun >= ready and one.kept and not one.events:
            first.setdefault(one.side, one.ended - ready)
    return round(max(first.values()), 2) if len(first) == SIDES else None


async def main(arguments: Sequence[str]) -> None:
    """Let each fault happen and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each fault lasts")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="faults whose names begin so; all without it")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    vectors = BundledEmbedder()
    rule = open_rule(vectors.name, None)
    rows: list[Row] = []
    for fault in FAULTS:
        if not options.only or fault.name.startswith(tuple(options.only)):
            rows.append(await measure(fault, rule, vectors, seconds=options.seconds))
            sys.stderr.write(f"{fault.name}: done\n")
    said = [f"{row['fault']}: {count} times: {what}" for row in rows for what, count in row["said"].items()]
    hand_over(rows, options.json_file, [_table(rows), *said])


def _table(rows: Sequence[Row]) -> Table:
    columns = ("asked", "answered", "hits", "p50 ms", "p99", "max", "late", "events", "wrong", "stale", "back s")
    table = Table("fault", *columns, box=None)
    for row in rows:
        times = [f"{row[name]:.1f}" for name in ("extra_p50", "extra_p99", "extra_max", "late_max")]
        back = "not" if row["back_s"] is None else f"{row['back_s']:.1f}"
        counts = [str(row["events"]), str(row["wrong"]), str(row["stale"]), back]
        asked = [str(row[name]) for name in ("requests", "answered", "hits")]
        table.add_row(row["fault"], *asked, *times, *counts)
    return table


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
