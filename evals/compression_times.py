"""Say where the processor time of shortening goes, part by part.

python -m evals.compression_times --data FILE... --vectors FOLDER [--rows N] [--words] [--json FILE]
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Final, TypeVar

from rich.table import Table
from typing_extensions import TypedDict

from evals.bench_compress import Given
from evals.compression_options import chosen, options_of
from evals.report import hand_over
from groat.compression.compressor import fitting
from groat.compression.context import Context
from groat.compression.evidence import evidence
from groat.compression.selection import subset, tokens_of
from groat.text import sentence_spans

PARTS: Final = ("splitting", "taking apart", "evidence", "second look", "risk", "selection", "tokens", "whole")
"""Splitting happens at the ingest, for passages from elsewhere at every question. Taking apart gives the words and tokens of
each sentence and the cosines; the second look holds the weights of both looks; selection counts tokens until the budget is
kept; tokens are those of the context before and after. The whole leaves splitting out."""
_LOSS = 0.02
_T = TypeVar("_T")


class Times(TypedDict):
    """Processor time of one part, for the contexts of one language."""

    lang: str
    part: str
    contexts: int
    tokens: float
    """Mean of a context."""
    ms_p50: float
    ms_mean: float


def times_of(rows: Sequence[Given]) -> list[Times]:
    """Return what each part takes; each context once, as a question meets it, after one that opens what is opened once."""
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    sizes: dict[str, list[int]] = defaultdict(list)
    for one in rows[:1]:
        _parts(one)
    for one in rows:
        parts = _parts(one)
        sizes[one.row.language].append(tokens_of(one.row.passages))
        for part in PARTS:
            spent[one.row.language, part].append(parts[part] * 1000)
    return [
        {
            "lang": language,
            "part": part,
            "contexts": len(ms),
            "tokens": round(fmean(sizes[language]), 1),
            "ms_p50": round(median(ms), 2),
            "ms_mean": round(fmean(ms), 2),
        }
        for (language, part), ms in sorted(spent.items(), key=lambda item: (item[0][0], PARTS.index(item[0][1])))
    ]


def _parts(one: Given) -> dict[str, float]:
    row, spent = one.row, dict.fromkeys(PARTS, 0.0)

    def timed(part: str, work: Callable[[], _T]) -> _T:
        begun = time.process_time()
        done = work()
        spent[part] += time.process_time() - begun
        return done

    timed("splitting", lambda: [sentence_spans(passage["text"]) for passage in row.passages])
    before = timed("tokens", lambda: tokens_of(row.passages))
    context = timed(
        "taking apart", lambda: Context.take_apart(row.question, row.language, row.passages, one.question, one.matrices)
    )
    timed("evidence", lambda: evidence(context))
    order = timed("second look", lambda: one.stop.order(context))
    # The order computes the evidence itself.
    spent["second look"] = max(spent["second look"] - spent["evidence"], 0.0)
    share = timed("risk", lambda: one.stop.needed(order, population="foreign", tier="expensive", max_loss=_LOSS))
    kept = timed("selection", lambda: fitting(context, order.best_first, int((1.0 if share is None else share) * before)))
    timed("tokens", lambda: tokens_of([subset(passage, kept[i]) for i, passage in enumerate(row.passages) if kept[i]]))
    return {**spent, "whole": sum(spent.values()) - spent["splitting"]}


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    options = options_of(__doc__).parse_args(arguments)
    rows, _ = asyncio.run(chosen(options))
    found = times_of(rows)
    table = Table("lang", "part", "contexts", "tokens each", "p50 ms", "mean ms", box=None)
    for one in found:
        table.add_row(
            one["lang"],
            one["part"],
            str(one["contexts"]),
            f"{one['tokens']:.0f}",
            f"{one['ms_p50']:.2f}",
            f"{one['ms_mean']:.2f}",
        )
    hand_over(found, options.json_file, [table])


if __name__ == "__main__":
    main(sys.argv[1:])
