"""Gathers the rows that the judge is trained on, and the ones that it is measured by."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groat.errors import BadInput
from groat.judge.encoder import Encoder
from training.frames import frame_rows
from training.mine import mined_rows
from training.neighbours import neighbour_rows
from training.perturb import perturbed_rows
from training.relevance import relevance_rows
from training.rows import Row, read_rows, write_rows
from training.sources import (
    OPEN,
    PAIRS,
    STREAMS,
    UNSEEN,
    Split,
    StreamRow,
    portion,
    read_contexts,
    read_pairs,
    read_stream,
    split,
)
from training.support import passage_claims, support_rows
from training.written import written_rows

Licence = Literal["all", "open"]
CLUSTERS = ("qqp-en", "lcqmc-zh", "bq-zh")
"""Streams whose answer ids are groups of equal questions."""
PASSAGES = ("hotpot", "2wiki", "musique", "nq", "xquad_en", "xquad_zh", "xquad_zh2en", "cmrc")
"""Sources whose sentences claims are made of. RGB may only be measured with, DuReader's pages are too rough."""
SHARES = {
    "qqp-en": 0.12, "lcqmc-zh": 0.10, "bq-zh": 0.07, "atec-zh": 0.07, "oppo-zh": 0.04, "frames": 0.05, "perturbed": 0.08,
    "mined": 0.04, "neighbours": 0.14, "answers": 0.07, "supports": 0.05, "passages": 0.05, "written": 0.26,
}  # fmt: skip
"""Of each pool in every chunk."""
_GENERATED = {
    "frames": 150_000,
    "perturbed": 80_000,
    "mined": 40_000,
    "neighbours": 60_000,
    "supports": 14_000,
    "passages": 40_000,
}
"""Rows of each generated pool."""
HELD_GROUPS = 0.12
"""Share of the groups of sentences and passages that is only measured on."""
_MEASURED_PER_SOURCE = 120
_TEXTS_AT_ONCE, _MOST_TOKENS = 64, 512


def with_labelled(share: float) -> dict[str, float]:
    """Return the shares with so much of labelled pairs, 0 to 1, and the others as they stand to each other."""
    if not 0 <= share <= 1:
        raise BadInput(f"the share of labelled pairs must lie between 0 and 1, not at {share}")
    labelled = sum(SHARES[name] for name in PAIRS)
    rest = sum(SHARES.values()) - labelled
    return {name: part * (share / labelled if name in PAIRS else (1 - share) / rest) for name, part in SHARES.items()}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What to train on and what to measure by."""

    pools: Mapping[str, Sequence[Row]]
    held: Mapping[str, Sequence[Row]]
    """Never trained on. Of the sources in ``UNSEEN`` nothing at all is."""

    def curve(self) -> dict[str, list[Row]]:
        """Return the slices whose AUC is measured while training goes on."""
        chance = random.Random(0)
        return {name: chance.sample(list(rows), min(_MEASURED_PER_SOURCE, len(rows))) for name, rows in self.held.items()}


def gather(data: Path, kept: Path, *, licence: Licence, everything: bool, seed: int, tell: Callable[[str], None]) -> Rows:
    """Read the sources and generate the rest, about 5 minutes; what was generated once is read from ``kept``.

    Args:
        data: folder with ``cache`` and ``compress``.
        kept: for the generated rows; empty it when the data change.
        licence: ``open`` leaves out every source that does not plainly allow it.
        everything: train on the held-out rows too, except those of ``UNSEEN``; then nothing measures the result.
        seed: decides what is generated.
        tell: gets a line about the progress.

    Raises:
        BadInput: a source is not there or damaged.
    """
    pairs = {name: read_pairs(data / "cache", name) for name in PAIRS}
    streams = {name: read_stream(data / "cache", name) for name in STREAMS}
    chosen = split(pairs, [row for name in CLUSTERS for row in streams[name]])
    kept.mkdir(parents=True, exist_ok=True)
    pools: dict[str, list[Row]] = {
        name: [row for row in rows if not chosen.holds(row.a, row.b)] for name, rows in pairs.items()
    }
    held = {name: [row for row in rows if chosen.holds(row.a, row.b)] for name, rows in pairs.items()}
    for name, make in _makers(data, pairs, streams, chosen, seed).items():
        made = _kept(kept / f"{name}-{seed}.jsonl", make)
        if name in ("answers", "supports", "passages", "written"):
            held[name] = [row for row in made if portion(row.group) < HELD_GROUPS]
            made = [row for row in made if portion(row.group) >= HELD_GROUPS]
        elif name != "frames":
            if name == "neighbours":
                held[name] = [row for row in made if chosen.holds(row.a, row.b)]
            made = [row for row in made if not chosen.holds(row.a, row.b)]
        pools[name] = made
        tell(f"{name}: {len(made):,} rows")
    if everything:
        pools = {name: [*rows, *held.get(name, [])] for name, rows in pools.items()}
    if licence == "open":
        pools = {name: [row for row in rows if row.open_licence] for name, rows in pools.items()}
    held |= {name: read_pairs(data / "cache", name) for name in UNSEEN}
    return Rows(pools=pools, held=held)


def _makers(
    data: Path,
    pairs: Mapping[str, Sequence[Row]],
    streams: Mapping[str, Sequence[StreamRow]],
    chosen: Split,
    seed: int,
) -> dict[str, Callable[[], Iterable[Row]]]:
    """Return how each generated pool is made."""
    trained = [row for rows in pairs.values() for row in rows if not chosen.holds(row.a, row.b)]
    texts = [
        (row.query, row.lang, f"{name}:{row.answer_id}", name in OPEN)
        for name, rows in streams.items()
        for row in rows
        if not chosen.holds(row.query)
    ]
    plain = {name.rsplit("-", 1)[0]: rows for name, rows in streams.items()}
    count = _GENERATED
    return {
        "frames": lambda: frame_rows(count["frames"], seed),
        "perturbed": lambda: perturbed_rows(trained, texts, count["perturbed"], seed),
        "mined": lambda: mined_rows(plain, None, count["mined"], seed),
        "answers": lambda: relevance_rows(_contexts(data, [*PASSAGES, "dureader"]), seed),
        "supports": lambda: support_rows(seed, count["supports"]),
        "neighbours": lambda: neighbour_rows({name: streams[name] for name in CLUSTERS}, _vectors, count["neighbours"], seed),
        "written": lambda: written_rows(seed),
        "passages": lambda: passage_claims(_contexts(data, PASSAGES), seed, count["passages"]),
    }


def _vectors(texts: Sequence[str]) -> NDArray[np.float32]:
    encoder = Encoder()
    parts = [texts[start : start + _TEXTS_AT_ONCE] for start in range(0, len(texts), _TEXTS_AT_ONCE)]
    return np.concatenate([encoder.vectors(encoder.states(part, prefix="query: ", most_tokens=_MOST_TOKENS)) for part in parts])


def _kept(file: Path, make: Callable[[], Iterable[Row]]) -> list[Row]:
    if not file.exists():
        part = file.with_suffix(".part")
        write_rows(make(), part)
        part.replace(file)
    return list(read_rows(file))


def _contexts(data: Path, names: Sequence[str]) -> list[Mapping[str, Any]]:
    return [row for name in names for row in read_contexts(data / "compress", name)]
