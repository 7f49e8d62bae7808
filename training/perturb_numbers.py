"""Exchange a number of a question: an amount, a date, a percentage, a version or a plain count."""

import random
from collections.abc import Callable

import regex

from training.perturb_words import Edit

_NUMBER = regex.compile(
    r"(?<![\d.,:/*-])(?<!\d[a-zA-Z])\d{1,3}(?:,\d{3})+(?![\d,.:/*-]*\d)|(?<![\d.,:/*-])\d{1,6}(?![\d,:/*-]|\.\d)"
)
_FOUND = {
    "en": regex.compile(r"\b(?:two|three|four|five|six|seven|eight|nine|ten|twenty|fifty)(?= [a-z])(?! (?:of|or|and)\b)"),
    "zh": regex.compile(
        r"(?<![一二三四五六七八九十几百千万点周期拜])[两三四五六七八九](?=天|个月|年(?!级)|岁|次|周|小时|万|千块|斤|个人|本|分钟|百)"
    ),
}
_AN = regex.compile(r"\ban (?=(?!8|11\b|18\b)\d)")
_WRITTEN = {
    "en": "two three four five six seven eight nine ten twenty fifty".split(),
    "zh": list("两三四五六七八九"),
}
_AFTER = [
    ("percentage", regex.compile(r"^ ?(?:%|％|percent|per cent|折)", regex.IGNORECASE)),
    (
        "amount",
        regex.compile(
            r"^ ?(?:元|块|美元|美金|万|千块|dollars?|euros?|pounds?|rupees?|usd|eur|gbp|rs\b|inr|lakhs?|crores?)",
            regex.IGNORECASE,
        ),
    ),
    ("date", regex.compile(r"^ ?(?:月|号|日|年(?!级)|(?:st|nd|rd|th)\b|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)")),
    ("time", regex.compile(r"^ ?(?:点|时|[ap]\.?m\b|o'clock)", regex.IGNORECASE)),
    ("number", regex.compile(r"^ ?(?:[个次天周岁分小人倍斤公千米度本集级层楼位章步]|[a-z]{3,})", regex.IGNORECASE)),
]
_BEFORE = [
    ("amount", regex.compile(r"(?:[$£€¥￥₹]|\brs\.?|inr|usd) ?$", regex.IGNORECASE)),
    (
        "date",
        regex.compile(
            r"(?:january|february|march|april|may|june|july|august|september|october|november|december) $", regex.IGNORECASE
        ),
    ),
    (
        "version",
        regex.compile(
            r"(?:[A-Za-z]|\b[A-Z]\w+ |\b(?i:iphone|ipad|windows|galaxy|note|android|ios|xbox|version|core|level|grade) )$"
        ),
    ),
]
_ORDINAL = regex.compile(r"(?:st|nd|rd|th)\b", regex.IGNORECASE)
_ENDING = regex.compile(r"(?:th|am|pm|km|kg|mg|ml|gb|mb|cm|k)\b", regex.IGNORECASE)
_YEAR = regex.compile(r"(?:1[789]|20)\d\d$")


def number_edits(text: str, lang: str, rng: random.Random) -> list[Edit]:
    """Return one edit for each number in figures and each small number in words; ``rng`` chooses the new one."""
    edits = []
    for match in _NUMBER.finditer(text):
        if _inside_a_word(text, match[0], match.end()):
            continue
        kind = _kind(text, match.start(), match.end())
        new = _other(match[0], kind, rng)
        if _ORDINAL.match(text, match.end()):
            new = str(rng.choice([n for n in range(4, 21) if str(n) != match[0]]))
            kind = "number" if kind != "date" or int(match[0]) > 31 else kind
        if new not in text:
            edits.append(Edit(kind, _replacing(rf"(?<![\d.,]){regex.escape(match[0])}(?!\d|[.,]\d)", new)))
    for match in _FOUND[lang].finditer(text.lower()):
        new = rng.choice([word for word in _WRITTEN[lang] if word != match[0]])
        if new not in text.lower():
            find = rf"(?i)\b{match[0]}\b" if lang == "en" else match[0] + regex.escape(text[match.end()])
            edits.append(Edit("number", _replacing(find, new if lang == "en" else new + text[match.end()])))
    return edits


def _inside_a_word(text: str, number: str, end: int) -> bool:
    """Say whether a number is part of a code, or an ordinal whose ending would have to change with it."""
    follows = text[end : end + 1]
    if number.startswith("0") or (_ORDINAL.match(text, end) and number[-1] in "123"):
        return True
    return follows.isascii() and follows.isalpha() and not _ENDING.match(text, end)


def _kind(text: str, start: int, end: int) -> str:
    if _YEAR.match(text[start:end]) and not _AFTER[1][1].search(text[end:]) and not _BEFORE[0][1].search(text[:start]):
        return "date"
    for kind, pattern in _BEFORE[:2]:
        if pattern.search(text[:start]):
            return kind
    for kind, pattern in _AFTER:
        if pattern.search(text[end:]):
            return kind
    return "version" if _BEFORE[2][1].search(text[:start]) else "number"


def _other(number: str, kind: str, rng: random.Random) -> str:
    value = int(number.replace(",", ""))
    if kind == "date" and _YEAR.match(number):
        new = value + rng.choice([-4, -3, -2, -1, 1, 2, 3])
    elif kind in {"date", "time", "version"} or value <= 12:
        new = rng.choice([n for n in range(1 if kind == "time" else 2, 13) if n != value])
    elif kind == "percentage" and value <= 100:
        new = rng.choice([n for n in range(5, 100, 5) if n != value])
    else:
        zeros = len(str(value)) - len(str(value).rstrip("0"))
        core = value // 10**zeros
        low, high = max(1, core // 2), max(9, core * 2)
        # Drawn from one number fewer, and moved past the old one.
        new = rng.randrange(low, high)
        new = (new + 1 if new >= core else new) * 10**zeros
    return f"{new:,}" if "," in number else str(new)


def _replacing(find: str, new: str) -> Callable[[str], str | None]:
    pattern = regex.compile(find)

    def apply(text: str) -> str | None:
        changed = _AN.sub("a ", pattern.sub(lambda _: new, text))
        return None if changed == text else changed

    return apply
