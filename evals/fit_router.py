"""Train the router's artifact on recorded outcomes and on the help centre's labelled questions.

python -m evals.fit_router --data FILE... --out groat/routing/router.npz
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from evals.helpcentre import load_questions, open_helpcentre, retrieve
from evals.route_judging import embedded
from evals.vectors import VectorFile
from groat.embedding import Embedder
from groat.embedding.bundled import BundledEmbedder
from groat.knowledge import KnowledgeBase
from groat.routing.fit import fit
from groat.routing.fit_linear import Rows
from groat.routing.kinds import question_kind
from groat.routing.router import Evidence
from groat.routing.rows import Labelled, Side, question_hash, read_labelled

OWN_WEIGHT = 3.0
"""What a question of the help centre counts beside a recorded one: groat is for questions over documents."""


async def main(arguments: Sequence[str]) -> None:
    """Train and write the artifact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="router rows, .jsonl or .jsonl.gz")
    parser.add_argument("--vectors", type=Path, default=Path(tempfile.gettempdir()) / "groat-vectors", help="kept vectors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    embedder = VectorFile(BundledEmbedder(), options.vectors)
    try:
        rows = [row for path in options.data for row in on_one_scale(read_labelled(path))] + await labelled(embedder)
        vectors = await embedded(rows, embedder)
    finally:
        embedder.save()
    artifact = fit(Rows.of(rows, vectors), embedder=embedder.name, date=datetime.now(UTC).date().isoformat())
    artifact.save(options.out)
    proofs = {" ".join(key): proof.points for key, proof in artifact.proofs.items()}
    sys.stdout.write(json.dumps({"proofs": proofs, "card": artifact.card}, indent=1) + "\n")


def on_one_scale(rows: Sequence[Labelled]) -> list[Labelled]:
    """Return the rows of a file with qualities that mean the same as elsewhere.

    A judge's preferences put the expensive answer at one half everywhere; doubled, as good as it means 1 here too.
    """
    if {row.expensive.ok for row in rows} != {0.5}:
        return list(rows)
    return [
        replace(row, cheap=replace(row.cheap, ok=min(2 * row.cheap.ok, 1.0)), expensive=replace(row.expensive, ok=1.0))
        for row in rows
    ]


async def labelled(embedder: Embedder) -> list[Labelled]:
    """Return the help centre's questions: the tier that their authors gave them stands for the outcome."""
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", embedder))
        rows = []
        for question in load_questions():
            if question_kind(question["question"]) != "knowledge":
                continue
            evidence = Evidence.of(await retrieve(knowledge, question["question"]))
            rows.append(
                Labelled(
                    source="helpcentre",
                    language=question["lang"],
                    prompt=question["question"],
                    # Questions that say the same stand in one fold.
                    same_as=question_hash(question["answer_id"]),
                    cheap=Side(model="a small model", ok=float(question["tier"] == "cheap")),
                    expensive=Side(model="a large model", ok=1.0),
                    similarities=tuple(evidence.similarities),
                    documents=evidence.documents,
                    history_turns=len(question["history"]),
                    weight=OWN_WEIGHT,
                )
            )
    return rows


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
