"""Right answers in several forms, each with the passages that it stands on, in two parts that share no document."""

import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, get_args

import regex

from evals.defect_names import Names
from evals.defects import SCHEMA, Damaged, Scene, as_json, sentences_of
from evals.helpcentre import DOCUMENTS, Question, load_questions
from groat.knowledge.documents import SourceDocument
from groat.knowledge.readers import read_documents
from groat.knowledge.splitting import split
from groat.text import content_words, count_tokens
from groat.types import Language, Passage

Part = Literal["develop", "held-out", "all"]
PARTS: tuple[Part, ...] = get_args(Part)
CONTEXT_TOKENS: Final = 2000
_ANSWERED: Final = {"fact", "paraphrase", "near_miss", "multi_document"}
_HELD_OUT_OF_TEN: Final = 4

_OPENINGS: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("Sure. ", "Thanks for asking! ", "According to the documents, ", "Hello! ", "Of course: ", "Good question. "),
    "zh": ("您好！", "好的，", "根据资料，", "感谢您的提问。", "当然。", "您好，"),
}
_CLOSINGS: Final[dict[Language, tuple[str, ...]]] = {
    "en": (" I hope this helps.", " Let me know if you need anything else.", " Please contact us if you have more questions."),
    "zh": ("如有其他问题，欢迎随时联系我们。", "希望对您有帮助。", "祝您生活愉快！"),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question, its right answer, and what the model was given."""

    question: Question
    passages: list[Passage]
    scene: Scene


def load_reworded() -> dict[str, str]:
    """Return right answers in words that are not the documents', by the id of the question."""
    lines = (DOCUMENTS.parent / "reworded.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row["text"] for row in map(json.loads, lines)}


def load_rows(part: Part, seed: int, *, every: int = 1) -> Iterator[Row]:
    """Yield the rows of one part; ``every`` takes each so-manieth question only, for a quick look."""
    documents = read_all()
    names = Names((_language(document.id), document.text) for document in documents.values())
    questions = [row for row in load_questions() if row["kind"] in _ANSWERED and row["documents"]]
    held_out = held_out_of(questions)
    chosen = [row for row in questions if part == "all" or (row["id"] in held_out) == (part == "held-out")]
    for question in chosen[::every]:
        rng = random.Random(f"{seed} {question['id']}")
        passages = context(question, documents, rng)
        yield Row(question=question, passages=passages, scene=scene_of(question, passages, documents, names, rng))


def forms(row: Row, rng: random.Random) -> Iterator[tuple[str, Damaged]]:
    """Yield the right answer in every form that it can take."""
    scene, body = row.scene, row.scene.body
    yield "as written", Damaged(text=scene.answer)
    yield "no citation", Damaged(text=body)
    yield "polite opening", Damaged(text=rng.choice(_OPENINGS[scene.language]) + scene.answer)
    yield "polite closing", Damaged(text=scene.answer + rng.choice(_CLOSINGS[scene.language]))
    items = [part.strip() for part in regex.split(r"(?<=[.。])(?=\s|\p{Han})|[;；]", body) if part.strip()]
    cite = scene.answer[len(body) :]
    if len(items) > 1:
        yield "list", Damaged(text="\n".join(f"{number}. {item}" for number, item in enumerate(items, 1)) + cite)
    else:
        yield "list", Damaged(text=f"- **{body.rstrip('.。')}**{cite}")
    quoted = source_sentences(row.question, row.scene.body)
    if quoted:
        yield "source quoted", Damaged(text=("" if scene.language == "zh" else " ").join(quoted) + cite)
    yield "json", Damaged(text=as_json(scene.answer, scene.cited), schema=SCHEMA)


@cache
def read_all() -> dict[str, SourceDocument]:
    """Return the documents of the help centre by id."""
    found: dict[str, SourceDocument] = {}
    for path in sorted(path for path in DOCUMENTS.rglob("*") if path.is_file()):
        for document in read_documents(path.resolve()):
            if isinstance(document, SourceDocument):
                found[document.id] = document
    return found


def context(question: Question, documents: dict[str, SourceDocument], rng: random.Random) -> list[Passage]:
    """Return the passages of the gold documents among those of others, up to 2,000 tokens.

    Half of the others are the most alike in words, as a search would find them; half are drawn.
    """
    others = [name for name in documents if _language(name) == question["lang"] and name not in question["documents"]]
    rng.shuffle(others)
    asked = Counter(content_words(f"{question['question']} {question['answer']}"))
    alike = sorted(others, key=lambda name: -sum((asked & _words(name)).values()))[:4]
    mixed = [name for pair in zip(alike, others, strict=False) for name in pair]
    passages: list[Passage] = []
    tokens = 0
    for name in dict.fromkeys([*question["documents"], *mixed, *others]):
        if name not in question["documents"] and tokens >= CONTEXT_TOKENS:
            break
        for piece in passages_of(name):
            passages.append(piece)
            tokens += count_tokens(piece["text"])
    return passages


@cache
def passages_of(name: str) -> tuple[Passage, ...]:
    """Return a document cut as the index cuts it."""
    document = read_all()[name]
    return tuple(
        {
            "id": f"{document.id}#{number}",
            "document_id": document.id,
            "version": "",
            "title": document.title,
            "heading": piece.heading,
            "text": piece.text,
            "language": piece.language,
            "sentences": piece.sentences,
            "score": 1.0,
            "similarity": None,
        }
        for number, piece in enumerate(split(document, 260))
    )


@cache
def _words(name: str) -> Counter[str]:
    document = read_all()[name]
    return Counter(set(content_words(f"{document.title} {document.text}")))


def scene_of(
    question: Question, passages: Sequence[Passage], documents: dict[str, SourceDocument], names: Names, rng: random.Random
) -> Scene:
    """Return the right answer to a question that has a document, and what stands around it; ``rng`` draws what is beside it."""
    used = {passage["document_id"] for passage in passages}
    mine = question["lang"]
    ids = sorted(documents)
    left = [name for name in ids if _language(name) == mine and name not in used]
    beside = [name for name in used if name not in question["documents"]]
    return Scene(
        answer=f"{question['answer']} [{question['documents'][0]}]",
        language=mine,
        question=question["question"],
        foreign=[sentence for sentence in _drawn(left, documents, rng) if not _is_told(sentence, passages)],
        given=_drawn(sorted(beside), documents, rng),
        abroad=_drawn([name for name in ids if _language(name) != mine], documents, rng),
        names=names,
        cited=question["documents"][0],
        not_given=left,
    )


def _drawn(names: Sequence[str], documents: dict[str, SourceDocument], rng: random.Random) -> list[str]:
    chosen = rng.sample(list(names), min(6, len(names)))
    return [sentence for name in chosen for sentence in sentences_of(documents[name].text)]


def _is_told(sentence: str, passages: Sequence[Passage]) -> bool:
    """Tell whether a given document says the same in nearly the same words."""
    words = set(content_words(sentence))
    told = (passage["text"][start:end] for passage in passages for start, end in passage["sentences"])
    return any(len(words & set(content_words(other))) >= 0.8 * len(words) for other in told)


def source_sentences(question: Question, body: str) -> list[str]:
    """Return the sentences of the gold documents that hold the strings of a right answer, one for each string."""
    texts = [read_all()[name].text for name in question["documents"]]
    told = [sentence for text in texts for sentence in sentences_of(text)]
    found: list[str] = []
    for group in question["answer_groups"]:
        holding = [sentence for sentence in told if group[0].casefold() in sentence.casefold()]
        if not holding:
            return []
        words = set(content_words(body))
        found.append(max(holding, key=lambda sentence: len(words & set(content_words(sentence)))))
    return list(dict.fromkeys(found))


def held_out_of(questions: Sequence[Question]) -> set[str]:
    """Return the ids of about 40 % of the questions, by whole groups that share a document or an answer."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            key = parent[key]
        return key

    for question in questions:
        # The languages' twins carry one name behind their prefix.
        keys = [regex.sub(r"^(?:en|zh)-", "", name) for name in question["documents"]]
        for key in [*keys, f"answer {regex.sub('^(?:en|zh)-', '', question['answer_id'])}"]:
            parent[root(key)] = root(keys[0])
    groups: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        groups[root(regex.sub(r"^(?:en|zh)-", "", question["documents"][0]))].append(question)
    held: set[str] = set()
    for group in groups.values():
        first = min(name for question in group for name in question["documents"])
        if int(hashlib.sha256(first.encode()).hexdigest(), 16) % 10 < _HELD_OUT_OF_TEN:
            held.update(question["id"] for question in group)
    return held


def _language(name: str) -> Language:
    return "zh" if name.startswith("zh") else "en"
