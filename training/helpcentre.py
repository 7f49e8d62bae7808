"""The part of our help centre that may be trained on: documents and questions that no held-out question shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import regex

from evals.helpcentre import Question, load_questions
from evals.validation_rows import held_out_of, read_all
from groat.text import content_words, sentence_spans

_ANSWERED = frozenset({"fact", "paraphrase", "near_miss", "multi_document"})
_RULE = regex.compile(r"[|\s:-]+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a document."""

    document: str
    """Id of the document."""
    title: str
    heading: str
    """The heading above it; empty under the title."""
    text: str
    place: int
    """Its number among the sentences of the document."""


def bare(name: str) -> str:
    """Return an id without its language: twins of both languages share it."""
    return regex.sub(r"^(?:en|zh)-", "", name)


def group_of(name: str) -> str:
    """Return the group of a document: its name without the language."""
    return f"helpcentre:{bare(name)}"


@cache
def develop() -> tuple[tuple[str, ...], tuple[Question, ...]]:
    """Return the ids of the documents and the questions of the develop part, in the order of the files."""
    questions = load_questions()
    answered = [row for row in questions if row["kind"] in _ANSWERED and row["documents"]]
    held = held_out_of(answered)
    kept_back = {bare(name) for row in answered if row["id"] in held for name in row["documents"]}
    names = tuple(name for name in read_all() if bare(name) not in kept_back)
    asked = tuple(
        row for row in questions if row["documents"] and all(bare(name) not in kept_back for name in row["documents"])
    )
    return names, asked


@cache
def sentences_of(name: str) -> tuple[Sentence, ...]:
    """Return the sentences of a document with the heading above each; headings and rules of tables are none."""
    document = read_all()[name]
    found: list[Sentence] = []
    heading = ""
    for start, end in sentence_spans(document.text):
        text = document.text[start:end]
        if text.startswith("#"):
            heading = "" if text.startswith("# ") else text.lstrip("# ").strip()
        elif not _RULE.fullmatch(text):
            found.append(Sentence(name, document.title, heading, text, len(found)))
    return tuple(found)


def language_of(name: str) -> str:
    """Return the language that an id begins with."""
    return name[:2]


def evidence(question: Question) -> list[Sentence]:
    """Return the sentences of the gold documents that hold the answer, one for each group of strings.

    Among several that hold a string, the one with the most words of the answer, the question. Empty when a group has
    none.
    """
    told = [sentence for name in question["documents"] for sentence in sentences_of(name)]
    words = set(content_words(f"{question['answer']} {question['question']}"))
    found: dict[Sentence, None] = {}
    for strings in question["answer_groups"]:
        holding = [sentence for sentence in told if holds(sentence.text, strings)]
        if not holding:
            return []
        found[max(holding, key=lambda sentence: len(words & set(content_words(f"{sentence.heading} {sentence.text}"))))] = None
    return list(found)


def holds(text: str, strings: Sequence[str]) -> bool:
    """Tell whether a text holds one of the strings, case and marks of emphasis aside, as whole words."""
    plain = text.replace("**", "").casefold()
    return any(regex.search(_whole(string.casefold()), plain) for string in strings)


def _whole(string: str) -> str:
    left = r"(?<![\p{Latin}\d.,])" if string[:1].isascii() and string[:1].isalnum() else ""
    right = r"(?![\p{Latin}\d])(?![.,]\d)" if string[-1:].isascii() and string[-1:].isalnum() else ""
    return left + regex.escape(string) + right
