"""What a question names that neither the kept question nor its answer does: figures, times, names and quoted words.

An answer that never says what is asked about does not answer it, however alike the questions are. What is found here can only
refuse, so the share of wrong hits that the fitted rule promises stays an upper bound.
"""

from collections.abc import Iterator
from typing import Final

import regex

from groat.text import detect_language, fold
from groat.text.quantities import quantities, supports

_QUOTED: Final = regex.compile(
    r"“([^”\n]{2,40})”|「([^」\n]{2,40})」|『([^』\n]{2,40})』|《([^》\n]{2,40})》|(?<!\w)[\"']([^\"'\n]{2,40})[\"'](?!\w)"
)
_CAPITAL: Final = regex.compile(r"(?<![\p{L}\p{N}'’_./@-])\p{Lu}[\p{Latin}\p{N}]*(?:[-+.&][\p{Latin}\p{N}]+)*\+?")
_OPENS: Final = regex.compile(r"(?:^|[.!?:;\n\"“(])\s*$")
_WORD: Final = regex.compile(r"\p{Latin}{2,}")
_CODE: Final = regex.compile(
    r"(?<![\p{Latin}\d])(?=[\p{Latin}-]*\d)(?=[\d-]*\p{Latin})[\p{Latin}\d]+(?:-[\p{Latin}\d]+)*(?![\p{Latin}\d])"
)
_LATIN: Final = regex.compile(r"(?<![A-Za-z0-9'’_./@-])[A-Za-z][A-Za-z0-9+-]+")
_HAN_NAME: Final = regex.compile(
    r"(?:(?![的在和与或是用把对从到按为由给请可能该此本这那每各您你我他其新旧原任有不没两多同单哪什么个])\p{Han}){2}(?:版(?!本|权)|套餐)"
)
_NO_NAMES: Final = frozenset("i i'm app apps ok hi hello hey id tv pc ai faq asap pls please thanks english chinese qq".split())
_TIMES: Final = tuple(
    regex.compile(pattern)
    for pattern in (
        *(rf"\b{en}s?\b|(?:周|星期|礼拜)[{zh}]" for en, zh in zip(
            "monday tuesday wednesday thursday friday saturday sunday".split(), "一二三四五六日", strict=True)),
        r"\bweekends?\b|周末", r"\btoday\b|今天|今日", r"\btomorrow\b|明天|明日", r"\byesterday\b|昨天|昨日",
        r"\btonight\b|今晚", r"\bchristmas\b|圣诞", r"\beaster\b|复活节", r"\bspring festival\b|\bchinese new year\b|春节|过年",
        r"\bnational day\b|国庆", r"\bbank holidays?\b|\bpublic holidays?\b|节假日|法定假",
    )
)  # fmt: skip
"""Days that people name, in either language."""
_NO_FIGURE: Final = regex.compile(r"百分之(?=[几多])|(?i:\b(?:two|three|four)[ -](?=step|factor|way)|\b2-(?=step|factor))")
"""Reads like a figure: 百分之几 asks for one, and "two-step" names a thing. "A month" and 一个月 are none either."""
_MOSTLY: Final = 0.75
"""Share of the words after the first with a capital, from which on capitals say nothing: a headline, or somebody shouting."""
_ENDING: Final = 2
"""Letters at the end of a name in Latin letters that may differ."""
_JOINS: Final = str.maketrans("", "", " -_.'’")


def uncovered(asked: str, kept: str, answer: str) -> list[str]:
    """Return what the question names and neither the kept question nor its answer does, folded, in the order found.

    Between languages only figures are compared, since names change their letters. Never raises; about 0.1 ms.

    Args:
        asked: the question that was asked.
        kept: the question whose answer is kept.
        answer: that answer.
    """
    told = (*quantities(kept), *quantities(answer))
    found = [
        f"{one.value:g} {one.unit}".strip()
        for one in quantities(_NO_FIGURE.sub(" ", asked))
        if one.value != 1 and not supports(told, one)
    ]
    language = detect_language(asked)
    if language != detect_language(kept):
        return found
    given = f"{fold(kept)}\n{fold(answer)}"
    times = (pattern.search(fold(asked)) for pattern in _TIMES if not pattern.search(given))
    found += [match.group() for match in times if match]
    bare = given.translate(_JOINS)
    return found + [name for name in dict.fromkeys(_names(asked, language)) if not _stands(name, bare)]


def _names(text: str, language: str) -> Iterator[str]:
    """Yield what names something, folded."""
    for match in _QUOTED.finditer(text):
        yield fold(next(part for part in match.groups() if part))
    for match in _CODE.finditer(text):
        yield fold(match.group())
    if language == "zh":
        found = [*_LATIN.finditer(text), *_HAN_NAME.finditer(text)]
    else:
        words = _WORD.findall(text)[1:]
        capitals = sum(word[0].isupper() for word in words)
        found = list(_CAPITAL.finditer(text)) if capitals < _MOSTLY * len(words) else []
        found = [match for match in found if not _OPENS.search(text[: match.start()])]
    yield from (name for name in (fold(match.group()) for match in found) if name not in _NO_NAMES and len(name) > 1)


def _stands(name: str, bare: str) -> bool:
    plain = name.translate(_JOINS)
    # "Indian" is covered by "India", "Androids" by "Android".
    return plain[: max(4, len(plain) - _ENDING)] in bare if plain.isalpha() and plain.isascii() else plain in bare
