"""What the judge adds where sentences are ranked and answers are checked, on groups that nothing was trained on.

python -m training.measure --data DATA [--weights all|open|FOLDER] [--rows 150] [--json FILE]

Relevance: share of the gold sentences among the first 20 % of the tokens, ranked by BM25 with E5's cosines, and with the judge
re-reading the best twenty. Support: right answers of the held-out part of the help centre against damaged ones.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from sklearn.metrics import roc_auc_score

from evals.defects import Kind, damage
from evals.report import add_json_option, hand_over
from evals.validation_rows import Row, forms, load_reworded, load_rows
from groat.compression.ranking import rank_sentences
from groat.judge import Judge
from groat.text import count_tokens, sentence_spans
from training.pools import HELD_GROUPS, PASSAGES
from training.sources import portion, read_contexts
from training.texts import Groups, sentences, titled

_KEPT = 0.2
_REREAD = 20
_RRF = 10
_CONTENT: tuple[Kind, ...] = ("number_changed", "name_swapped", "negation_flipped", "other_document", "unsupported")
"""Kinds of damage that change what an answer says."""
_WINDOW = 3
_NEAREST = 4


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="all")
    parser.add_argument("--rows", type=int, default=150, help="questions of each kind")
    parser.add_argument("--threads", type=int, default=2)
    add_json_option(parser)
    told = parser.parse_args(arguments)
    judge = Judge.open(told.weights if told.weights in ("all", "open") else Path(told.weights), threads=told.threads)
    relevance, support = relevance_of(judge, told.data, told.rows), support_of(judge, told.rows)
    first = Table("sentences of", "questions", "BM25 + E5", "judge", "both")
    for row in relevance:
        first.add_row(row["source"], str(row["n"]), *(f"{row[name]:.3f}" for name in ("fusion", "judge", "both")))
    second = Table("support", "right", "damaged", "AUC")
    for one in support:
        second.add_row(f"{one['lang']}, {one['defect']}", str(one["right"]), str(one["damaged"]), f"{one['auc']:.3f}")
    hand_over({"relevance": relevance, "support": support}, told.json_file, [first, second])


def relevance_of(judge: Judge, data: Path, most: int) -> list[dict[str, Any]]:
    """Return the recall of gold sentences by source, and of all together."""
    contexts = {name: read_contexts(data / "compress", name) for name in PASSAGES}
    groups = Groups([row for rows in contexts.values() for row in rows])
    found: list[dict[str, Any]] = []
    for name, rows in contexts.items():
        held = [row for row in rows if all(portion(groups.of(one["text"])) < HELD_GROUPS for one in row["docs"] if one["gold"])]
        recalls = [_recalls(judge, row) for row in held[:most]]
        if recalls:
            found.append({"source": name, "n": len(recalls), **_means(recalls)})
    total = sum(row["n"] for row in found)
    whole = {key: sum(row[key] * row["n"] for row in found) / max(1, total) for key in ("fusion", "judge", "both")}
    return [*found, {"source": "all", "n": total, **whole}]


def _means(recalls: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: round(float(np.mean([one[key] for one in recalls])), 4) for key in recalls[0]}


def _recalls(judge: Judge, row: Mapping[str, Any]) -> dict[str, float]:
    """Return the share of gold sentences that each ranking keeps."""
    read = [(one["title"], text, one["gold"]) for one in row["docs"] for text in sentences(one["text"])]
    texts, question = [text for _, text, _ in read], row["question"]
    encoder = judge.encoder
    asked = encoder.vectors(encoder.states([question], prefix="query: ", most_tokens=512))[0]
    near = encoder.vectors(encoder.states(texts, prefix="passage: ", most_tokens=256)) @ asked
    fusion = rank_sentences(question, texts, headings=[title for title, _, _ in read], similarities=near)
    best = np.argsort(-fusion, kind="stable")[:_REREAD]
    logits = judge.logits("answers", [(question, titled(read[i][0], read[i][1])) for i in best])
    by_judge, both = fusion.copy(), fusion.copy()
    for place, i in enumerate(best[np.argsort(-logits, kind="stable")]):
        by_judge[i] = 2.0 - place / len(best)
    for rank, i in enumerate(best):
        both[i] = 1.0 + 1 / (_RRF + rank) + 1 / (_RRF + int((logits > logits[rank]).sum()))
    golds = ["".join(gold["text"].split()) for gold in row["gold_sentences"]]
    return {name: _kept(scores, read, golds) for name, scores in (("fusion", fusion), ("judge", by_judge), ("both", both))}


def _kept(scores: NDArray[np.float64], read: Sequence[tuple[str, str, bool]], golds: Sequence[str]) -> float:
    budget = _KEPT * sum(count_tokens(text) for _, text, _ in read)
    kept = ""
    for i in np.argsort(-scores, kind="stable"):
        budget -= count_tokens(read[i][1])
        if budget < 0:
            break
        kept += "".join(read[i][1].split()) + "\n"
    return sum(gold in kept for gold in golds) / max(1, len(golds))


def support_of(judge: Judge, most: int) -> list[dict[str, Any]]:
    """Return how well the least supported sentence of an answer tells damaged answers from right ones."""
    right: dict[str, list[float]] = {}
    wrong: dict[tuple[str, str], list[float]] = {}
    for row in _spread(list(load_rows("held-out", 7)), most):
        rng = random.Random(row.question["id"])
        lang = row.scene.language
        answers = [next(forms(row, rng))[1].text]
        if (text := load_reworded().get(row.question["id"])) is not None:
            answers.append(text)
        right.setdefault(lang, []).extend(_supported(judge, row, answer) for answer in answers)
        for kind in _CONTENT:
            if (damaged := damage(kind, row.scene, rng)) is not None:
                wrong.setdefault((lang, kind), []).append(_supported(judge, row, damaged.text))
    found = []
    for tongue, good in sorted(right.items()):
        kinds = {kind: scores for (own, kind), scores in sorted(wrong.items()) if own == tongue}
        kinds["all"] = [score for scores in kinds.values() for score in scores]
        for name, bad in kinds.items():
            area = roc_auc_score([1] * len(good) + [0] * len(bad), [*good, *bad])
            found.append(
                {"lang": tongue, "defect": name, "right": len(good), "damaged": len(bad), "auc": round(float(area), 4)}
            )
    return found


def _spread(rows: Sequence[Row], most: int) -> Iterator[Row]:
    step = max(1, len(rows) // most)
    yield from list(rows)[::step]


def _supported(judge: Judge, row: Row, answer: str) -> float:
    """Return the logit of the least supported sentence, each against the windows of sentences that are nearest to it."""
    windows = [
        " ".join(passage["text"][a:b] for a, b in passage["sentences"][start : start + _WINDOW])
        for passage in row.passages
        for start in range(max(1, len(passage["sentences"]) - _WINDOW + 1))
    ]
    claims = [answer[a:b] for a, b in sentence_spans(answer)] or [answer]
    least = []
    for claim in claims:
        order = np.argsort(-rank_sentences(claim, windows, headings=[""] * len(windows)), kind="stable")[:_NEAREST]
        least.append(float(judge.logits("supports", [(claim, windows[i]) for i in order]).max()))
    return min(least)


if __name__ == "__main__":
    main(sys.argv[1:])
