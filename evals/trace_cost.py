"""Processor time that tracing adds to one question, all threads counted: none, spans and metrics, LangSmith beside them.

python -m evals.trace_cost [--questions 100] [--rounds 9] [--json FILE]
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.table import Table

from evals.report import add_json_option, hand_over
from evals.trace_sink import sink
from evals.trace_world import Tracings, ask, open_world
from graph.build import build_graph

TARGET_MS: Final = 0.15
"""For each box."""
ARMS: Final = {"none": (False, False), "spans": (True, False), "spans and LangSmith": (True, True), "LangSmith": (False, True)}
_FLUSH_S: Final = 60.0


async def measured(*, questions: int, rounds: int) -> tuple[dict[str, list[float]], float]:
    """Return the milliseconds of processor time of one question, by arm, of each round, and the boxes of a question."""
    with tempfile.TemporaryDirectory() as folder, sink() as backend:
        tracings = Tracings(backend.url)
        graph = build_graph(await open_world(Path(folder), tracings.runs))
        times: dict[str, list[float]] = {arm: [] for arm in ARMS}
        boxes = 0
        for round_ in range(rounds + 1):
            for arm, (spans, langsmith) in ARMS.items():  # one after another in every round: a slow moment strikes all alike
                with tracings.on(spans=spans, langsmith=langsmith):
                    begun = time.process_time()
                    for number in range(questions):
                        boxes = len((await ask(graph, number))["path"])
                    await asyncio.to_thread(tracings.flush, within_s=_FLUSH_S)
                    if round_:  # the first one warms up
                        times[arm].append((time.process_time() - begun) * 1000 / questions)
    return times, boxes


async def main(arguments: Sequence[str]) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=100, help="in each round, of each kind")
    parser.add_argument("--rounds", type=int, default=9, help="the median of the differences within them is told")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    times, boxes = await measured(questions=options.questions, rounds=options.rounds)
    table = Table("tracing", "ms a question", "added", "added for a box", "of each round", "between the quietest rounds")
    figures: dict[str, object] = {"questions": options.questions * options.rounds, "boxes": boxes, "target_ms": TARGET_MS}
    for arm, found in times.items():
        added = [(one - none) / boxes for one, none in zip(found, times["none"], strict=True)]
        per_box = statistics.median(added)
        quiet = (min(found) - min(times["none"])) / boxes
        figures[arm] = {
            "ms": round(statistics.median(found), 3), "added_per_box_ms": round(per_box, 4), "quiet_ms": round(quiet, 4)
        }  # fmt: skip
        spread = "" if arm == "none" else f"{min(added):.3f} to {max(added):.3f}"
        table.add_row(
            arm, f"{statistics.median(found):.2f}", f"{per_box * boxes:.2f}", f"{per_box:.3f}", spread, f"{quiet:.3f}"
        )
    line = f"{figures['questions']} questions of each kind, half Chinese, {boxes} boxes each; target {TARGET_MS} ms a box"
    hand_over(figures, options.json_file, [table, line])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
