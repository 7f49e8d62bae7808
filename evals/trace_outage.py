"""Questions under load while both backends of traces are down, slow, refusing or broken: latency, memory, drops, recovery.

python -m evals.trace_outage [--seconds 60] [--rate 10] [--buffer-mb 4] [--json FILE]

Each trouble is measured against no tracing, in slices that take turns, so that a slow moment of the machine strikes both.
"""

import argparse
import asyncio
import gc
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from rich.table import Table

from evals.report import add_json_option, hand_over
from evals.trace_sink import Mood, Sink, free_port, sink
from evals.trace_world import Tracings, ask, open_world
from graph.build import build_graph

Trouble = Literal["well", "down", "slow", "busy", "broken"]
TROUBLES: Final[tuple[Trouble, ...]] = ("well", "down", "slow", "busy", "broken")
_MOODS: Final[dict[Trouble, Mood]] = {"well": "well", "slow": "slow", "busy": "busy", "broken": "broken"}
_SLICE_S: Final = 5.0
_RECOVERY_S: Final = 120.0
_WARM: Final = 30


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What one trouble came to."""

    trouble: Trouble
    questions: int
    """Traced ones."""
    without_p50_ms: float
    with_p50_ms: float
    without_p99_ms: float
    with_p99_ms: float
    grown_mb: float
    """Resident memory of the process, at the end of the trouble over its beginning."""
    most_held_mb: float
    """Largest estimate of what waited, for both backends together."""
    bound_mb: float
    dropped_spans: int
    dropped_runs: int
    sent_after: int
    """Spans and runs that arrived once the backends were well again, without a restart."""
    left: int
    """Bytes that still waited at the end."""


async def outage(trouble: Trouble, *, seconds: float, rate: float, most_bytes: int) -> Outage:
    """Ask ``rate`` questions a second for so long, half of them traced, and then let the backends be well."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        tracings = Tracings(f"http://127.0.0.1:{port}", most_bytes=most_bytes, timeout_s=10.0)
        graph = build_graph(await open_world(Path(folder), tracings.runs))
        if trouble == "down":
            took = await _load(graph, tracings, seconds, rate)
            with sink(port) as backend:
                return await _after(trouble, took, tracings, backend)
        with sink(port) as backend:
            backend.be(_MOODS[trouble])
            took = await _load(graph, tracings, seconds, rate)
            return await _after(trouble, took, tracings, backend)


@dataclass(frozen=True, kw_only=True)
class _Took:
    without: list[float]
    traced: list[float]
    grown: float
    most_held: int
    sent: int


async def _load(graph: Any, tracings: Tracings, seconds: float, rate: float) -> _Took:
    times: dict[bool, list[float]] = {False: [], True: []}
    for number in range(_WARM):
        with tracings.on(spans=True, langsmith=True):
            await ask(graph, number)
    gc.collect()
    before, most_held, end = _resident_mb(), 0, time.monotonic() + seconds
    slice_s = min(_SLICE_S, seconds / 4)
    number, traced = 0, False
    while time.monotonic() < end:
        slice_end = min(time.monotonic() + slice_s, end)
        with tracings.on(spans=traced, langsmith=traced):
            while time.monotonic() < slice_end:
                begun = time.perf_counter()
                await ask(graph, number)
                took = time.perf_counter() - begun
                times[traced].append(took * 1000)
                number += 1
                most_held = max(most_held, tracings.held_bytes)
                await asyncio.sleep(max(0.0, 1 / rate - took))
        traced = not traced
    gc.collect()
    sent = tracings.spans.sent + tracings.runs.outbox.sent
    return _Took(without=times[False], traced=times[True], grown=_resident_mb() - before, most_held=most_held, sent=sent)


async def _after(trouble: Trouble, took: _Took, tracings: Tracings, backend: Sink) -> Outage:
    backend.be("well")
    await asyncio.to_thread(_until, lambda: tracings.held_bytes == 0, _RECOVERY_S)
    return Outage(
        trouble=trouble,
        questions=len(took.traced),
        without_p50_ms=round(statistics.median(took.without), 2),
        with_p50_ms=round(statistics.median(took.traced), 2),
        without_p99_ms=round(_p99(took.without), 2),
        with_p99_ms=round(_p99(took.traced), 2),
        grown_mb=round(took.grown, 1),
        most_held_mb=round(took.most_held / 1e6, 2),
        bound_mb=round((tracings.spans.most_bytes + tracings.traces.most_bytes + tracings.runs.outbox.most_bytes) / 1e6, 2),
        dropped_spans=sum(tracings.spans.dropped.values()),
        dropped_runs=sum(tracings.runs.outbox.dropped.values()),
        sent_after=tracings.spans.sent + tracings.runs.outbox.sent - took.sent,
        left=tracings.held_bytes,
    )


def _until(done: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not done() and time.monotonic() < end:
        time.sleep(0.2)


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[math.ceil(0.99 * (len(values) - 1))]


def _resident_mb() -> float:
    """Return the resident memory of this process, by Linux's account."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


async def main(arguments: Sequence[str]) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each trouble")
    parser.add_argument("--rate", type=float, default=10.0, help="most questions a second")
    parser.add_argument("--buffer-mb", type=float, default=4.0, help="most that may wait for each backend")
    parser.add_argument("--trouble", choices=TROUBLES, action="append", help="only this one; several")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    most = int(options.buffer_mb * 1_000_000)
    found = [
        await outage(one, seconds=options.seconds, rate=options.rate, most_bytes=most) for one in options.trouble or TROUBLES
    ]
    table = Table(
        "backends",
        "questions",
        "p50 without, with",
        "p99 without, with",
        "memory",
        "most held",
        "of",
        "dropped",
        "arrived after",
    )
    for one in found:
        table.add_row(
            one.trouble, str(one.questions), f"{one.without_p50_ms} / {one.with_p50_ms} ms",
            f"{one.without_p99_ms} / {one.with_p99_ms} ms", f"{one.grown_mb:+.1f} MB", f"{one.most_held_mb} MB",
            f"{one.bound_mb} MB", f"{one.dropped_spans} spans, {one.dropped_runs} runs", str(one.sent_after),
        )  # fmt: skip
    line = f"{options.seconds:g} s each, half of it traced; at most {options.rate:g} questions a second, half Chinese"
    hand_over([asdict(one) for one in found], options.json_file, [table, line])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
