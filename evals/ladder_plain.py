"""Ways through the day that need no graph: what anyone can do, the article's recipe, and what nobody can do better."""

import random
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.ladder_bill import Bill
from evals.ladder_outcomes import Outcome, blank, fresh_quality, served
from evals.ladder_reading import Latencies
from evals.ladder_rows import Row
from groat.compression.context import Context
from groat.compression.evidence import bm25
from groat.compression.selection import select, subset, tokens_of
from groat.embedding import Embedder, Vector
from groat.text import clean_question, count_tokens, detect_language, sentence_spans
from groat.types import Passage, Tier

RECIPE_COSINE = 0.9
RECIPE_KEPT = 0.4
"""The article's settings, as written: a kept answer from this cosine on, and this share of the documents' tokens."""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Answers requests without a graph; nothing is checked, so that every answer counts as accepted.

    Attributes:
        bill: prices the calls.
        latencies: of the models, where none was recorded.
    """

    bill: Bill
    latencies: Latencies

    def fresh(self, row: Row, tier: Tier, *, sent: str | None = None, left_out: int = 0) -> Outcome:
        """Return the outcome of one call whose answer is passed on at once.

        Args:
            row: the request.
            tier: who answers.
            sent: text of the documents that are sent; None for all of them.
            left_out: tokens of the documents that are not.
        """
        said = row.recorded.of(tier)
        holds = sent is None or row.holds_answer(sent)
        first = round(self.latencies.first_token_ms(tier, said), 2)
        return {
            **blank(row),
            "ok": fresh_quality(row, tier, holds_answer=holds),
            "tier": tier,
            "lost": not holds,
            "verified": True,
            "calls": [self.bill.call(tier, max(said.input_tokens - left_out, 1), said.output_tokens)],
            "latency_ms": round(self.latencies.whole_ms(tier, said), 2),
            "first_token_ms": first,
            "live_ms": first,
        }

    def all_of(self, rows: Iterable[Row], tier: Tier) -> list[Outcome]:
        """Return the day with one model for everything."""
        return [self.fresh(row, tier) for row in rows]

    def oracle(self, rows: Iterable[Row]) -> list[Outcome]:
        """Return the day of a router that knows the outcomes: the cheap model wherever it is as good."""
        return [self.fresh(row, _best(row)) for row in rows]

    def ideal(self, rows: Iterable[Row]) -> list[Outcome]:
        """Return the day of the oracle with a cache that knows which answers serve again."""
        kept: dict[tuple[str, str], Outcome] = {}
        found: list[Outcome] = []
        for row in rows:
            place, best = (row.tenant, row.answer), _best(row)
            if place in kept and kept[place]["ok"] >= row.recorded.of(best).ok:
                found.append(served(row, "semantic", kept[place], own_ms=0.0))
            else:
                kept[place] = self.fresh(row, best)
                found.append(kept[place])
        return found

    async def recipe(self, rows: Iterable[Row], embedder: Embedder) -> list[Outcome]:
        """Return the day by the article's recipe.

        An answer is served again from a cosine of 0.9 on. Of the misses the shorter half goes to the cheap model: those not
        longer than the median of the misses so far. Sentences of the documents are ranked by BM25, and 40 % of the tokens
        are sent.
        """
        kept: dict[str, _Kept] = {}
        lengths: list[int] = []
        found: list[Outcome] = []
        for row in rows:
            question = clean_question(row.question)
            vector = await embedder.query(question)
            place = kept.setdefault(row.tenant, _Kept(len(vector)))
            if (nearest := place.nearest(vector)) is not None:
                found.append(served(row, "semantic", nearest, own_ms=0.0))
                continue
            length = count_tokens(question)
            insort(lengths, length)
            cheap = bisect_left(lengths, length) <= (len(lengths) - 1) / 2
            sent, left_out = _shortened(row, question)
            one = self.fresh(row, "cheap" if cheap else "expensive", sent=sent, left_out=left_out)
            place.add(vector, one)
            found.append(one)
        return found


def random_at(cheap: Sequence[Outcome], expensive: Sequence[Outcome], spend: float, seed: int) -> list[Outcome]:
    """Return the day with the expensive model at random, so often that it costs ``spend`` dollars in expectation.

    Nothing is cheaper than the cheap model for all, nor dearer than the expensive one.
    """
    low, high = (sum(float(call["cost_usd"] or 0) for one in day for call in one["calls"]) for day in (cheap, expensive))
    share = min(max((spend - low) / (high - low), 0.0), 1.0) if high > low else 0.0
    rng = random.Random(seed)
    return [dear if rng.random() < share else plain for plain, dear in zip(cheap, expensive, strict=True)]


class _Kept:
    """Vectors of the questions answered so far, with their outcomes."""

    def __init__(self, dimension: int) -> None:
        self._matrix = np.zeros((1024, dimension), dtype=np.float32)
        self._outcomes: list[Outcome] = []

    def nearest(self, vector: Vector) -> Outcome | None:
        if not self._outcomes:
            return None
        cosines = self._matrix[: len(self._outcomes)] @ vector
        best = int(np.argmax(cosines))
        return self._outcomes[best] if cosines[best] >= RECIPE_COSINE else None

    def add(self, vector: Vector, outcome: Outcome) -> None:
        if len(self._outcomes) == len(self._matrix):
            self._matrix = np.vstack([self._matrix, np.zeros_like(self._matrix)])
        self._matrix[len(self._outcomes)] = vector
        self._outcomes.append(outcome)


def _best(row: Row) -> Tier:
    return "cheap" if row.recorded.cheap.ok >= row.recorded.expensive.ok else "expensive"


def _shortened(row: Row, question: str) -> tuple[str | None, int]:
    """Return the text of the documents that are sent, None without documents, and how many tokens are left out."""
    if not row.documents:
        return None, 0
    passages: list[Passage] = [
        {
            "id": str(place), "document_id": one.id, "version": "", "title": "", "heading": "", "text": one.text,
            "language": detect_language(one.text), "sentences": sentence_spans(one.text), "score": 0.0, "similarity": None,
        }
        for place, one in enumerate(row.documents)
    ]  # fmt: skip
    context = Context.take_apart(question, row.language, passages, None, [])
    order = np.argsort(-bm25(dict.fromkeys(context.asked, 1.0), context.bags), kind="stable")
    whole = tokens_of(passages)
    chosen = select(context, order, budget=max(int(RECIPE_KEPT * whole), 1))
    shorter = [subset(passage, chosen[place]) for place, passage in enumerate(passages) if chosen[place]]
    return "\n".join(one["text"] for one in shorter), whole - tokens_of(shorter)
