"""The help centre: documents of an invented company in both languages, and questions with right answers."""

import json
from pathlib import Path
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from graph.settings import Settings
from groat.knowledge import KnowledgeBase
from groat.types import Language, Passage, Turn

FOLDER = Path(__file__).parent / "datasets" / "helpcentre"
DOCUMENTS = FOLDER / "docs"

Kind = Literal[
    "fact",
    "paraphrase",
    "near_miss",
    "multi_document",
    "unanswerable",
    "small_talk",
    "translation",
    "reasoning",
    "personal",
    "time_bound",
    "follow_up",
    "cross_language",
]


class Question(TypedDict):
    """One row of ``questions-<lang>.jsonl``; its README says what each field means."""

    id: str
    lang: Language
    question: str
    answer: str
    answer_id: str
    kind: Kind
    answer_groups: list[list[str]]
    documents: list[str]
    tier: Literal["cheap", "expensive"]
    cacheable: bool
    near_miss_of: str | None
    history: list[Turn]
    result: NotRequired[list[str]]


def load_questions(language: Language | None = None) -> list[Question]:
    """Return the questions of one language, or of both, in the order of the files."""
    languages = ("en", "zh") if language is None else (language,)
    rows: list[Question] = []
    for name in languages:
        with (FOLDER / f"questions-{name}.jsonl").open(encoding="utf-8") as lines:
            rows += [json.loads(line) for line in lines]
    return rows


async def retrieve(knowledge: KnowledgeBase, question: str) -> list[Passage]:
    """Return the passages that the graph would find with its default settings."""
    fields = Settings.model_fields
    return await knowledge.search(
        question, tenant="default", k=fields["retrieve_k"].default, max_tokens=fields["context_tokens"].default
    )


async def open_helpcentre(knowledge: KnowledgeBase, tenant: str = "default") -> KnowledgeBase:
    """Ingest the documents into ``knowledge`` and return it."""
    await knowledge.ingest([DOCUMENTS], tenant=tenant)
    return knowledge
