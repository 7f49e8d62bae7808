"""How many injected defects validation catches, and how many right answers it calls wrong.

python -m evals.validation [--part develop|held-out|all] [--json FILE]
"""

import argparse
import math
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rich.table import Table
from typing_extensions import TypedDict

from evals.cache_pairs import asked
from evals.closeness import Closeness
from evals.defects import INFORMATION, KINDS, Damaged, damage
from evals.report import add_json_option, hand_over
from evals.validation_rows import PARTS, Part, Row, forms, load_reworded, load_rows, read_all
from groat.answering import NO_ANSWER
from groat.embedding import Embedder
from groat.embedding.bundled import BundledEmbedder
from groat.types import Attempt, Check, Language
from groat.validation import check_answer, doubtful

DRAWS = 2
"""How often each kind of defect is drawn for one answer."""
_Z95 = 1.96


class Caught(TypedDict):
    """How often one kind of answer was rejected."""

    defect: str
    """"right: ..." for right answers."""
    lang: str
    rows: int
    rejected: int
    share: float
    low: float
    """Lower end of the 95 % interval of Wilson; draws from one answer are counted as if they were independent."""
    high: float


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--part", choices=PARTS, default="held-out", help="the checks were tuned on develop")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    rows = measure(options.seed, part=options.part)
    table = Table("answer", "lang", "rows", "rejected", "share", "95 %")
    for row in sorted([*rows, *summed(rows)], key=lambda row: (row["lang"], row["defect"])):
        interval = f"{row['low']:.1%} - {row['high']:.1%}"
        table.add_row(row["defect"], row["lang"], str(row["rows"]), str(row["rejected"]), f"{row['share']:.1%}", interval)
    hand_over(rows, options.json_file, [table])


def measure(
    seed: int, *, part: Part = "held-out", every: int = 1, draws: int = DRAWS, embedder: Embedder | None = None
) -> list[Caught]:
    """Return the share of answers rejected: right ones by form, then each kind of defect, in each language."""
    counts: dict[tuple[str, Language], list[bool]] = defaultdict(list)
    for defect, row, _, checks in judged(seed, part=part, every=every, draws=draws, embedder=embedder):
        counts[defect, row.scene.language].append(not all(check["passed"] for check in checks))
    return [_caught(defect, language, len(found), sum(found)) for (defect, language), found in counts.items()]


def summed(rows: Sequence[Caught]) -> list[Caught]:
    """Return the sums over all forms of right answers and over all kinds of defects, in each language."""
    sums = []
    for language in sorted({row["lang"] for row in rows}):
        mine = [row for row in rows if row["lang"] == language and row["defect"] not in INFORMATION]
        # Other words are a row of their own: the sum would hide them among the many forms of the same words.
        right = [row for row in mine if row["defect"].startswith("right: ") and row["defect"] != "right: reworded"]
        wrong = [row for row in mine if not row["defect"].startswith("right: ")]
        for name, group in (("all right", right), ("all defects", wrong)):
            sums.append(_caught(name, language, sum(r["rows"] for r in group), sum(r["rejected"] for r in group)))
    return sums


def judged(
    seed: int, *, part: Part, every: int = 1, draws: int = DRAWS, embedder: Embedder | None = None
) -> Iterator[tuple[str, Row, Damaged, list[Check]]]:
    """Yield every right and every damaged answer with its checks; of some questions also a right one in other words."""
    closeness, reworded = Closeness(BundledEmbedder() if embedder is None else embedder, read_all()), load_reworded()
    for row in load_rows(part, seed, every=every):
        if (text := reworded.get(row.question["id"])) is not None:
            other = Damaged(text=text)
            yield "right: reworded", row, other, _checks(row, other, closeness)
        rng = random.Random(f"{seed} {row.question['id']} defects")
        for form, right in forms(row, rng):
            yield f"right: {form}", row, right, _checks(row, right, closeness)
        for kind in KINDS:
            seen: set[str] = set()
            for _ in range(draws):
                bad = damage(kind, row.scene, rng)
                if bad is not None and bad.text not in seen:
                    seen.add(bad.text)
                    yield kind, row, bad, _checks(row, bad, closeness)


def _caught(defect: str, language: str, rows: int, rejected: int) -> Caught:
    low, high = wilson(rejected, rows)
    share = round(rejected / rows, 4)
    return {"defect": defect, "lang": language, "rows": rows, "rejected": rejected, "share": share, "low": low, "high": high}


def wilson(found: int, rows: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, square = found / rows, _Z95**2 / rows
    middle = share + square / 2
    half = _Z95 * math.sqrt(share * (1 - share) / rows + square / (4 * rows))
    return round(max(0.0, middle - half) / (1 + square), 4), round((middle + half) / (1 + square), 4)


def _checks(row: Row, answer: Damaged, closeness: Closeness) -> list[Check]:
    attempt: Attempt = {
        "box": "answer_cheap",
        "tier": "cheap",
        "model": "",
        "text": answer.text,
        "abstained": answer.text == NO_ANSWER,
        "finish_reason": answer.finish_reason,
        "begun_ms": 0.0,
        "latency_ms": 0.0,
        "first_token_ms": None,
        "calls": [],
        "level": "full",
        "repaired": False,
    }
    question, passages, schema = asked(row.question), row.passages, answer.schema
    checks = check_answer(question, attempt, passages, kind="knowledge", schema=schema)
    if {check["name"] for check in checks if not check["passed"]} != {"support"}:
        return checks
    said = doubtful(question, attempt, passages, schema=schema)
    near = closeness.of(said, list(dict.fromkeys(passage["document_id"] for passage in passages)))
    return check_answer(question, attempt, passages, kind="knowledge", schema=schema, closeness=near)


if __name__ == "__main__":
    main(sys.argv[1:])
