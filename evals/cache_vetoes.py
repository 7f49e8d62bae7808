"""What the vetoes of the answer cache catch and cost on the help centre's questions.

python -m evals.cache_vetoes [--vectors FOLDER] [--json FILE]

Every question that may be kept is held against its eight nearest ones and those that share its answer, within its
language. A pair is right when one answer serves both. "kept by score" are the pairs that the fitted rule, without the
judge, gives at least 12 % (log odds of -2).
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from rich.table import Table
from typing_extensions import TypedDict

from evals.helpcentre import Question, load_questions, open_helpcentre, retrieve
from evals.report import add_json_option, hand_over
from evals.vectors import VectorFile
from groat.cache.coverage import uncovered
from groat.cache.evidence import evidence
from groat.cache.replay import interval
from groat.cache.verifier import Verifier, VerifierArtifact
from groat.embedding.bundled import BundledEmbedder
from groat.knowledge import KnowledgeBase
from groat.types import Passage

_NEAREST = 8
_NEAR = -2.0
"""Log odds from which a pair counts as near to being served: the promise takes more, and leaves hardly a pair to count."""


@dataclass(frozen=True)
class Pair:
    """A question and a kept one."""

    asked: Question
    kept: Question
    right: bool
    score: float
    """Log odds by the fitted rule without the judge."""
    found: Sequence[str]
    """Documents found for the question that is asked, best first."""
    documents: frozenset[str]
    """Documents that are sent with the kept question."""


class Row(TypedDict):
    """What one veto does in one language."""

    veto: str
    lang: str
    served_only: bool
    right: int
    lost: int
    lost_ci: tuple[float, float]
    wrong: int
    caught: int
    caught_ci: tuple[float, float]


Refuses = Callable[[Pair], bool]


def _passages(best: int, *, quoted: bool) -> Refuses:
    def refuses(pair: Pair) -> bool:
        stands_on = frozenset(pair.kept["documents"]) if quoted else pair.documents
        return bool(stands_on) and bool(pair.found) and stands_on.isdisjoint(pair.found[:best])

    return refuses


def _uncovered(pair: Pair) -> bool:
    return bool(uncovered(pair.asked["question"], pair.kept["question"], pair.kept["answer"]))


VETOES: dict[str, Refuses] = {
    "uncovered": _uncovered,
    **{f"best {best} of all that was sent": _passages(best, quoted=False) for best in (1, 2)},
    **{f"best {best} of what is quoted": _passages(best, quoted=True) for best in (1, 2, 3, 5)},
}


async def main(arguments: Sequence[str]) -> None:
    """Measure every veto and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=Path, help="folder in which vectors are kept for the next run")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        embedder = VectorFile(BundledEmbedder(), options.vectors or Path(folder))
        pairs = await pairs_of(embedder, Path(folder))
        embedder.save()
    rows = measured(pairs)
    hand_over(rows, options.json_file, [table(rows)])


async def pairs_of(embedder: VectorFile, folder: Path) -> list[Pair]:
    """Return the pairs of both languages."""
    knowledge = await open_helpcentre(KnowledgeBase(folder / "knowledge.sqlite", embedder))
    verifier = Verifier(VerifierArtifact.load())
    pairs: list[Pair] = []
    for language in ("en", "zh"):
        questions = [one for one in load_questions(language) if one["cacheable"] and not one["history"]]
        vectors = np.stack([await embedder.query(one["question"]) for one in questions])
        found, sent = [], []
        for one in questions:
            found.append(_documents(await knowledge.search(one["question"], tenant="default")))
            sent.append(frozenset(_documents(await retrieve(knowledge, one["question"]))))
        cosines = vectors @ vectors.T
        for asked, kept in product(range(len(questions)), repeat=2):
            right = questions[asked]["answer_id"] == questions[kept]["answer_id"]
            near = cosines[asked, kept] >= np.partition(cosines[asked], -_NEAREST - 1)[-_NEAREST - 1]
            if asked == kept or not (right or near):
                continue
            a, b = questions[asked]["question"], questions[kept]["question"]
            values = evidence(a, b, cosine=float(cosines[asked, kept]), logit=0.0)
            score = float(verifier.scores("plain", values[None])[0])
            pairs.append(Pair(questions[asked], questions[kept], right, score, found[asked], sent[kept]))
    return pairs


def _documents(passages: Sequence[Passage]) -> list[str]:
    return list(dict.fromkeys(passage["document_id"] for passage in passages))


def measured(pairs: Sequence[Pair]) -> list[Row]:
    """Return what each veto does, by language, on all pairs and on those that would be served."""
    rows: list[Row] = []
    for (name, refuses), lang, served_only in product(VETOES.items(), ("en", "zh"), (False, True)):
        mine = [one for one in pairs if one.asked["lang"] == lang and (one.score >= _NEAR or not served_only)]
        right, wrong = ([refuses(one) for one in mine if one.right is kind] for kind in (True, False))
        rows.append(
            {
                "veto": name, "lang": lang, "served_only": served_only,
                "right": len(right), "lost": sum(right), "lost_ci": interval(sum(right), len(right)),
                "wrong": len(wrong), "caught": sum(wrong), "caught_ci": interval(sum(wrong), len(wrong)),
            }
        )  # fmt: skip
    return rows


def table(rows: Sequence[Row]) -> Table:
    """Return the figures as a table for people."""
    shown = Table("veto", "lang", "pairs", "right ones lost", "95 %", "wrong ones caught", "95 %", box=None)
    for row in rows:
        shown.add_row(
            row["veto"], row["lang"], "kept by score" if row["served_only"] else "all",
            f"{row['lost']} of {row['right']}", "{:.1%} to {:.1%}".format(*row["lost_ci"]),
            f"{row['caught']} of {row['wrong']}", "{:.1%} to {:.1%}".format(*row["caught_ci"]),
        )  # fmt: skip
    return shown


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
