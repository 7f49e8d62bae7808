"""Figures with their units in one form: "two hours", "2 h" and 两小时 are equal, and so are "2 pm" and 下午两点."""

import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import regex

from groat.text.numerals import HAN_DIGITS, HAN_SCALES, han_number

_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen".split()
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS: Final = {word: n for n, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_NUMBERED: Final = "january february march april may june july august september october november december".split()
_MONTHS: Final = {name: n for n, month in enumerate(_NUMBERED, 1) for name in (month, month[:3])}
_SCALES: Final = {**HAN_SCALES, "million": 1e6, "thousand": 1e3, "hundred": 100, "k": 1e3}
_SIGNS: Final = {"£": "gbp", "$": "usd", "€": "eur", "¥": "cny", "us$": "usd", "hk$": "hkd"}

# How a unit is written in either language, how many base units it is, the base unit.
_UNITS: Final[tuple[tuple[str, str, float, str], ...]] = (
    ("milliseconds?|ms", "毫秒", 0.001, "s"),
    ("seconds?|secs?|s", "秒", 1, "s"),
    ("minutes?|mins?", "分钟|分(?!贝|期|享|别)", 60, "s"),
    ("hours?|hrs?|h", "个?小时|个?钟头", 3600, "s"),
    ("(?:(?:working|business|calendar|week)[ -])?days?", "个?(?:工作|自然|交易)日|天", 86_400, "s"),
    ("weeks?", "个?(?:星期|礼拜)|周", 604_800, "s"),
    ("months?", "个月", 1, "month"),
    ("quarters?", "个?季度", 3, "month"),
    ("years?", "年", 12, "month"),
    ("us dollars?|dollars?|usd", "美元|美金", 1, "usd"),
    ("euros?|eur", "欧元", 1, "eur"),
    ("pounds?|gbp", "英镑", 1, "gbp"),
    ("p|pence|penny", "便士", 0.01, "gbp"),
    ("yuan|cny|rmb", "元|块钱?", 1, "cny"),
    ("jiao", "角|毛钱?", 0.1, "cny"),
    ("yen|jpy", "日元", 1, "jpy"),
    ("hkd", "港币|港元", 1, "hkd"),
    ("%|per ?cent|percentage points?", "个百分点", 1, "%"),
    ("‰|per mille", "千分点", 0.1, "%"),
    ("kb", "千字节", 1, "kb"),
    ("mb", "兆", 1, "mb"),
    ("gb", "吉", 1, "gb"),
    ("tb", "太字节", 1, "tb"),
    ("mm|milli(?:metres?|meters?)", "毫米", 0.001, "m"),
    ("cm|centi(?:metres?|meters?)", "厘米|公分", 0.01, "m"),
    ("km|kilo(?:metres?|meters?)", "公里|千米", 1000, "m"),
    ("m|metres?|meters?", "米", 1, "m"),
    ("miles?", "英里", 1609.344, "m"),
    ("kg|kilo(?:gram)?s?", "公斤|千克", 1, "kg"),
    ("g|grams?", "克", 0.001, "kg"),
    ("jin", "斤", 0.5, "kg"),
    ("kwh", "千瓦时|度电?", 1, "kwh"),
    ("kw|kilowatts?", "千瓦", 1000, "w"),
    ("w|watts?", "瓦(?!叶)", 1, "w"),
    ("khz", "千赫", 0.001, "mhz"),
    ("mhz", "兆赫", 1, "mhz"),
    ("ghz", "吉赫", 1000, "mhz"),
    ("volts?|v", "伏", 1, "v"),
    ("amps?|a(?= |\\b(?! ))", "安(?!装|全|排)", 1, "a"),
    ("°c|degrees? c(?:elsius)?", "摄氏度", 1, "°c"),
    ("°f|degrees? f(?:ahrenheit)?", "华氏度", 1, "°f"),
    ("decibels?|db", "分贝", 1, "db"),
    ("lit(?:re|er)s?|l", "升", 1, "l"),
    ("ml", "毫升", 0.001, "l"),
)
_LATIN_UNIT: Final = regex.compile("|".join(f"(?P<u{n}>(?:{line[0]})(?![a-z]))" for n, line in enumerate(_UNITS)))
_HAN_UNIT: Final = regex.compile("|".join(f"(?P<u{n}>{line[1]})" for n, line in enumerate(_UNITS)))

_HAN: Final = "零〇一二两三四五六七八九十百千万亿"
_MEASURES: Final = (
    "个天年月日号小时分秒元块成倍次条件台户度级米斤公周星期岁位人张项种组套款家步只部盏间名角点折期笔封钟集节毛毫厘千"
)
_DATE: Final = regex.compile(
    rf"(?P<iso>\b(?P<y>\d{{4}})-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}})\b)"
    rf"|(?:(?P<zy>\d{{4}})\s?年\s?)?(?P<zm>\d{{1,2}}|[{_HAN}]{{1,3}})\s?月(?!租|费|付|卡)(?:份|\s?(?P<zd>\d{{1,2}}"
    rf"|[{_HAN}]{{1,3}})\s?[日号])?"
    rf"|\b(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m1>{'|'.join(_MONTHS)})\b"
    rf"|\b(?P<m2>{'|'.join(_MONTHS)})\.? (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\b(?![:.]\d)"
)
_CLOCK: Final = regex.compile(
    r"(?P<part>凌晨|早上|清晨|早|上午|中午|下午|傍晚|晚上|夜里)?\s?"
    rf"(?:(?<![\d:.])(?P<h>\d{{1,2}})[:：](?P<min>\d{{2}})(?!\d)|(?P<zh>\d{{1,2}}"
    rf"|[{_HAN}]{{1,3}})\s?[点时](?P<half>半)?(?:\s?(?P<zmin>\d{{1,2}})\s?分)?"
    r"(?![间内段限效候差]|以内))\s?(?P<ap>[ap])?(?(ap)\.?m\b|)"
    r"|\b(?P<h12>\d{1,2})(?:[:.](?P<min12>\d{2}))?\s?(?P<ap12>[ap])\.?m\b"
    r"|\b(?P<noon>noon|midday|midnight)\b|(?P<znoon>正午|零点|半夜十二点)"
)
_NUMBER: Final = regex.compile(
    rf"(?P<share>百分之(?P<parts>[{_HAN}点\d.]+))"
    rf"|(?P<half>半)(?=个?[小天年月])|\b(?P<half_en>half)(?= an? (?:hour|day|year|month|minute))"
    # Bounded, or a page of nothing but numerals takes minutes.
    rf"|(?P<han>[{_HAN}]{{1,24}})(?=\s?(?:[{_MEASURES}]|工作日|自然日))"
    rf"|(?P<sign>us\$|hk\$|[£$€¥])?\s?(?P<digits>(?<![\d.])\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|(?<![\d.])\d+(?:\.\d+)*)"
    rf"(?P<scale>\s?(?:million|thousand|[万亿千百](?!瓦|克|米|赫|字))|k(?![a-z]))?"
    rf"|\b(?P<word>(?:{'|'.join(_TENS)})(?:[- ](?:{'|'.join(_SMALL[1:10])}))?"
    rf"|{'|'.join(sorted(_SMALL, key=len, reverse=True))})"
    rf"(?P<wscale>[- ](?:hundred|thousand|million))?\b"
)
_A_DIGIT: Final = regex.compile(r"\d")
_DIGIT: Final = regex.compile(rf"[\d{_HAN}]|noon|mid|正午")
_ANY: Final = regex.compile(rf"[\d{_HAN}半]|\b(?:noon|midday|midnight|half|{'|'.join((*_SMALL, *_TENS))})\b|正午")
_AFTERNOON: Final = frozenset({"下午", "傍晚", "晚上", "夜里"})
_HALF_YEAR: Final = 0.5


class Quantity(NamedTuple):
    """A figure with its unit."""

    value: float
    """As it was written; minutes since midnight for a clock time."""
    unit: str
    """Base unit; "" for a bare or merely counted number; "clock", "month of year", "day of month" for times."""
    size: float
    """How many base units one is."""


def supports(given: Iterable[Quantity], used: Quantity) -> bool:
    """Tell whether one of ``given`` says ``used``: an equal amount, or an equal figure where one of the two has no unit."""
    return any(_says(had, used) for had in given)


@lru_cache(maxsize=8192)
def quantities(text: str) -> tuple[Quantity, ...]:
    """Return the quantities of a text; about 30 µs for a sentence.

    "one" and 一 count only before a unit, since they are articles elsewhere.
    """
    flat = unicodedata.normalize("NFKC", text).casefold()
    if not _ANY.search(flat):
        return ()
    found: list[Quantity] = []
    for pattern, read in ((_DATE, _dates), (_CLOCK, _clocks)):
        matches = list(pattern.finditer(flat)) if _DIGIT.search(flat) else []
        for match in reversed(matches):
            found += read(match)
            flat = f"{flat[: match.start()]} ; {flat[match.end() :]}"
    found += _numbers(flat)
    return tuple(found)


def _says(had: Quantity, used: Quantity) -> bool:
    if had.unit == used.unit:
        return _equal(had.value * had.size, used.value * used.size)
    return not (had.unit and used.unit) and _equal(had.value, used.value)


def _equal(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-6 * max(1.0, abs(one))


def _dates(match: "regex.Match[str]") -> Iterator[Quantity]:
    part = match.groupdict()
    year, month = part["y"] or part["zy"], part["m"] or part["zm"] or part["m1"] or part["m2"]
    day = part["d"] or part["zd"] or part["d1"] or part["d2"]
    if year:
        yield Quantity(float(year), "", 1)
    yield Quantity(_MONTHS[month] if month in _MONTHS else _read(month), "month of year", 1)
    if day:
        yield Quantity(_read(day), "day of month", 1)


def _clocks(match: "regex.Match[str]") -> Iterator[Quantity]:
    part = match.groupdict()
    if part["noon"] or part["znoon"]:
        yield Quantity(720 if part["noon"] in {"noon", "midday"} or part["znoon"] == "正午" else 0, "clock", 1)
        return
    hour = _read(part["h"] or part["zh"] or part["h12"])
    minute = _read(part["min"] or part["min12"] or part["zmin"] or "0") + (30 if part["half"] else 0)
    afternoon = part["part"] in _AFTERNOON or (part["ap"] or part["ap12"]) == "p" or (part["part"] == "中午" and hour < 6)
    if afternoon and hour < 12:
        hour += 12
    if (part["ap"] or part["ap12"]) == "a" and hour == 12:
        hour = 0
    yield Quantity(hour * 60 + minute, "clock", 1)


def _numbers(flat: str) -> Iterator[Quantity]:
    for match in _NUMBER.finditer(flat):
        part = match.groupdict()
        if part["share"]:
            yield Quantity(_read(part["parts"]), "%", 1)
            continue
        unit, size = _unit_behind(flat, match.end())
        if part["sign"]:
            unit, size = _SIGNS[part["sign"]], 1.0
        if part["half"] or part["half_en"]:
            yield Quantity(_HALF_YEAR, unit, size)
            continue
        scale = part["scale"] or part["wscale"]
        value = _read(part["han"] or part["digits"] or part["word"])
        if value != 1 or part["digits"] or unit:
            yield Quantity(value * (_SCALES[scale.strip(" -")] if scale else 1), unit, size)


def _unit_behind(flat: str, end: int) -> tuple[str, float]:
    place = end
    while place < len(flat) and flat[place] in " -":
        place += 1
    if flat.startswith(("an hour", "a day", "a year", "a month", "an minute"), place):
        place = flat.index(" ", place) + 1
    pattern = _HAN_UNIT if place < len(flat) and "\u4e00" <= flat[place] <= "\u9fff" else _LATIN_UNIT
    match = pattern.match(flat, place)
    if match is None:
        return "", 1.0
    _, _, size, unit = _UNITS[int((match.lastgroup or "u0")[1:])]
    return unit, size


def _read(numeral: str) -> float:
    """Return the value of digits, an English number word or a Chinese numeral."""
    if any(_A_DIGIT.match(char) and not char.isdecimal() for char in numeral):
        # Digits of a script that this Python cannot read yet: a figure that equals only itself.
        return -float(int.from_bytes(numeral.encode()[:8]))
    if numeral[0].isdigit():
        plain = numeral.replace(",", "")
        # 5.2.1 is a version: one figure that equals no other.
        return (
            float(plain) if plain.count(".") < 2 else float(sum(int(p or 0) * 1e-3**n for n, p in enumerate(plain.split("."))))
        )
    if numeral[0].isascii():
        return float(sum(_WORDS[word] for word in regex.split("[- ]", numeral)))
    return _chinese(numeral)


def _chinese(numeral: str) -> float:
    whole, _, fraction = numeral.partition("点")
    return han_number(whole) + float("0." + "".join(str(HAN_DIGITS.get(char, 0)) for char in fraction or "0"))
