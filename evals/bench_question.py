"""Time of one question, box by box, and memory, on the offline profile.

python -m evals.bench_question [--questions 40] [--json FILE]
"""

import argparse
import asyncio
import math
import resource
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from evals.helpcentre import load_questions, open_helpcentre
from evals.report import add_json_option, hand_over
from graph.build import Groat, build_graph
from graph.context import Context
from graph.services import open_services
from graph.settings import Settings
from groat.knowledge import KnowledgeBase


async def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=40, help="how many, half of them in each language")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    started = _memory_mb()
    with tempfile.TemporaryDirectory() as folder:
        services = replace(
            open_services(Settings(data_dir=Path(folder))), audits=None, recorder=None
        )  # they would be timed as well
        assert isinstance(services.knowledge, KnowledgeBase)  # the settings name no other
        begun = time.perf_counter()
        await open_helpcentre(services.knowledge)
        ingest_s = time.perf_counter() - begun
        graph = build_graph(services)
        await timed(graph, "warm up 预热")
        half = options.questions // 2
        asked = [row["question"] for lang in ("en", "zh") for row in load_questions(lang) if row["kind"] == "fact"][::2]
        chosen = [*asked[:half], *asked[-half:]]
        boxes: dict[str, list[float]] = defaultdict(list)
        for question in [*chosen, *chosen]:  # the second time is a hit
            for box, ms in (await timed(graph, question)).items():
                boxes[box].append(ms)
        before = time.perf_counter()
        await services.embedder.query(f"a question that nobody asked before {before}")
        embedding_ms = (time.perf_counter() - before) * 1000
    figures = {
        "questions": len(chosen) * 2,
        "ingest_s": round(ingest_s, 1),
        "one_embedding_ms": round(embedding_ms, 1),
        "boxes_p50_ms": {box: round(statistics.median(times), 2) for box, times in boxes.items()},
        "memory_mb": {"after_imports": started, "most": _memory_mb()},
    }
    lines = (
        f"{len(chosen) * 2} questions; one embedding alone {embedding_ms:.1f} ms; ingest of the help centre {ingest_s:.1f} s",
        f"memory: {started} MB after imports, {_memory_mb()} MB at the most",
    )
    hand_over(figures, options.json_file, [_table(boxes), *lines])


async def timed(graph: Groat, question: str) -> dict[str, float]:
    """Return the milliseconds of each box that the question went through, and of the whole; a hit under names of its own."""
    last = begun = time.perf_counter()
    boxes: dict[str, float] = {}
    async for part in graph.astream({"question": question}, context=Context(), stream_mode="updates"):
        now = time.perf_counter()
        for box in part:
            boxes[box] = boxes.get(box, 0.0) + (now - last) * 1000
        last = now
    hit = set(boxes) == {"check_cache"}
    whole = (time.perf_counter() - begun) * 1000
    return {"hit": whole} if hit else {**boxes, "whole": whole}


def _memory_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _table(boxes: dict[str, list[float]]) -> Table:
    table = Table("part", "times", "p50 ms", "p95 ms")
    for box, times in boxes.items():
        ordered = sorted(times)
        p95 = ordered[math.ceil(0.95 * (len(ordered) - 1))]
        table.add_row(box, str(len(ordered)), f"{statistics.median(ordered):.1f}", f"{p95:.1f}")
    return table


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
