"""Bring together what a router is to learn from: files, a data set, records."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from groat.routing.estimator import Sight
from groat.routing.langsmith_rows import read_dataset
from groat.routing.look import learnable
from groat.routing.records import Outcome
from groat.routing.rows import Known, Labelled, read_labelled


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Labelled questions, with texts and without."""

    written: list[Labelled]
    """From files and data sets: with their texts."""
    recorded: list[Labelled] = field(default_factory=list)
    """From records."""
    seen: list[Sight] = field(default_factory=list)
    """What the router saw of each of ``recorded``."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Why rows were left out, and how many."""


def gathered(
    files: Sequence[Path] = (),
    *,
    dataset: str = "",
    outcomes: Sequence[Outcome] | None = None,
    embedder: str,
    skip_bad: bool,
    ignore: Collection[str] = (),
    tell: Callable[[str], None],
) -> Gathered:
    """Read everything; a question that two sources label differently for the same models is an error like a broken row.

    Weights of records are scaled to one on average, so that beside written rows a record counts as one row.

    Args:
        files: of rows.
        dataset: name of a data set of LangSmith; empty for none.
        outcomes: of audits; None for none.
        embedder: name of the embedder in use.
        skip_bad: leave broken rows out in place of stopping at the first.
        ignore: fields that rows may have though they mean nothing here.
        tell: gets one sentence for each row that is left out.

    Raises:
        BadInput: something cannot be read, or a row is broken.
        SettingsError: LangSmith cannot be asked.
    """
    left_out: Counter[str] = Counter()
    known: Known = {}
    written: list[Labelled] = []

    def leave_out(message: str) -> None:
        tell(message)
        left_out["broken or contradicting another"] += 1

    on_bad = leave_out if skip_bad else None
    for path in dict.fromkeys(files):
        written += read_labelled(path, on_bad, strict=True, ignore=ignore, known=known)
    if dataset:
        written += read_dataset(dataset, on_bad=on_bad, ignore=ignore, known=known)
    recorded, seen, why = learnable(outcomes or (), embedder=embedder)
    left_out.update(why)
    if recorded:
        mean = sum(row.weight for row in recorded) / len(recorded)
        recorded = [replace(row, weight=row.weight / mean) for row in recorded]
    return Gathered(written=written, recorded=recorded, seen=seen, left_out=left_out)
