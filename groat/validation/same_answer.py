"""Do two answers, given to two questions that look alike, say the same, or surely not? For audits, which may abstain."""

from collections.abc import Collection
from typing import Final, Literal

from groat.text import figures, fold, without_citations
from groat.types import Language
from groat.validation.agreement import agreement, agreement_of_values

SUPPORTED, UNSUPPORTED = 0.7, 0.1
"""Probabilities of the judge that one answer supports the other, from which on they say the same, up to which they do not.
Between them neither is sure, and an audit that is not sure must not move a bound."""
ALIKE: Final = 0.7
"""Overlap of words that shows as much without the judge, where nothing is found to differ."""


def same_answer(
    kept: str,
    fresh: str,
    *,
    language: Language,
    support: tuple[float, float] | None = None,
    differences: Collection[str] = (),
) -> Literal["right", "wrong", "undecided"]:
    """Return "right" when the answers say the same, "wrong" when they do not, "undecided" when that is not sure.

    Answers that come down to values (numbers, options, dates, yes and no) are compared as values. Of others, those that each
    name a figure that the other lacks do not say the same, unless the judge thinks otherwise: then nothing is sure.

    Args:
        kept: one answer; names of documents in brackets are left out.
        fresh: the other.
        language: that both should be in.
        support: probability that the first supports the second, and the reverse; None without a judge.
        differences: what checks by hand found to differ between the two, such as an opposite.
    """
    one, other = without_citations(kept).strip(), without_citations(fresh).strip()
    if not one or not other:
        return "undecided"
    if fold(one) == fold(other):
        return "right"
    if (by_value := agreement_of_values(one, other)) is not None:
        return "right" if by_value >= 0.999 else "wrong"
    left, right = figures(one), figures(other)
    clash = bool(left - right) and bool(right - left)
    if support is None:
        if clash:
            return "wrong"
        return "right" if agreement(one, other, language=language) >= ALIKE and not differences else "undecided"
    least, most = min(support), max(support)
    if clash:
        return "wrong" if most < SUPPORTED else "undecided"
    if least >= SUPPORTED:
        return "right"
    return "wrong" if most <= UNSUPPORTED else "undecided"
