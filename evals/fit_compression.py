"""Fit the compressor's order and stop rule: what ``groat compress fit`` runs."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evals.compression_rows import Row, grouped
from evals.helpcentre import load_questions, open_helpcentre, retrieve
from groat.compression.context import Context
from groat.compression.fit import Labelled
from groat.embedding import Embedder, Matrix
from groat.knowledge import KnowledgeBase


async def labelled(rows: Sequence[Row], embedder: Embedder | None) -> list[Labelled]:
    """Return the rows as the fit wants them; without an embedder their contexts have no vectors."""
    found = []
    for row, group in zip(rows, grouped(rows), strict=True):
        context = await context_of(row, embedder)
        needed = np.array([one for passage in row.needed() for one in passage], dtype=np.bool_)
        strings = [string.casefold() for answers in row.answer_groups for string in answers]
        foreign = any(passage["similarity"] is None for passage in row.passages)
        found.append(
            Labelled(
                id=f"{row.source}/{row.id}",
                source=row.source,
                group=group,
                context=context,
                population="foreign" if foreign else "indexed",
                needed=needed,
                answering=needed & np.array([any(one in text for one in strings) for text in context.folded], dtype=np.bool_),
                holds=row.holds_answer,
            )
        )
    return found


async def context_of(row: Row, embedder: Embedder | None) -> Context:
    """Return the row's question and passages, taken apart."""
    question, matrices = None, []
    if embedder is not None:
        question, matrices = await embedder.query(row.question), await vectors_of(row, embedder)
    return Context.take_apart(row.question, row.language, row.passages, question, matrices)


async def vectors_of(row: Row, embedder: Embedder) -> list[Matrix | None]:
    """Return the vectors of each passage's sentences, each read with the title above it, as the ingest does."""
    matrices: list[Matrix | None] = []
    for passage in row.passages:
        top = " > ".join(part for part in (passage["title"], passage["heading"]) if part)
        sentences = [passage["text"][start:end] for start, end in passage["sentences"]]
        matrices.append(await embedder.passages([f"{top}: {text}" if top else text for text in sentences]))
    return matrices


async def helpcentre_rows(embedder: Embedder) -> list[Row]:
    """Return the help centre's own questions with the passages that retrieval really finds for them."""
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", embedder))
        rows = []
        for question in load_questions():
            if not question["answer_groups"] or question["history"] or question["kind"] == "paraphrase":
                continue
            passages = await retrieve(knowledge, question["question"])
            strings = [string.casefold() for group in question["answer_groups"] for string in group]
            holding = [one for one in passages if any(string in one["text"].casefold() for string in strings)]
            row = Row(
                id=question["id"],
                source="helpcentre",
                language=question["lang"],
                question=question["question"],
                passages=passages,
                answer_groups=question["answer_groups"],
                gold=[],
                gold_documents=frozenset(
                    one["document_id"] for one in holding if any(name in one["document_id"] for name in question["documents"])
                )
                or frozenset(one["document_id"] for one in holding),
            )
            if row.holds_answer(passages):
                rows.append(row)
    return rows
