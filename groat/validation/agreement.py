"""Do two answers say the same? Numbers, options, yes and no, dates and literals by value, other texts by meaning."""

import unicodedata
from collections.abc import Callable
from fractions import Fraction

import regex

from groat.text import content_words, denials, figures, fold, words
from groat.types import Language
from groat.validation.final_answers import Quantity, date, final_answer, literal, only_quantity, options, polarity, quantity

Similarity = Callable[[str, str], float]
"""How close two texts are in meaning, 0..1, 1 for the same."""

_HAN = regex.compile(r"\p{Han}")
_CONTAINERS = (list, tuple, dict, set)
_SAME_NUMBER = 1e-6
"""Relative difference up to which two numbers are one: answers are rounded, mostly to six digits or fewer."""


def agreement(
    first: str | None, second: str | None, *, language: Language, exact: bool = False, similarity: Similarity | None = None
) -> float:
    """Return how far two answers say the same, 0..1; symmetric, 1 for two equal texts, 0 when either is None or blank.

    Reasoned texts are first reduced to what they say in the end. Values are compared as values and give 0 or 1; chosen options
    give the share of blanks that are equal. Other texts give the overlap of their words, or what ``similarity`` says, and 0
    when their figures or their polarity differ.

    Args:
        first: one answer.
        second: the other.
        language: the language both should be in; Chinese texts are compared by their characters as well as by pairs of them.
        exact: both are values of a program: letter case, white space and punctuation inside a string count.
        similarity: compares two texts by meaning; called once, with the texts in alphabetical order.
    """
    if first is None or second is None or not first.strip() or not second.strip():
        return 0.0
    if first == second:
        return 1.0
    if exact:
        return float(_same_value(first, second))
    one, other = sorted((final_answer(first), final_answer(second)))
    if not fold(one) or not fold(other):
        return float(one == other and bool(one))
    by_value = _by_value(one, other)
    return by_value if by_value is not None else _by_meaning(one, other, language, similarity)


def agree(first: str | None, second: str | None, *, language: Language, exact: bool = False) -> bool:
    """Tell whether two answers say the same in every part."""
    return agreement(first, second, language=language, exact=exact) >= 0.999


def agreement_of_values(first: str, second: str) -> float | None:
    """Return how far two answers agree that come down to values: 0 or 1, or the share of blanks; None for other texts."""
    one, other = sorted((final_answer(first), final_answer(second)))
    return _by_value(one, other) if fold(one) and fold(other) else None


def _by_value(one: str, other: str) -> float | None:
    """Return 0 or 1, or the share of blanks filled alike; None when the two are not values of one kind."""
    if (chosen := options(one)) is not None and (also := options(other)) is not None:
        same = sum(left == right for left, right in zip(chosen, also, strict=False))
        return same / len(chosen) if len(chosen) == len(also) else 0.0
    if (values := _literals(one, other)) is not None:
        return values
    if fold(one) == fold(other):
        return 1.0
    if (yes := polarity(one)) is not None and (also_yes := polarity(other)) is not None:
        return float(yes == also_yes)
    if (day := date(one)) is not None and (other_day := date(other)) is not None:
        return float(day == other_day)
    if (numbers := _numbers(one, other)) is not None:
        return float(_same_quantity(*numbers))
    return None


def _numbers(one: str, other: str) -> tuple[Quantity, Quantity] | None:
    left, right = quantity(one), quantity(other)
    # A bare number and a sentence that states one: the sentence is read only then, since prose has many numbers.
    if left is None and right is not None:
        left = only_quantity(one)
    elif right is None and left is not None:
        right = only_quantity(other)
    return (left, right) if left is not None and right is not None else None


def _same_quantity(left: Quantity, right: Quantity) -> bool:
    if left.unit == right.unit:
        return _close(left.value, right.value)
    if "%" in (left.unit, right.unit):
        share, plain = (left, right) if left.unit == "%" else (right, left)
        # "What percentage?" is answered by 50 and by 50 %, and 0.5 means the same.
        return not plain.unit and (_close(share.value / 100, plain.value) or _close(share.value, plain.value))
    return not (left.unit and right.unit) and _close(left.value, right.value)


def _close(left: Fraction | float, right: Fraction | float) -> bool:
    if left == right:
        return True
    try:
        one, other = float(left), float(right)
    except OverflowError:
        return False
    return abs(one - other) <= _SAME_NUMBER * max(abs(one), abs(other))


def _literals(one: str, other: str) -> float | None:
    left, right = literal(one), literal(other)
    if not isinstance(left, _CONTAINERS) or not isinstance(right, _CONTAINERS):
        return None
    return float(_equal(left, right))


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _close(left, right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        pairs = zip(left, right, strict=False)
        return type(left) is type(right) and len(left) == len(right) and all(_equal(a, b) for a, b in pairs)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return left == right


def _same_value(first: str, second: str) -> bool:
    if first != first.strip() or second != second.strip():
        return first == second
    left, right = literal(first), literal(second)
    if left is not NotImplemented and right is not NotImplemented and not isinstance(left, str) and not isinstance(right, str):
        return _equal(left, right)
    return _unquoted(first, left) == _unquoted(second, right)


def _unquoted(text: str, value: object) -> str:
    """Return a string without its quotes; other texts as they are, since a recorded string often lost its quotes."""
    return value if isinstance(value, str) else text


def _by_meaning(one: str, other: str, language: Language, similarity: Similarity | None) -> float:
    if figures(one) != figures(other) or denials(fold(one)) % 2 != denials(fold(other)) % 2:
        return 0.0
    if similarity is not None:
        return min(max(similarity(one, other), 0.0), 1.0)
    left, right = _vocabulary(one, language), _vocabulary(other, language)
    if not left or not right:
        return float(unicodedata.normalize("NFKC", one) == unicodedata.normalize("NFKC", other))
    return 2 * len(left & right) / (len(left) + len(right))


def _vocabulary(text: str, language: Language) -> set[str]:
    found = set(content_words(text) or words(text))
    return found | set(_HAN.findall(text)) if language == "zh" else found
