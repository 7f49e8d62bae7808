"""What is never cut: sentences, tables, code."""

from collections.abc import Sequence

from groat.types import Passage

FENCE = ("```", "~~~")
"""Begins and ends a block of code."""


def text_of(passage: Passage, number: int) -> str:
    """Return one sentence."""
    start, end = passage["sentences"][number]
    return passage["text"][start:end]


def units(passages: Sequence[Passage]) -> list[list[frozenset[int]]]:
    """Return for each sentence of each passage the sentences that stand or fall with it.

    A table and a block of code are whole or gone.
    """
    return [_of_passage([text_of(passage, number) for number in range(len(passage["sentences"]))]) for passage in passages]


def _of_passage(sentences: Sequence[str]) -> list[frozenset[int]]:
    found: list[frozenset[int]] = []
    number = 0
    while number < len(sentences):
        end = _block_end(sentences, number)
        found += [frozenset(range(number, end))] * (end - number)
        number = end
    return found


def _block_end(sentences: Sequence[str], start: int) -> int:
    """Return where the table or the code that begins at ``start`` ends; the next sentence when neither begins there."""
    first = sentences[start]
    if first.startswith("|"):
        end = start + 1
        while end < len(sentences) and sentences[end].startswith("|"):
            end += 1
        return end
    if first.startswith(FENCE):
        for end in range(start + 1, len(sentences)):
            if sentences[end].startswith(first[:3]):
                return end + 1
    return start + 1
