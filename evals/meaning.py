"""Evaluators that hold an answer against a reference by meaning, by the judge of pairs or by vectors, and how good they are.

Measured on right answers in other words (``reworded.jsonl``) and on the same damaged:

python -m evals.meaning [--json FILE]
"""

import argparse
import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from rich.table import Table
from sklearn.metrics import roc_auc_score
from typing_extensions import TypedDict

from evals.defects import Kind, damage
from evals.evaluators import Fields, Score
from evals.quick_vectors import QuickEmbedder
from evals.report import add_json_option, hand_over
from evals.validation_rows import load_reworded, load_rows
from graph.judging import LazyJudge
from groat.blame.reference import read_reference
from groat.embedding import Embedder
from groat.judge import PairJudge
from groat.text import without_citations
from groat.types import Language

Meaning = Callable[..., Awaitable[Score]]
DAMAGED: Final[tuple[Kind, ...]] = (
    "number_changed",
    "name_swapped",
    "negation_flipped",
    "other_document",
    "truncated",
    "off_topic",
)


def meaning_by_judge(judge: PairJudge) -> Meaning:
    """Return an evaluator in LangSmith's form: the probability that answer and reference support each other, the lesser one."""

    async def meaning(*, outputs: Fields, reference_outputs: Fields) -> Score:
        reference, answer = _texts(outputs, reference_outputs)
        if not reference or not answer:
            return {"key": "meaning", "score": None, "comment": "there is no reference, or no answer"}
        there = await judge.supports(reference, [answer])
        back = await judge.supports(answer, [reference])
        if reason := there.reasons[0] or back.reasons[0]:
            return {"key": "meaning", "score": None, "comment": reason}
        return {"key": "meaning", "score": round(float(min(there.p[0], back.p[0])), 6), "comment": ""}

    return meaning


def meaning_by_vectors(embedder: Embedder) -> Meaning:
    """Return an evaluator in LangSmith's form: the cosine of answer and reference, high for everything that is alike."""

    async def meaning(*, outputs: Fields, reference_outputs: Fields) -> Score:
        reference, answer = _texts(outputs, reference_outputs)
        if not reference or not answer:
            return {"key": "meaning_cosine", "score": None, "comment": "there is no reference, or no answer"}
        first, second = await embedder.passages([reference, answer])
        return {"key": "meaning_cosine", "score": round(float(first @ second), 6), "comment": ""}

    return meaning


def _texts(outputs: Fields, reference_outputs: Fields) -> tuple[str, str]:
    return read_reference(reference_outputs).get("answer", ""), without_citations(str(outputs["answer"])).strip()


class Told(TypedDict):
    """How well an evaluator tells right answers from damaged ones in one language."""

    by: str
    lang: Language
    right: int
    wrong: int
    auc: float
    """Probability that a right answer scores higher than a damaged one; 0.5 is a coin."""


async def measure(ways: dict[str, Meaning], seed: int = 7) -> list[Told]:
    """Return how well each way tells the right answers in other words (``reworded.jsonl``) from the same damaged."""
    reworded = load_reworded()
    scores: dict[tuple[str, Language], list[tuple[bool, float]]] = defaultdict(list)
    for row in load_rows("all", seed):
        if (right := reworded.get(row.question["id"])) is None:
            continue
        rng = random.Random(f"{seed} {row.question['id']}")
        damaged = [bad.text for kind in DAMAGED if (bad := damage(kind, row.scene, rng)) is not None]
        for good, text in [(True, right), *((False, text) for text in damaged)]:
            for name, way in ways.items():
                found = await way(outputs={"answer": text}, reference_outputs={"answer": row.question["answer"]})
                if found["score"] is not None:
                    scores[name, row.question["lang"]].append((good, found["score"]))
    return [
        {
            "by": name, "lang": language, "right": sum(good for good, _ in found), "wrong": sum(not good for good, _ in found),
            "auc": round(float(roc_auc_score([good for good, _ in found], [score for _, score in found])), 4),
        }
        for (name, language), found in sorted(scores.items())
    ]  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_json_option(parser)
    options = parser.parse_args(arguments)
    ways = {"judge": meaning_by_judge(LazyJudge()), "vectors": meaning_by_vectors(QuickEmbedder())}
    found = asyncio.run(measure(ways))
    table = Table("by", "lang", "right", "damaged", "AUC")
    for one in found:
        table.add_row(one["by"], one["lang"], str(one["right"]), str(one["wrong"]), f"{one['auc']:.3f}")
    hand_over(found, options.json_file, [table])


if __name__ == "__main__":
    main(sys.argv[1:])
