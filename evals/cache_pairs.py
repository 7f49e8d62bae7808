"""Which paraphrases does the cache serve, and which questions that must not be served?"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from typing_extensions import TypedDict

from evals.helpcentre import Question
from graph.judging import LazyJudge
from groat.cache import AnswerCache, MemoryStore, NewAnswer, conversation_key
from groat.cache.accept import AcceptRule
from groat.cache.opening import open_rule
from groat.embedding import Embedder
from groat.types import Asked, Identity, Language

Expected = Literal["paraphrase", "near_miss", "never"]


class Served(TypedDict):
    """How many pairs there were, and for how many the kept answer was served."""

    pairs: int
    served: int


async def measure(questions: Sequence[Question], embedder: Embedder, language: Language) -> Mapping[Expected, Served]:
    """Return, for each kind of pair, how often ``b`` is served the answer of ``a``, with ``a`` alone in the cache."""
    rule = open_rule(embedder.name, LazyJudge())
    counts: dict[Expected, Served] = {kind: {"pairs": 0, "served": 0} for kind in ("paraphrase", "near_miss", "never")}
    for first, second, expected in pairs([question for question in questions if question["lang"] == language]):
        counts[expected]["pairs"] += 1
        counts[expected]["served"] += await _is_served(first, second, embedder, rule)
    return counts


def pairs(questions: Sequence[Question]) -> list[tuple[Question, Question, Expected]]:
    """Return (kept question, asked question, what kind of pair). Conversations are left out: they are never alike."""
    found: list[tuple[Question, Question, Expected]] = []
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        if not question["history"]:
            groups[question["answer_id"]].append(question)
    for group in groups.values():
        found += [(group[0], other, "paraphrase") for other in group[1:] if other["cacheable"]]
    for question in questions:
        if question["near_miss_of"]:
            found += [(other, question, "near_miss") for other in groups[question["near_miss_of"]]]
        if not question["cacheable"]:
            found.append((question, question, "never"))
    return found


async def _is_served(first: Question, second: Question, embedder: Embedder, rule: AcceptRule) -> bool:
    cache = AnswerCache(MemoryStore(), rule)
    answer: NewAnswer = {"answer": "kept", "sources": [], "documents": [], "tier": "cheap", "baseline_cost_usd": None}
    await cache.remember(identity(first), asked(first), answer, embed=embedder.query)

    async def unchanged(_: object) -> dict[str, str]:
        return {}

    lookup, _ = await cache.lookup(identity(second), asked(second), embed=embedder.query, current_versions=unchanged)
    return lookup["outcome"] == "hit"


def asked(question: Question) -> Asked:
    """Return a question of the data set as the engines see it."""
    return {
        "text": question["question"],
        "language": question["lang"],
        "answer_language": question["lang"],
        "search_text": question["question"],
        "history": question["history"],
        "tenant": "default",
    }


def identity(question: Question) -> Identity:
    """Return an identity that differs between questions only where conversations differ."""
    return {
        "tenant": "default",
        "answer_language": question["lang"],
        "prompt_version": "",
        "system_prompt": "",
        "tools": "",
        "knowledge": "",
        "model_policy": "",
        "conversation": conversation_key(question["history"]),
    }
