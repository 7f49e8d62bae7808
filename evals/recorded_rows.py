"""Rows of a recorded day: the prompt that a request makes, and what the answers of both models count."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from langchain_core.messages import BaseMessage

from evals.ladder_rows import RequestRow
from graph.blame_judging import answers_rightly
from groat.answering import NO_ANSWER, build_prompt, no_answer_text
from groat.blame.reference import Reference
from groat.conversation import MAX_TURNS
from groat.knowledge import Knowledge
from groat.routing.kinds import question_kind
from groat.text import detect_language, sentence_spans
from groat.types import Asked, Passage, Tier, Turn

PASSAGES: Final = 8
TOKENS: Final = 2_000
"""What is looked for in the knowledge base, where a row brings no documents."""


async def passages_of(row: RequestRow, knowledge: Knowledge | None) -> list[Passage]:
    """Return the documents of a row, or what the knowledge base finds where it has none."""
    if row.documents:
        return [
            {
                "id": f"{place}:{one.id}", "document_id": one.id, "version": row.versions[one.id], "title": one.title,
                "heading": one.heading, "text": one.text, "language": detect_language(one.text),
                "sentences": sentence_spans(one.text), "score": 1 / (place + 1), "similarity": None,
            }
            for place, one in enumerate(row.documents)
        ]  # fmt: skip
    if knowledge is None or question_kind(row.question) != "knowledge":
        return []
    return await knowledge.search(row.question, tenant=row.tenant, k=PASSAGES, max_tokens=TOKENS)


def prompt_of(row: RequestRow, passages: Sequence[Passage], earlier: Sequence[Turn]) -> list[BaseMessage]:
    """Return what groat sends for a row: all its documents, nothing left out."""
    return build_prompt(_asked(row, earlier), passages, kind=question_kind(row.question))


def turns_of(row: RequestRow, answer: str) -> list[Turn]:
    """Return what a row adds to its conversation."""
    return [{"role": "user", "content": row.question}, {"role": "assistant", "content": answer}]


def recorded_row(
    row: RequestRow, passages: Sequence[Passage], answers: Mapping[Tier, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return a row of the day with what both models said, the first answer of each being the one that counts.

    An answer counts 1 when it holds one of the row's ``answers``. Where the row names none, the expensive model counts as
    right, and another answer as right when it says the same; such rows are marked ``assumed``.
    """
    dear = answers["expensive"][0]["text"]
    known = bool(row.answers)
    reference: Reference = {"groups": [list(row.answers)]} if known else _as_good_as(dear)

    def said(tier: Tier) -> dict[str, Any]:
        first, *others = answers[tier]
        right = (not known and tier == "expensive") or _right(row, reference, first["text"])
        return {**first, "ok": float(right), **({"samples": [one["text"] for one in others]} if others else {})}

    made = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    documents = [
        {
            "id": one["document_id"],
            "version": one["version"],
            "title": one["title"],
            "heading": one["heading"],
            "text": one["text"],
        }
        for one in passages
    ]
    return {
        **made, **({"documents": documents} if documents else {}), **({} if known else {"assumed": True}),
        "recorded": {tier: said(tier) for tier in answers},
    }  # fmt: skip


def _as_good_as(answer: str) -> Reference:
    return {"answerable": False} if answer.casefold() == NO_ANSWER else {"answer": answer}


def _right(row: RequestRow, reference: Reference, text: str) -> bool:
    asked = _asked(row, [])
    return answers_rightly(reference, asked, no_answer_text(asked["answer_language"]) if text.casefold() == NO_ANSWER else text)


def _asked(row: RequestRow, earlier: Sequence[Turn]) -> Asked:
    return {
        "text": row.question, "language": row.language, "answer_language": row.language, "search_text": row.question,
        "history": list(earlier[-MAX_TURNS:]), "tenant": row.tenant,
    }  # fmt: skip
