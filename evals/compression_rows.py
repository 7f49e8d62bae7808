"""Rows that show whether a shortened context still holds the answer."""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groat.errors import BadInput
from groat.text import detect_language, sentence_spans
from groat.types import Language, Passage


@dataclass(frozen=True, kw_only=True)
class Row:
    """One question with its passages and what an answer needs."""

    source: str
    language: Language
    question: str
    passages: list[Passage]
    answer_groups: list[list[str]]
    """Each group needs one of its strings in the text."""

    def holds_answer(self, passages: Sequence[Passage]) -> bool:
        """Tell whether every group has one of its strings in the passages, case aside."""
        text = "\n".join(passage["text"] for passage in passages).casefold()
        return all(any(string.casefold() in text for string in group) for group in self.answer_groups)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file whose full context holds the answer, one passage a document, in the order given.

    Rows whose answer cannot be looked for as a string (``string_metric`` false) are left out.

    Raises:
        BadInput: a row is broken; the message names file, line and what is wrong.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                raw = json.loads(line)
                row = _row(raw)
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(f"{path}, line {number}: not a compression row ({type(error).__name__}: {error})") from error
            if raw.get("string_metric", True) and row.answer_groups and row.holds_answer(row.passages):
                yield row


def _row(raw: dict[str, Any]) -> Row:
    return Row(
        source=raw["source"],
        language="zh" if raw["lang"] == "zh" else "en",
        question=raw["question"],
        answer_groups=raw["answer_groups"],
        passages=[
            {
                "id": str(document["id"]),
                "document_id": str(document["id"]),
                "version": "",
                "title": document.get("title") or "",
                "heading": "",
                "text": document["text"],
                "language": detect_language(document["text"]),
                "sentences": sentence_spans(document["text"]),
                "score": 0.0,
                "similarity": None,
            }
            for document in raw["docs"]
        ],
    )
