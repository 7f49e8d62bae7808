"""Show what carries the router's decisions, and where they go wrong on the help centre's questions.

python -m evals.route_examples [--data FILE...] [--vectors FOLDER]

Each question is judged by heads that did not see it. With ``--data`` the heads learn from these rows too, as the shipped did.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.sparse import csr_matrix

from evals.fit_router import labelled, on_one_scale
from evals.route_judging import embedded
from evals.vectors import VectorFile
from groat.embedding.bundled import BundledEmbedder
from groat.routing.features import NAMES, cues
from groat.routing.fit import fold_numbers, left_out
from groat.routing.fit_heads import heads
from groat.routing.fit_linear import Rows
from groat.routing.heads import LINEAR, TOPICS, TREES, Heads, Numbers, with_subject
from groat.routing.rows import read_labelled

_SHOWN = 10
_SEED = 7


async def main(arguments: Sequence[str]) -> None:
    """Fit, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="router rows, .jsonl or .jsonl.gz")
    parser.add_argument("--vectors", type=Path, default=Path(tempfile.gettempdir()) / "groat-vectors", help="kept vectors")
    options = parser.parse_args(arguments)
    embedder = VectorFile(BundledEmbedder(), options.vectors)
    try:
        own = await labelled(embedder)
        known = [*own, *(row for path in options.data for row in on_one_scale(read_labelled(path)))]
        rows = Rows.of(known, await embedded(known, embedder))
    finally:
        embedder.save()
    apart = left_out(rows, fold_numbers(rows, _SEED))
    out = Console(soft_wrap=not sys.stdout.isatty())
    out.print(_carried(rows, heads(rows)))
    out.print(_wrong(rows.take(np.arange(len(own))), (apart[:, 1] - apart[:, 0])[: len(own)]))


def _carried(rows: Rows, fitted: Heads) -> Table:
    """Return how much of what moves the expected gain comes from where: standard deviations of the parts."""
    table = Table("part", "moves the gain by", box=None)
    for name, part in sorted(parts(rows, fitted).items(), key=lambda one: -one[1]):
        table.add_row(name, f"{part:.4f}")
    return table


def parts(rows: Rows, fitted: Heads) -> dict[str, float]:
    """Return the standard deviation, over the rows, of what each estimator and each surface feature adds to the gain."""
    linear, subject = fitted.linear, fitted.topics.expected(rows.vectors, rows.domains)
    grown = fitted.trees.expected(with_subject(rows.surface, subject), rows.vectors)
    weight = LINEAR * (linear.surface_weights[:, 1] - linear.surface_weights[:, 0])
    seen = np.clip((rows.surface - linear.mean) / linear.scale, -4, 4) * weight
    moved = {
        "trees": float(np.std(TREES * (grown[:, 1] - grown[:, 0]))),
        "subject": float(np.std(TOPICS * (subject[:, 1] - subject[:, 0]))),
        "vector, linear": float(np.std(LINEAR * _gain((rows.vectors - linear.centre) @ linear.vector_weights))),
        "words and pairs": _spread(rows.words, linear.word_idf, linear.word_weights),
        "runs of characters": _spread(rows.runs, linear.run_idf, linear.run_weights),
    }
    strongest = np.argsort(-seen.std(axis=0))[:_SHOWN]
    return moved | {f"surface: {NAMES[place]}": float(seen[:, place].std()) for place in strongest}


def _spread(counts: csr_matrix, idf: Numbers, weights: Numbers) -> float:
    valued = counts.multiply(idf[None, :]).tocsr()
    length = np.sqrt(np.asarray(valued.multiply(valued).sum(axis=1)).ravel())
    return float(np.std(LINEAR * _gain(valued @ weights) / np.maximum(length, 1e-12)))


def _gain(both: Numbers) -> Numbers:
    return np.asarray(both[:, 1] - both[:, 0], dtype=np.float64)


def _wrong(rows: Rows, gain: Numbers) -> Table:
    """Return the questions that looked easiest and were not, and those that looked hardest and were easy, half of each."""
    table = Table("lang", "looked", "question", "rank", "cues", box=None)
    rank = np.argsort(np.argsort(gain)) / max(len(gain) - 1, 1)
    lacking = rows.quality[:, 0] < rows.quality[:, 1]
    easy = [place for place in np.argsort(gain) if lacking[place]][: _SHOWN // 2]
    hard = [place for place in np.argsort(-gain) if not lacking[place]][: _SHOWN // 2]
    for looked, places in (("easy", easy), ("hard", hard)):
        for place in places:
            row = rows.labelled[place]
            table.add_row(row.language, looked, row.prompt, f"{rank[place]:.2f}", ", ".join(cues(row.prompt)))
    return table


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
