"""How often a reference in prose is wrong about an answer: right, wrong and damaged answers of the help centre.

python -m evals.blame_judging [--json FILE]
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from typing_extensions import TypedDict

from evals.bench_blame import Share, share
from evals.blame_minds import Fact, beside, quoted
from evals.blame_plan import LANGUAGES, questions_for
from evals.blame_world import Bases, other_value, reworded
from evals.helpcentre import Question
from evals.report import add_json_option, hand_over
from graph.blame_judging import ReferenceJudge
from groat.types import Asked


class Row(TypedDict):
    """How the answers of one kind in one language were judged."""

    lang: str
    answers: str
    """"right": sentences of the document that hold the answer; "beside": others of it; "changed": with other figures."""
    taken_for_right: Share


async def measure() -> list[Row]:
    """Judge the answers of all questions in which faults can be planted."""
    bases = Bases(Path())
    pool = questions_for({document: bases.text(document) for document in bases.documents})
    rows: list[Row] = []
    for language in LANGUAGES:
        said: dict[str, list[bool]] = {"right": [], "beside": [], "changed": []}
        for question in pool[language]:
            judge = ReferenceJudge({"answer": question["answer"]})
            for kind, answer in _answers(question, bases.text(question["documents"][0])):
                said[kind].append(await judge.right(_asked(question), answer, []) is True)
        rows += [{"lang": language, "answers": kind, "taken_for_right": share(found)} for kind, found in said.items()]
    return rows


def _answers(question: Question, text: str) -> Sequence[tuple[str, str]]:
    (document,) = question["documents"]
    documents = [(document, text.split("---", 2)[2])]
    fact = Fact(groups=reworded(question), documents=frozenset({document}))
    right = changed = quoted(documents, fact)
    for string in (string for group in fact.groups for string in group):
        changed = changed.replace(string, other_value(string, random.Random(question["id"])))
    others = [("beside", beside(documents, fact, seed)) for seed in ("first", "second")]
    return [("right", right), *others, *([("changed", changed)] if changed != right else [])]


def _asked(question: Question) -> Asked:
    return {
        "text": question["question"],
        "language": question["lang"],
        "answer_language": question["lang"],
        "search_text": question["question"],
        "history": [],
        "tenant": "default",
    }


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    rows = asyncio.run(measure())
    table = Table("lang", "answers", "n", "taken for right", "95 %")
    for row in rows:
        found = row["taken_for_right"]
        interval = f"{found['low']:.1%} to {found['high']:.1%}"
        table.add_row(row["lang"], row["answers"], str(found["n"]), f"{found['share']:.1%}", interval)
    hand_over(rows, options.json_file, [table])


if __name__ == "__main__":
    main(sys.argv[1:])
