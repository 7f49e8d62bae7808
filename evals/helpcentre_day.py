"""The help centre's day: requests drawn from our own questions with stated repetition, answered by two simulated models.

The passages are those that the graph's own search finds. Everything is drawn before any lever sees the day.
"""

import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, get_args

from evals.helpcentre import Kind, Question, load_questions, open_helpcentre, retrieve
from evals.helpcentre_models import ERROR_RATES, SHARED, WRONG_WAYS, SimulatedAnswer, Simulation, names, told_by
from evals.helpcentre_wording import reworded
from evals.quick_vectors import QuickEmbedder
from evals.workload_draws import Zipf, moments_of_a_day
from groat.answering.prompts import build_prompt
from groat.answering.usage import prompt_tokens
from groat.knowledge import KnowledgeBase
from groat.text import count_tokens
from groat.types import Asked, Language, Passage, QuestionKind, Tier

SHARES: Final[Mapping[tuple[Kind, ...], float]] = {
    ("fact", "paraphrase", "near_miss"): 0.8, ("multi_document",): 0.04, ("reasoning",): 0.04, ("unanswerable",): 0.03,
    ("small_talk",): 0.02, ("translation",): 0.01, ("personal",): 0.02, ("time_bound",): 0.02, ("follow_up",): 0.01,
    ("cross_language",): 0.01,
}  # fmt: skip
"""Shares of the requests, in each language alike. A follow-up comes with the request before it."""
ZIPF: Final = 1.0
"""Exponent: the n-th most wanted thing of a kind is asked for 1 / n as often as the first."""
AS_WRITTEN: Final = 0.35
"""Share of the requests that use a wording of the data set; the others are worded anew (``helpcentre_wording``)."""
_AS_WRITTEN_ONLY: Final = frozenset({"follow_up", "translation", "small_talk"})
CHANGED: Final = 10
"""Documents that get a new version in the course of the day, at drawn moments; the facts stay."""
_DAY: Final = datetime(2026, 11, 24, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked of a day.

    Attributes:
        rows: how many requests, at least 1.
        seed: of everything that is drawn.
        cheap_errors: factor on the cheap model's error rates.
    """

    rows: int = 10_000
    seed: int = 7
    cheap_errors: float = 1.0


async def day(plan: Plan) -> Iterator[dict[str, Any]]:
    """Return the rows of the day, made one by one as they are asked for."""
    questions = load_questions()
    return _rows(plan, questions, await passages_of(questions))


def about(plan: Plan) -> dict[str, Any]:
    """Return how the day was made, for a file beside it."""
    return {
        "what": "questions of the help centre, answered by two simulated models; no model was asked",
        **vars(plan),
        "kinds": {" or ".join(kinds): share for kinds, share in SHARES.items()},
        "zipf": ZIPF,
        "as_written": AS_WRITTEN,
        "documents_changed": CHANGED,
        "error_rates": {tier: dict(rates) for tier, rates in ERROR_RATES.items()},
        "wrong_ways": dict(WRONG_WAYS),
        "shared_difficulty": SHARED,
        "latency": "not recorded, so that it is modelled",
    }


async def passages_of(questions: Sequence[Question]) -> dict[str, list[Passage]]:
    """Return what the graph's search finds for each question as it is written: by its id.

    A rewording is given the same passages: 10,000 searches would take longer than the ladder.
    """
    found: dict[str, list[Passage]] = {}
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", QuickEmbedder()))
        for question in questions:
            if question["kind"] in ("small_talk", "translation"):
                found[question["id"]] = []
                continue
            earlier = [turn["content"] for turn in question["history"] if turn["role"] == "user"][-1:]
            found[question["id"]] = await retrieve(knowledge, " ".join([*earlier, question["question"]]))
    return found


def _rows(plan: Plan, questions: Sequence[Question], passages: Mapping[str, list[Passage]]) -> Iterator[dict[str, Any]]:
    rng = random.Random(f"{plan.seed}/requests")
    drawn = _Drawn(questions, rng)
    simulation = Simulation(seed=plan.seed, names=names(), cheap_errors=plan.cheap_errors)
    documents = sorted({one["document_id"] for found in passages.values() for one in found})
    changes = {name: rng.randrange(plan.rows) for name in rng.sample(documents, min(CHANGED, len(documents)))}
    moments = moments_of_a_day(plan.rows, rng, _DAY)
    made = 0
    while made < plan.rows:
        question = drawn.question(rng)
        wording = question["question"]
        if question["kind"] not in _AS_WRITTEN_ONLY and rng.random() >= AS_WRITTEN:
            wording = reworded(wording, question["lang"], rng)
        requests = [(question, wording)]
        if question["history"]:
            requests.insert(0, (_before(question), question["history"][0]["content"]))
        for asked, text in requests[: plan.rows - made]:
            versions = {name: "2" if made >= moment else "1" for name, moment in changes.items()}
            yield {
                "id": f"hc-{made + 1:06}",
                "asked_at": next(moments).isoformat(),
                **({"conversation": f"talk-{made + 1 - requests.index((asked, text))}"} if question["history"] else {}),
                **_row(asked, text, passages[question["id"]], simulation, versions),
            }
            made += 1


class _Drawn:
    """Draws questions: a language, a kind, a thing that is asked for by Zipf's law, one of its wordings in the data set."""

    def __init__(self, questions: Sequence[Question], rng: random.Random) -> None:
        self._groups: dict[tuple[Language, tuple[Kind, ...]], list[list[Question]]] = {}
        for language in get_args(Language):
            for kinds in SHARES:
                by_answer: dict[str, list[Question]] = defaultdict(list)
                for question in questions:
                    if question["lang"] == language and question["kind"] in kinds:
                        by_answer[question["answer_id"]].append(question)
                groups = [by_answer[name] for name in sorted(by_answer)]
                rng.shuffle(groups)
                self._groups[language, kinds] = groups
        self._places = {len(groups): Zipf(len(groups), ZIPF) for groups in self._groups.values()}

    def question(self, rng: random.Random) -> Question:
        language: Language = rng.choice(("en", "zh"))
        kinds = rng.choices([*SHARES], [*SHARES.values()])[0]
        groups = self._groups[language, kinds]
        return rng.choice(groups[self._places[len(groups)].draw(rng)])


def _before(question: Question) -> Question:
    """Return the earlier turn of a conversation as a question of its own."""
    asked, answered = question["history"][:2]
    return {
        **question, "question": asked["content"], "answer": answered["content"], "answer_groups": [], "kind": "fact",
        "answer_id": f"before-{question['answer_id']}", "history": [],
    }  # fmt: skip


def _row(
    question: Question, wording: str, passages: Sequence[Passage], simulation: Simulation, versions: Mapping[str, str]
) -> dict[str, Any]:
    given = _prompt_tokens(question, wording, passages)
    tiers: tuple[Tier, Tier] = ("cheap", "expensive")
    answers = {tier: simulation.answer(tier, question, wording, passages) for tier in tiers}
    return {
        "question": wording,
        "lang": question["lang"],
        "documents": [
            {
                "id": one["document_id"], "version": versions.get(one["document_id"], "1"), "title": one["title"],
                "heading": one["heading"], "text": one["text"],
            }
            for one in passages
        ],
        "answer_id": question["answer_id"],
        "answers": told_by(question, passages),
        "category": question["kind"] if question["kind"] != "paraphrase" else "fact",
        "assumed": True,
        "recorded": {tier: _said(answer, given) for tier, answer in answers.items()},
    }  # fmt: skip


def _said(answer: SimulatedAnswer, given: int) -> dict[str, Any]:
    return {
        "text": answer.text, "ok": float(answer.right), "way": answer.way, "input_tokens": given,
        "output_tokens": count_tokens(answer.text),
    }  # fmt: skip


def _prompt_tokens(question: Question, wording: str, passages: Sequence[Passage]) -> int:
    kinds: Mapping[str, QuestionKind] = {"small_talk": "small_talk", "translation": "translation"}
    asked: Asked = {
        "text": wording, "language": question["lang"], "answer_language": question["lang"], "search_text": wording,
        "history": question["history"], "tenant": "default",
    }  # fmt: skip
    return prompt_tokens(build_prompt(asked, passages, kind=kinds.get(question["kind"], "knowledge")))
