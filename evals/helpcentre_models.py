"""Two simulated models that answer the help centre's questions: how often each errs, in which ways, and in what words.

Nobody asked a model. The rates are assumptions, in line with what is assumed elsewhere of a small model over documents (80 to
92 % right). The texts are real: right ones say what the documents say and cite
them, wrong ones are damaged or beside the point.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import regex

from evals.defect_names import Names
from evals.defects import Kind as Defect
from evals.defects import Scene, damage, without_citation
from evals.helpcentre import Kind, Question
from evals.validation_rows import read_all, scene_of, source_sentences
from groat.answering import NO_ANSWER
from groat.types import Language, Passage, Tier

ERROR_RATES: Final[Mapping[Tier, Mapping[Kind, float]]] = {
    "cheap": {
        "fact": 0.07, "paraphrase": 0.07, "near_miss": 0.12, "multi_document": 0.3, "reasoning": 0.45, "unanswerable": 0.25,
        "small_talk": 0.02, "translation": 0.1, "personal": 0.2, "time_bound": 0.15, "follow_up": 0.15, "cross_language": 0.15,
    },
    "expensive": {
        "fact": 0.01, "paraphrase": 0.01, "near_miss": 0.02, "multi_document": 0.06, "reasoning": 0.08, "unanswerable": 0.08,
        "small_talk": 0.0, "translation": 0.02, "personal": 0.05, "time_bound": 0.03, "follow_up": 0.03, "cross_language": 0.03,
    },
}  # fmt: skip
"""Share of answers that are wrong where the passages hold the answer; where they do not, both models say so and count 0."""
WRONG_WAYS: Final[Mapping[Defect, float]] = {
    "off_topic": 0.3, "number_changed": 0.2, "refusal": 0.2, "unsupported": 0.1, "other_document": 0.08,
    "negation_flipped": 0.05, "name_swapped": 0.04, "truncated": 0.03,
}  # fmt: skip
"""Shares of the wrong answers. ``off_topic`` is a faithful sentence of a given document that answers something else: what a
weak model does most, and what no look at the documents can tell."""
SHARED: Final = 0.5
"""Share of the questions whose difficulty is their own: one draw for both models and all wordings. The others are drawn anew
for each model and wording."""


@dataclass(frozen=True, kw_only=True)
class SimulatedAnswer:
    """What a simulated model says."""

    text: str
    right: bool
    way: str
    """``right``, the way in which it is wrong, or ``not in the passages``."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Both models.

    Attributes:
        seed: of all draws.
        cheap_errors: factor on the cheap model's error rates; no rate passes 0.95.
    """

    seed: int
    names: Names
    cheap_errors: float = 1.0

    def answer(self, tier: Tier, question: Question, wording: str, passages: Sequence[Passage]) -> SimulatedAnswer:
        """Return the answer of one model to a question in a wording over passages: always the same one."""
        rng = random.Random(f"{self.seed}/{tier}/{wording}")
        if not holds(question, passages):
            return SimulatedAnswer(text=NO_ANSWER, right=False, way="not in the passages")
        if not self.errs(tier, question, wording):
            return SimulatedAnswer(text=_right(question, passages, rng), right=True, way="right")
        text, way = self._wrong(question, passages, rng)
        return SimulatedAnswer(text=text, right=False, way=way)

    def errs(self, tier: Tier, question: Question, wording: str) -> bool:
        """Tell whether a model gets a question in a wording wrong where the passages hold the answer."""
        return self._draw(tier, question, wording) < self._rate(tier, question["kind"])

    def _rate(self, tier: Tier, kind: Kind) -> float:
        return ERROR_RATES[tier][kind] if tier == "expensive" else min(ERROR_RATES[tier][kind] * self.cheap_errors, 0.95)

    def _draw(self, tier: Tier, question: Question, wording: str) -> float:
        if _share(f"{self.seed}/hard/{question['answer_id']}") < SHARED:
            return _share(f"{self.seed}/both/{question['answer_id']}")
        return _share(f"{self.seed}/{tier}/{wording}")

    def _wrong(self, question: Question, passages: Sequence[Passage], rng: random.Random) -> tuple[str, str]:
        right = _right(question, passages, rng)
        if not _names_a_document(right):
            if passages and (beside := _beside(question, passages, rng)):
                return beside, "off_topic"
            return (right[: len(right) // 2] if right != NO_ANSWER else _REFUSED[question["lang"]]), "truncated"
        scene = self._scene(question, right, passages, rng)
        left = dict(WRONG_WAYS)
        while left:
            way = rng.choices([*left], [*left.values()])[0]
            del left[way]
            text = _beside(question, passages, rng) if way == "off_topic" else ""
            if way != "off_topic" and (damaged := damage(way, scene, rng)) is not None:
                text = damaged.text
            if text and text != right and not (way == "truncated" and _says_it_all(question, text)):
                return text, way
        return NO_ANSWER, "refusal"

    def _scene(self, question: Question, right: str, passages: Sequence[Passage], rng: random.Random) -> Scene:
        whole = scene_of(question, passages, read_all(), self.names, rng)
        return Scene(**{**vars(whole), "answer": right})


def names() -> Names:
    """Return the names of the whole collection, for ``Simulation``."""
    return Names(("zh" if document.id.startswith("zh") else "en", document.text) for document in read_all().values())


def holds(question: Question, passages: Sequence[Passage]) -> bool:
    """Tell whether the passages hold what a right answer must hold; true where nothing is known that it must."""
    text = "\n".join(passage["text"] for passage in passages).casefold()
    return all(any(string.casefold() in text for string in group) for group in question["answer_groups"])


def told_by(question: Question, passages: Sequence[Passage]) -> list[str]:
    """Return strings of which the documents must hold one: of several groups the one that the fewest passages hold."""
    texts = [passage["text"].casefold() for passage in passages]

    def holding(group: list[str]) -> int:
        return sum(any(string.casefold() in text for string in group) for text in texts)

    held = [group for group in question["answer_groups"] if holding(group)]
    if not held:
        return []
    rarest = min(held, key=holding)
    return rarest


_REFUSED: Final[Mapping[Language, str]] = {"en": "Yes, that is possible.", "zh": "是的，可以。"}
"""What is made up where nothing answers and no document was found."""


def _right(question: Question, passages: Sequence[Passage], rng: random.Random) -> str:
    """Return the author's answer or the documents' own sentences, cited as the prompt asks."""
    if question["kind"] == "unanswerable":
        return NO_ANSWER
    given = {passage["document_id"] for passage in passages}
    cited = next((name for name in question["documents"] if name in given), None)
    if cited is None:
        return question["answer"]
    quoted = source_sentences(question, question["answer"]) if question["kind"] != "cross_language" else []
    body = ("" if question["lang"] == "zh" else " ").join(quoted) if quoted and rng.random() < 0.5 else question["answer"]
    return f"{body} [{cited}]"


def _beside(question: Question, passages: Sequence[Passage], rng: random.Random) -> str:
    """Return a cited sentence of a given document that does not hold the answer; empty when there is none."""
    groups = question["answer_groups"]
    found = []
    for passage in passages:
        for start, end in passage["sentences"]:
            sentence = passage["text"][start:end].strip()
            answers = groups and all(any(string.casefold() in sentence.casefold() for string in group) for group in groups)
            if regex.search(r"[.。]$", sentence) and not regex.search(r"^[|#>*\-\d`]", sentence) and not answers:
                found.append(f"{sentence} [{passage['document_id']}]")
    # The first passages are the likeliest to be mistaken for the right one.
    return rng.choice(found[:12]) if found else ""


def _names_a_document(text: str) -> bool:
    return text != NO_ANSWER and without_citation(text) != text


def _says_it_all(question: Question, text: str) -> bool:
    groups = question["answer_groups"]
    return bool(groups) and all(any(string.casefold() in text.casefold() for string in group) for group in groups)


def _share(text: str) -> float:
    """Return a number in 0..1 that is always the same for a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
