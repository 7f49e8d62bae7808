"""Labelled questions and streams as evidence, for fitting the accept rule of the answer cache."""

import hashlib
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from groat.cache.accept import FLOOR, log_odds
from groat.cache.evidence import EVIDENCE_VERSION, NAMES, evidence
from groat.embedding import Matrix
from groat.judge import Judge
from training.pools import CLUSTERS
from training.rows import Row
from training.sources import Split, StreamRow

_NEAREST = 8
"""Earlier questions of a stream that are scored: as many as the cache looks at."""
_STREAM_REQUESTS = 1_500
"""Requests of a stream that are scored: those of held-out components, of intents a sample."""
_SEED = 7
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """Pairs of questions with their evidence."""

    pairs: list[tuple[str, str]]
    labels: NDArray[np.bool_]
    values: Numbers
    """Shape (n, len(NAMES)); the judge's opinion included."""
    langs: list[str]
    """en, zh, or across."""


@dataclass(frozen=True)
class Requests:
    """Requests of a stream with their earlier neighbours, scored."""

    name: str
    lang: str
    questions: list[str]
    answers: list[str]
    asked: list[int]
    """Places of the requests that count."""
    near: Mapping[int, list[int]]
    """Request -> rows of ``scored``, nearest first."""
    earlier: list[int]
    """Row of ``scored`` -> place of the earlier question."""
    scored: Scored


class Scorer:
    """Turns pairs into evidence, and keeps it for the next fit."""

    def __init__(self, judge: Judge, kept: Path | None) -> None:
        """Take the judge; make the folder."""
        self._judge, self._kept = judge, kept
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)

    def scored(self, name: str, rows: Sequence[Row]) -> Scored:
        """Return the evidence of labelled rows."""
        pairs = [(row.a, row.b) for row in rows]
        langs = ["across" if row.lang == "zh-en" else row.lang for row in rows]
        vectors = self._vectors(list(dict.fromkeys(text for pair in pairs for text in pair)))
        cosines = np.array([float(vectors[a] @ vectors[b]) for a, b in pairs])
        values = self._values(name, pairs, cosines)
        return Scored(pairs, np.array([row.label > 0.5 for row in rows]), values, langs)

    def requests(self, name: str, rows: Sequence[StreamRow], chosen: Split) -> Requests:
        """Return requests of a stream that the judge never saw, with the evidence of their neighbours, its opinion included."""
        places = list(range(len(rows)))
        if name in CLUSTERS:
            places = [place for place in places if chosen.holds(rows[place].query)]
        asked = sorted(random.Random(_SEED).sample(places, min(_STREAM_REQUESTS, len(places))))
        return self._requests(name, rows, asked, judged=True)

    def whole(self, name: str, rows: Sequence[StreamRow]) -> Requests:
        """Return all requests of a stream with the evidence of their neighbours, without the judge, which saw most of them."""
        return self._requests(name, rows, list(range(len(rows))), judged=False)

    def _requests(self, name: str, rows: Sequence[StreamRow], asked: Sequence[int], *, judged: bool) -> Requests:
        """Return requests with the evidence of their nearest among all earlier questions."""
        questions = [row.query for row in rows]
        answers = [row.answer_id for row in rows]
        matrix = self._matrix(name, questions)
        pairs: list[tuple[str, str]] = []
        cosines: list[float] = []
        earlier: list[int] = []
        near: dict[int, list[int]] = {}
        for place in asked:
            found = matrix[:place] @ matrix[place]
            best = [int(other) for other in np.argsort(-found)[:_NEAREST] if found[other] >= FLOOR]
            near[place] = list(range(len(pairs), len(pairs) + len(best)))
            pairs += [(questions[place], questions[other]) for other in best]
            cosines += [float(found[other]) for other in best]
            earlier += best
        labels = np.array(
            [answers[place] == answers[earlier[row]] for place, rows_ in near.items() for row in rows_], dtype=bool
        )
        values = self._values(f"stream-{name}", pairs, np.array(cosines), judged=judged)
        lang = rows[0].lang
        scored = Scored(pairs, labels, values, [lang] * len(pairs))
        return Requests(name, lang, questions, answers, list(asked), near, earlier, scored)

    def _matrix(self, name: str, questions: Sequence[str]) -> Matrix:
        """Return the vectors of a stream, shape (questions, dimension): they do not depend on the judge's weights."""
        key = hashlib.sha256("\n".join(questions).encode("utf-8", "replace")).hexdigest()[:16]
        file = self._kept / f"vectors-{name}-{key}.npy" if self._kept else None
        if file is not None and file.exists():
            return np.asarray(np.load(file), dtype=np.float32)
        vectors = self._vectors(questions)
        matrix = np.stack([vectors[question] for question in questions])
        if file is not None:
            np.save(file, matrix)
        return matrix

    def _values(self, name: str, pairs: Sequence[tuple[str, str]], cosines: Numbers, *, judged: bool = True) -> Numbers:
        text = "\n".join(f"{a}\t{b}" for a, b in pairs)
        key = hashlib.sha256(
            f"{self._judge.version if judged else ''}/{EVIDENCE_VERSION}/{text}".encode("utf-8", "replace")
        ).hexdigest()[:16]
        file = self._kept / f"{name}-{key}.npy" if self._kept else None
        if file is not None and file.exists():
            return np.asarray(np.load(file))
        logits = [log_odds(float(p)) for p in self._judge.judge("same", pairs).p] if judged else [0.0] * len(pairs)
        values = np.array(
            [
                evidence(a, b, cosine=float(cosine), logit=logit)
                for (a, b), cosine, logit in zip(pairs, cosines, logits, strict=True)
            ]
        ).reshape(len(pairs), len(NAMES))
        if file is not None:
            np.save(file, values)
        sys.stdout.write(f"{name}: {len(pairs):,} pairs scored\n")
        return values

    def _vectors(self, texts: Sequence[str]) -> dict[str, Matrix]:
        encoder = self._judge.encoder
        found: dict[str, Matrix] = {}
        for start in range(0, len(texts), 64):
            part = texts[start : start + 64]
            found.update(zip(part, encoder.vectors(encoder.states(part, prefix="query: ", most_tokens=512)), strict=True))
        return found
