"""Damage right answers on purpose, in eleven ways, in Chinese and English: what validation must catch."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import regex

from evals.defect_names import Names, swap_name
from evals.defect_numbers import change_number
from evals.defect_words import FLIPS, LEAKS, OFFERS, POLITE, REFUSALS, UNSUPPORTED
from groat.answering import NO_ANSWER
from groat.text import content_words, sentence_spans
from groat.types import Language

Kind = Literal[
    "number_changed",
    "name_swapped",
    "negation_flipped",
    "other_document",
    "truncated",
    "wrong_language",
    "unsupported",
    "broken_json",
    "broken_citation",
    "refusal",
    "leak",
    "off_topic",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
INFORMATION: frozenset[Kind] = frozenset({"off_topic"})
"""Counted apart: a faithful sentence of a given document that answers something else is no falsehood."""

SCHEMA: Mapping[str, object] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string"},
        "documents": {"type": "array", "items": {"type": "string"}},
        "complete": {"type": "boolean"},
    },
    "required": ["answer", "documents"],
}
"""What is asked for where JSON is asked for."""


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A damaged answer."""

    text: str
    finish_reason: str = "stop"
    schema: Mapping[str, object] | None = None
    """The schema that the answer was asked to fit."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A right answer and what stands around it."""

    answer: str
    """With its citation at the end."""
    language: Language
    question: str
    foreign: Sequence[str]
    """Sentences of documents that were not given, in the language of the answer."""
    given: Sequence[str]
    """Sentences of the given documents that do not answer."""
    abroad: Sequence[str]
    """Sentences of documents in the other language."""
    names: Names = field(repr=False)
    """Names of the whole collection."""
    cited: str
    """Id of a document that was given."""
    not_given: Sequence[str]
    """Ids of documents that were not."""

    @property
    def body(self) -> str:
        """The answer without its citation."""
        return without_citation(self.answer)

    def put(self, body: str) -> Damaged:
        """Return ``body`` with the citation of the answer."""
        return Damaged(text=body + self.answer[len(self.body) :])


def damage(kind: Kind, scene: Scene, rng: random.Random) -> Damaged | None:
    """Return the answer with one defect, or None when it has nothing that this defect could touch. ``rng`` chooses."""
    return _WAYS[kind](scene, rng)


def without_citation(answer: str) -> str:
    """Return the answer without the citation at its end."""
    return regex.sub(r"\s*\[[^\]]*\]\s*$", "", answer)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text that state a fact: no headings, questions, table rows or mere yes and no."""
    told = (
        _MARK.sub("", text[start:end]) for start, end in sentence_spans(text) if not text[start:end].startswith(("|", "#", "`"))
    )
    return [sentence for sentence in told if sentence[-1:] in ".。!！" and len(content_words(sentence)) >= 4]


_MARK = regex.compile(r"^\s*(?:\d{1,2}[.)、]|[-*•>])\s+|\*\*")


def as_json(answer: str, document: str) -> str:
    """Return a right answer in the form of ``SCHEMA``."""
    return json.dumps({"answer": answer, "documents": [document]}, ensure_ascii=False)


def _number_changed(scene: Scene, rng: random.Random) -> Damaged | None:
    body = change_number(scene.body, scene.language, f"{scene.question} {scene.body}", rng)
    return None if body is None else scene.put(body)


def _name_swapped(scene: Scene, rng: random.Random) -> Damaged | None:
    body = swap_name(scene.body, scene.language, scene.names, rng)
    return None if body is None else scene.put(body)


def _flipped(scene: Scene, rng: random.Random) -> Damaged | None:
    ways = list(FLIPS[scene.language])
    rng.shuffle(ways)
    for pattern, other in ways:
        found = list(regex.finditer(pattern, scene.body))
        if found:
            match = rng.choice(found)
            return scene.put(scene.body[: match.start()] + match.expand(other) + scene.body[match.end() :])
    return None


def _truncated(scene: Scene, rng: random.Random) -> Damaged | None:
    body = scene.body
    if len(body) < 12:
        return None
    # Providers say so mostly; some say "stop" all the same.
    reason = rng.choice(["length", "stop"])
    clauses = [match.start() for match in regex.finditer(r"[,，;；、:：](?=\D)", body) if match.start() > 5]
    if clauses and rng.random() < 0.3:
        return Damaged(text=body[: rng.choice(clauses) + rng.randrange(2)], finish_reason=reason)
    cut = body[: int(len(body) * rng.uniform(0.25, 0.95))].rstrip()
    # A cut that falls on the end of a sentence cannot be told from a whole answer.
    if reason == "stop":
        cut = cut.rstrip(".!?。！？”’\"')）")
    return Damaged(text=cut, finish_reason=reason)


def _other_document(scene: Scene, rng: random.Random) -> Damaged | None:
    return _with_sentence(scene, rng.choice(scene.foreign), rng) if scene.foreign else None


def _off_topic(scene: Scene, rng: random.Random) -> Damaged | None:
    return _with_sentence(scene, rng.choice(scene.given), rng) if scene.given else None


def _unsupported(scene: Scene, rng: random.Random) -> Damaged | None:
    template = rng.choice(UNSUPPORTED[scene.language])
    name = scene.names.any(scene.language, rng)
    return _with_sentence(scene, template.format(name=name, offer=rng.choice(OFFERS[scene.language])), rng)


def _with_sentence(scene: Scene, sentence: str, rng: random.Random) -> Damaged:
    """Put a sentence behind the answer, before it, or in the answer's place."""
    gap = "" if scene.language == "zh" else " "
    where = rng.random()
    if where < 0.15:
        return scene.put(sentence)
    if where < 0.35:
        return scene.put(f"{sentence}{gap}{scene.body}")
    return scene.put(f"{scene.body}{gap}{sentence}")


def _wrong_language(scene: Scene, rng: random.Random) -> Damaged | None:
    if not scene.abroad:
        return None
    other = rng.choice(scene.abroad)
    if rng.random() < 0.35:  # half and half
        return scene.put(f"{scene.body} {other}" if rng.random() < 0.5 else f"{other} {scene.body}")
    return scene.put(other)


def _broken_json(scene: Scene, rng: random.Random) -> Damaged | None:
    whole = as_json(scene.answer, scene.cited)
    cut = whole[: int(len(whole) * rng.uniform(0.3, 0.97))]
    wrong = {"answer": [scene.answer], "documents": scene.cited}
    text = rng.choice(
        (
            cut,
            f"{whole} I hope this helps.",
            f"{whole}\n{whole}",
            str({"answer": scene.answer, "documents": [scene.cited]}),
            json.dumps({"answer": scene.answer}, ensure_ascii=False),
            json.dumps({"documents": [scene.cited]}, ensure_ascii=False),
            json.dumps(wrong, ensure_ascii=False),
            json.dumps([scene.answer, scene.cited], ensure_ascii=False),
            f"```json\n{whole}",
            f"Here it is:\n```json\n{whole}\n```",
            whole.replace('", "', '" "', 1) if '", "' in whole else whole[:-1],
            whole.replace('"answer"', "answer", 1),
            whole[:-1] + ",}",
            scene.answer,
        )
    )
    return Damaged(text=text, schema=SCHEMA)


def _broken_citation(scene: Scene, rng: random.Random) -> Damaged | None:
    typo = rng.randrange(3, len(scene.cited))
    others = [
        f"{scene.language}-no-such-page-{rng.randrange(90)}",
        scene.cited[:typo] + rng.choice("xqz") + scene.cited[typo:],
        scene.cited[: typo - 1] + scene.cited[typo:],
        scene.cited.replace("-", "_"),
        rng.choice(["1", "doc-3", "source", "FAQ", "manual, page 4"]),
        f"{scene.cited}; {scene.language}-no-such-page",
    ]
    if scene.not_given:
        others += [rng.choice(scene.not_given)] * 3
    return Damaged(text=f"{scene.body} [{rng.choice([name for name in others if name != scene.cited])}]")


def _refusal(scene: Scene, rng: random.Random) -> Damaged | None:
    refusal = rng.choice((*REFUSALS[scene.language], NO_ANSWER))
    gap = "" if scene.language == "zh" else " "
    where = rng.random()
    if refusal == NO_ANSWER or where < 0.6:
        return Damaged(text=refusal)
    if where < 0.8:
        return Damaged(text=f"{rng.choice(POLITE[scene.language])}{gap}{refusal}")
    return scene.put(f"{scene.body}{gap}{refusal}")


def _leak(scene: Scene, rng: random.Random) -> Damaged | None:
    return Damaged(text=f"{scene.answer} {rng.choice(LEAKS)}")


_WAYS: dict[Kind, Callable[[Scene, random.Random], Damaged | None]] = {
    "number_changed": _number_changed,
    "name_swapped": _name_swapped,
    "negation_flipped": _flipped,
    "other_document": _other_document,
    "truncated": _truncated,
    "wrong_language": _wrong_language,
    "unsupported": _unsupported,
    "broken_json": _broken_json,
    "broken_citation": _broken_citation,
    "refusal": _refusal,
    "leak": _leak,
    "off_topic": _off_topic,
}
