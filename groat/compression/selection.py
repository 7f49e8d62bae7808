"""Which sentences fit into a budget, and the passages that are left of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from groat.compression.blocks import FENCE, text_of
from groat.compression.context import Context
from groat.compression.repeats import POINTS_BACK, Said
from groat.text import count_tokens, fold
from groat.types import Passage

GAP = "…"
"""Stands where sentences were left out."""
_GAP_TOKENS = 2
MOST_OVER = 4
"""A page without any full stop, or a table of a thousand rows, must not be sent in place of a few sentences because it ranks
first; a sentence a little longer than a small budget may."""


def companion(passage: Passage, number: int) -> int | None:
    """Return the sentence without which this one cannot be understood: what "it" or 它 at its beginning stands for."""
    if number and POINTS_BACK.match(text_of(passage, number)):
        return number - 1
    return None


def select(
    context: Context, order: Sequence[int] | NDArray[np.intp], *, budget: int, longest: int | None = None
) -> list[set[int]]:
    """Return the numbers of the sentences to keep, one set a passage: the best that fit, and always the best one.

    A sentence that says what a kept one says (``Said.has``) is not kept a second time.

    Args:
        context: the sentences.
        order: all of them, best first, by their place in the context.
        budget: tokens of the sentences and of the marks between them. The best unit may be longer, and is then alone.
        longest: what is longer than this is passed over as long as there is anything shorter; None for ``MOST_OVER`` budgets.
    """
    together = context.units
    first = np.searchsorted(context.owner, np.arange(len(context.passages)))
    kept: list[set[int]] = [set() for _ in context.passages]
    alone = MOST_OVER * budget if longest is None else longest
    said = Said()
    tops = [f"{fold(passage['title'])} > {fold(passage['heading'])}" for passage in context.passages]
    spent = 0
    for place in order:
        i, j = context.places[place]
        group = together[i][j] - kept[i]
        if not group:
            continue
        cost = int(sum(context.tokens[first[i] + n] for n in group)) + (0 if j - 1 in kept[i] else _GAP_TOKENS)
        most = budget - spent if spent else alone
        if cost > most or (len(group) == 1 and said.has(context.texts[place], tops[i])):
            continue
        kept[i] |= group
        for number in group:
            said.add(context.texts[first[i] + number], tops[i])
        spent += cost
        before = companion(context.passages[i], min(group))
        if before is not None and before not in kept[i]:
            extra = together[i][before] - kept[i]
            more = int(sum(context.tokens[first[i] + n] for n in extra))
            if spent + more <= budget:
                kept[i] |= extra
                for number in extra:
                    said.add(context.texts[first[i] + number], tops[i])
                spent += more
    if not spent and len(order):
        i, j = context.places[order[0]]
        kept[i] |= together[i][j]
    return kept


def subset(passage: Passage, kept: set[int]) -> Passage:
    """Return the passage with these sentences alone, a mark where others were left out."""
    if len(kept) == len(passage["sentences"]):
        return passage
    text, spans, last = "", [], -1
    for number in sorted(kept):
        sentence = text_of(passage, number)
        text += _joint(passage, last, number)
        spans.append((len(text), len(text) + len(sentence)))
        text += sentence
        last = number
    return {**passage, "text": text, "sentences": spans}


def origins(whole: Passage, shorter: Passage) -> list[tuple[int, int]]:
    """Return where the sentences of the shorter passage stand in the whole one, in characters."""
    found = []
    spans = iter(whole["sentences"])
    for start, end in shorter["sentences"]:
        sentence = shorter["text"][start:end]
        found.append(next(span for span in spans if whole["text"][span[0] : span[1]] == sentence))
    return found


def tokens_of(passages: Sequence[Passage]) -> int:
    """Return the tokens of all texts."""
    return sum(count_tokens(passage["text"]) for passage in passages)


def _joint(passage: Passage, last: int, number: int) -> str:
    """Return what stands between two kept sentences; ``last`` is -1 before the first."""
    if number == last + 1:
        # What stood between two neighbours, a line break of a table for instance, stays.
        return passage["text"][passage["sentences"][last][1] : passage["sentences"][number][0]] if number else ""
    block = text_of(passage, number).startswith(("|", *FENCE))
    if last < 0:
        return f"{GAP}\n" if block else f"{GAP} "
    if not text_of(passage, last).startswith(("|", *FENCE)):
        return f" {GAP}\n" if block else f" {GAP} "
    # Inside a table a mark would be a cell of its own.
    return f"\n{GAP}\n" if block else f"\n{GAP} "
