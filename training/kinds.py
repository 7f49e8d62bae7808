"""What the judge gets wrong, by kind: the heads ``answers`` and ``supports`` on rows that nothing was trained on.

python -m training.kinds --data DATA [--weights all|open|FOLDER] [--rows 2000] [--json FILE]

Generates the rows first (some minutes) unless a run has left them in ``--kept``. For pairs of questions, ``groat judge eval``
tells the same of any file.
"""

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from sklearn.metrics import roc_auc_score

from evals.report import add_json_option, hand_over
from groat.judge import Judge
from training.pools import gather
from training.rows import Row

_POOLS = ("answers", "supports", "passages")
_CUT = 0.5


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="all")
    parser.add_argument("--rows", type=int, default=2000, help="of each pool, at most")
    parser.add_argument("--rows-seed", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path("runs") / "rows", help="folder of the generated rows")
    parser.add_argument("--threads", type=int, default=2)
    add_json_option(parser)
    told = parser.parse_args(arguments)
    judge = Judge.open(told.weights if told.weights in ("all", "open") else Path(told.weights), threads=told.threads)
    held = gather(told.data, told.kept, licence="all", everything=False, seed=told.rows_seed, tell=lambda line: None).held
    found = [one for name in _POOLS for one in of_pool(judge, name, _some(held[name], told.rows))]
    table = Table("rows of", "language", "kind", "rows", "right answer", "judged yes at .5", "AUC")
    for one in found:
        auc = "" if one["auc"] is None else f"{one['auc']:.3f}"
        answer = {1.0: "yes", 0.0: "no"}.get(one["label"], "")
        table.add_row(one["pool"], one["lang"], one["kind"], str(one["n"]), answer, f"{one['yes']:.1%}", auc)
    hand_over({"kinds": found}, told.json_file, [table])


def of_pool(judge: Judge, name: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return, for each language the AUC of all rows, and for each kind the share that is judged with yes."""
    if not rows:
        return []
    p = judge.judge(rows[0].head, [(row.a, row.b) for row in rows]).p
    labels = np.array([row.label for row in rows])
    found: list[dict[str, Any]] = []
    for lang in sorted({row.lang for row in rows}):
        own = np.array([row.lang == lang for row in rows], dtype=bool)
        both = len(set(labels[own].tolist())) > 1
        auc = round(float(roc_auc_score(labels[own] > _CUT, p[own])), 4) if both else None
        found.append(
            {"pool": name, "lang": lang, "kind": "all", "n": int(own.sum()), "label": None, "auc": auc, "yes": _yes(p[own])}
        )
        for kind, label in sorted({(row.kind, row.label) for row in rows if row.lang == lang}):
            part = own & np.array([(row.kind, row.label) == (kind, label) for row in rows], dtype=bool)
            found.append(
                {
                    "pool": name,
                    "lang": lang,
                    "kind": kind,
                    "n": int(part.sum()),
                    "label": label,
                    "auc": None,
                    "yes": _yes(p[part]),
                }
            )
    return found


def _yes(p: NDArray[np.float64]) -> float:
    return round(float((p >= _CUT).mean()), 4)


def _some(rows: Sequence[Row], most: int) -> list[Row]:
    return random.Random(0).sample(list(rows), min(most, len(rows)))


if __name__ == "__main__":
    main(sys.argv[1:])
