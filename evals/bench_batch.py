"""Memory and speed of a batch apart from the graph: any number of rows through a stand-in that answers at once.

python -m evals.bench_batch [--rows 1000000] [--json FILE]
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from evals.report import add_json_option, hand_over
from groat.batch import Answered, Results, Row, read_rows, run

_AT_ONCE = 16


class Stand:
    """Answers every row with its own question."""

    async def ask(self, row: Row) -> Answered:
        """Answer at once."""
        await asyncio.sleep(0)
        return Answered(
            answer=row.question, verified=True, hit=None, tier="cheap", sources=[], path=["answer_cheap"], cost_usd="0.000001",
            baseline_cost_usd="0.00001", latency_ms=0.0, run=row.digest,
        )  # fmt: skip

    async def forget(self, row: Row) -> None:
        """Keep nothing."""


async def measure(folder: Path, rows: int) -> dict[str, float]:
    """Return rows, seconds, and the largest resident memory in MB at the first tenth and at the end."""
    source, out = folder / "in.jsonl", folder / "out.jsonl"
    with source.open("w", encoding="utf-8") as file:
        for number in range(rows):
            file.write(f'{{"id": {number}, "question": "How long is link {number} valid? 链接 {number} 的有效期是多久？"}}\n')
    early = 0.0
    results = Results(out, resume=False)

    def step(row: object, tally: object) -> None:
        nonlocal early
        if results.tally.rows == rows // 10:
            early = _resident_mb()

    begun = time.perf_counter()
    await run(read_rows(str(source)), Stand(), results, at_once=_AT_ONCE, stop=asyncio.Event(), step=step)
    seconds = time.perf_counter() - begun
    results.close()
    return {
        "rows": results.tally.done, "seconds": round(seconds, 1), "rows_per_s": round(rows / seconds),
        "mb_at_a_tenth": round(early, 1), "mb_at_the_end": round(_resident_mb(), 1),
    }  # fmt: skip


def _resident_mb() -> float:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1024 * 1024 if sys.platform == "darwin" else 1024)


def main(arguments: Sequence[str]) -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), options.rows))
    hand_over(found, options.json_file, [f"{name:15} {value:,}" for name, value in found.items()])


if __name__ == "__main__":
    main(sys.argv[1:])
