"""How many injected defects validation catches, and how many right answers it calls wrong.

python -m evals.validation [--json FILE]
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.table import Table
from typing_extensions import TypedDict

from evals.cache_pairs import asked
from evals.defects import KINDS, Damaged, damage, sentences_of
from evals.helpcentre import DOCUMENTS, Question, load_questions
from evals.report import add_json_option, hand_over
from groat.answering import NO_ANSWER
from groat.knowledge.documents import SourceDocument
from groat.knowledge.readers import read_documents
from groat.knowledge.splitting import split
from groat.text import count_tokens
from groat.types import Attempt, Check, Language, Passage
from groat.validation import check_answer

CONTEXT_TOKENS = 2000
_ANSWERED = {"fact", "paraphrase", "near_miss", "multi_document"}


class Caught(TypedDict):
    """How often one kind of answer was rejected."""

    defect: str
    lang: str
    rows: int
    rejected: int
    share: float


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    rows = measure(options.seed)
    table = Table("defect", "lang", "rows", "rejected", "share")
    for row in rows:
        table.add_row(row["defect"], row["lang"], str(row["rows"]), str(row["rejected"]), f"{row['share']:.1%}")
    hand_over(rows, options.json_file, [table])


def measure(seed: int, *, every: int = 1) -> list[Caught]:
    """Return the share of answers rejected: first of right ones, then of each kind of defect, in each language.

    ``every`` takes each so-manieth question only, for a quick look.
    """
    counts: dict[tuple[str, Language], list[bool]] = defaultdict(list)
    for defect, question, checks in judged(seed, every):
        counts[defect, question["lang"]].append(not all(check["passed"] for check in checks))
    return [
        {
            "defect": defect,
            "lang": language,
            "rows": len(rejected),
            "rejected": sum(rejected),
            "share": round(sum(rejected) / len(rejected), 4),
        }
        for (defect, language), rejected in counts.items()
    ]


def judged(seed: int, every: int) -> Iterator[tuple[str, Question, list[Check]]]:
    """Yield every right and every damaged answer with its checks."""
    rng = random.Random(seed)
    documents = read_all()
    for question in [row for row in load_questions() if row["kind"] in _ANSWERED and row["documents"]][::every]:
        passages, foreign = context(question, documents, rng)
        right = f"{question['answer']} [{question['documents'][0]}]"
        given = question["question"] + "\n".join(f"{p['title']} {p['heading']} {p['text']}" for p in passages)
        yield "right", question, _checks(question, Damaged(text=right), passages)
        for kind in KINDS:
            bad = damage(kind, right, language=question["lang"], given=given, foreign=foreign, rng=rng)
            if bad is not None:
                yield kind, question, _checks(question, bad, passages)


def read_all() -> dict[str, SourceDocument]:
    """Return the documents of the help centre by id."""
    found: dict[str, SourceDocument] = {}
    for path in sorted(path for path in DOCUMENTS.rglob("*") if path.is_file()):
        for document in read_documents(path.resolve()):
            if isinstance(document, SourceDocument):
                found[document.id] = document
    return found


def context(question: Question, documents: dict[str, SourceDocument], rng: random.Random) -> tuple[list[Passage], list[str]]:
    """Return the passages of the gold documents among those of others, up to 2,000 tokens, and sentences of none of these."""
    others = [name for name in documents if name.startswith(question["lang"]) and name not in question["documents"]]
    rng.shuffle(others)
    passages: list[Passage] = []
    tokens = 0
    for place, name in enumerate([*question["documents"], *others]):
        if place >= len(question["documents"]) and tokens >= CONTEXT_TOKENS:
            break
        for piece in passages_of(documents[name]):
            passages.append(piece)
            tokens += count_tokens(piece["text"])
    used = {passage["document_id"] for passage in passages}
    foreign = [s for name in others[-12:] if name not in used for s in sentences_of(documents[name].text)]
    return passages, foreign


def passages_of(document: SourceDocument) -> list[Passage]:
    """Return a document cut as the index cuts it."""
    return [
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
    ]


def _checks(question: Question, answer: Damaged, passages: Sequence[Passage]) -> list[Check]:
    attempt: Attempt = {
        "box": "answer_cheap",
        "tier": "cheap",
        "model": "",
        "text": answer.text,
        "abstained": answer.text == NO_ANSWER,
        "finish_reason": answer.finish_reason,
        "latency_ms": 0.0,
        "level": "full",
        "repaired": False,
    }
    return check_answer(asked(question), attempt, passages, kind="knowledge")


if __name__ == "__main__":
    main(sys.argv[1:])
