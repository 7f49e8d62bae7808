"""Which faults are planted in which questions: a plan drawn from a seed, or read from a file."""

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast, get_args

from evals.blame_world import reworded
from evals.helpcentre import Question, load_questions
from groat.errors import BadInput
from groat.row_files import lines_of, what_is_wrong
from groat.text import fold, sentence_spans
from groat.types import Language

Fault = Literal[
    "stale", "wrong_hit", "router", "compression", "retrieval", "model_cheap", "model_expensive", "validation", "knowledge"
]  # fmt: skip
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
KINDS: Final[tuple[tuple[Fault, ...], ...]] = (
    ("stale",), ("wrong_hit",), ("router",), ("compression",), ("retrieval",), ("model_cheap", "model_expensive"),
    ("validation",), ("knowledge",),
)  # fmt: skip
"""Eight kinds of fault, as many cases of each; the two models share one."""
PAIRS: Final[tuple[tuple[Fault, Fault], ...]] = (
    ("retrieval", "router"),
    ("compression", "router"),
    ("knowledge", "router"),
    ("retrieval", "model_cheap"),
    ("compression", "model_cheap"),
    ("knowledge", "model_expensive"),
    ("compression", "model_expensive"),
    ("retrieval", "compression"),
    ("retrieval", "model_expensive"),
    ("wrong_hit", "router"),
    ("stale", "compression"),
    ("stale", "router"),
)
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
_ASKED: Final = ("fact", "paraphrase", "near_miss")
"""Kinds of questions that one document answers and that may be kept."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case."""

    id: str
    question: Question
    faults: tuple[Fault, ...]
    """In the order of the boxes; empty for a placebo: a right answer that somebody calls bad."""
    expected: tuple[str, ...]
    """Origins of which the verdict must name one."""
    other: Question | None
    """Whose kept answer is served: with "wrong_hit" that of another question, with "stale" that of the same one in other words;
    None with "stale" for an equal question."""
    variant: int
    """Which way a fault is planted where there are several."""

    @property
    def group(self) -> Literal["single", "pair", "placebo"]:
        """How many faults there are."""
        return "single" if len(self.faults) == 1 else "pair" if self.faults else "placebo"


def questions_for(documents: Mapping[str, str]) -> dict[Language, list[Question]]:
    """Return the questions in which faults can be planted: what a right answer holds stands in sentences of one document.

    Args:
        documents: text by id; those of which copies can differ.
    """
    found: dict[Language, list[Question]] = {language: [] for language in LANGUAGES}
    for question in load_questions():
        if question["kind"] not in _ASKED or question["history"] or len(question["documents"]) != 1:
            continue
        document = documents.get(question["documents"][0])
        if document is None or not question["answer_groups"] or not question["cacheable"] or question.get("result"):
            continue
        body = document.split("---", 2)[2]
        sentences = [body[start:end] for start, end in sentence_spans(body)]
        groups = reworded(question)
        if all(any(_has(sentence, group) for sentence in sentences) for group in groups) and all(
            _has(question["answer"], group) for group in groups
        ):
            found[question["lang"]].append(question)
    return found


def _has(text: str, group: Sequence[str]) -> bool:
    return any(fold(string) in fold(text) for string in group)


def fits(question: Question, faults: Collection[Fault]) -> bool:
    """Tell whether faults can be planted in a question: a value that changes must have a figure."""
    figures = any(char.isdigit() for group in question["answer_groups"] for char in group[0])
    return figures or "stale" not in faults


def candidates(
    faults: Sequence[Fault], language: Language, pool: Sequence[Question], rng: random.Random, *, name: str
) -> Iterator[Row]:
    """Yield cases without end, in a drawn order; not every one of them can be planted."""
    number = 0
    while True:
        order = [question for question in pool if fits(question, faults)]
        rng.shuffle(order)
        for question in order:
            other = _other(question, pool, rng) if "wrong_hit" in faults else None
            if "wrong_hit" in faults and other is None:
                continue
            if "stale" in faults and number % 2:
                other = _same(question, pool, rng)
            yield Row(
                id=f"{name}-{language}-{number}", question=question, faults=tuple(faults),
                expected=tuple(faults) or ("no_fault",), other=other, variant=number,
            )  # fmt: skip
            number += 1


def _other(question: Question, pool: Sequence[Question], rng: random.Random) -> Question | None:
    """Return a question whose answer the cache may take for the right one: it stands in the same document."""
    near = [
        one for one in pool if one["documents"] == question["documents"] and one["answer_id"] != question["answer_id"]
    ]  # fmt: skip
    return rng.choice(near) if near else None


def _same(question: Question, pool: Sequence[Question], rng: random.Random) -> Question | None:
    """Return the same question in other words, where there is one."""
    same = [one for one in pool if one["answer_id"] == question["answer_id"] and one["id"] != question["id"]]
    return rng.choice(same) if same else None


def read_plan(path: Path, pool: Mapping[Language, Sequence[Question]]) -> list[Row]:
    """Return the cases of a file; ``docs/data-formats.md`` says what a row holds.

    Raises:
        BadInput: the file cannot be read, or a row is broken; the message names the line.
    """
    by_name = {question["id"]: question for rows in pool.values() for question in rows}
    by_name |= {question["question"]: question for question in by_name.values()}
    rows: list[Row] = []
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        try:
            rows.append(_row(json.loads(line), by_name, len(rows)))
        except (ValueError, TypeError, KeyError) as error:
            why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else what_is_wrong(error)
            raise BadInput(f"{path}, line {number}: {why}; docs/data-formats.md says what a plan holds") from error
    if not rows:
        raise BadInput(f"{path} holds no case; docs/data-formats.md says what a plan holds")
    return rows


def _row(raw: object, by_name: Mapping[str, Question], number: int) -> Row:
    if not isinstance(raw, dict):
        raise ValueError("a row must be a JSON object")
    question, faults = by_name.get(raw["question"]), raw["faults"]
    if question is None:
        raise ValueError(f"{raw['question']!r} is no question of the help centre in which faults can be planted")
    if not isinstance(faults, list) or not set(faults) <= set(FAULTS) or len(faults) > 2:
        raise ValueError(f'"faults" must be a list of at most two of {", ".join(FAULTS)}')
    if raw.get("lang", question["lang"]) != question["lang"]:
        raise ValueError(f'"lang" is {raw["lang"]!r}, and the question is in {question["lang"]!r}')
    ordered = tuple(sorted(cast(list[Fault], faults), key=FAULTS.index))
    if not fits(question, ordered):
        raise ValueError("the answer of the question holds no figure that could change")
    expected = raw.get("expected", [*ordered] if ordered else "no_fault")
    if isinstance(expected, str):
        expected = [expected]
    other = by_name.get(raw.get("other", "")) if {"wrong_hit", "stale"} & set(ordered) else None
    if "wrong_hit" in ordered and other is None:
        raise ValueError('"other" must name the question whose answer is served')
    return Row(
        id=str(raw.get("id", number)), question=question, faults=ordered, expected=tuple(expected), other=other, variant=number
    )
