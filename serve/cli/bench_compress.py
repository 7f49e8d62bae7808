"""``groat bench compress``: whether the answer survives, and at how many tokens."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from evals.quick_vectors import QuickEmbedder
from groat.errors import BadInput
from serve.cli.bench_route import VECTORS
from serve.cli.output import JsonOption, console, write_json

if TYPE_CHECKING:
    from evals.compression_figures import Beside, Figures, Report
    from evals.compression_rows import Row

SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave broken rows out and name them.")]
Rows = Annotated[int | None, typer.Option(min=1, help="So many rows of each file and measure, evenly spread; all without it.")]
Words = Annotated[bool, typer.Option("--words", help="Rank by words alone, without vectors.")]
Vectors = Annotated[Path, typer.Option(help="Folder where vectors are kept between measurements.")]


def compress_command(
    data: Annotated[list[Path], typer.Option(help="Rows to judge, .jsonl or .jsonl.gz.")],
    fit: Annotated[list[Path] | None, typer.Option(help="Fit on these files alone; the shipped rule without it.")] = None,
    keep: Annotated[list[float] | None, typer.Option(help="Shares of the tokens to keep, 0 to 1.")] = None,
    max_loss: Annotated[list[float] | None, typer.Option(help="Promised losses, such as 0.01 0.02 0.05.")] = None,
    rows: Rows = None,
    words: Words = False,
    vectors: Vectors = VECTORS,
    anchors: Annotated[bool, typer.Option("--anchors", help="Beside LangChain's own compressors, at as many tokens.")] = False,
    skip_bad: SkipBad = False,
    json_file: JsonOption = None,
) -> None:
    """Shorten the contexts of labelled questions; print how many lost their answer, beside simpler ways at the same share."""
    shares, losses = keep or ([] if max_loss else [0.2]), max_loss or ([] if keep else [0.02])
    if not all(0 < share <= 1 for share in shares) or not all(0 <= loss < 1 for loss in losses):
        raise BadInput(f"--keep takes shares above 0 and at most 1, --max-loss 0 to 1, not {shares} and {losses}")
    if anchors and words:
        raise BadInput("LangChain's compressors rank by vectors; leave --words or --anchors out")
    # Imported here: scikit-learn takes a second to import, and every other command would wait for it.
    from evals.bench_compress import at_anchors, at_losses, at_shares, given
    from evals.compression_anchors import Anchors
    from evals.vectors import VectorFile

    judged = {path.name: read(path, rows, skip_bad, by_gold=True) for path in dict.fromkeys(data)}
    fit_on = [row for path in dict.fromkeys(fit or []) for row in read(path, rows, skip_bad)]
    if not any(judged.values()):
        raise BadInput("no row can be judged: none of the contexts holds its answer")
    embedder = None if words else VectorFile(QuickEmbedder(threads=os.cpu_count() or 1), vectors)
    # Before the work, which takes minutes: packages may be missing.
    others = Anchors(embedder) if anchors and embedder is not None else None
    found, judged_by = asyncio.run(given(judged, fit_on, embedder, datetime.now(UTC).date().isoformat()))
    reports = [*at_shares(found, shares, judged_by), *at_losses(found, losses, judged_by)]
    reports += [] if others is None else asyncio.run(at_anchors(found, others))
    if embedder is not None:
        embedder.save()
    write_json(reports, json_file) if json_file is not None else _print(reports, judged_by)


def read(path: Path, rows: int | None, skip_bad: bool, *, by_gold: bool = False) -> "list[Row]":
    """Return the rows of a file, or so many of them evenly spread."""
    from evals.compression_rows import read_rows, spread

    return spread(list(read_rows(path, _told if skip_bad else None, by_gold=by_gold)), rows)


def _told(message: str) -> None:
    typer.echo(f"left out: {message}", err=True)


def _print(reports: "Sequence[Report]", judged_by: str) -> None:
    out = console()
    table = Table("file", "lang", "setting", "method", "rows", "kept", "answers kept", "lost", "95 %", "gold", "ms", box=None)
    beside = Table("file", "lang", "setting", "method", "rows", "kept", "answers", "groat kept", "answers", "ahead", "95 %",
                   box=None)  # fmt: skip
    for one in reports:
        name = f"{one['name']} (by gold)" if one["measured_by"] == "gold" else one["name"]
        parts = [(one["setting"], one)] if len(one["by_kind"]) < 2 else [(one["setting"], one), *one["by_kind"].items()]
        for number, (called, part) in enumerate(parts):
            start = (name, one["lang"], called, one["method"]) if number == 0 else ("", "", called, "")
            table.add_row(*start, *_alone(part))
            if part["groat"] is not None:
                beside.add_row(*start, *_together(part, part["groat"]))
    out.print(table)
    if beside.row_count:
        out.print("\ngroat on the same rows at the same tokens")
        out.print(beside)
    out.print(f"groat judged by: {judged_by}", markup=False)


def _alone(part: "Figures") -> list[str]:
    return [
        str(part["n"]),
        f"{part['kept']:.1%}",
        f"{part['retention']:.1%}",
        f"{part['lost']:.1%}",
        " to ".join(f"{end:.1%}" for end in part["lost_ci"]),
        "-" if part["gold_recall"] is None else f"{part['gold_recall']:.1%}",
        f"{part['ms_p50']:.1f}",
    ]


def _together(part: "Figures", groat: "Beside") -> list[str]:
    return [
        str(part["n"]),
        f"{part['kept']:.1%}",
        f"{part['retention']:.1%}",
        f"{groat['kept']:.1%}",
        f"{groat['retention']:.1%}",
        f"{100 * groat['ahead']:+.1f}",
        " to ".join(f"{100 * end:+.1f}" for end in groat["ahead_ci"]),
    ]
