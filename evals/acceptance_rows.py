"""Answers with known outcomes, and the evidence about them: what the acceptance model learns from."""

import json
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import regex

from evals.cache_pairs import asked as asked_of
from evals.defect_names import Names
from evals.defects import INFORMATION, KINDS, Scene, damage, sentences_of
from evals.helpcentre import Question, load_questions, open_helpcentre, retrieve
from evals.validation_rows import read_all
from groat.answering import NO_ANSWER, build_prompt
from groat.answering.offline import OfflineChat
from groat.compression import Compressor, LearnedStop, full
from groat.embedding import Embedder
from groat.errors import BadInput
from groat.knowledge import KnowledgeBase
from groat.routing.kinds import question_kind
from groat.text import detect_language
from groat.types import Asked, Passage, Shortened
from groat.validation.structure import parse, spoken

MAX_CHARS = 1200
"""Prompts are embedded up to here."""
DAMAGED_SHARE = 0.1
"""Share of answers that are assumed to be wrong in the ways of ``evals.defects``: quotes never are, models are."""
_MARKUP = regex.compile(r"\s*<\w{1,12}>\s*$")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One cheap answer with its outcome, the expensive model's outcome, and other answers to the same question."""

    source: str
    group: str
    """Rows of one group ask the same."""
    asked: Asked
    text: str
    final: str
    """The answer without its reasoning; equal to ``text`` when there is none."""
    abstained: bool = False
    finish_reason: str = "stop"
    passages: list[Passage] = field(default_factory=list)
    """What the model read."""
    found: list[Passage] = field(default_factory=list)
    """What retrieval found, for the router."""
    opinions: list[str] = field(default_factory=list)
    opinions_same_model: bool = False
    """The opinions are other samples of the model that answered."""
    weak_ok: float
    strong_ok: float
    route_target: float
    """What the router learns: whether the cheap tier is enough."""
    weight: float = 1.0
    route_p: float | None = None


def read_open(paths: Sequence[Path]) -> list[Recorded]:
    """Return the rows with answer texts, joined by id with the other answers that rows of the same id name.

    Raises:
        BadInput: a row is broken; the message names file, line and what is wrong.
    """
    texts: list[tuple[Path, int, Mapping[str, Any]]] = []
    others: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    raw = json.loads(line)
                    if "weak_text" in raw:
                        texts.append((path, number, raw))
                    else:
                        others[str(raw["id"])] = raw
                except (ValueError, KeyError, TypeError) as error:
                    raise BadInput(f"{path}, line {number}: not a router row ({type(error).__name__}: {error})") from error
    rows = []
    for path, number, raw in texts:
        try:
            rows.append(_open_row(raw, others.get(str(raw["id"]), {})))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}, line {number}: not a response row ({type(error).__name__}: {error})") from error
    return rows


def _open_row(raw: Mapping[str, Any], other: Mapping[str, Any]) -> Recorded:
    text = spoken(_MARKUP.sub("", str(raw["weak_text"])))
    final, opinions = text, []
    if "models" in other:
        final = str(other["models"][raw["weak_model"]]["answer"] or "")
        opinions = [
            str(answer["answer"] or "")
            for name, answer in other["models"].items()
            if name in _SECOND and name != raw["weak_model"]
        ]
    elif "weak_samples" in other:
        final, *opinions = (" ".join(blanks) for blanks in other["weak_samples"])
    elif isinstance(value := parse(str(raw["weak_text"])), dict):
        final = str(value.get("answer", text))
    language = detect_language(str(raw["prompt"]), default=raw["lang"])
    weak, strong = float(raw["weak_ok"]), float(raw["strong_ok"])
    return Recorded(
        source=str(raw["id"]).rsplit("-", 1)[0],
        group=str(raw["prompt"]),
        asked={
            "text": str(raw["prompt"]),
            "language": language,
            # What is asked here is whether the answer is right; a Chinese question may want an English word.
            "answer_language": detect_language(text, default=language),
            "search_text": str(raw["prompt"]),
            "history": [],
            "tenant": "default",
        },
        text=text,
        final=final or text,
        opinions=opinions or ([spoken(str(raw["strong_text"]))] if raw["strong_text"] else []),
        opinions_same_model="weak_samples" in other,
        weak_ok=weak,
        strong_ok=strong,
        route_target=float(weak >= strong - 0.05),
    )


_SECOND = frozenset({"claude-3-haiku-20240307", "gpt-4o-mini-2024-07-18"})
"""Recorded models cheap enough to be asked for a second opinion."""


async def grounded(embedder: Embedder, *, seed: int = 7) -> list[Recorded]:
    """Return the help centre's questions as both offline tiers answer them, and right answers damaged on purpose.

    Retrieval, shortening and prompts are the graph's, at its default promise; the second opinion is what the cheap tier says
    about the unshortened context.
    """
    rng = random.Random(seed)
    rows: list[Recorded] = []
    with tempfile.TemporaryDirectory() as folder:
        knowledge = await open_helpcentre(KnowledgeBase(Path(folder) / "knowledge.sqlite", embedder))
        for question in load_questions():
            if question_kind(question["question"]) == "knowledge":
                row = await _grounded_row(question, knowledge, embedder)
                rows.append(row)
    names = Names(("zh" if name.startswith("zh") else "en", document.text) for name, document in read_all().items())
    answered = [row for row in rows if row.weak_ok == 1 and row.passages and not row.abstained]
    damaged = [bad for row in answered for bad in _damaged(row, names, rng)]
    weight = DAMAGED_SHARE / (1 - DAMAGED_SHARE) * len(rows) / max(len(damaged), 1)
    return [*rows, *(replace(row, weight=weight) for row in damaged)]


async def _grounded_row(question: Question, knowledge: KnowledgeBase, embedder: Embedder) -> Recorded:
    asked = asked_of(question)
    if question["history"]:
        before = [turn["content"] for turn in question["history"] if turn["role"] == "user"][-1:]
        asked = {**asked, "search_text": " ".join([*before, asked["text"]])}
    found = await retrieve(knowledge, asked["search_text"])
    vector = await embedder.query(asked["search_text"])
    matrices = await knowledge.sentence_vectors(found)
    compressor = Compressor(LearnedStop.load())
    contexts: dict[str, Shortened] = {
        tier: compressor.shorten(asked, found, tier=tier, max_loss=0.02, question_vector=vector, sentence_vectors=matrices)
        for tier in ("cheap", "expensive")
    }
    contexts["opinion"] = full(found, reason="a second sample")
    texts = {
        name: await _quote(asked, context["passages"], embedder, thorough=name == "expensive")
        for name, context in contexts.items()
    }
    return Recorded(
        source="helpcentre",
        # What stands on one document is of one kind, in both languages: their names differ in the prefix alone.
        group=(question["documents"] or [question["answer_id"]])[0][len("en-") :],
        asked=asked,
        text=texts["cheap"],
        final=texts["cheap"],
        abstained=texts["cheap"] == NO_ANSWER,
        passages=contexts["cheap"]["passages"],
        found=found,
        opinions=[texts["opinion"]],
        opinions_same_model=True,
        weak_ok=_is_right(question, texts["cheap"]),
        strong_ok=_is_right(question, texts["expensive"]),
        route_target=float(question["tier"] == "cheap"),
    )


async def _quote(asked: Asked, passages: Sequence[Passage], embedder: Embedder, *, thorough: bool) -> str:
    model = OfflineChat(mode="thorough" if thorough else "quick", embedder=embedder)
    reply = await model.ainvoke(build_prompt(asked, passages, kind="knowledge"))
    return reply.text


def _is_right(question: Question, text: str) -> float:
    """Judge as ``evals.run_helpcentre`` does: what no document answers must not be answered."""
    if not question["answer_groups"] and not question.get("result"):
        return float(text == NO_ANSWER)
    groups = [*question["answer_groups"], *([string] for string in question.get("result", []))]
    return float(all(any(string.casefold() in text.casefold() for string in group) for group in groups))


def _damaged(row: Recorded, names: Names, rng: random.Random) -> Iterator[Recorded]:
    """Yield a right answer with each defect that it can take; the answer as it was is the second opinion."""
    used = {passage["document_id"] for passage in row.passages}
    mine = row.asked["answer_language"]
    documents = read_all()
    left = sorted(name for name in documents if name.startswith(mine) and name not in used)
    abroad = sorted(name for name in documents if not name.startswith(mine))
    scene = Scene(
        answer=row.text,
        language=mine,
        question=row.asked["text"],
        foreign=_drawn(left, rng),
        given=_drawn(sorted(used), rng),
        abroad=_drawn(abroad, rng),
        names=names,
        cited=row.passages[0]["document_id"],
        not_given=left,
    )
    for kind in KINDS:
        if kind in INFORMATION or kind == "broken_json":
            continue
        bad = damage(kind, scene, rng)
        if bad is not None:
            yield replace(
                row,
                source="helpcentre damaged",
                text=bad.text,
                final=bad.text,
                finish_reason=bad.finish_reason,
                abstained=bad.text == NO_ANSWER,
                opinions=[row.text],
                weak_ok=0.0,
            )


def _drawn(names: Sequence[str], rng: random.Random) -> list[str]:
    chosen = rng.sample(list(names), min(6, len(names)))
    return [sentence for name in chosen for sentence in sentences_of(read_all()[name].text)]
