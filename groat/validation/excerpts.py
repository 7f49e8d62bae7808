"""Whether an answer is a passage lifted out of a document: a name, a date, a title, a clause, with no full stop due."""

from collections.abc import Iterable
from typing import Final

import regex

from groat.text import sentence_spans, words

MOST_WORDS: Final = 12
"""Words, in Chinese pairs of characters, that may answer by themselves; a longer excerpt should end like a sentence."""
_BEGINNING: Final = regex.compile(r"(?:^|[\n:：;；“\"]\s*)\Z")
"""Before what begins like a sentence although none ended there."""
_END: Final = regex.compile(r"\s*(?:[.!?。！？]|\n|\Z)")
_NAME: Final = regex.compile(
    r"[\p{Lu}\d][\p{L}\d.,'’&/-]*(?: (?:(?:of|the|and|de|la|von|van|der|bin|al|&) )*[\p{Lu}\d(][\p{L}\d.,'’&()/-]*){0,7}"
)
"""Words in capitals, with figures: what a sentence that broke off after so many words would hardly consist of."""


def is_excerpt(answer: str, texts: Iterable[str]) -> bool:
    """Tell whether an answer is a few words that stand in one of the texts and need no full stop.

    A reply that broke off is the beginning of a sentence without its end. So what stands in the middle of one, or runs to its
    end, was chosen; what begins one and stops short of its end may have been cut, unless it is a name.

    Args:
        answer: the answer without citations.
        texts: what the model was given.
    """
    said = answer.strip().casefold()
    if not said or len(words(said)) > MOST_WORDS:
        return False
    named = _NAME.fullmatch(answer.strip()) is not None
    return any(_chosen(said, text.casefold(), named=named) for text in texts)


def _chosen(said: str, text: str, *, named: bool) -> bool:
    found = text.find(said)
    if found < 0 or named:
        return found >= 0
    starts = {start for start, _ in sentence_spans(text)}
    while found >= 0:
        begins = found in starts or _BEGINNING.search(text, 0, found) is not None
        if not begins or _END.match(text, found + len(said)):
            return True
        found = text.find(said, found + 1)
    return False
