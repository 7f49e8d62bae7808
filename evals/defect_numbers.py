"""Change one figure, or its unit, of a text: digits, number words, Chinese numerals, clock times, percentages."""

import random
from typing import Final

import regex

from groat.types import Language

_DIGITS = regex.compile(r"(?<![\w.])\d+(?:[.,:]\d+)*(?!\w*[A-Za-z]\d)")
_WORDS_EN: Final = (
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "twelve",
    "fifteen",
    "twenty",
    "thirty",
)
_WORD_EN = regex.compile(rf"\b(?:{'|'.join(_WORDS_EN)})\b", regex.IGNORECASE)
_NUMERALS: Final = ("两", "三", "四", "五", "六", "七", "八", "九", "十", "十二", "十五", "二十", "三十")
_NUMERAL = regex.compile(r"[一二两三四五六七八九十百]+(?=个|天|年|月|次|小时|分钟|秒|倍|台|块|周|位|级|元)(?!月租)")
_UNITS: Final[dict[Language, tuple[tuple[str, ...], ...]]] = {
    "en": (
        ("seconds", "minutes", "hours", "days", "weeks", "months", "years"),
        ("second", "minute", "hour", "day", "week", "month", "year"),
        ("KB", "MB", "GB", "TB"),
        ("W", "kW"),
        ("mm", "cm", "m", "km"),
        ("g", "kg"),
        ("%", "per mille"),
        ("kHz", "MHz", "GHz"),
    ),
    "zh": (
        ("秒", "分钟", "小时", "天", "周", "个月", "年"),
        ("秒", "分钟", "小时", "个工作日", "周", "个月", "年"),
        ("元", "美元", "万元", "欧元"),
        ("KB", "MB", "GB", "TB"),
        ("毫米", "厘米", "米"),
        ("%", "‰"),
        ("MHz", "GHz"),
        ("度", "千度"),
    ),
}
_CURRENCY = ("£", "$", "€")


def change_number(text: str, language: Language, taken: str, rng: random.Random) -> str | None:
    """Return ``text`` with one figure changed that does not stand in ``taken`` afterwards, or a unit; None without figures."""
    ways = [_other_unit, _other_currency, _other_figure, _other_figure, _other_figure]
    rng.shuffle(ways)
    for way in ways:
        changed = way(text, language, taken, rng)
        if changed is not None and changed != text:
            return changed
    return None


def _other_figure(text: str, language: Language, taken: str, rng: random.Random) -> str | None:
    spots = list(_DIGITS.finditer(text))
    spots += list((_WORD_EN if language == "en" else _NUMERAL).finditer(text))
    rng.shuffle(spots)
    for spot in spots:
        for _ in range(20):
            other = _instead(spot.group(), language, rng)
            if other != spot.group() and not regex.search(rf"(?<![\d.]){regex.escape(other)}(?![\d])", taken):
                return text[: spot.start()] + other + text[spot.end() :]
    return None


def _instead(figure: str, language: Language, rng: random.Random) -> str:
    if not figure[0].isdigit():
        words = _WORDS_EN if language == "en" else _NUMERALS
        return rng.choice(words)
    if ":" in figure:
        return f"{rng.randrange(1, 24)}:{figure.split(':', 1)[1]}"
    if "." in figure:
        whole, rest = figure.rsplit(".", 1)
        return rng.choice(
            [f"{whole}.{rng.randrange(1, 10)}{rest[1:]}", f"{int(whole.replace(',', '').replace('.', '')) + 1}.{rest}"]
        )
    number = int(figure.replace(",", ""))
    other = rng.choice(
        [number + 1, number + 2, number * 2, number * 3, number * 10, number + 5, max(2, number // 2), rng.randrange(3, 990)]
    )
    return f"{other:,}" if "," in figure else str(other)


def _other_unit(text: str, language: Language, taken: str, rng: random.Random) -> str | None:
    spots: list[tuple[int, int, str]] = []
    for family in _UNITS[language]:
        for unit in family:
            edge = r"\b" if unit[-1].isascii() and unit[-1].isalpha() else r"(?!\p{Han}*电)"
            for match in regex.finditer(rf"(?<=\d\s?){regex.escape(unit)}{edge}", text):
                spots += [(match.start(), match.end(), other) for other in family if other != unit and unit not in other]
    if not spots:
        return None
    start, end, other = rng.choice(spots)
    return text[:start] + other + text[end:]


def _other_currency(text: str, language: Language, taken: str, rng: random.Random) -> str | None:
    found = [place for place, char in enumerate(text) if char in _CURRENCY]
    if not found or rng.random() < 0.5:
        return None
    place = rng.choice(found)
    return text[:place] + rng.choice([sign for sign in _CURRENCY if sign != text[place]]) + text[place + 1 :]
