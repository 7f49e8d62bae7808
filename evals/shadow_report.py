"""What a new configuration said to live questions beside the running one, as two experiments that can be compared."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evals.experiments import Experiment, Scored
from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong


def read_shadows(path: Path, on_bad: Callable[[str], None] | None = None) -> tuple[Experiment, Experiment]:
    """Return the running configuration and the new one on the same questions, for ``experiment_report.comparisons``.

    Nobody knows the right answers: the scores are ``verified`` (validation accepted it), ``cheap_path``, ``cost_usd`` and
    ``latency_ms``. Which answer is better is for a judge that does not know whose they are
    (``blind_judge``), where texts are kept.

    Args:
        path: ``shadow.jsonl`` in the folder of data.
        on_bad: is told of each broken row, which is then left out; None: the first one ends it.

    Raises:
        BadInput: the file cannot be read, holds nothing, or a row is broken and ``on_bad`` is None.
    """
    running: list[Scored] = []
    new: list[Scored] = []
    digest = hashlib.sha256()
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            first, second = _scored(row, row["running"]), _scored(row, row["new"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            told = f"{path}, line {number}: {what_is_wrong(error)}"
            if on_bad is None:
                raise BadInput(f"{told}; remove the line, or leave such lines out with --skip-bad") from error
            on_bad(told)
            continue
        running.append(first)
        new.append(second)
        digest.update(first["id"].encode())
    if not running:
        raise BadInput(f"{path} holds no comparison yet; set GROAT_SHADOW_CONFIG and GROAT_SHADOW_SHARE")
    told_of = digest.hexdigest()
    return _experiment("running", running, told_of), _experiment("new", new, told_of)


def _scored(row: Mapping[str, Any], told: Mapping[str, Any]) -> Scored:
    cost = told["cost_usd"]
    return {
        "id": str(row["run"]), "lang": row["lang"], "category": "live", "question": row["question"], "answer": told["answer"],
        "error": "", "comments": {}, "cost_usd": cost, "path": [],
        "scores": {
            "verified": float(told["verified"]), "cheap_path": float(told["cheap"]),
            "cost_usd": None if cost is None else float(cost), "latency_ms": float(told["latency_ms"]),
        },
    }  # fmt: skip


def _experiment(name: str, rows: list[Scored], digest: str) -> Experiment:
    date = datetime.now(UTC).date().isoformat()
    return Experiment(
        head={"experiment": name, "date": date, "rows": len(rows), "data_sha256": digest, "settings": {}}, rows=tuple(rows)
    )
