"""Find the figures of a text (numbers, percentages, clock times, dates) in one spelling, Chinese numerals included."""

import re
import unicodedata

import regex

from groat.text.numerals import han_number

_EN = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
}
_EN |= {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}

_NUMBER = regex.compile(r"\d+(?:[,.:]\d+)*")
_HAN_NUMBER = regex.compile(
    r"百分之[零〇一二两三四五六七八九十百]+"  # before the next one, which takes its 百分 for a hundred of 分
    # Bounded, or a page of nothing but numerals takes minutes.
    r"|[零〇一二两三四五六七八九十百千万亿]{1,24}(?=[个天年月日号小时分秒元块折成倍次条件台户度级版米斤公周星期岁%％]|工作日)"
    r"|\d+(?:\.\d+)?万"
)
_EN_WORD = re.compile(r"[a-z]+")


def figures(text: str) -> set[str]:
    """Return the figures of ``text``, each in one spelling: "1,000" and "一千元" give "1000", "5 %" and "百分之五" give "5".

    English number words up to twenty and the tens count except "one", which is mostly no number; Chinese numerals count
    before a measure word. Units are not part of a figure.
    """
    flat = unicodedata.normalize("NFKC", text).casefold()
    found: set[str] = set()
    numerals = [] if flat.isascii() else _HAN_NUMBER.findall(flat)
    for raw in (numeral.removeprefix("百分之") for numeral in numerals):
        if raw[0].isdigit():
            found.add(_plain(str(float(raw[:-1]) * 10_000)))
        else:
            found.add(str(han_number(raw)))
    covered = _HAN_NUMBER.sub(" ", flat) if numerals else flat
    found.update(_plain(match) for match in _NUMBER.findall(covered))
    found.update(str(_EN[word]) for word in _EN_WORD.findall(flat) if word in _EN and word != "one")
    return found


def _plain(number: str) -> str:
    if ":" in number:
        return number
    number = number.replace(",", "") if regex.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", number) else number.replace(",", ".")
    if number.count(".") == 1:
        return number.rstrip("0").rstrip(".")
    return number
