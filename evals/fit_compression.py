"""Measure which share of the tokens keeps the answer, and write the compressor's table.

python -m evals.fit_compression --data FILE... --rows 40 --out groat/compression/calibration.json
"""

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import beta

from evals.compression_rows import Row, read_rows
from evals.helpcentre import load_questions, open_helpcentre, retrieve
from evals.vectors import VectorFile
from groat.compression import Calibration, Compressor
from groat.compression.calibration import FEATURES, Point
from groat.embedding import Embedder, Matrix
from groat.embedding.bundled import BundledEmbedder
from groat.knowledge import KnowledgeBase
from groat.types import Asked, Language

SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


async def main(arguments: Sequence[str]) -> None:
    """Run the measurement and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="compression rows, .jsonl or .jsonl.gz")
    parser.add_argument("--rows", type=int, default=40, help="rows of each file, evenly spread")
    parser.add_argument("--vectors", type=Path, default=Path(tempfile.gettempdir()) / "groat-vectors", help="kept vectors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    embedder = VectorFile(BundledEmbedder(), options.vectors)
    rows: list[Row] = []
    for path in options.data:
        found = list(read_rows(path))
        rows += found[:: max(1, len(found) // options.rows)][: options.rows]
    rows += await helpcentre_rows(embedder)
    outcomes = await measure(rows, embedder)
    table = {
        "version": "",
        "features": FEATURES,
        "date": datetime.now(UTC).date().isoformat(),
        "embedder": embedder.name,
        "points": {
            population: {language: points(outcomes, language, population) for language in ("en", "zh")}
            for population in ("indexed", "foreign")
        },
        "by_source": by_source(outcomes),
    }
    digest = hashlib.sha256(json.dumps(table["points"], sort_keys=True).encode()).hexdigest()
    table["version"] = f"{table['date']}/{digest[:8]}"
    options.out.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(rows)} rows, table {table['version']} written to {options.out}\n")
    embedder.save()


async def helpcentre_rows(embedder: Embedder) -> list[Row]:
    """Return the help centre's own questions with the passages that retrieval really finds for them."""
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", embedder))
        rows = []
        for question in load_questions():
            if not question["answer_groups"] or question["history"] or question["kind"] == "paraphrase":
                continue
            passages = await retrieve(knowledge, question["question"])
            row = Row(
                source="helpcentre",
                language=question["lang"],
                question=question["question"],
                passages=passages,
                answer_groups=question["answer_groups"],
            )
            if row.holds_answer(passages):
                rows.append(row)
    return rows


async def measure(rows: Sequence[Row], embedder: Embedder) -> dict[tuple[str, Language], list[list[tuple[bool, float]]]]:
    """Return for each source and language, row by row, (answer kept, tokens kept) at each of ``SHARES``."""
    outcomes: dict[tuple[str, Language], list[list[tuple[bool, float]]]] = defaultdict(list)
    for row in rows:
        asked: Asked = {
            "text": row.question,
            "language": row.language,
            "answer_language": row.language,
            "search_text": row.question,
            "history": [],
            "tenant": "default",
        }
        question = await embedder.query(row.question)
        matrices: list[Matrix | None] = []
        for passage in row.passages:
            top = " > ".join(part for part in (passage["title"], passage["heading"]) if part)
            sentences = [passage["text"][start:end] for start, end in passage["sentences"]]
            matrices.append(await embedder.passages([f"{top}: {text}" if top else text for text in sentences]))
        results = []
        for share in SHARES:
            shortened = Compressor(fixed(share), min_tokens=40).shorten(
                asked, row.passages, tier="expensive", max_loss=1.0, question_vector=question, sentence_vectors=matrices
            )
            ratio = shortened["tokens_after"] / max(shortened["tokens_before"], 1)
            results.append((row.holds_answer(shortened["passages"]), ratio))
        outcomes[row.source, row.language].append(results)
    return outcomes


def fixed(share: float) -> Calibration:
    """Return a table that keeps one share whatever is promised."""
    point = (Point(share=share, loss=0.0, loss_upper=0.0, rows=0),)
    table: dict[Language, tuple[Point, ...]] = {"en": point, "zh": point}
    return Calibration(version="fixed", points={"indexed": table, "foreign": table})


def points(
    outcomes: dict[tuple[str, Language], list[list[tuple[bool, float]]]], language: str, population: str
) -> list[dict[str, float | int]]:
    """Return the table of one language: every source counts the same, whatever its number of rows.

    "indexed" is the help centre through groat's own search, "foreign" are the other sources in the order they came in.
    """
    table = []
    sources = [
        rows
        for (source, lang), rows in outcomes.items()
        if lang == language and (source == "helpcentre") == (population == "indexed")
    ]
    total = sum(len(rows) for rows in sources)
    for place, share in enumerate(SHARES):
        loss = float(np.mean([np.mean([not row[place][0] for row in rows]) for rows in sources]))
        lost = loss * total
        upper = 1.0 if lost >= total else float(beta.ppf(0.95, lost + 1, total - lost))
        table.append({"share": share, "loss": round(loss, 5), "loss_upper": round(upper, 5), "rows": total})
    return table


def by_source(outcomes: dict[tuple[str, Language], list[list[tuple[bool, float]]]]) -> dict[str, dict[str, object]]:
    """Return retention at some shares for each source, for the model card."""
    return {
        f"{source}/{language}": {
            "rows": len(rows),
            "retention": {
                str(share): round(float(np.mean([row[place][0] for row in rows])), 4) for place, share in enumerate(SHARES)
            },
        }
        for (source, language), rows in sorted(outcomes.items())
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
