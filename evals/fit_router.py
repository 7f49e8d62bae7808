"""Train the router's artifact on recorded outcomes and on the help centre's labelled questions.

python -m evals.fit_router --data FILE... --out groat/routing/router.json
"""

import argparse
import asyncio
import gzip
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from evals.helpcentre import load_questions, open_helpcentre, retrieve
from evals.vectors import VectorFile
from groat.embedding import Embedder
from groat.embedding.bundled import BundledEmbedder
from groat.errors import BadInput
from groat.knowledge import KnowledgeBase
from groat.routing.features import surface
from groat.routing.fit import Rows, fit
from groat.routing.kinds import question_kind
from groat.routing.router import Evidence

MAX_CHARS = 1200
"""Prompts are embedded up to here; the vector of a longer one hardly changes and costs seconds."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One question with both outcomes, and what retrieval found for it."""

    source: str
    language: str
    prompt: str
    group: str
    weak_ok: float
    strong_ok: float
    evidence: Evidence
    history_turns: int = 0


async def main(arguments: Sequence[str]) -> None:
    """Train and write the artifact."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="router rows, .jsonl or .jsonl.gz")
    parser.add_argument("--rows", type=int, default=600, help="largest number of rows taken from each file")
    parser.add_argument("--vectors", type=Path, default=Path(tempfile.gettempdir()) / "groat-vectors", help="kept vectors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    embedder = VectorFile(BundledEmbedder(), options.vectors)
    recorded = [row for path in options.data for row in read_recorded(path, options.rows)] + await labelled(embedder)
    vectors = np.asarray([await embedder.query(row.prompt[:MAX_CHARS]) for row in recorded], dtype=np.float32)
    embedder.save()
    own = np.array([row.source == "helpcentre" for row in recorded])
    # Half of the weight lies on questions over documents, which groat is for, half on what the world asks models.
    weights = np.where(own, 0.5 / max(own.sum(), 1), 0.5 / max((~own).sum(), 1)) * len(recorded)
    artifact = fit(
        Rows(
            surface=np.asarray(
                [
                    surface(
                        row.prompt,
                        history_turns=row.history_turns,
                        similarities=row.evidence.similarities,
                        documents=row.evidence.documents,
                    )
                    for row in recorded
                ]
            ),
            vectors=vectors,
            weak_ok=np.array([row.weak_ok for row in recorded]),
            strong_ok=np.array([row.strong_ok for row in recorded]),
            groups=[row.group for row in recorded],
            sources=[row.source for row in recorded],
            languages=[row.language for row in recorded],
            weights=weights,
        ),
        embedder=embedder.name,
        date=datetime.now(UTC).date().isoformat(),
    )
    options.out.write_text(json.dumps(artifact, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps({"thresholds": artifact["thresholds"], "card": artifact["card"]}, indent=1) + "\n")


def read_recorded(path: Path, most: int) -> list[Recorded]:
    """Return a seeded sample of the rows of a file.

    Raises:
        BadInput: a row is broken; the message names file, line and what is wrong.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    rows: list[Recorded] = []
    source = path.name.split(".")[0]
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                raw = json.loads(line)
                row = Recorded(
                    source=source,
                    language=raw["lang"],
                    prompt=raw["prompt"],
                    group=raw["prompt"],
                    weak_ok=float(raw["weak_ok"]),
                    strong_ok=float(raw["strong_ok"]),
                    evidence=Evidence(similarities=[], documents=0),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(f"{path}, line {number}: not a router row ({type(error).__name__}: {error})") from error
            rows.append(row)
    random.Random(7).shuffle(rows)
    return rows[:most]


async def labelled(embedder: Embedder) -> list[Recorded]:
    """Return the help centre's questions: the tier that their authors gave them stands for the outcome."""
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", embedder))
        rows = []
        for question in load_questions():
            if question_kind(question["question"]) != "knowledge":
                continue
            found = await retrieve(knowledge, question["question"])
            rows.append(
                Recorded(
                    source="helpcentre",
                    language=question["lang"],
                    prompt=question["question"],
                    group=question["answer_id"],
                    weak_ok=float(question["tier"] == "cheap"),
                    strong_ok=1.0,
                    evidence=Evidence.of(found),
                    history_turns=len(question["history"]),
                )
            )
    return rows


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
