"""Shorten the retrieved passages to an exact, ordered subset of their sentences."""

from collections.abc import Sequence

import numpy as np

from groat.compression.calibration import Calibration, Population
from groat.compression.ranking import rank_sentences
from groat.embedding import Matrix, Vector
from groat.text import count_tokens
from groat.types import Asked, Passage, Shortened, Tier

GAP = "…"
"""Stands where sentences were left out."""


class Compressor:
    """Keeps as large a share of the tokens as the promise needs, and never less than a floor.

    Args:
        calibration: share to keep for each promised loss, measured; see ``groat/compression/calibration.py``.
        min_tokens: floor; a context of no more tokens than this is sent as it is.
    """

    def __init__(self, calibration: Calibration, *, min_tokens: int = 160) -> None:
        """Keep the arguments."""
        self._calibration = calibration
        self._min_tokens = min_tokens

    @property
    def version(self) -> str:
        """Version of the calibration in force."""
        return self._calibration.version

    def shorten(
        self,
        asked: Asked,
        passages: Sequence[Passage],
        *,
        tier: Tier,
        max_loss: float,
        question_vector: Vector | None = None,
        sentence_vectors: Sequence[Matrix | None] = (),
    ) -> Shortened:
        """Return the passages with the sentences that matter, in their order. Never empty when ``passages`` is not.

        Args:
            asked: the question.
            passages: what retrieval found, best first.
            tier: whose budget applies: a token saved on the expensive tier is worth more, so it gets the smaller share.
            max_loss: largest share of questions, 0..1, whose answer may be lost by shortening.
            question_vector: vector of ``asked["search_text"]``; None to rank by words alone.
            sentence_vectors: one matrix per passage, a row for each of its sentences; None for a passage without vectors.
        """
        before = sum(count_tokens(passage["text"]) for passage in passages)
        if not passages:
            return {"passages": [], "tokens_before": 0, "tokens_after": 0, "level": "none", "reason": "no documents"}
        if before <= self._min_tokens:
            return full(passages, reason=f"{before} tokens are too few to shorten")
        population: Population = "foreign" if any(passage["similarity"] is None for passage in passages) else "indexed"
        share = self._calibration.share(asked["language"], population=population, tier=tier, max_loss=max_loss)
        if share is None:
            return full(passages, reason=f"no measured share keeps the loss within {max_loss:.1%}")
        order = _order(asked, passages, question_vector, sentence_vectors)
        kept = _select(passages, order, budget=max(int(share * before), self._min_tokens))
        shorter = [_subset(passage, kept[i]) for i, passage in enumerate(passages) if kept[i]]
        return {
            "passages": shorter,
            "tokens_before": before,
            "tokens_after": sum(count_tokens(passage["text"]) for passage in shorter),
            "level": tier,
            "reason": f"{share:.0%} kept for at most {max_loss:.1%} lost answers",
        }


def full(passages: Sequence[Passage], *, reason: str) -> Shortened:
    """Return everything, unchanged."""
    tokens = sum(count_tokens(passage["text"]) for passage in passages)
    return {"passages": list(passages), "tokens_before": tokens, "tokens_after": tokens, "level": "full", "reason": reason}


def _order(
    asked: Asked, passages: Sequence[Passage], question_vector: Vector | None, sentence_vectors: Sequence[Matrix | None]
) -> list[tuple[int, int]]:
    places = [(i, j) for i, passage in enumerate(passages) for j in range(len(passage["sentences"]))]
    sentences = [_sentence(passages[i], j) for i, j in places]
    headings = [f"{passages[i]['title']} {passages[i]['heading']}" for i, _ in places]
    similarities = None
    matrices = [matrix for matrix in sentence_vectors if matrix is not None]
    if question_vector is not None and len(matrices) == len(passages):
        stacked = np.vstack(matrices) @ question_vector
        similarities = stacked if len(stacked) == len(places) else None
    scores = rank_sentences(asked["search_text"], sentences, headings=headings, similarities=similarities)
    # The retriever's order is evidence as well: a sentence of the best passage before one of the last.
    scores = scores + np.array([1 / (10 + 2 * i) for i, _ in places])
    return [places[n] for n in np.argsort(-scores, kind="stable")]


def _select(passages: Sequence[Passage], order: Sequence[tuple[int, int]], *, budget: int) -> list[set[int]]:
    kept: list[set[int]] = [set() for _ in passages]
    spent = 0
    for i, j in order:
        group = _unit(passages[i], j) - kept[i]
        cost = sum(count_tokens(_sentence(passages[i], n)) for n in group)
        if spent and spent + cost > budget:
            continue
        kept[i] |= group
        spent += cost
    return kept


def _unit(passage: Passage, sentence: int) -> set[int]:
    """Return what must stay together with a sentence: a row of a table needs the table's head."""
    if not _sentence(passage, sentence).startswith("|"):
        return {sentence}
    top = sentence
    while top > 0 and _sentence(passage, top - 1).startswith("|"):
        top -= 1
    return {sentence, top, min(top + 1, sentence)}


def _sentence(passage: Passage, number: int) -> str:
    start, end = passage["sentences"][number]
    return passage["text"][start:end]


def _subset(passage: Passage, kept: set[int]) -> Passage:
    if len(kept) == len(passage["sentences"]):
        return passage
    text, spans, last = "", [], -1
    for number in sorted(kept):
        sentence = _sentence(passage, number)
        text += _joint(passage, last, number)
        spans.append((len(text), len(text) + len(sentence)))
        text += sentence
        last = number
    return {**passage, "text": text, "sentences": spans}


def _joint(passage: Passage, last: int, number: int) -> str:
    """Return what stands between two kept sentences; ``last`` is -1 before the first."""
    if number == last + 1:
        # What stood between two neighbours, a line break of a table for instance, stays.
        return passage["text"][passage["sentences"][last][1] : passage["sentences"][number][0]] if number else ""
    row = _sentence(passage, number).startswith("|")
    if last < 0:
        return f"{GAP}\n" if row else f"{GAP} "
    if not _sentence(passage, last).startswith("|"):
        return f" {GAP}\n" if row else f" {GAP} "
    # Inside a table a mark would be a cell of its own.
    return "\n" if row else f"\n{GAP} "
