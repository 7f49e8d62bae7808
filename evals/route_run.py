"""Read, look at and judge files of router rows, for the measurements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.sparse import vstack

from evals.route_judging import Judged, by_artifact, by_fitting, embedded, stripped
from evals.vectors import VectorFile
from groat.embedding import Embedder
from groat.errors import BadInput
from groat.routing.artifact import RouterArtifact
from groat.routing.fit_linear import Rows
from groat.routing.rows import read_labelled


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to judge, by what, and in which variant."""

    data: Sequence[Path]
    fit: Sequence[Path] = ()
    """Files to fit on; empty: the artifact judges."""
    artifact: Path | None = None
    """None for the shipped one."""
    without: frozenset[str] = frozenset()
    """Domains left out of what is judged."""
    with_domain: bool = False
    split_domain: bool = False
    stripped: bool = False


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One file with what the router said of its rows."""

    path: Path
    rows: Rows
    judged: Judged
    seen: int
    """Rows whose question the artifact was fitted on."""


async def run(
    request: Request, embedder: Embedder, vectors: Path, on_bad: Callable[[str], None] | None = None
) -> tuple[list[Judgement], Rows | None]:
    """Return the judged files, and the rows that were fitted on.

    Args:
        request: what to do.
        embedder: gives the questions' vectors.
        vectors: folder where vectors are kept between measurements.
        on_bad: is told of each broken row, which is then left out; None stops at the first.

    Raises:
        BadInput: a file or a row is broken, nothing is left to judge, or there is too little to fit on.
    """
    paths = list(dict.fromkeys(request.data))
    read = {path: read_labelled(path, on_bad) for path in dict.fromkeys([*paths, *request.fit])}
    shown = {path: [row for row in read[path] if row.domain not in request.without] for path in paths}
    if empty := [str(path) for path, rows in shown.items() if not rows]:
        raise BadInput(f"nothing is left of {', '.join(empty)}; leave out fewer domains")
    if request.stripped:
        shown = {path: stripped(rows) for path, rows in shown.items()}
    fitted = [row for path in dict.fromkeys(request.fit) for row in read[path]]
    kept = VectorFile(embedder, vectors)
    try:
        looked = {
            path: Rows.of(rows, await embedded(rows, kept), domains=request.with_domain) for path, rows in shown.items()
        }  # fmt: skip
        fit_rows = Rows.of(fitted, await embedded(fitted, kept), domains=request.with_domain) if fitted else None
    finally:
        kept.save()
    return _judgements(request, looked, fit_rows, embedder.name), fit_rows


def _judgements(request: Request, looked: dict[Path, Rows], fit_rows: Rows | None, embedder: str) -> list[Judgement]:
    if fit_rows is None:
        artifact = RouterArtifact.load(request.artifact)
        if artifact.embedder != embedder:
            raise BadInput(f"the artifact was fitted on vectors of {artifact.embedder}, not of {embedder}; fit it again")
        return [
            Judgement(path=path, rows=rows, judged=by_artifact(rows, artifact), seen=_seen(rows, artifact))
            for path, rows in looked.items()
        ]
    # All files together, so that the heads of each fold are fitted once.
    everything = joined(list(looked.values()))
    judged = by_fitting(everything, fit_rows, split_domain=request.split_domain)
    found, begun = [], 0
    for path, rows in looked.items():
        here = slice(begun, begun + len(rows))
        begun += len(rows)
        mine = replace(
            judged,
            gain=judged.gain[here],
            p_cheap=judged.p_cheap[here],
            p_expensive=judged.p_expensive[here],
            known=judged.known[here],
        )
        found.append(Judgement(path=path, rows=rows, judged=mine, seen=0))
    return found


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several as one."""
    return Rows(
        labelled=[row for part in parts for row in part.labelled],
        words=vstack([part.words for part in parts]).tocsr(),
        runs=vstack([part.runs for part in parts]).tocsr(),
        surface=np.vstack([part.surface for part in parts]),
        vectors=np.vstack([part.vectors for part in parts]),
        domains=np.concatenate([part.domains for part in parts]),
    )


def _seen(rows: Rows, artifact: RouterArtifact) -> int:
    hashes = np.array([int(question, 16) for question in rows.questions], dtype=np.uint64)
    return int(np.isin(hashes, artifact.seen).sum())
