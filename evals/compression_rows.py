"""Rows that show whether a shortened context still holds the answer."""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from groat.errors import BadInput
from groat.text import detect_language, sentence_spans
from groat.types import Language, Passage


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question with its passages and what an answer needs."""

    id: str
    source: str
    language: Language
    question: str
    passages: list[Passage]
    answer_groups: list[list[str]]
    """Each group needs one of its strings in the text."""
    gold: list[tuple[str, str]]
    """(document id, sentence) of the sentences that people, or the answer's place, name as needed."""
    gold_documents: frozenset[str]
    by_strings: bool = True
    """Whether the answer can be looked for; a yes or no cannot, and the gold sentences stand for it."""

    @property
    def kind(self) -> Literal["one fact", "several facts", "other language"]:
        """What makes it hard: several documents or answers, or documents in another language than the question."""
        languages = Counter(passage["language"] for passage in self.passages)
        if languages[self.language] * 2 < sum(languages.values()):
            return "other language"
        return "several facts" if len(self.gold_documents) > 1 or len(self.answer_groups) > 1 else "one fact"

    def needed(self) -> list[list[bool]]:
        """Return for each sentence of each passage whether an answer needs it: gold, or with the answer in a gold document."""
        groups = self.answer_groups if self.by_strings else []
        strings = [string.casefold() for group in groups for string in group]
        return [self._needed(passage, strings) for passage in self.passages]

    def _needed(self, passage: Passage, strings: Sequence[str]) -> list[bool]:
        gold = ["".join(sentence.split()) for document, sentence in self.gold if document == passage["document_id"]]
        found = []
        for start, end in passage["sentences"]:
            sentence = passage["text"][start:end]
            bare = "".join(sentence.split())
            holds = passage["document_id"] in self.gold_documents and any(one in sentence.casefold() for one in strings)
            found.append(holds or any(bare in one or one in bare for one in gold))
        return found

    def gold_recall(self, passages: Sequence[Passage]) -> float | None:
        """Return the share of the gold sentences that stand in the passages; None without any.

        White space and the last stop do not count: some splitters drop the stop at which they cut.
        """
        if not self.gold:
            return None
        texts: dict[str, str] = defaultdict(str)
        for passage in passages:
            texts[passage["document_id"]] += "".join(passage["text"].split())
        return sum("".join(sentence.split()).rstrip(".。") in texts[document] for document, sentence in self.gold) / len(
            self.gold
        )

    def holds_answer(self, passages: Sequence[Passage]) -> bool:
        """Tell whether every group has one of its strings in the passages, case aside; or all gold sentences are there."""
        if not self.by_strings:
            return self.gold_recall(passages) == 1.0
        text = "\n".join(passage["text"] for passage in passages).casefold()
        return all(any(string.casefold() in text for string in group) for group in self.answer_groups)


def read_rows(path: Path, told: Callable[[str], None] | None = None, *, by_gold: bool = False) -> Iterator[Row]:
    """Yield the rows of a file whose full context holds the answer, one passage a document, in the order given.

    Args:
        path: .jsonl or .jsonl.gz.
        told: gets the message about a broken row, which is left out; without it the first broken row ends the reading.
        by_gold: also rows whose answer cannot be looked for as a string (``string_metric`` false) but that name their gold
            sentences, all of which must then be kept.

    Raises:
        BadInput: a row is broken; the message names file, line and what is wrong. Or there is no such file.
    """
    if not path.is_file():
        raise BadInput(f"{path} is no file; name files of compression rows, .jsonl or .jsonl.gz")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                raw = json.loads(line)
                row = _row(raw, number)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                message = f"{path}, line {number}: not a compression row ({type(error).__name__}: {error})"
                if told is None:
                    raise BadInput(message) from error
                told(message)
                continue
            usable = row.answer_groups if row.by_strings else by_gold
            if usable and row.holds_answer(row.passages):
                yield row


def recorded_rows(texts: Sequence[str]) -> list[Row]:
    """Return the rows that records of compression hold (``groat.compression.records.training_row``)."""
    return [_row(json.loads(text), number) for number, text in enumerate(texts, 1)]


def spread(rows: Sequence[Row], most: int | None) -> list[Row]:
    """Return so many of the rows that are measured alike, evenly spread; all when ``most`` is None."""
    if most is None:
        return list(rows)
    alike = [[row for row in rows if row.by_strings == by_strings] for by_strings in (True, False)]
    return [row for some in alike for row in some[:: max(1, len(some) // most)][:most]]


def grouped(rows: Sequence[Row]) -> list[str]:
    """Return the name of each row's group: rows that share a gold document, or are one question in two languages."""
    parents: dict[str, str] = {}

    def root(name: str) -> str:
        while parents.setdefault(name, name) != name:
            name = parents[name]
        return name

    for row in rows:
        shared = [f"question {row.id.removeprefix(f'{row.source}-')}"]
        shared += [f"text {passage['text']}" for passage in row.passages if passage["document_id"] in row.gold_documents]
        for name in shared:
            parents[root(name)] = root(f"row {row.source} {row.id}")
    return [root(f"row {row.source} {row.id}") for row in rows]


def _row(raw: dict[str, Any], number: int) -> Row:
    return Row(
        id=str(raw.get("id", number)),
        source=raw["source"],
        language="zh" if str(raw["lang"]).startswith("zh") else "en",
        question=raw["question"],
        answer_groups=raw["answer_groups"],
        gold=[(str(one["doc"]), one["text"]) for one in raw.get("gold_sentences", []) if one["text"].strip()],
        gold_documents=frozenset(str(document["id"]) for document in raw["docs"] if document.get("gold")),
        by_strings=bool(raw.get("string_metric", True)),
        passages=[
            {
                "id": str(document["id"]),
                "document_id": str(document["id"]),
                "version": "",
                "title": document.get("title") or "",
                "heading": document.get("heading") or "",
                "text": document["text"],
                "language": detect_language(document["text"]),
                "sentences": sentence_spans(document["text"]),
                "score": 0.0,
                "similarity": document.get("similarity"),
            }
            for document in raw["docs"]
        ],
    )
