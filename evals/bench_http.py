"""``groat serve`` over HTTP on one process: hits, misses, start and memory, and peers beside it.

python -m evals.bench_http [--requests 2000] [--entries 100000] [--peers .peers/bin/python] [--json FILE]

The server and this client share the machine's cores, so the machine's load is part of the figures and printed with them.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from rich.table import Table

from evals.bench_cache_speed import FilledFile
from evals.http_load import post
from evals.made_entries import MadeEntries
from evals.quick_model import quick_model
from evals.report import add_json_option, hand_over
from groat.embedding.bundled import BundledEmbedder

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENTS: Final = {
    "refunds.md": "# Refunds\n\nA refund takes five working days. It goes to the card that paid.",
    "退款.md": "# 退款\n\n退款需要五个工作日。款项退回付款的银行卡。",
}
EQUAL: Final = {"en": "How long does a refund take?", "zh": "退款需要多久？"}
ALIKE: Final = {
    "en": ("How many days until I get a refund?", "How long will a refund take?", "How long do refunds take?"),
    "zh": ("退款要多久？", "退款需要多长时间？", "退款需要多少天？"),
}
"""Each is asked once: what is a hit by likeness among them is measured."""
_STARTS_WITHIN_S: Final = 120.0


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    pid: int
    started_s: float
    """From its command to its first answer to ``/health``."""

    @property
    def processor_s(self) -> float:
        """Processor time so far, in seconds: what the clock on the wall would show on a machine with nothing else to do."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_mb(self) -> float:
        """Resident memory, in 2**20 bytes."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def served(command: Sequence[str], environ: Mapping[str, str], health: str = "/health", url: str = "") -> Iterator[Server]:
    """Run a server's command with ``{port}`` in it; yield it once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [part.format(port=port) for part in command],
        env={**os.environ, **environ},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await(process, f"http://127.0.0.1:{port}{health}")
        yield Server(f"http://127.0.0.1:{port}{url}", process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        process.wait(30)


def _await(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urlopen(address, timeout=5) as reply:
            if reply.status == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nothing answers at {address} (exit code {process.returncode})")


def asking(question: str, **more: Any) -> dict[str, Any]:
    """Return the body of a request."""
    return {"model": "groat", "messages": [{"role": "user", "content": question}], **more}


def groat(folder: Path, **settings: str) -> contextlib.AbstractContextManager[Server]:
    """Run ``groat serve`` over a data folder."""
    environ = {"GROAT_DATA_DIR": str(folder), "GROAT_AUDIT_SHARE": "0", "GROAT_ROUTE_AUDIT_SHARE": "0", **settings}
    command = [sys.executable, "-m", "serve.cli.main", "serve", "--port", "{port}"]
    return served(command, environ, url="/v1/chat/completions")


async def filled(folder: Path) -> None:
    """Give the data folder its documents."""
    with groat(folder) as server:
        address = server.url.replace("chat/completions", "groat/documents")
        documents = [{"id": name, "text": text} for name, text in DOCUMENTS.items()]
        load = await post(address, [{"documents": documents}])
    assert not load.failed, "the documents were not taken"


async def hits(folder: Path, requests: int) -> dict[str, Any]:
    """Measure hits: the same question, and questions like it."""
    with groat(folder) as server:
        start_processor_s = server.processor_s
        for question in EQUAL.values():
            await post(server.url, [asking(question)] * 3)
        bodies = [asking(EQUAL["en" if number % 2 else "zh"]) for number in range(requests)]
        alone = await post(server.url, bodies[: requests // 4])
        before = server.processor_s
        crowd = await post(server.url, bodies, connections=8)
        per_hit_ms = (server.processor_s - before) * 1000 / len(bodies)
        alike = await post(server.url, [asking(question) for questions in ALIKE.values() for question in questions])
        memory = server.memory_mb
    found = [took for took, reply in zip(alike.times_ms, alike.replies, strict=True) if reply["groat"]["cache"] == "semantic"]
    return {
        "start_s": round(server.started_s, 2),
        "start_processor_s": round(start_processor_s, 2),
        "exact_processor_ms": round(per_hit_ms, 2),
        "exact_p50_ms": round(alone.percentile(0.5), 2),
        "exact_p99_ms": round(alone.percentile(0.99), 2),
        "exact_per_second": round(crowd.per_second),
        "failed": alone.failed + crowd.failed + alike.failed,
        "exact_all_hits": all(reply["groat"]["cache"] == "exact" for reply in crowd.replies),
        "semantic_hits": f"{len(found)} of {len(alike.times_ms)}",
        "semantic_p50_ms": round(statistics.median(found), 2) if found else None,
        "memory_mb": round(memory),
    }


async def misses(folder: Path, requests: int) -> dict[str, Any]:
    """Measure what comes before the model is asked: each question is new, and the model answers at once."""
    with quick_model() as (base_url, asked):
        environ = {f"GROAT_{tier}_{what}": value for tier in ("CHEAP", "EXPENSIVE") for what, value in (
            ("MODEL", "quick"), ("BASE_URL", base_url), ("API_KEY", "none"), ("PRICED_AS", "local")
        )}  # fmt: skip
        with groat(folder, **environ) as server:
            await post(server.url, [asking(f"warm up {number} 预热") for number in range(3)])
            own = []
            for number in range(requests):
                question = f"退款 {number} 需要多久？" if number % 2 else f"How long does refund number {number} take?"
                before, begun = len(asked), time.perf_counter()
                await post(server.url, [asking(question)])
                if len(asked) > before:
                    own.append((asked[before] - begun) * 1000)
    slow = sorted(own)[int(0.95 * len(own))]
    return {"misses": len(own), "own_p50_ms": round(statistics.median(own), 1), "own_p95_ms": round(slow, 1)}


async def embedding_ms(requests: int = 40) -> float:
    """Return the median time of one embedding of a new question, in milliseconds, in this process while no server runs."""
    embedder, times = BundledEmbedder(), []
    for number in range(requests):
        begun = time.perf_counter()
        await embedder.query(f"退款 {number} 需要多长时间？" if number % 2 else f"How long do refunds {number} take?")
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times[2:])


async def memory(folder: Path, entries: int) -> dict[str, Any]:
    """Measure memory with a full cache, all of it of the tenant that asks: its vectors are all looked through."""
    filled = FilledFile(folder / "cache.sqlite")
    for _, made in MadeEntries(entries, embedder=BundledEmbedder.name).chunks():
        await filled.fill(made)
    await filled.close()
    with groat(folder) as server:
        empty = server.memory_mb
        load = await post(server.url, [asking(question) for question in (*ALIKE["zh"], *ALIKE["en"])])
        again = await post(server.url, [asking(EQUAL["en"])] * 200)
        return {
            "entries": entries,
            "memory_mb": round(server.memory_mb),
            "memory_at_start_mb": round(empty),
            "start_s": round(server.started_s, 2),
            "first_ms": round(load.times_ms[0]),
            "exact_p50_ms": round(again.percentile(0.5), 2),
        }


def peers(python: Path, requests: int) -> dict[str, Any]:
    """Return the figures of the peers, which a Python of their own measures."""
    command = [str(python), "-m", "evals.bench_peers", "--requests", str(requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


async def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="of the same question; misses are a twentieth")
    parser.add_argument("--entries", type=int, default=100_000, help="in the full cache; 0 leaves that out")
    parser.add_argument("--peers", type=Path, help="Python that the peers are installed for: make bench-http installs them")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {"load_before": os.getloadavg(), "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await filled(folder)
        figures["hits"] = await hits(folder, options.requests)
        figures["misses"] = await misses(folder, max(options.requests // 20, 20))
        figures["embedding_ms"] = round(await embedding_ms(), 1)
        if options.entries:
            figures["full"] = await memory(folder, options.entries)
    if options.peers is not None:
        figures["peers"] = peers(options.peers, options.requests)
    figures["load_after"] = os.getloadavg()
    hand_over(figures, options.json_file, [_table(figures)])


def _table(figures: Mapping[str, Any]) -> Table:
    table = Table("what", "figure", "value")
    for what, found in figures.items():
        for name, value in found.items() if isinstance(found, Mapping) else [("", found)]:
            table.add_row(what, name, str(value))
    return table


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
