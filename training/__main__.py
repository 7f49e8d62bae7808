"""Train the judge: gather rows, train, write the weights that groat serves, measure them.

python -m training --data DATA [--weights all|open] [--pairs 400000] [--seed 1] [--threads 2] [--run FOLDER] [--out FOLDER]

Goes on where it was stopped: rows, checkpoints and the curve lie in the run's folder.
"""

import argparse
import datetime
import hashlib
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from groat.errors import BadInput, GroatError
from groat.judge.artifact import save
from groat.judge.e5 import E5File
from groat.judge.encoder import Encoder
from groat.judge.joint import JointLayers
from training.calibrate import fit_scalings
from training.export import graph_of, joint_of
from training.loop import Plan, Trainer
from training.model import from_e5
from training.pools import SHARES, Rows, gather, with_labelled
from training.rows import HEADS, Row
from training.sources import UNSEEN
from training.states import StateStore

_TYPICAL = 400
"""Rows that say how large the numbers between the layers become."""
_MOST_PER_SOURCE = 600
"""Rows of a source that calibrate and measure."""
_SHIPPED = Path(__file__).resolve().parent.parent / "groat" / "judge" / "weights"


def main(arguments: Sequence[str]) -> None:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cache/ and compress/")
    parser.add_argument("--weights", choices=("all", "open"), default="all", help="open: only sources that plainly allow it")
    parser.add_argument("--everything", action="store_true", help="train on the held-out rows too; nothing is measured then")
    parser.add_argument("--pairs", type=int, default=400_000, help="pairs in all, about 20 a second on one core")
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate of the layers at its peak")
    parser.add_argument("--labelled", type=float, help="share of labelled pairs, 0 to 1; about a half without it")
    parser.add_argument("--seed", type=int, default=1, help="of the training: what is drawn when, what is dropped out")
    parser.add_argument("--rows-seed", type=int, default=1, help="of the generated rows")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--run", type=Path, help="folder of the run; runs/judge-WEIGHTS-SEED without it")
    parser.add_argument("--start", type=Path, help="a judge.onnx to go on from; E5's own layers without it")
    parser.add_argument("--out", type=Path, help="folder for the weights; those that groat ships without it")
    told = parser.parse_args(arguments)
    torch.set_num_threads(told.threads)
    folder = told.run or Path("runs") / f"judge-{told.weights}-{told.seed}"
    rows = gather(
        told.data, folder.parent / "rows", licence=told.weights, everything=told.everything, seed=told.rows_seed, tell=_tell
    )
    store = StateStore(Encoder(threads=told.threads))
    shares = SHARES if told.labelled is None else with_labelled(told.labelled)
    plan = Plan(pools=rows.pools, shares=shares, pairs=told.pairs, rate=told.rate, seed=told.seed)
    joint = joint_of(_read(told.start), E5File()) if told.start else from_e5(E5File())
    Trainer(joint, store, plan, folder, _tell).run(rows.curve())
    typical = random.Random(told.seed).sample([row for each in rows.held.values() for row in each], _TYPICAL)
    graph = graph_of(joint, store, typical)
    card = {
        "pairs": told.pairs, "start": hashlib.sha256(_read(told.start)).hexdigest() if told.start else "E5", "seed": told.seed,
        "rows_seed": told.rows_seed, "rate": told.rate, "labelled": told.labelled,
        "everything": told.everything, "torch": torch.__version__,
        "rows": {name: len(pool) for name, pool in rows.pools.items() if pool},
    }  # fmt: skip
    write(told.out or _SHIPPED / told.weights, told.weights, graph, rows, store, card)


def write(
    folder: Path, weights: str, graph: bytes, rows: Rows, store: StateStore, card: Mapping[str, object]
) -> dict[str, float]:
    """Calibrate the graph on the held-out rows, write it with its card, and return its AUC for each source.

    The sources that nothing was trained on are measured, but calibrate nothing.
    """
    chance = random.Random(0)
    held = {name: chance.sample(list(each), min(_MOST_PER_SOURCE, len(each))) for name, each in rows.held.items()}
    layers = JointLayers(graph, threads=torch.get_num_threads())
    logits = {name: _logits(layers, store, each) for name, each in held.items()}
    aucs = {name: round(float(roc_auc_score([row.label > 0.5 for row in held[name]], logits[name])), 4) for name in held}
    known = [name for name in held if name not in UNSEEN]
    scalings = fit_scalings(np.concatenate([logits[name] for name in known]), [row for name in known for row in held[name]])
    measured = {name: {"n": len(rows), "auc": aucs[name], **_by_language(rows, logits[name])} for name, rows in held.items()}
    version = save(
        folder, weights=weights, date=datetime.datetime.now(tz=datetime.UTC).date().isoformat(), graph=graph,
        scalings=scalings, card={**card, "measured": measured},
    )  # fmt: skip
    _tell(f"{folder}: version {version}, {len(graph) / 1e6:.1f} MB")
    _tell("AUC in 8 bits: " + ", ".join(f"{name} {auc:.3f}" for name, auc in aucs.items()))
    return aucs


def _by_language(rows: Sequence[Row], logits: NDArray[np.float64]) -> dict[str, float]:
    """Return language -> AUC where there are several, and rows of both labels in it."""
    found = {}
    for lang in sorted({row.lang for row in rows}) if len({row.lang for row in rows}) > 1 else ():
        own = [place for place, row in enumerate(rows) if row.lang == lang]
        if len({rows[place].label for place in own}) > 1:
            found[lang] = round(float(roc_auc_score([rows[place].label > 0.5 for place in own], logits[own])), 4)
    return found


def _logits(layers: JointLayers, store: StateStore, rows: Sequence[Row]) -> NDArray[np.float64]:
    store.prepare(rows)
    pairs = [tuple(side.astype(np.float32) for side in store.of(row)) for row in rows]
    told = layers.logits([(pair[0], pair[1]) for pair in pairs])
    return np.array([line[HEADS.index(row.head)] for line, row in zip(told, rows, strict=True)], dtype=np.float64)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); name the judge.onnx to go on from") from error


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except GroatError as error:
        sys.exit(str(error))
