"""Train the acceptance model on recorded answers and on the help centre's questions.

python -m evals.fit_acceptance --data FILE... --out groat/validation/acceptance.json

Two kinds of files are joined by id: rows with answer texts (``weak_text``), and rows with the answers of other models or other
samples (``models``, ``weak_samples``), which serve as second opinions.
"""

import argparse
import asyncio
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from evals.acceptance_rows import Recorded, grounded, read_open
from evals.fit_router import OWN_WEIGHT
from evals.route_judging import embedded
from evals.vectors import VectorFile
from groat.embedding import Embedder
from groat.embedding.bundled import BundledEmbedder
from groat.routing.fit import p_as_good
from groat.routing.fit_linear import Rows
from groat.routing.router import Evidence
from groat.routing.rows import Labelled, Side, question_hash
from groat.types import Attempt, Check, Opinion
from groat.validation import check_answer
from groat.validation.acceptance import evidence_of
from groat.validation.acceptance_cases import Cases, Floats
from groat.validation.acceptance_evidence import row as numbers
from groat.validation.acceptance_fit import fit
from groat.validation.agreement import agreement

_FORM = frozenset({"complete", "language"})
"""Checks of recorded open answers that say nothing: other prompts than groat's asked for other forms and endings."""
_UNROUTED = 0.3
"""Weight of the copy of each case that the router said nothing about: a rule or the caller decided."""


async def main(arguments: Sequence[str]) -> None:
    """Train, write the artifact and print the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="recorded answers, .jsonl")
    parser.add_argument("--vectors", type=Path, default=Path(tempfile.gettempdir()) / "groat-vectors", help="kept vectors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    embedder = VectorFile(BundledEmbedder(), options.vectors)
    rows = [*read_open(options.data), *await grounded(embedder)]
    rows = await with_router(rows, embedder)
    embedder.save()
    artifact = fit(
        {
            "open": cases([row for row in rows if not row.passages], grounded=False),
            "grounded": cases([row for row in rows if row.passages], grounded=True),
        },
        date=datetime.now(UTC).date().isoformat(),
    )
    options.out.write_text(json.dumps(artifact, indent=1) + "\n", encoding="utf-8")
    points = {name: learned["thresholds"] for name, learned in artifact["populations"].items()}
    sys.stdout.write(json.dumps({"thresholds": points, "card": artifact["card"]}, indent=1) + "\n")


async def with_router(rows: Sequence[Recorded], embedder: Embedder) -> list[Recorded]:
    """Return the rows with the router's estimate, each from heads that never saw its question.

    The shipped router was trained on these very questions and would look better than it is.
    """
    seen = {row.asked["text"]: row for row in reversed(rows)}
    labelled = [_labelled(row) for row in seen.values()]
    looked = Rows.of(labelled, await embedded(labelled, embedder))
    known = dict(zip(seen, p_as_good(looked).tolist(), strict=True))
    return [replace(row, route_p=known[row.asked["text"]]) for row in rows]


def _labelled(row: Recorded) -> Labelled:
    evidence = Evidence.of(row.found)
    return Labelled(
        source=row.source,
        prompt=row.asked["text"],
        language=row.asked["language"],
        cheap=Side(model="cheap", ok=float(row.route_target)),
        expensive=Side(model="expensive", ok=1.0),
        similarities=tuple(evidence.similarities),
        documents=evidence.documents,
        history_turns=len(row.asked["history"]),
        weight=OWN_WEIGHT if row.found else 1.0,
        same_as=question_hash(row.group),
    )


def cases(rows: Sequence[Recorded], *, grounded: bool) -> Cases:
    """Return every way to meet each row: with and without the router, in full and as the bare answer, with each opinion."""
    first, second, passed, weights, kept = [], [], [], [], []
    for row in rows:
        ways = list(_ways(row, grounded=grounded))
        for alone, bought, ok, weight in ways:
            first.append(alone)
            second.append(bought)
            passed.append(ok)
            weights.append(row.weight * weight)
            kept.append(row)
    return Cases(
        first=np.array(first),
        second=np.array(second),
        bought=np.array([bool(row.opinions) for row in kept]),
        passed=np.array(passed),
        weak_ok=np.array([row.weak_ok for row in kept]),
        strong_ok=np.array([row.strong_ok for row in kept]),
        groups=[hashlib.sha256(row.group.encode()).hexdigest()[:16] for row in kept],
        sources=[row.source for row in kept],
        languages=[row.asked["language"] for row in kept],
        weights=np.array(weights),
    )


def _ways(row: Recorded, *, grounded: bool) -> Iterator[tuple[Floats, Floats, bool, float]]:
    """Yield evidence without and with an opinion, whether the checks passed, and the share of the row's weight."""
    texts = list(dict.fromkeys([row.text, row.final]))
    opinions: list[str | None] = list(row.opinions) or [None]
    for text in texts:
        attempt = _attempt(row, text)
        checks = check_answer(row.asked, attempt, row.passages, kind="knowledge" if grounded else "small_talk")
        if not grounded:
            checks = [check for check in checks if check["name"] not in _FORM]
        for said in opinions:
            opinion = None if said is None else _opinion(row, text, said)
            for routed, share in ((row.route_p, 1 - _UNROUTED), (None, _UNROUTED)):
                alone, bought = (_evidence(checks, row, attempt, routed, one) for one in (None, opinion))
                yield alone, bought, all(check["passed"] for check in checks), share / len(texts) / len(opinions)


def _evidence(
    checks: Sequence[Check], row: Recorded, attempt: Attempt, route_p: float | None, opinion: Opinion | None
) -> Floats:
    found = evidence_of(checks, asked=row.asked, attempt=attempt, route_p=route_p, opinion=opinion, passages=row.passages)
    return numbers(found)


def _opinion(row: Recorded, text: str, said: str) -> Opinion:
    model = "" if row.opinions_same_model else "another"
    return {"model": model, "text": said, "agreement": agreement(text, said, language=row.asked["answer_language"])}


def _attempt(row: Recorded, text: str) -> Attempt:
    return {
        "box": "answer_cheap",
        "tier": "cheap",
        "model": "",
        "text": text,
        "abstained": row.abstained,
        "finish_reason": row.finish_reason,
        "begun_ms": 0.0,
        "latency_ms": 0.0,
        "first_token_ms": None,
        "calls": [],
        "level": "cheap" if row.passages else "none",
        "repaired": False,
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
