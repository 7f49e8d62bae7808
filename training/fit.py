"""Goes on training shipped weights with one's own rows; keeps the result only when it is better and forgot nothing."""

import contextlib
import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from groat.errors import BadInput
from groat.judge.artifact import HEADS, JudgeArtifact, Weights, save
from groat.judge.e5 import E5File
from groat.judge.encoder import Encoder
from groat.judge.joint import JointLayers
from training.compare import Compared, compare
from training.export import graph_of, joint_of
from training.known_rows import Known, known_rows
from training.own_rows import OwnRows, digest, parts, read_own
from training.rescale import moved
from training.rows import Head, Row
from training.states import StateStore
from training.tune import Tuning, tune

WORST_DROP = 0.005
"""An area under the ROC curve that fell by more than this, and surely fell, is worse."""
_PAIRS_A_SECOND = 15
"""On one slow core, with their states."""
_BESIDE_MIN = 1.5
"""For making the old rows and for measuring."""
_LEAST_PAIRS, _ROUNDS = 400, 6
"""However short the time; and how often one's own rows are gone through when there is time enough."""
_REPLAYED = {"frames": 0.6, "answers": 0.2, "supports": 0.2}
"""Shares among the old rows."""
_TYPICAL = 400
"""Rows that say how large the numbers between the layers become."""
_FITTED = ", fitted"
_OWN = "own rows"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to fit, from what, and how long."""

    head: Head = "same"
    weights: Weights | Path = "all"
    minutes: float = 5.0
    """About; what is done depends on this number alone, not on the clock, so that a seed gives the same weights again."""
    seed: int = 0
    tuning: Tuning | None = None
    """Instead of ``minutes``."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of it."""

    version: str | None
    """Of the weights that were written; None when none were."""
    refusal: str | None
    """Why none were written."""
    parent: str
    """Version of the weights that it began with."""
    rows: Mapping[str, int]
    """Used to fit, used to check, and left out."""
    left_out: Mapping[str, int]
    """Why -> how many rows."""
    figures: Mapping[str, Compared]
    """``own rows`` are the rows to check by; the others show what the shipped weights knew."""
    notes: tuple[str, ...] = field(default=())


def fit(files: Sequence[Path], out: Path, wish: Wish, tell: Callable[[str], None], *, known: Known | None = None) -> Outcome:
    """Fit shipped weights to one's own rows, and write them to a folder if they are better.

    Args:
        files: JSON lines with the fields a, b, and same or label.
        out: folder for the weights, as ``GROAT_JUDGE`` wants it.
        wish: what to fit, from what, and how long.
        tell: gets a line about the progress now and then; never a text of the rows.
        known: rows that show what the shipped weights know; made from the seed without it.

    Raises:
        BadInput: the rows cannot be used, or there cannot be such a folder.
        ArtifactError: the shipped weights are damaged.
        JudgeUnavailable: onnxruntime or the bundled embedder is missing.
    """
    own = read_own(files, wish.head)
    rows, check = parts(own.rows, random.Random(wish.seed))
    parent = JudgeArtifact.load(wish.weights)
    with _folder(out):
        tell(f"{len(rows)} rows to fit, {len(check)} to check; making rows of what the judge knows")
        known = known or known_rows(wish.seed)
        store = StateStore(Encoder(threads=torch.get_num_threads()))
        graph, tuning = _trained(parent, store, rows, known, wish, tell)
        tell("measuring")
        measured = {_OWN: check, **known.measured}
        old, new = (_logits(each, store, measured) for each in (parent.graph, graph))
        chance = np.random.default_rng(wish.seed)
        figures = {name: compare(_labels(each), old[name], new[name], chance) for name, each in measured.items()}
        outcome = Outcome(
            version=None, refusal=_refusal(figures), parent=parent.version, figures=figures, left_out=own.left_out,
            rows={"fit": len(rows), "check": len(check), "left out": sum(own.left_out.values())}, notes=_notes(figures),
        )  # fmt: skip
        if outcome.refusal:
            return outcome
        version = _write(out, graph, parent, wish, _card(outcome, own, wish, tuning), (new[_OWN], check))
    return Outcome(**{**vars(outcome), "version": version})


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make the folder before the work begins, and take it away again if nothing was written to it."""
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder {folder} cannot be made ({error.strerror}); choose another for --out") from error
    try:
        yield
    finally:
        if new:
            with contextlib.suppress(OSError):  # it is not empty: what was fitted lies there
                folder.rmdir()


def _trained(
    parent: JudgeArtifact, store: StateStore, rows: Sequence[Row], known: Known, wish: Wish, tell: Callable[[str], None]
) -> tuple[bytes, Tuning]:
    tuning = wish.tuning or tuning_for(len(rows), wish.minutes)
    joint = joint_of(parent.graph, E5File())
    replayed = {name: (_REPLAYED[name], each) for name, each in known.replayed.items()}
    tune(joint, store, wish.head, rows, replayed, tuning, wish.seed, tell)
    chance = random.Random(wish.seed)
    pools = [rows, *known.replayed.values()]
    typical = [row for pool in pools for row in chance.sample(list(pool), min(_TYPICAL // len(pools), len(pool)))]
    return graph_of(joint, store, typical), tuning


def tuning_for(rows: int, minutes: float) -> Tuning:
    """Return how many pairs so many rows call for, and fit into the time on a slow core."""
    affordable = int((minutes - _BESIDE_MIN) * 60 * _PAIRS_A_SECOND)
    share = Tuning(pairs=0).replayed
    return Tuning(pairs=max(_LEAST_PAIRS, min(affordable, round(_ROUNDS * rows / (1 - share)))))


def _logits(graph: bytes, store: StateStore, measured: Mapping[str, Sequence[Row]]) -> dict[str, NDArray[np.float64]]:
    """Return the logit of each row's own head, as serving computes it."""
    layers = JointLayers(graph, threads=torch.get_num_threads())
    found = {}
    for name, rows in measured.items():
        store.prepare(rows)
        states = [(a.astype(np.float32), b.astype(np.float32)) for a, b in map(store.of, rows)]
        columns = [HEADS.index(row.head) for row in rows]
        found[name] = layers.logits(states)[np.arange(len(rows)), columns].astype(np.float64)
    return found


def _labels(rows: Sequence[Row]) -> NDArray[np.bool_]:
    return np.array([row.label > 0.5 for row in rows])


def _refusal(figures: Mapping[str, Compared]) -> str | None:
    worse = [name for name, one in figures.items() if name != _OWN and one.gain < -WORST_DROP and one.high < 0]
    if worse:
        falls = ", ".join(f"{name}: AUC {figures[name].old:.3f} to {figures[name].new:.3f}" for name in worse)
        return (
            f"nothing was written: the new weights forgot what the shipped ones knew ({falls}); look for wrong labels, or fit "
            "for fewer --minutes"
        )
    own = figures[_OWN]
    if own.gain <= 0:
        return (
            f"nothing was written: the new weights are no better on the {own.n} rows set aside (AUC {own.old:.3f} to "
            f"{own.new:.3f}); look for wrong labels, or add rows, and keep the shipped weights until then"
        )
    return None


def _notes(figures: Mapping[str, Compared]) -> tuple[str, ...]:
    own = figures[_OWN]
    if own.gain > 0 >= own.low:
        return (f"the gain on the {own.n} rows set aside may be chance; more rows would tell",)
    return ()


def _card(outcome: Outcome, own: OwnRows, wish: Wish, tuning: Tuning) -> dict[str, object]:
    return {
        "parent": outcome.parent, "head": wish.head, "seed": wish.seed, "tuning": asdict(tuning), "torch": torch.__version__,
        "rows": dict(outcome.rows), "rows_sha256": digest(own.rows),
        "measured": {name: asdict(one) for name, one in outcome.figures.items()},
    }  # fmt: skip


def _write(
    out: Path, graph: bytes, parent: JudgeArtifact, wish: Wish, card: Mapping[str, object],
    checked: tuple[NDArray[np.float64], Sequence[Row]],
) -> str:  # fmt: skip
    scalings: dict[str, object] = {
        head: {tongue: asdict(one) for tongue, one in each.items()} for head, each in parent.scalings.items()
    }
    scalings[wish.head] = moved(parent.scalings[wish.head], *checked)
    name, date = parent.weights.removesuffix(_FITTED) + _FITTED, datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return save(out, weights=name, date=date, graph=graph, scalings=scalings, card=card)
