"""Options that the commands about single compressed rows share."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from evals.bench_compress import Given, given
from evals.compression_rows import read_rows, spread
from evals.quick_vectors import QuickEmbedder
from evals.report import add_json_option
from evals.vectors import VectorFile
from groat.errors import BadInput


def options_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options: rows, what to fit on, vectors, JSON."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", type=Path, required=True, help="rows to look at, .jsonl or .jsonl.gz")
    parser.add_argument("--fit", nargs="*", type=Path, default=[], help="fit on these files; the shipped rule without it")
    parser.add_argument("--rows", type=int, help="so many rows of each file, evenly spread; all without it")
    parser.add_argument("--words", action="store_true", help="rank by words alone, without vectors")
    parser.add_argument("--vectors", type=Path, required=True, help="folder where vectors are kept between measurements")
    add_json_option(parser)
    return parser


async def chosen(options: argparse.Namespace) -> tuple[list[Given], str]:
    """Return the rows that the options name, each with its vectors and a rule that has not seen it, and the rule's origin.

    Raises:
        BadInput: a file cannot be read, or none of its rows can be judged.
    """
    judged = {path.name: spread(list(read_rows(path)), options.rows) for path in options.data}
    fit_on = [row for path in options.fit for row in spread(list(read_rows(path)), options.rows)]
    if not any(judged.values()):
        raise BadInput("no row can be judged: none of the contexts holds its answer")
    embedder = None if options.words else VectorFile(QuickEmbedder(threads=os.cpu_count() or 1), options.vectors)
    found = await given(judged, fit_on, embedder, datetime.now(UTC).date().isoformat())
    if embedder is not None:
        embedder.save()
    return found
